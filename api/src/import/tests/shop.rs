//! A ledger with its projections, in memory but for the tables, and ways to import into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stockledger_domain::command::Checked;
use stockledger_log::{Log, MemoryLog};
use stockledger_projections::{Projector, Queries, SqliteStore, Store};
use stockledger_schemas::{
    Actor, Context, Decision, Event, IdempotencyKey, Name, Nonce, Position, Record, Scope, SiteId, Timestamp,
    envelope,
};
use stockledger_writer::{Environment, Ledger, Options as WriterOptions, genesis};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::target::{self, Outcome, Submission};
use super::super::{Error, Local, Options, Report, Source, Target, run};
use crate::http;

const PATIENCE: Duration = Duration::from_secs(60);

/// When everything happens: the clocks stand still, so that the logs of two ledgers can be compared.
const NOW_MS: i64 = 1_700_000_000_000;

struct Still(AtomicU64);

impl Environment for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(NOW_MS * 1_000).expect("a time")
    }

    fn nonce(&self) -> Nonce {
        Nonce(u128::from(self.0.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
    }
}

/// A whole node without its edges. It ends with the test's runtime.
pub(super) struct Shop {
    log: MemoryLog,
    ledger: Ledger,
    queries: Queries,
    app: http::App,
    /// Without it the tables would stand still.
    _projector: Projector,
    _dir: TempDir,
}

/// What a decision says, apart from its place in the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decided {
    position: Position,
    scope: Scope,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) context: Context,
    pub(super) events: Vec<Event>,
}

impl Shop {
    /// An empty ledger that takes commands.
    pub(super) async fn open() -> Self {
        let environment: Arc<dyn Environment> = Arc::new(Still(AtomicU64::new(1)));
        let log = MemoryLog::new(2);
        log.faults().set_clock_ms(NOW_MS);
        let port: Arc<dyn Log> = Arc::new(log.clone());
        let identity = genesis::initialise(port.as_ref(), environment.as_ref()).await.expect("a new ledger");
        let options = WriterOptions {
            answer_within: PATIENCE,
            ..WriterOptions::new(Name::new("test").expect("a name"))
        };
        let ledger = Ledger::start(port.clone(), environment.clone(), options).await.expect("a ledger");
        let dir = TempDir::new().expect("a directory");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&dir.path().join("projections.sqlite")).await.expect("a store"));
        let projector = Projector::start(
            port,
            store.clone(),
            stockledger_projections::Options::default(),
            environment.now(),
            CancellationToken::new(),
        );
        let projector = projector.await.expect("a projector");
        let progress = projector.progress();
        let queries = Queries::new(store, Some(progress.clone()));
        let node = http::Node {
            ledger_id: identity.ledger_id,
            partitions: identity.partitions,
            log: "memory",
            projections: "sqlite",
            environment,
        };
        let roles = http::Roles {
            writer: Some(ledger.clone()),
            projector: Some(progress),
            api: Some(queries.clone()),
            versions: None,
            audit: None,
            verifications: None,
        };
        tokio::time::timeout(PATIENCE, ledger.led()).await.expect("in time").expect("a led ledger");
        Self {
            log,
            ledger,
            queries,
            app: http::App::new(node, roles, http::Gate::Open),
            _projector: projector,
            _dir: dir,
        }
    }

    /// This process as a target.
    pub(super) fn local(&self) -> Local {
        Local::new(self.ledger.clone(), self.queries.clone())
    }

    /// Serves HTTP from now on; returns the address.
    pub(super) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(http::serve(
            listener,
            http::router(self.app.clone()),
            http::Serving::default(),
            CancellationToken::new(),
        ));
        format!("http://{address}")
    }

    /// Everything that was decided, partition by partition.
    pub(super) async fn decisions(&self) -> Vec<Decided> {
        let mut decisions = Vec::new();
        for partition in 0..self.log.partitions() {
            let end = self.log.bounds(partition).await.expect("bounds").end;
            let mut reader = self.log.reader(partition, 0).await.expect("a reader");
            let mut next = 0;
            while next < end {
                for record in reader.next(1_000, PATIENCE).await.expect("records") {
                    next = record.offset + 1;
                    if let Record::Decision(decision) = envelope::decode(&record.value).expect("a record") {
                        decisions.push(decided(partition, decision));
                    }
                }
            }
        }
        decisions
    }
}

fn decided(partition: u16, decision: Decision) -> Decided {
    Decided {
        position: Position::new(stockledger_schemas::PartitionId(partition), decision.seq),
        scope: decision.scope,
        key: decision.request.map(|request| request.key),
        context: decision.context,
        events: decision.events,
    }
}

/// The usual import into `uk`.
pub(super) fn options(source: Source, opening: &str) -> Options {
    Options {
        source,
        site: SiteId::new("uk").expect("a site"),
        opening: opening.parse().expect("an opening stock"),
        force: false,
        actor: Actor::new("local").expect("an actor"),
    }
}

pub(super) async fn import(options: Options, target: &dyn Target) -> Result<Report, Error> {
    run(options, target, &mut |_| {}).await
}

/// A target that is killed: it still sends half of a chunk, and then is gone without an answer.
pub(super) struct Dying {
    inner: Local,
    chunks_left: AtomicUsize,
}

impl Dying {
    pub(super) fn after(chunks: usize, inner: Local) -> Self {
        Self { inner, chunks_left: AtomicUsize::new(chunks) }
    }
}

#[async_trait]
impl Target for Dying {
    async fn open_site(&self, command: Checked) -> Result<Outcome, target::Error> {
        self.inner.open_site(command).await
    }

    async fn submit(&self, mut chunk: Vec<Submission>) -> Result<Vec<Outcome>, target::Error> {
        let left = self.chunks_left.load(Ordering::Relaxed);
        if left > 0 {
            self.chunks_left.store(left - 1, Ordering::Relaxed);
            return self.inner.submit(chunk).await;
        }
        let expected = chunk.len();
        chunk.truncate(expected / 2);
        self.inner.submit(chunk).await?;
        Err(target::Error::Answers { expected, found: 0 })
    }

    async fn level_with(&self, site: &SiteId, positions: &[Position]) -> Result<(), target::Error> {
        self.inner.level_with(site, positions).await
    }

    async fn units_on_hand(&self, site: &SiteId) -> Result<i64, target::Error> {
        self.inner.units_on_hand(site).await
    }
}
