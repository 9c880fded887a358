//! Secrets are planted wherever one can be given, and everything that the program shows is searched for them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue};
use serde_json::Value;
use stockledger::client::Client;
use stockledger::tls::Trust;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::run::{complaint, program, text, until};
use crate::tls::{Files, issue};

/// No part of anything else.
const DATABASE: &str = "canary-of-the-database";
const KAFKA: &str = "canary-of-kafka";
const TOKEN: &str = "canary-of-a-token";
const FILE: &str = "canary-of-a-file";
const CANARIES: [&str; 4] = [DATABASE, KAFKA, TOKEN, FILE];

/// Where secrets are, and what must not be seen of them.
struct Planted {
    directory: TempDir,
    tls: Files,
}

impl Planted {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tls = issue(directory.path(), "here");
        Self { directory, tls }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command
            .env("STOCKLEDGER_LOG_LEVEL", "trace")
            .env("STOCKLEDGER_DATA_DIR", self.data())
            .env("STOCKLEDGER_KAFKA_PASSWORD", KAFKA)
            .env("RUST_BACKTRACE", "1");
        command
    }

    /// Asserts that none of the secrets stands in something that was shown.
    #[track_caller]
    fn assert_not_in(&self, what: &str, shown: &[u8]) {
        let shown = String::from_utf8_lossy(shown);
        let key = std::fs::read_to_string(&self.tls.key).unwrap();
        let line_of_key = key.lines().nth(1).expect("a key has lines");
        for secret in CANARIES.into_iter().chain([line_of_key]) {
            assert!(!shown.contains(secret), "{secret} stands in {what}: {shown}");
        }
    }
}

fn write(path: &Path, content: &str) -> String {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    text(path).to_owned()
}

/// Asks with a token in every place where a caller could put one; gives back whatever came of it.
async fn ask(client: &Client, method: &str, path: &str) -> String {
    let token = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
    let cookie = HeaderValue::from_str(&format!("session={TOKEN}")).unwrap();
    let headers = vec![(AUTHORIZATION, token), (COOKIE, cookie)];
    match method {
        "GET" => format!("{:?}", client.get_json_with::<Value>(path, headers).await),
        _ => format!("{:?}", client.post_json::<Value>(path, headers, &serde_json::json!({})).await),
    }
}

#[tokio::test]
async fn a_server_shows_no_secret_in_logs_answers_settings_or_its_command_line() {
    let planted = Planted::new();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let password_file = write(&planted.directory.path().join("password"), DATABASE);
    let settings = [
        "--listen",
        &address,
        "--tls-cert",
        text(&planted.tls.certificate),
        "--tls-key",
        text(&planted.tls.key),
        "--projections-password-file",
        &password_file,
    ];

    let shown = planted.program(&[&["config", "show"], &settings[..]].concat()).output().await.unwrap();
    assert!(shown.status.success(), "{}", complaint(&shown));
    planted.assert_not_in("config show", &[shown.stdout, shown.stderr].concat());

    let mut server = planted
        .program(&[&["serve"], &settings[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (server.stdout.take().unwrap(), server.stderr.take().unwrap());
    let said = tokio::spawn(async move {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (one, two) = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
        one.unwrap();
        two.unwrap();
        [out, err].concat()
    });
    let trust = Trust::Exactly(planted.tls.certificate.clone());
    let client = Client::trusting(&format!("https://{address}"), &trust).unwrap();
    until(async || ask(&client, "GET", "/readyz").await.starts_with("Ok")).await;
    for (method, path) in [
        ("GET", "/v1/info"),
        ("GET", "/v1/sites/none"),
        ("GET", "/nowhere"),
        ("POST", "/v1/bulk"),
        ("POST", "/v1/sites/none/orders"),
        ("POST", "/livez"),
    ] {
        planted.assert_not_in(path, ask(&client, method, path).await.as_bytes());
    }
    // Who forgets TLS sends a token in the clear, and is told of in the log.
    let mut plain = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    plain.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    drop(plain.read_to_end(&mut answer).await);
    planted.assert_not_in("the answer without TLS", &answer);
    let pid = server.id().unwrap();
    planted.assert_not_in("the command line", &std::fs::read(format!("/proc/{pid}/cmdline")).unwrap());
    let killed = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.unwrap();
    assert!(killed.success());
    server.wait().await.unwrap();
    let said = said.await.unwrap();
    assert!(said.windows(7).any(|word| word == b"\"DEBUG\""), "the log tells everything");
    planted.assert_not_in("the output of the server", &said);
}

#[tokio::test]
async fn no_error_of_a_start_shows_a_secret() {
    let planted = Planted::new();
    let file = planted.directory.path().join("settings.toml");
    let no_file = planted.directory.path().join("none");
    let secret_file = write(&planted.directory.path().join("secret"), FILE);
    let mysql = format!("mysql://shop:{DATABASE}@127.0.0.1:1/stock");
    let with_login = ["--kafka-user", "ledger", "--log", "kafka://127.0.0.1:1/ledger"];
    let cases: &[&[&str]] = &[
        &["serve", "--projections-password-file", text(&no_file)],
        &[
            "serve",
            "--kafka-security",
            "sasl_ssl",
            with_login[0],
            with_login[1],
            with_login[2],
            with_login[3],
        ],
        &[
            "serve",
            "--kafka-security",
            "sasl_ssl",
            "--kafka-password-file",
            &secret_file,
            with_login[2],
            with_login[3],
        ],
        // A key where a certificate belongs, a secret where a key belongs.
        &["serve", "--tls-cert", text(&planted.tls.key), "--tls-key", text(&planted.tls.key)],
        &["serve", "--tls-cert", text(&planted.tls.certificate), "--tls-key", &secret_file],
        &["serve", "--tls-cert", &secret_file, "--tls-key", text(&planted.tls.key)],
    ];
    for arguments in cases {
        let failed = planted.program(arguments).args(["--listen", "127.0.0.1:0"]).output().await.unwrap();
        assert!(!failed.status.success(), "{arguments:?}");
        planted.assert_not_in(&format!("{arguments:?}"), &[failed.stdout, failed.stderr].concat());
    }
    for content in [
        format!("projections = \"{mysql}\"\nlog = \"kafka://ledger:{KAFKA}@127.0.0.1:1/ledger\"\n"),
        format!("projections = \"mysql://shop:{DATABASE}@\"\n"),
        format!("projections = \"{mysql}\"\n"),
    ] {
        let settings = write(&file, &content);
        let failed = planted.program(&["init", "--config", &settings]).output().await.unwrap();
        assert!(!failed.status.success(), "{content}");
        planted.assert_not_in(&content.replace(DATABASE, "-"), &[failed.stdout, failed.stderr].concat());
    }
}
