//! `/v1/events/stream`: from history to live, for many at once, cut and resumed, slow, revoked, and when the service ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use proptest::prelude::RngExt;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use stockledger::feed::{self, Feed};
use stockledger::http::{self, App, Closing, EVENT_READERS_MAX, Gate, Roles};
use stockledger_log::{Log, MemoryLog};
use stockledger_schemas::{KeyScope, Position};
use stockledger_writer::{SystemEnvironment, genesis};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

use crate::errors::assert_problem;
use crate::events::shop;
use crate::keys::Guarded;
use crate::support::{PATIENCE, Service, get, send};

/// One block of a stream.
#[derive(Debug, Default, Clone)]
struct Block {
    event: String,
    id: String,
    data: String,
    comment: String,
}

impl Block {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("JSON")
    }

    fn position(&self) -> Position {
        self.json()["position"].as_str().expect("a position").parse().expect("a position")
    }
}

/// A client of a stream, as browsers have it.
struct Client {
    body: BodyDataStream,
    unread: String,
    last_id: String,
}

impl Client {
    async fn open(router: &Router, path: &str, last_id: &str, closing: Closing) -> Self {
        let request = get(path).header("last-event-id", last_id).extension(closing);
        Self::answered(router, request.body(Body::empty()).unwrap(), last_id).await
    }

    async fn answered(router: &Router, request: axum::http::Request<Body>, last_id: &str) -> Self {
        let response = timeout(PATIENCE, router.clone().oneshot(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let body = response.into_body().into_data_stream();
        Self { body, unread: String::new(), last_id: last_id.to_owned() }
    }

    /// The next block, or nothing at the end of the stream.
    async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some((text, rest)) = self.unread.split_once("\n\n") {
                let mut block = Block::default();
                for line in text.lines() {
                    let (name, value) = line.split_once(": ").expect("a field");
                    match name {
                        "event" => block.event = value.to_owned(),
                        "id" => block.id = value.to_owned(),
                        "data" => block.data = value.to_owned(),
                        "" => block.comment = value.to_owned(),
                        "retry" => assert_eq!(value, "1000"),
                        other => panic!("the field {other} is not known"),
                    }
                }
                self.unread = rest.to_owned();
                if !block.id.is_empty() {
                    self.last_id.clone_from(&block.id);
                }
                return Some(block);
            }
            let frame = timeout(PATIENCE, self.body.next()).await.expect("something in time")?;
            self.unread.push_str(std::str::from_utf8(&frame.expect("a frame")).expect("UTF-8"));
        }
    }

    /// The next decision.
    async fn decision(&mut self) -> Block {
        loop {
            let block = self.next().await.expect("the stream goes on");
            assert_eq!(block.event, "", "{block:?}");
            if !block.data.is_empty() {
                return block;
            }
        }
    }
}

