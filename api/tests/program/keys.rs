//! API keys from the command line: the first one, those that a server makes, and who is let in.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hyper::header::HeaderValue;
use serde_json::Value;
use stockledger::client::Client;
use stockledger::http::headers::IDEMPOTENCY_KEY;
use stockledger::keys::Token;

use crate::run::{Server, complaint, data, json, program, run, text, until};

/// Makes a key in the data directory and keeps its token in a file there.
async fn first_key(directory: &Path) -> (Token, String) {
    let made =
        data(&["keys", "create", "--name", "boss", "--scope", "admin", "--data-dir", text(directory)]).await;
    let file = directory.join("boss.key");
    std::fs::write(&file, &made).unwrap();
    (made.trim().parse().expect("a token and nothing else"), text(&file).to_owned())
}

#[tokio::test]
async fn the_first_key_closes_the_ledger_and_opens_it_to_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let too_little =
        run(&["keys", "create", "--name", "till", "--scope", "stock:read", "--data-dir", path]).await;
    assert_eq!(too_little.status.code(), Some(5), "{}", complaint(&too_little));
    assert!(too_little.stdout.is_empty(), "a token that nobody can use is shown");
    let (boss, file) = first_key(directory.path()).await;

    let server = Server::start(directory.path()).await;
    let url = server.url.as_str();
    let busy = run(&["keys", "create", "--name", "x", "--scope", "admin", "--data-dir", path]).await;
    assert_eq!(busy.status.code(), Some(6), "{}", complaint(&busy));
    let stranger = run(&["keys", "list", "--server", url]).await;
    assert_eq!(stranger.status.code(), Some(1));
    assert!(complaint(&stranger).contains("unauthenticated"), "{}", complaint(&stranger));

    let with_key = ["--server", url, "--api-key-file", &file];
    let create = ["keys", "create", "--name", "till 3", "--scope", "stock:read,order:place", "--site", "uk"];
    let made = json(&[&create[..], &["--expires-in", "90d"], &with_key].concat()).await;
    let till: Token = made["token"].as_str().unwrap().parse().unwrap();
    assert_eq!(made["sites"], serde_json::json!(["uk"]));
    assert!(made["expires_at"].as_str() > made["created_at"].as_str());
    let refused =
        run(&[&["stock", "list", "uk", "--server", url, "--api-key-file"][..], &[&file]].concat()).await;
    assert!(complaint(&refused).contains("stock:read"), "{}", complaint(&refused));
    let client = Client::new(url).unwrap().with_token(&till);
    assert_eq!(client.get_json::<Value>("/v1/sites").await.unwrap()["data"], serde_json::json!([]));

    data(&[&["keys", "revoke", till.key_id().as_str()][..], &with_key].concat()).await;
    let again = client.get_json::<Value>("/v1/sites").await.unwrap_err();
    assert_eq!(again.code(), Some("unauthenticated"));
    let unknown = run(&[&["keys", "revoke", "nobodyskey"][..], &with_key].concat()).await;
    assert_eq!(unknown.status.code(), Some(5), "{}", complaint(&unknown));

    // From the log itself and from the server the list is the same.
    let listed = json(&[&["keys", "list"][..], &with_key].concat()).await;
    assert_eq!(listed["data"], json(&["keys", "list", "--data-dir", path]).await["data"]);
    let status = |token: &Token| {
        let keys = listed["data"].as_array().unwrap();
        let key = keys.iter().find(|key| key["key_id"] == token.key_id().as_str()).unwrap();
        key["status"].as_str().unwrap().to_owned()
    };
    assert_eq!((status(&boss).as_str(), status(&till).as_str()), ("live", "revoked"));
    let by_variable =
        program(&["keys", "list", "--server", url]).env("STOCKLEDGER_API_KEY", boss.reveal()).output();
    assert!(by_variable.await.unwrap().status.success());
    assert!(server.terminate().await);

    // Writers, tables and the verifier read past keys.
    data(&["verify", "--data-dir", path]).await;
    data(&["rebuild", "--data-dir", path]).await;
}

