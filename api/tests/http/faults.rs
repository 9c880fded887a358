//! Problems of a node that is not well, or that does not play a role.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stockledger::http::{self, App, Gate, Node, Roles};
use stockledger_log::memory::{Answer as Heard, Fate};
use stockledger_log::{Entry, MemoryLog};
use stockledger_projections::Store;
use stockledger_writer::{Environment, SystemEnvironment, genesis};
use tokio::time::timeout;

use crate::errors::assert_problem;
use crate::support::{PARTITIONS, PATIENCE, Service, get, options, post, send};
use axum::body::Body;
use stockledger_schemas::LedgerId;

const NOTES: &str = "/v1/sites/uk/notes";
const NOTE: &str = r#"{"note":"n"}"#;

async fn empty_ledger() -> MemoryLog {
    let log = MemoryLog::new(PARTITIONS);
    genesis::initialise(&log, &SystemEnvironment).await.expect("an empty log becomes a ledger");
    log
}

#[tokio::test]
async fn a_command_without_an_answer_from_the_log_has_an_unknown_outcome() {
    let service = Service::start_with(stockledger_writer::Options {
        answer_within: Duration::from_millis(100),
        ..options()
    })
    .await;
    service.put("/v1/sites/uk", r#"{"name":"n"}"#).await.expect(201);
    service.log.faults().plan(0, Fate::answer(Heard::Held));
    let unknown = service.post_as("k", NOTES, NOTE).await;
    assert_problem(&unknown, 504, "outcome-unknown");
    assert!(!unknown.headers.contains_key("ledger-position"));
    assert!(service.log.faults().release(0, 0));
    let known = service.post_as("k", NOTES, NOTE).await.expect(200);
    assert_eq!(known.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_node_that_is_stopping_applies_nothing() {
    let service = Service::start().await;
    timeout(PATIENCE, service.ledger.stop()).await.expect("stops in time");
    assert_problem(&service.post(NOTES, NOTE).await, 503, "not-applied");
    let lines = service
        .bulk(r#"{"command":"record_note","site":"uk","idempotency_key":"k","body":{"note":"n"}}"#)
        .await;
    assert_eq!(lines[0]["problem"]["code"], "not-applied");
}

#[tokio::test]
async fn a_node_with_too_much_waiting_is_overloaded() {
    let service = Service::start().await;
    service.log.faults().plan(0, Fate::answer(Heard::Held));
    let mut waiting = Vec::new();
    let overloaded = loop {
        let key = waiting.len();
        let posted =
            post(NOTES).header("idempotency-key", format!("k-{key}")).body(Body::from(NOTE)).unwrap();
        let mut sending = Box::pin(service.send(posted));
        // The requests are begun one after the other; one that is answered at once was refused.
        match futures_util::poll!(&mut sending) {
            std::task::Poll::Ready(answer) => break answer,
            std::task::Poll::Pending => waiting.push(sending),
        }
        assert!(waiting.len() <= 20_000, "the queue has no bound");
    };
    assert_problem(&overloaded, 503, "overloaded");
}

#[tokio::test]
async fn a_partition_whose_log_cannot_be_read_is_halted() {
    let log = empty_ledger().await;
    log.faults().land(0, Entry::new(Bytes::new(), Bytes::from_static(b"nonsense")));
    let service = Service::start_on(log, options()).await;
    timeout(PATIENCE, service.ledger.led())
        .await
        .expect("settled in time")
        .expect_err("partition 0 has halted");
    let halted = service.put("/v1/sites/uk", r#"{"name":"n"}"#).await;
    assert_problem(&halted, 503, "partition-halted");
    assert_eq!(halted.header("retry-after"), "60");
    let ready = service.get("/readyz").await;
    assert_problem(&ready, 503, "partition-halted");
    assert_eq!(ready.json["checks"][0]["state"], "halted");
    let started = service.get("/startupz").await;
    assert_problem(&started, 503, "partition-halted");
    assert_eq!(started.json["checks"], ready.json["checks"]);
}

#[tokio::test]
async fn a_writer_that_still_reads_its_log_is_recovering() {
    let log = empty_ledger().await;
    log.faults().plan(0, Fate::answer(Heard::Held));
    log.faults().plan(0, Fate::landing(stockledger_log::memory::Landing::Held));
    log.faults().plan(1, Fate::landing(stockledger_log::memory::Landing::Held));
    let service = Service::start_on(log, options()).await;
    assert_problem(&service.put("/v1/sites/uk", r#"{"name":"n"}"#).await, 503, "writer-recovering");
    assert_problem(
        &service.send(get("/readyz").body(Body::empty()).unwrap()).await,
        503,
        "writer-recovering",
    );
}

#[tokio::test]
async fn tables_that_do_not_answer_are_unavailable() {
    let service = Service::start().await;
    service.store.close().await;
    let read = service.send(get("/v1/sites").body(Body::empty()).unwrap()).await;
    assert_problem(&read, 503, "projection-unavailable");
}

#[tokio::test]
async fn a_role_that_is_not_played_is_named() {
    let node = Node {
        ledger_id: LedgerId([7; 16]),
        partitions: PARTITIONS,
        log: "memory",
        projections: "none",
        environment: Arc::new(SystemEnvironment) as Arc<dyn Environment>,
    };
    let router = http::router(App::new(node, Roles::default(), Gate::Open));
    let command = post(NOTES).header("idempotency-key", "k").body(Body::from(NOTE)).unwrap();
    assert_problem(&send(&router, command).await, 503, "not-partition-owner");
    let read = send(&router, get("/v1/sites").body(Body::empty()).unwrap()).await;
    assert_problem(&read, 404, "not-found");
    assert!(read.json["detail"].as_str().unwrap().contains("role api"));
    send(&router, get("/readyz").body(Body::empty()).unwrap()).await.expect(200);
    let info = send(&router, get("/v1/info").body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(info.json["roles"], serde_json::json!([]));
}