/// Asserts that these are the decisions of each partition in order, each once, and gives how many there are.
fn assert_gapless(positions: &[Position], from: &BTreeMap<u16, u64>) {
    let mut last = from.clone();
    for position in positions {
        let seq = last.entry(position.partition.0).or_default();
        assert_eq!(position.seq, *seq + 1, "in {positions:?}");
        *seq = position.seq;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_that_are_cut_and_resume_see_every_decision_once_and_in_order() {
    const READERS: u64 = 200;
    const WRITES: usize = 60;
    let service = Arc::new(shop().await);
    for site in ["a", "b", "c"] {
        service.put(&format!("/v1/sites/{site}"), r#"{"name":"One"}"#).await.expect(201);
    }
    let last = Arc::new(tokio::sync::watch::channel(None::<BTreeMap<u16, u64>>).0);
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let (service, mut last) = (Arc::clone(&service), last.subscribe());
            tokio::spawn(async move {
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
                let (mut seen, mut cuts) = (Vec::new(), 0);
                let mut client =
                    Client::open(&service.router, "/v1/events/stream", "", Closing::default()).await;
                loop {
                    let is_all = last.borrow_and_update().as_ref().is_some_and(|ends| {
                        let of = |partition: u16| {
                            seen.iter().filter(|at: &&Position| at.partition.0 == partition).count() as u64
                        };
                        ends.iter().all(|(partition, seq)| of(*partition) == *seq)
                    });
                    if is_all {
                        break;
                    }
                    tokio::select! {
                        block = client.decision() => seen.push(block.position()),
                        changed = last.changed() => changed.expect("the writer is there"),
                    }
                    if random.random_ratio(1, 16) {
                        // Whatever was under way is lost with the connection.
                        let last_id = client.last_id.clone();
                        client =
                            Client::open(&service.router, "/v1/events/stream", &last_id, Closing::default())
                                .await;
                        cuts += 1;
                    }
                }
                assert_gapless(&seen, &BTreeMap::new());
                cuts
            })
        })
        .collect();
    for number in 0..WRITES {
        let site = ["uk", "fr", "a", "b", "c"][number % 5];
        service.post(&format!("/v1/sites/{site}/notes"), r#"{"note":"n"}"#).await.expect(201);
    }
    let ends = service.ledger.status().iter().map(|at| (at.position.partition.0, at.position.seq)).collect();
    last.send_replace(Some(ends));
    let mut cuts = 0;
    for reader in readers {
        cuts += timeout(PATIENCE, reader).await.expect("in time").expect("a reader that saw everything");
    }
    assert!(cuts > READERS, "{cuts} cuts");
}

#[tokio::test]
async fn history_is_read_from_the_log_when_it_is_no_longer_kept() {
    let service = shop().await;
    for _ in 0..600 {
        service.post("/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(201);
    }
    let (feed, router) = small(&service, 8);
    feed.end(Instant::now() + PATIENCE).await;
    let mut client = Client::open(&router, "/v1/events/stream?site=uk", "", Closing::default()).await;
    let mut seen = Vec::new();
    while seen.len() < 600 {
        let block = client.decision().await;
        if block.json()["decision"]["events"][0]["type"] == "note_recorded" {
            seen.push(block.position());
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq), "{seen:?}");
    // One in the middle, whose mark is not the first.
    let middle = seen[500];
    let one = send(&router, get(&format!("/v1/events/{middle}")).body(Body::empty()).unwrap()).await;
    assert_eq!(one.expect(200).json["position"], json!(middle));
}

/// A service of the same ledger whose feed keeps so few decisions.
fn small(service: &Service, kept_max: usize) -> (Feed, Router) {
    let log: Arc<dyn Log> = Arc::new(service.log.clone());
    let options = feed::Options { kept_max, ..feed::Options::default() };
    let feed = Feed::new(log, service.node.ledger_id, options);
    let app = App::new(service.node.clone(), Roles::default(), Gate::Open).telling(feed.clone());
    (feed, http::router(app))
}

#[tokio::test]
async fn a_slow_reader_is_told_where_to_resume_and_let_go() {
    let service = shop().await;
    let (feed, router) = small(&service, 8);
    let mut client = Client::open(&router, "/v1/events/stream?after=end", "", Closing::default()).await;
    let begin = feed.end(Instant::now() + PATIENCE).await;
    service.post("/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(201);
    let mut seen = vec![client.decision().await.position()];
    // It is level. Now it reads nothing, and more comes than is kept.
    assert!(futures_util::FutureExt::now_or_never(client.next()).is_none());
    let mut position = String::new();
    for _ in 0..50 {
        let noted = service.post("/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(201);
        position = noted.header("ledger-position").to_owned();
    }
    let position: Position = position.parse().unwrap();
    assert!(feed.reached(position, Instant::now() + PATIENCE).await);
    let last = loop {
        let block = client.next().await.expect("it is told");
        match block.event.as_str() {
            "" if block.data.is_empty() => {}
            "" => seen.push(block.position()),
            _ => break block,
        }
    };
    assert_eq!((last.event.as_str(), last.json()["after"].as_str()), ("resync", Some(last.id.as_str())));
    assert!(client.next().await.is_none(), "it is let go");
    assert!(seen.len() < 51, "it was not slow");
    let mut again = Client::open(&router, "/v1/events/stream", &last.id, Closing::default()).await;
    while seen.last() != Some(&position) {
        seen.push(again.decision().await.position());
    }
    let from = begin.places().iter().map(|at| (at.partition.0, at.seq)).collect();
    assert_gapless(&seen, &from);
}

#[tokio::test]
async fn a_stream_tells_what_passes_and_ends_with_the_service() {
    let service = shop().await;
    let closing = Closing::default();
    let mut client = Client::open(&service.router, "/v1/events/stream?order=o-1", "", closing.clone()).await;
    let told = [client.decision().await.json(), client.decision().await.json()];
    let listed = service.get("/v1/events?order=o-1").await;
    assert_eq!(json!(told), listed.json["data"]);
    closing.0.cancel();
    while let Some(block) = client.next().await {
        assert_eq!(block.data, "", "{block:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked() {
    let guarded = Guarded::start().await;
    let token = guarded.key("auditor", &[KeyScope::AuditRead], json!({})).await;
    let bearer = format!("Bearer {}", token.reveal());
    let request = get("/v1/events/stream").header("authorization", bearer).body(Body::empty()).unwrap();
    let mut client = Client::answered(&guarded.router, request, "").await;
    client.decision().await;
    guarded.revoke(&token).await.expect(201);
    while let Some(block) = client.next().await {
        assert_ne!(block.event, "resync");
    }
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let service = shop().await;
    let mut open = Vec::new();
    for _ in 0..EVENT_READERS_MAX {
        open.push(Client::open(&service.router, "/v1/events/stream", "", Closing::default()).await);
    }
    let refused = send(&service.router, get("/v1/events/stream").body(Body::empty()).unwrap()).await;
    assert_problem(&refused, 503, "events-unavailable");
    assert_ne!(refused.header("retry-after"), "");
    open.pop();
    let mut client = Client::open(&service.router, "/v1/events/stream", "", Closing::default()).await;
    client.decision().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_shows_that_it_is_alive_and_where_it_is() {
    let log = MemoryLog::new(2);
    let identity = genesis::initialise(&log, &SystemEnvironment).await.unwrap();
    let feed = Feed::new(Arc::new(log), identity.ledger_id, feed::Options::default());
    let node = http::Node {
        ledger_id: identity.ledger_id,
        partitions: 2,
        log: "memory",
        projections: "none",
        environment: Arc::new(SystemEnvironment),
    };
    let router = http::router(App::new(node, Roles::default(), Gate::Open).telling(feed));
    let began = Instant::now();
    let mut client = Client::open(&router, "/v1/events/stream", "", Closing::default()).await;
    assert_eq!(client.next().await.expect("it begins").data, "");
    let alive = client.next().await.expect("it goes on");
    assert_eq!((alive.data.as_str(), alive.event.as_str()), ("", ""));
    assert_ne!(alive.comment, "");
    assert_ne!(alive.id, "");
    let silent = began.elapsed();
    assert!(
        (Duration::from_secs(15)..Duration::from_secs(17)).contains(&silent),
        "{silent:?} of virtual time"
    );
}