#[tokio::test]
async fn another_process_hears_of_keys_and_of_their_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let (boss, _) = first_key(directory.path()).await;
    let writer = Server::start(directory.path()).await;
    let reader = Server::start_with(&["--data-dir", path, "--roles", "api"]).await;
    let of_boss = writer.client.clone().with_token(&boss);
    let token = Token::generate().unwrap();
    let body = serde_json::json!({
        "key_id": token.key_id(), "name": "reader", "secret_hash": token.hash(), "scopes": ["stock:read"],
    });
    let key = |text: &'static str| vec![(IDEMPOTENCY_KEY, HeaderValue::from_static(text))];
    of_boss.post_json::<Value>("/v1/keys", key("make"), &body).await.unwrap();
    let of_reader = reader.client.clone().with_token(&token);
    let code = async || {
        of_reader.get_json::<Value>("/v1/sites").await.err().map(|error| error.code().map(str::to_owned))
    };
    within_5_s(async || code().await.is_none()).await;
    let revocation = format!("/v1/keys/{}/revocation", token.key_id());
    of_boss.post_json::<Value>(&revocation, key("revoke"), &serde_json::json!({})).await.unwrap();
    within_5_s(async || code().await.flatten().as_deref() == Some("unauthenticated")).await;
    assert!(reader.terminate().await && writer.terminate().await);
}

/// What is promised of keys: every node obeys a change within so long.
async fn within_5_s(is_met: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(5), until(is_met)).await.expect("not within 5 s");
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_more_than_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let serve = ["serve", "--listen", "0.0.0.0:0", "--data-dir", path];
    let without = run(&serve).await;
    assert_eq!(without.status.code(), Some(6));
    assert!(complaint(&without).contains("stockledger keys create"), "{}", complaint(&without));
    first_key(directory.path()).await;
    let with = run(&serve).await;
    assert_eq!(with.status.code(), Some(6));
    assert!(complaint(&with).contains("without TLS others could read the API keys"), "{}", complaint(&with));
}

#[tokio::test]
async fn wrong_arguments_are_named_before_anything_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = text(directory.path());
    let cases = [
        (&["--scope", "everything"][..], "the scopes are stock:read"),
        (&["--scope", "admin", "--expires-in", "soon"], "such as 90d"),
        (
            &["--scope", "admin", "--expires-in", "1d", "--expires-at", "2030-01-01T00:00:00Z"],
            "cannot be used with",
        ),
        (&["--scope", "admin", "--expires-at", "2020-01-01T00:00:00Z"], "is over"),
        (&["--scope", "admin,admin"], "stands there already"),
        (&["--scope", "admin", "--site", "uk"], "for all sites"),
        (&[], "--scope"),
    ];
    for (arguments, why) in cases {
        let output =
            run(&[&["keys", "create", "--name", "boss", "--data-dir", path][..], arguments].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", complaint(&output));
        assert!(complaint(&output).contains(why), "{arguments:?}: {}", complaint(&output));
        assert!(output.stdout.is_empty());
    }
    let nonsense = directory.path().join("nonsense");
    std::fs::write(&nonsense, "slk_abcdefgh_topsecret").unwrap();
    let output =
        run(&["keys", "list", "--server", "http://127.0.0.1:1", "--api-key-file", text(&nonsense)]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(!complaint(&output).contains("topsecret"), "{}", complaint(&output));
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let directory = tempfile::tempdir().unwrap();
    let (boss, file) = first_key(directory.path()).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let log = directory.path().join("stderr");
    let mut server = program(&["serve", "--listen", &address, "--data-dir", text(directory.path())])
        .env("STOCKLEDGER_LOG_LEVEL", "trace")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let url = format!("http://{address}");
    let client = Client::new(&url).unwrap().with_token(&boss);
    until(async || client.get_json::<Value>("/readyz").await.is_ok()).await;
    let list = program(&["keys", "list", "--server", &url, "--api-key-file", &file])
        .env("STOCKLEDGER_LOG_LEVEL", "trace")
        .output();
    let list = list.await.unwrap();
    assert!(list.status.success(), "{}", complaint(&list));
    client.get_json::<Value>("/v1/sites").await.unwrap_err();
    server.kill().await.unwrap();
    let secret = boss.reveal().rsplit('_').next().unwrap();
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("answers on"), "nothing is logged that could tell: {logged}");
    for text in [&logged, &complaint(&list), &format!("{client:?}"), &format!("{boss:?}")] {
        assert!(!text.contains(secret), "a token is logged");
    }
}
