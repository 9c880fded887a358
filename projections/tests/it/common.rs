//! A ledger to project: commands are decided by the real domain and land in a log in memory as a real chain of records.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use stockledger_chain::{State, admit};
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, CountLine, CountStock, HoldStock, OpenSite, OrderedLine,
    PlaceOrder, ReceiptLine, ReceiveStock, RecordNote, RegisterItem, ReleaseHold, ReturnLine, ReturnOrder,
    ShipOrder, ShipmentLine,
};
use stockledger_domain::{Change, Checked, Command, Moment, Partition, apply, decide, open_here};
use stockledger_log::memory::{Faults, MemoryLog};
use stockledger_log::{Entry, Log};
use stockledger_projections::compare::compare;
use stockledger_projections::dialect::names;
use stockledger_projections::digest::Digester;
use stockledger_projections::projector::ensure_active;
use stockledger_projections::read;
use stockledger_projections::rebuild::{self, Error, Rebuilt, Replay, SwitchWhen, replay_into};
use stockledger_projections::table::TABLES;
use stockledger_projections::versions::Owner;
use stockledger_projections::{
    Commit, Options, Progress, Projector, Select, SqliteStore, Statement, Status, Store, Version,
};
use stockledger_schemas::{
    Actor, Claim, Context, Decision, Delta, Disposition, Event, Genesis, HoldReason, IdempotencyKey,
    LedgerId, Level, Name, Nonce, Note, OrderId, PartitionId, Position, Quantity, Reason, Record, Request,
    Scope, SiteId, Sku, Timestamp, envelope,
};
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What takes longer than this has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Microseconds from one decision to the next.
const TICK: i64 = 1_000;

/// A log whose records are decided here.
pub(crate) struct Ledger {
    pub(crate) log: MemoryLog,
    faults: Faults,
    partitions: Vec<(Partition, State)>,
    homes: HashMap<SiteId, PartitionId>,
    clock: i64,
    commands: u64,
}

impl Ledger {
    pub(crate) fn new(partitions: u16) -> Self {
        Self::with_id(partitions, 1)
    }

