//! A whole node in one test: a real ledger on a log in memory, a real projector and real tables in a temporary
//! directory, and the HTTP service over both, called without a network.

// Each test binary uses what it needs of this.
#![allow(dead_code, reason = "shared by several test binaries")]

pub(crate) mod described;
// A store that keeps its callers waiting, as the tests of the projections have it.
#[path = "../../../projections/tests/it/gate.rs"]
pub(crate) mod gate;
pub(crate) mod hammer;
pub(crate) mod switches;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use stockledger::feed::{self, Feed};
use stockledger::http::{self, App, Gate, Node, Roles};
use stockledger::metrics::Metrics;
use stockledger::verifications::{Setup, Verifications, Witnesses};
use stockledger::versions::Versions;
use stockledger_audit::verify::Pace;
use stockledger_log::{Log, MemoryLog};
use stockledger_projections::{Activity, Projector, Queries, SqliteStore, Status, Store};
use stockledger_schemas::{Name, PartitionId};
use stockledger_writer::{Environment, Ledger, Options, SystemEnvironment, genesis};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::gate::Gated;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Partitions of a test's ledger.
pub(crate) const PARTITIONS: u16 = 4;

/// A running node. It ends with the test's runtime.
pub(crate) struct Service {
    pub(crate) app: App,
    pub(crate) router: Router,
    /// What the router is made of.
    pub(crate) node: Node,
    pub(crate) roles: Roles,
    pub(crate) feed: Feed,
    pub(crate) log: MemoryLog,
    pub(crate) ledger: Ledger,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) queries: Queries,
    pub(crate) stop_projector: CancellationToken,
    /// Its tasks end when it is dropped.
    pub(crate) projector: Projector,
    keys: AtomicU64,
    _dir: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body, where it is JSON.
    pub(crate) json: Value,
}

impl Answer {
    /// A header as text; empty without it.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }

