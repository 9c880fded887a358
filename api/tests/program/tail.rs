//! `tail`: the same decisions from the log and from a server, and going on with what comes.

use std::process::Stdio;

use serde_json::{Value, json};
use stockledger::http::headers::IDEMPOTENCY_KEY;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use crate::commands::shop;
use crate::run::{DEADLINE, Server, complaint, data, program, run, text};

/// A `tail --follow` that runs.
struct Following {
    lines: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Following {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["tail", "--follow", "--format", "json"], arguments].concat();
        let mut child = program(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { lines, child }
    }

    async fn next(&mut self) -> Value {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("a line in time").unwrap();
        serde_json::from_str(&line.expect("it goes on")).unwrap()
    }
}

async fn note(server: &Server, key: &'static str) -> String {
    let headers = vec![(IDEMPOTENCY_KEY, hyper::header::HeaderValue::from_static(key))];
    let noted: Value =
        server.client.post_json("/v1/sites/uk/notes", headers, &json!({ "note": key })).await.unwrap();
    noted["position"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_what_the_log_has() {
    let directory = tempfile::tempdir().unwrap();
    let server = shop(directory.path()).await;
    let (local, remote) = (["--data-dir", text(directory.path())], ["--server", server.url.as_str()]);
    for filter in [
        &[][..],
        &["--site", "uk"],
        &["--type", "out_of_stock"],
        &["--limit", "3"],
        &["--from", "0.4"],
        &["--partition", "0", "--limit", "2"],
        &["--site", "nowhere"],
    ] {
        for format in ["json", "table"] {
            let ask = [&["tail", "--format", format], filter].concat();
            let from_log = data(&[&ask[..], &local].concat()).await;
            assert_eq!(data(&[&ask[..], &remote].concat()).await, from_log, "{ask:?}");
            assert_eq!(from_log.is_empty(), filter.contains(&"nowhere"), "{ask:?}");
        }
    }
    let output = run(&["tail", "--type", "OrderPlaced", "--data-dir", local[1]]).await;
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
    let output = run(&["tail", "--partition", "900", "--data-dir", local[1]]).await;
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_over_a_restart_of_the_server_and_tells_everything_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = shop(directory.path()).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut following = Following::start(&["--type", "note_recorded", "--server", &server.url]);
    let mut beside = Following::start(&["--type", "note_recorded", "--data-dir", text(directory.path())]);
    let mut expected = vec![note(&server, "a").await, note(&server, "b").await];
    let mut told = vec![following.next().await, following.next().await];
    assert!(server.terminate().await, "a stream does not keep the server from ending");
    let server = Server::start_at(&address, &["--data-dir", text(directory.path())]).await;
    expected.push(note(&server, "c").await);
    told.push(following.next().await);
    let positions: Vec<&str> = told.iter().map(|one| one["position"].as_str().unwrap()).collect();
    assert_eq!(positions, expected);
    for one in &told {
        assert_eq!(beside.next().await, *one, "from the log");
    }
    following.child.kill().await.unwrap();
    beside.child.kill().await.unwrap();
}

#[tokio::test]
async fn records_are_decoded_as_kcat_writes_them() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/golden/claim");
    let record = std::fs::read(format!("{golden}.bin")).unwrap();
    let length = u32::try_from(record.len()).unwrap().to_be_bytes();
    let input = [&length[..], &record, &length, &record].concat();
    let mut command = program(&["decode", "-", "--encoding", "lengths"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&input).await.unwrap();
    let output = timeout(DEADLINE, child.wait_with_output()).await.expect("it ends").unwrap();
    assert!(output.status.success());
    let twin: Value =
        serde_json::from_str(&std::fs::read_to_string(format!("{golden}.json")).unwrap()).unwrap();
    let decoded: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(decoded, [twin.clone(), twin]);
}