    pub(crate) fn with_id(partitions: u16, id: u8) -> Self {
        let log = MemoryLog::new(partitions);
        let faults = log.faults();
        let begun = (0..partitions).map(|partition| begin(&faults, PartitionId(partition), partitions, id));
        let partitions = begun.collect();
        Self { log, faults, partitions, homes: HashMap::new(), clock: 1_000_000_000_000_000, commands: 0 }
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(crate) fn home(&self, site: &str) -> PartitionId {
        self.homes[&SiteId::new(site).unwrap()]
    }

    /// The position of the last decision of a partition.
    pub(crate) fn head(&self, partition: PartitionId) -> Position {
        self.partitions[usize::from(partition.0)].1.position()
    }

    pub(crate) fn heads(&self) -> Vec<Position> {
        self.partitions.iter().map(|(_, state)| state.position()).collect()
    }

    pub(crate) fn open_site(&mut self, site: &str) {
        let id = SiteId::new(site).unwrap();
        let name = Name::new(format!("Site {site}")).unwrap();
        let decision = self.run_in(Scope::Directory, Command::OpenSite(OpenSite { site: id.clone(), name }));
        let Event::SiteRegistered(registered) = &decision.events[0] else { panic!("{decision:?}") };
        let home = registered.partition;
        self.homes.insert(id.clone(), home);
        let Change::Event(opened) = open_here(&self.partitions[usize::from(home.0)].0, &id) else {
            panic!("{site} is open already")
        };
        self.record(home, Scope::Site(id), None, context(), opened);
    }

    pub(crate) fn register_item(&mut self, sku: &str, name: &str) {
        let (sku, name) = (Sku::new(sku).unwrap(), Name::new(name).unwrap());
        let command = RegisterItem { sku, name, unit: "each".parse().unwrap() };
        self.run_in(Scope::Directory, Command::RegisterItem(command));
    }

    /// Decides a command about the ledger as a whole, whatever comes of it.
    pub(crate) fn run_in_directory(&mut self, command: Command) -> Decision {
        self.run_in(Scope::Directory, command)
    }

    /// Decides a command at a site, whatever comes of it.
    pub(crate) fn run(&mut self, site: &str, command: Command) -> Decision {
        self.run_in(Scope::Site(SiteId::new(site).unwrap()), command)
    }

    /// The same, of something that happened at another time than now.
    pub(crate) fn run_late(&mut self, site: &str, command: Command, occurred_at: Timestamp) -> Decision {
        let context = Context { occurred_at: Some(occurred_at), ..context_of(&command) };
        self.run_with(Scope::Site(SiteId::new(site).unwrap()), command, context)
    }

    /// The same, with a reason.
    pub(crate) fn run_for(&mut self, site: &str, command: Command, reason: Reason) -> Decision {
        let context = Context { reason: Some(reason), ..context_of(&command) };
        self.run_with(Scope::Site(SiteId::new(site).unwrap()), command, context)
    }

    /// What is recorded next is recorded at the very instant of what was recorded last.
    pub(crate) fn stop_clock_once(&mut self) {
        self.clock -= TICK;
    }

    fn run_in(&mut self, scope: Scope, command: Command) -> Decision {
        let context = context_of(&command);
        self.run_with(scope, command, context)
    }

    fn run_with(&mut self, scope: Scope, command: Command, context: Context) -> Decision {
        let home = match &scope {
            Scope::Directory => PartitionId::DIRECTORY,
            Scope::Site(site) => self.homes[site],
        };
        let checked = Checked::new(scope.clone(), command, context).unwrap();
        let (state, chain) = &self.partitions[usize::from(home.0)];
        let now = Timestamp::from_micros(self.clock).unwrap();
        let position = Position::new(home, chain.seq + 1);
        let event = match decide(state, &checked, &Moment { now, position, counted: &HashMap::new() }) {
            Ok(Change::Event(event)) => event,
            Ok(Change::Nothing { since }) => panic!("nothing happened since {since}: {checked:?}"),
            Err(rejection) => rejection.into_event(checked.command()).unwrap(),
        };
        self.commands += 1;
        let key = IdempotencyKey::new(format!("key-{}", self.commands)).unwrap();
        let request = Request { key, fingerprint: checked.fingerprint() };
        self.record(home, scope, Some(request), checked.context().clone(), event)
    }

    fn record(
        &mut self,
        home: PartitionId,
        scope: Scope,
        request: Option<Request>,
        context: Context,
        event: Event,
    ) -> Decision {
        self.clock += TICK;
        let recorded_at = Timestamp::from_micros(self.clock).unwrap();
        let (state, chain) = &mut self.partitions[usize::from(home.0)];
        let decision = Decision {
            term: chain.term,
            seq: chain.seq + 1,
            prev_hash: chain.hash,
            recorded_at,
            scope,
            request,
            context,
            events: vec![event],
        };
        apply(state, decision.seq, &decision).unwrap();
        self.land_decision(home, &decision);
        decision
    }

    /// A decision as it is, possible or not, continuing the chain.
    pub(crate) fn land_decision(&mut self, home: PartitionId, decision: &Decision) {
        let (_, chain) = &mut self.partitions[usize::from(home.0)];
        let bytes = envelope::encode_decision(decision).unwrap();
        let offset = land(&self.faults, home, bytes.clone());
        *chain = admit(chain, offset, &bytes).unwrap().next;
    }

    /// A decision as the next one of a partition would be, with other events. It does not land.
    pub(crate) fn next_like(&self, home: PartitionId, like: &Decision, event: Event) -> Decision {
        let (_, chain) = &self.partitions[usize::from(home.0)];
        Decision {
            term: chain.term,
            seq: chain.seq + 1,
            prev_hash: chain.hash,
            events: vec![event],
            ..like.clone()
        }
    }

    /// Bytes that no reader judged.
    pub(crate) fn land_raw(&self, home: PartitionId, bytes: Vec<u8>) -> u64 {
        land(&self.faults, home, bytes)
    }

    /// A record that does not count: a claim that came too late.
    pub(crate) fn land_void(&mut self, home: PartitionId) {
        let (_, chain) = &mut self.partitions[usize::from(home.0)];
        let bytes = claim(chain.ledger_id, home, chain.term);
        let offset = land(&self.faults, home, bytes.clone());
        *chain = admit(chain, offset, &bytes).unwrap().next;
    }
}

fn begin(faults: &Faults, partition: PartitionId, partitions: u16, id: u8) -> (Partition, State) {
    let ledger_id = LedgerId([id; 16]);
    let genesis = Genesis { ledger_id, partition, partitions, window: 4_096 };
    let bytes = envelope::encode(&Record::Genesis(genesis)).unwrap();
    land(faults, partition, bytes.clone());
    let state = State::begin(&bytes, partition).unwrap();
    let bytes = claim(ledger_id, partition, 1);
    let offset = land(faults, partition, bytes.clone());
    (Partition::new(partition, partitions), admit(&state, offset, &bytes).unwrap().next)
}

fn claim(ledger_id: LedgerId, partition: PartitionId, term: u64) -> Vec<u8> {
    let claim = Claim {
        ledger_id,
        partition,
        term,
        node: Name::new("test").unwrap(),
        url: None,
        nonce: Nonce([7; 16]),
        recorded_at: Timestamp::from_micros(0).unwrap(),
    };
    envelope::encode(&Record::Claim(claim)).unwrap()
}

fn land(faults: &Faults, partition: PartitionId, bytes: Vec<u8>) -> u64 {
    faults.land(partition.0, Entry::new(Bytes::new(), bytes))
}

fn context() -> Context {
    Context::by(Actor::new("tester").unwrap())
}

fn context_of(command: &Command) -> Context {
    let reason = match command {
        Command::AdjustStock(_) => Some(Reason::Correction),
        _ => None,
    };
    let note = matches!(command, Command::RecordNote(_)).then(|| Note::new("größer als üblich").unwrap());
    Context { reason, note, ..context() }
}

pub(crate) fn receive(lines: &[(&str, i64)]) -> Command {
    let line = |(sku, number): &(&str, i64)| ReceiptLine { sku: id(sku), quantity: quantity(*number) };
    Command::ReceiveStock(ReceiveStock { lines: lines.iter().map(line).collect() })
}

pub(crate) fn adjust(lines: &[(&str, i64)]) -> Command {
    let line = |(sku, delta): &(&str, i64)| AdjustmentLine {
        sku: id(sku),
        delta: Delta::new(*delta).unwrap(),
        expected_on_hand: None,
    };
    Command::AdjustStock(AdjustStock { lines: lines.iter().map(line).collect() })
}

pub(crate) fn count(sku: &str, counted: i64) -> Command {
    let line = CountLine {
        sku: id(sku),
        counted: Level::new(counted).unwrap(),
        at_position: None,
        expected_on_hand: None,
    };
    Command::CountStock(CountStock { lines: vec![line] })
}

pub(crate) fn hold(hold_id: &str, sku: &str, number: i64, reason: HoldReason) -> Command {
    let hold_id = hold_id.parse().unwrap();
    Command::HoldStock(HoldStock { hold_id, sku: id(sku), quantity: quantity(number), reason })
}

pub(crate) fn release(hold_id: &str, number: i64) -> Command {
    Command::ReleaseHold(ReleaseHold { hold_id: hold_id.parse().unwrap(), quantity: Some(quantity(number)) })
}

pub(crate) fn place(order_id: &str, lines: &[(&str, i64)]) -> Command {
    let line = |(sku, number): &(&str, i64)| OrderedLine {
        sku: id(sku),
        quantity: quantity(*number),
        unit_price_minor: Some(Level::new(250).unwrap()),
    };
    Command::PlaceOrder(PlaceOrder {
        order_id: order(order_id),
        customer: Some("c-1".parse().unwrap()),
        currency: Some("GBP".parse().unwrap()),
        lines: lines.iter().map(line).collect(),
    })
}

pub(crate) fn ship(order_id: &str, lines: Option<&[(&str, i64)]>) -> Command {
    let line = |(sku, number): &(&str, i64)| ShipmentLine { sku: id(sku), quantity: quantity(*number) };
    let lines = lines.map(|lines| lines.iter().map(line).collect());
    Command::ShipOrder(ShipOrder { order_id: order(order_id), lines })
}

pub(crate) fn cancel(order_id: &str) -> Command {
    Command::CancelOrder(CancelOrder { order_id: order(order_id) })
}

pub(crate) fn take_back(order_id: &str, sku: &str, number: i64, disposition: Disposition) -> Command {
    let line = ReturnLine { sku: id(sku), quantity: quantity(number), disposition };
    Command::ReturnOrder(ReturnOrder { order_id: order(order_id), lines: vec![line] })
}

pub(crate) fn note() -> Command {
    Command::RecordNote(RecordNote {})
}

pub(crate) fn id(sku: &str) -> Sku {
    Sku::new(sku).unwrap()
}

pub(crate) fn order(order_id: &str) -> OrderId {
    OrderId::new(order_id).unwrap()
}

pub(crate) fn quantity(number: i64) -> Quantity {
    Quantity::new(number).unwrap()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).unwrap()
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + DEADLINE
}