    /// The `code` of a problem.
    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// Asserts the status and gives the answer on.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Service {
    /// A node that plays all roles, with the site `uk` open.
    pub(crate) async fn start() -> Self {
        let service = Self::start_with(options()).await;
        service.put("/v1/sites/uk", r#"{"name":"United Kingdom"}"#).await.expect(201);
        service
    }

    /// A node that plays all roles, led and empty.
    pub(crate) async fn start_with(options: Options) -> Self {
        Self::start_led(options, |store| Arc::clone(store)).await
    }

    /// The same, of which a rebuild stops after so many commits until the gate is opened.
    pub(crate) async fn start_gated(commits: usize) -> (Self, Arc<Gated>) {
        let mut gated = None;
        let service = Self::start_led(options(), |store| {
            Arc::clone(gated.insert(Gated::shut_after_commits(store, commits))) as Arc<dyn Store>
        });
        let service = service.await;
        (service, gated.expect("a gate"))
    }

    async fn start_led(
        options: Options,
        rebuilds_on: impl FnOnce(&Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let log = MemoryLog::new(PARTITIONS);
        let environment: Arc<dyn Environment> = Arc::new(SystemEnvironment);
        genesis::initialise(&log, environment.as_ref()).await.expect("an empty log becomes a ledger");
        let service = Self::assemble(log, options, rebuilds_on).await;
        timeout(PATIENCE, service.ledger.led()).await.expect("led in time").expect("led");
        let deadline = Instant::now() + PATIENCE;
        for partition in (0..PARTITIONS).map(PartitionId) {
            let runs = |status: &Status| status.activity == Activity::Running;
            assert!(
                service.projector.progress().until(partition, deadline, runs).await,
                "the projector runs"
            );
        }
        service
    }

    /// A node on a log that is a ledger already; it may not be led yet.
    pub(crate) async fn start_on(log: MemoryLog, options: Options) -> Self {
        Self::assemble(log, options, |store| Arc::clone(store)).await
    }

    async fn assemble(
        log: MemoryLog,
        options: Options,
        rebuilds_on: impl FnOnce(&Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let environment: Arc<dyn Environment> = Arc::new(SystemEnvironment);
        // The log's clock stands still; a writer refuses one that is far from its own.
        log.faults().set_clock_ms(environment.now().micros() / 1_000);
        let identity = genesis::check(&log).await.expect("a ledger");
        let port: Arc<dyn Log> = Arc::new(log.clone());
        let metrics = Metrics::default();
        let options = Options { observer: Some(metrics.observer()), ..options };
        let ledger =
            Ledger::start(port.clone(), environment.clone(), options).await.expect("a ledger starts");
        let dir = TempDir::new().expect("a temporary directory");
        let store = Arc::new(SqliteStore::open(&dir.path().join("projections.db")).await.expect("a store"));
        let stop_projector = CancellationToken::new();
        let port_of_store: Arc<dyn Store> = store.clone();
        let projector = Projector::start(
            port.clone(),
            port_of_store.clone(),
            stockledger_projections::Options::default(),
            environment.now(),
            stop_projector.clone(),
        );
        let projector = projector.await.expect("a projector starts");
        let progress = projector.progress();
        let queries = Queries::new(port_of_store.clone(), Some(progress.clone()));
        let feed = Feed::new(port.clone(), identity.ledger_id, feed::Options::default());
        let rebuilds_on = rebuilds_on(&port_of_store);
        let verifications = Verifications::open(Setup {
            ledger_id: identity.ledger_id,
            log: port.clone(),
            directory: dir.path().join("audit"),
            environment: environment.clone(),
            writer: Some(ledger.clone()),
            witnesses: Witnesses { checkpoints: None, tables: Some(port_of_store.clone()) },
            patience: Duration::ZERO,
            pace: Pace::Fast,
        });
        let versions = Versions::new(port, rebuilds_on, environment.clone(), Some(projector.look()));
        let node = Node {
            ledger_id: identity.ledger_id,
            partitions: identity.partitions,
            log: "memory",
            projections: "sqlite",
            environment,
        };
        let roles = Roles {
            writer: Some(ledger.clone()),
            projector: Some(progress),
            api: Some(queries.clone()),
            versions: Some(versions),
            audit: None,
            verifications: Some(verifications),
        };
        let app =
            App::new(node.clone(), roles.clone(), Gate::Open).telling(feed.clone()).measured_by(metrics);
        let router = http::router(app.clone());
        Self {
            app,
            router,
            node,
            roles,
            feed,
            log,
            ledger,
            store,
            queries,
            stop_projector,
            projector,
            keys: AtomicU64::new(0),
            _dir: dir,
        }
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    /// Reads what the tables say once they are level with every answer given before.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let positions: Vec<String> =
            self.ledger.status().iter().map(|status| status.position.to_string()).collect();
        self.send(
            get(path)
                .header("ledger-min-position", positions.join(","))
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    /// Posts a command under a new key.
    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> Answer {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        self.post_as(&format!("test-{key}"), path, body).await
    }

    /// Posts a command under this key.
    pub(crate) async fn post_as(&self, key: &str, path: &str, body: impl Into<String>) -> Answer {
        let request = post(path).header("idempotency-key", key);
        self.send(request.body(Body::from(body.into())).expect("a request")).await
    }

    /// Puts a command.
    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        let request = Request::put(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).expect("a request")).await
    }

    /// Receives stock of one SKU at `uk`.
    pub(crate) async fn receive(&self, sku: &str, quantity: i64) -> Answer {
        let body = format!(r#"{{"lines":[{{"sku":"{sku}","quantity":{quantity}}}]}}"#);
        self.post("/v1/sites/uk/receipts", body).await.expect(201)
    }

    /// Posts lines to bulk and gives the lines of the answer.
    pub(crate) async fn bulk(&self, body: impl Into<Body>) -> Vec<Value> {
        self.bulk_at("/v1/bulk", body).await
    }

    /// The same, with parameters in the path.
    pub(crate) async fn bulk_at(&self, path: &str, body: impl Into<Body>) -> Vec<Value> {
        let request = Request::post(path).header("content-type", "application/x-ndjson");
        let answer = self.send(request.body(body.into()).expect("a request")).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        answer.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}

/// The options of a test's writer.
pub(crate) fn options() -> Options {
    Options::new(Name::new("test").expect("a name"))
}

/// A GET to be completed.
pub(crate) fn get(path: &str) -> axum::http::request::Builder {
    Request::get(path)
}

/// A POST of JSON to be completed.
pub(crate) fn post(path: &str) -> axum::http::request::Builder {
    Request::post(path).header("content-type", "application/json")
}

/// Sends a request to a router and reads the answer, which must be one that the description of the interface says.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = timeout(PATIENCE, router.clone().oneshot(request)).await.expect("an answer in time");
    let (parts, body) = response.expect("a router always answers").into_parts();
    let bytes = timeout(PATIENCE, to_bytes(body, usize::MAX)).await.expect("a body in time").expect("a body");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text, json };
    described::assert_described(&method, &path, &answer);
    answer
}
