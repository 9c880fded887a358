//! Clients that keep a server busy and remember what they were told, and the check that it stays true.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use stockledger::client::{Client, Error, Headers};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::run::{Server, until};

const CLIENTS: usize = 8;
/// How long a client waits after a request that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

/// An answer to a command.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) position: String,
    body: Value,
}

/// One unit received under a key.
pub(crate) async fn receive(client: &Client, key: &str) -> Result<Answer, Error> {
    let headers: Headers =
        vec![(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).unwrap())];
    let receipt = json!({ "lines": [{ "sku": "LAMP", "quantity": 1 }] });
    let body: Value = client.post_json("/v1/sites/uk/receipts", headers, &receipt).await?;
    Ok(Answer { position: body["position"].as_str().unwrap().to_owned(), body })
}

/// Opens the site that the load is on.
pub(crate) async fn open_site(server: &Server) {
    server.client.put_json::<Value>("/v1/sites/uk", &json!({ "name": "London" })).await.unwrap();
}

/// Every key that was sent once, with its answer, or with the code of the refusal; that is empty where none came.
#[derive(Debug, Default)]
pub(crate) struct History(HashMap<String, Result<Answer, String>>);

impl History {
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Counts a key in that was sent and got no answer.
    pub(crate) fn note_unanswered(&mut self, key: &str) {
        self.0.insert(key.to_owned(), Err(String::new()));
    }

    /// How many keys were refused with one of these codes.
    pub(crate) fn refused(&self, codes: &[&str]) -> usize {
        let is_one = |code: &String| codes.contains(&code.as_str());
        self.0.values().filter_map(|answer| answer.as_ref().err()).filter(|code| is_one(code)).count()
    }

    /// Asks every key again, until each has an answer: the acknowledged ones get their first, and the others are decided
    /// now at the latest. Then as many units are there as keys were sent: nothing was lost and nothing done twice.
    pub(crate) async fn check(&self, server: &Server) {
        for round in ["first", "second"] {
            for (key, first) in &self.0 {
                let again =
                    receive(&server.client, key).await.unwrap_or_else(|error| panic!("{key}: {error}"));
                if let Ok(first) = first {
                    assert_eq!(*first, again, "{key}, {round} time");
                }
            }
        }
        let last = receive(&server.client, "last").await.unwrap();
        assert_eq!(on_hand(server, &last.position).await, i64::try_from(self.0.len()).unwrap() + 1);
    }
}

async fn on_hand(server: &Server, position: &str) -> i64 {
    let headers: Headers =
        vec![(HeaderName::from_static("ledger-min-position"), HeaderValue::from_str(position).unwrap())];
    let level: Value = server.client.get_json_with("/v1/sites/uk/stock/LAMP", headers).await.unwrap();
    level["on_hand"].as_i64().unwrap()
}

/// Clients that send receipts, one after the other, each under a key of its own, whatever comes back.
pub(crate) struct Load {
    clients: JoinSet<History>,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Begins; the name tells the keys of several loads apart. The clients are spread over the servers.
    pub(crate) fn start(name: &str, servers: &[&Server]) -> Self {
        let (acknowledged, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut clients = JoinSet::new();
        for (number, server) in (0..CLIENTS).zip(servers.iter().cycle()) {
            let client = Client::new(&server.url).unwrap();
            let keys = format!("{name}-{number}");
            clients.spawn(one_client(client, keys, acknowledged.clone(), stop.clone()));
        }
        Self { clients, acknowledged, stop }
    }

    /// Waits until so many more commands were acknowledged.
    pub(crate) async fn until_acknowledged(&self, more: usize) {
        let enough = self.acknowledged.load(Ordering::SeqCst) + more;
        until(async || self.acknowledged.load(Ordering::SeqCst) >= enough).await;
    }

    /// Ends after the requests that are under way.
    pub(crate) async fn stop(self) -> History {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = History::default();
        self.clients.join_all().await.into_iter().for_each(|history| all.extend(history));
        all
    }
}

async fn one_client(
    client: Client,
    keys: String,
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> History {
    let mut history = History::default();
    let mut after_failure = interval(AFTER_FAILURE);
    for count in 0_u64.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("{keys}-{count}");
        let answer = receive(&client, &key).await;
        if answer.is_ok() {
            acknowledged.fetch_add(1, Ordering::SeqCst);
        } else {
            after_failure.reset();
            after_failure.tick().await;
        }
        let answer = answer.map_err(|error| error.code().unwrap_or_default().to_owned());
        history.0.insert(key, answer);
    }
    history
}
