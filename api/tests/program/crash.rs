//! `kill -9` and SIGTERM under load: what was acknowledged is there once, and every retry gets its first answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use stockledger::client::{Client, Error, Headers};
use tokio::task::JoinSet;

use crate::run::{Server, until};

const CLIENTS: usize = 8;
/// Acknowledgements before the server is struck; enough that it is in the middle of its work.
const ACKNOWLEDGED_MIN: usize = 200;

/// One unit received under a key; the position of the decision, if the server said so.
async fn receive(client: &Client, key: &str) -> Result<Answer, Error> {
    let headers: Headers =
        vec![(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).unwrap())];
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 1 }] });
    let answer: Value = client.post_json("/v1/sites/uk/receipts", headers, &receipt).await?;
    Ok(Answer { position: answer["position"].as_str().unwrap().to_owned(), body: answer })
}

#[derive(Debug, PartialEq)]
struct Answer {
    position: String,
    body: Value,
}

/// Every key that was sent, with its answer where one came.
type History = HashMap<String, Option<Answer>>;

/// Sends receipts over several connections until told to stop, or until the server is gone.
async fn load(
    server: &Server,
    round: usize,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> JoinSet<History> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::new(&server.url).unwrap();
        let (acknowledged, stop) = (acknowledged.clone(), stop.clone());
        clients.spawn(async move {
            let mut history = History::new();
            for count in 0.. {
                let key = format!("{round}-{number}-{count}");
                let answer = receive(&client, &key).await;
                let is_lost = answer.is_err();
                history.insert(key, answer.ok());
                if is_lost || stop.load(Ordering::SeqCst) {
                    break;
                }
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            history
        });
    }
    clients
}

async fn histories(clients: JoinSet<History>) -> History {
    clients.join_all().await.into_iter().flatten().collect()
}

/// Asks every key again: the acknowledged ones get their first answer, the others are decided now at the latest.
async fn ask_again(server: &Server, history: &History) {
    for (key, first) in history {
        let again = receive(&server.client, key).await.unwrap();
        if let Some(first) = first {
            assert_eq!(*first, again, "{key}");
        }
    }
}

async fn on_hand(server: &Server, position: &str) -> i64 {
    let headers: Headers =
        vec![(HeaderName::from_static("ledger-min-position"), HeaderValue::from_str(position).unwrap())];
    let level: Value = server.client.get_json_with("/v1/sites/uk/stock/LAMP", headers).await.unwrap();
    level["on_hand"].as_i64().unwrap()
}

async fn open_site(server: &Server) {
    server.client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_loses_nothing_and_does_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path()).await;
    open_site(&server).await;
    let mut all = History::new();
    for round in 0..4 {
        let (acknowledged, stop) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let clients = load(&server, round, acknowledged.clone(), stop).await;
        until(async || acknowledged.load(Ordering::SeqCst) >= ACKNOWLEDGED_MIN).await;
        server.kill().await;
        all.extend(histories(clients).await);
        server = Server::start(directory.path()).await;
    }
    assert!(all.values().any(Option::is_none), "no command was in flight when the server was struck");
    ask_again(&server, &all).await;
    ask_again(&server, &all).await;
    let last = receive(&server.client, "last").await.unwrap();
    assert_eq!(on_hand(&server, &last.position).await, i64::try_from(all.len()).unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load_it_ends_in_order_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    open_site(&server).await;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients = load(&server, 0, acknowledged.clone(), Arc::default()).await;
    until(async || acknowledged.load(Ordering::SeqCst) >= ACKNOWLEDGED_MIN).await;
    assert!(server.terminate().await, "exit code");
    let history = histories(clients).await;

    let server = Server::start(directory.path()).await;
    ask_again(&server, &history).await;
    let last = receive(&server.client, "last").await.unwrap();
    assert_eq!(on_hand(&server, &last.position).await, i64::try_from(history.len()).unwrap() + 1);
}