/// A store in a directory that is removed with it.
pub(crate) struct TestStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) path: PathBuf,
    _directory: TempDir,
}

impl TestStore {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("projections.sqlite");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).await.unwrap());
        Self { store, path, _directory: directory }
    }

    /// Changes the file by hand; says how many rows were hit.
    pub(crate) async fn execute(&self, statement: &'static str) -> u64 {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.path);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected()
    }

    pub(crate) async fn active(&self) -> Version {
        ensure_active(&*self.store, now()).await.unwrap()
    }
}

/// A replay that nobody watches.
pub(crate) fn replay(log: Arc<dyn Log>, store: &Arc<dyn Store>) -> Replay {
    Replay::new(log, Arc::clone(store))
}

/// Somebody who fills a version; no two are the same.
pub(crate) fn owner() -> Owner {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    Owner::new(format!("owner {}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Lets whoever fills a version have been silent for so long.
pub(crate) async fn silence(store: &Arc<dyn Store>, length: Duration) {
    let guard = Statement {
        sql: "UPDATE projection_versions SET owner_seen = owner_seen - ? WHERE state = 'building'",
        parameters: vec![i64::try_from(length.as_micros()).unwrap().into()],
    };
    assert_eq!(store.update(&guard, &[]).await.unwrap(), Commit::Committed);
}

/// A rebuild that switches as soon as it is level.
pub(crate) async fn rebuild(replay: &Replay) -> Result<Rebuilt, Error> {
    rebuild::rebuild(replay, &owner(), SwitchWhen::Level, now()).await
}

/// A projector that runs until it is stopped.
pub(crate) struct Running {
    projector: Projector,
    pub(crate) progress: Progress,
    cancel: CancellationToken,
}

impl Running {
    pub(crate) async fn start(log: Arc<dyn Log>, store: &Arc<dyn Store>) -> Self {
        let cancel = CancellationToken::new();
        let options = Options { log_shorter_patience: Duration::ZERO };
        let projector =
            Projector::start(log, Arc::clone(store), options, now(), cancel.clone()).await.unwrap();
        Self { progress: projector.progress(), projector, cancel }
    }

    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, self.projector.stopped()).await.expect("the projector stops");
    }

    pub(crate) async fn until_level(&self, ledger: &Ledger) {
        self.until_all(ledger, |_| true).await;
    }

    /// Waits until the projector writes to this version and nothing is missing in it.
    pub(crate) async fn until_level_in(&self, version: Version, ledger: &Ledger) {
        self.until_all(ledger, |status| status.version == version).await;
    }

    /// Waits until nothing is missing in a version that need not be the active one.
    pub(crate) async fn until_version_level(&self, version: Version, ledger: &Ledger) {
        let is_level = || {
            let statuses = self.progress.of_version(version);
            let is_reached = |head: &Position| {
                statuses
                    .iter()
                    .any(|status| status.position.partition == head.partition && status.position >= *head)
            };
            ledger.heads().iter().all(is_reached)
        };
        let deadline = deadline();
        while !is_level() {
            assert!(Instant::now() < deadline, "{:?}", self.progress.of_version(version));
            tokio::task::yield_now().await;
        }
    }

    async fn until_all(&self, ledger: &Ledger, is_fit: impl Fn(&Status) -> bool) {
        for head in ledger.heads() {
            let is_reached = |status: &Status| status.position >= head && is_fit(status);
            let is_reached = self.progress.until(head.partition, deadline(), is_reached).await;
            assert!(is_reached, "{:?}", self.progress.of(head.partition));
        }
    }
}

/// Where every partition of a version is and what its rows add up to, as the checkpoints say.
pub(crate) async fn digests(store: &dyn Store, version: Version) -> Vec<(PartitionId, u64, u64)> {
    let checkpoints = read::checkpoints(&mut *store.snapshot().await.unwrap(), version).await.unwrap();
    checkpoints.iter().map(|one| (one.partition, one.next_offset, one.digest)).collect()
}

/// What the rows of a version add up to, all read back.
pub(crate) async fn sum_of_rows(store: &dyn Store, version: Version) -> u64 {
    let mut snapshot = store.snapshot().await.unwrap();
    let (mut digester, mut sum) = (Digester::default(), 0_u64);
    for table in TABLES {
        let sql = format!("SELECT {} FROM {}", names(table.columns), table.at(version));
        let mut rows = snapshot.stream(Select { sql, parameters: Vec::new() });
        while let Some(row) = rows.try_next().await.unwrap() {
            sum = sum.wrapping_add(digester.values(table.name, &row.rest()));
        }
    }
    sum
}

/// The rows are those of a fold of the whole log into another store, none twice and none missing, and so is what they
/// add up to.
pub(crate) async fn assert_exact(ledger: &Ledger, store: &TestStore, version: Version) {
    assert_exact_in(ledger, &store.store, version).await;
}

/// The same in a store of any kind.
pub(crate) async fn assert_exact_in(ledger: &Ledger, store: &Arc<dyn Store>, version: Version) {
    let fresh = TestStore::new().await;
    let fresh_version = fresh.active().await;
    replay_into(&replay(ledger.log(), &fresh.store), fresh_version).await.unwrap();
    let compared = compare((&**store, version), (&*fresh.store, fresh_version)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows() > 0);
    assert_eq!(digests(&**store, version).await, digests(&*fresh.store, fresh_version).await);
}
