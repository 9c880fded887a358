//! One run: a ledger is made, clients work while things go wrong, then all trouble ends, and everything must be true.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use stockledger_log::Log;
use stockledger_projections::rebuild::{Replay, SwitchWhen, rebuild, replay_into};
use stockledger_projections::table::{STOCK, TABLES};
use stockledger_projections::value::Value;
use stockledger_projections::versions::Owner;
use stockledger_projections::{Store as _, Version};
use stockledger_rules::{Rule, broken};
use stockledger_schemas::{Genesis, LedgerId, Name, PartitionId, Timestamp};
use stockledger_writer::{Options, entry};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Clients;
use crate::environment::{BEGAN_MS, Machine};
use crate::faults::{Faults, Kind};
use crate::history::History;
use crate::mark::Mark;
use crate::nemesis::Nemesis;
use crate::node::{Process, Site};
use crate::shop;
use crate::store::MemoryStore;
use crate::topic::Fate;
use crate::wire::SimLog;
use crate::world::{World, partitions};

/// The partitions of every simulated ledger: the directory's, and one more.
pub const PARTITIONS: u16 = 2;
/// Commands of one run, unless it is said otherwise.
pub const COMMANDS_DEFAULT: usize = 200;
/// In this time, by the simulated clock, everything must have come right after all trouble ended.
const RIGHT_WITHIN: Duration = Duration::from_secs(300);
/// No run takes longer than this, by the simulated clock.
const CHAOS_MAX: Duration = Duration::from_secs(4 * 3_600);

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance of the run comes from it.
    pub seed: u64,
    /// How many commands clients ask for.
    pub commands: usize,
    /// Kinds of faults that are left out.
    pub without: Vec<Kind>,
    /// A rule that is broken on purpose.
    pub broken: Option<Rule>,
    /// Whether the story is told.
    pub is_told: bool,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { seed, commands: COMMANDS_DEFAULT, without: Vec::new(), broken: None, is_told: false }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong, if anything is.
    pub violation: Option<String>,
    /// Which situations were come across.
    pub marks: BTreeSet<Mark>,
    /// Equal for equal runs.
    pub digest: u64,
    /// The story, if it was to be told.
    pub story: Vec<String>,
}

/// Runs a plan on this thread.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without any device");
    let rule = broken(plan.broken);
    let world = runtime.block_on(async {
        let mut rng = Rng::with_seed(plan.seed);
        let faults = faults(&mut rng, plan);
        let world = World::new(rng, PARTITIONS, plan.is_told);
        let failed = world.clone();
        tokio::select! {
            biased;
            () = failed.failed() => {}
            () = live(plan, world.clone(), faults) => {}
        }
        world
    });
    drop(runtime);
    drop(rule);
    Outcome {
        violation: world.violation(),
        marks: world.marks(),
        digest: world.digest(),
        story: world.story(),
    }
}

/// A rule that is broken needs the faults that it guards against.
fn faults(rng: &mut Rng, plan: &Plan) -> Faults {
    let mut faults = Faults::choose(rng, &plan.without);
    for kind in plan.broken.map(guards_against).unwrap_or_default() {
        faults.force(*kind);
    }
    faults
}

fn guards_against(rule: Rule) -> &'static [Kind] {
    match rule {
        Rule::PrevHash => &[Kind::Tampering],
        Rule::UnreadableStops => &[Kind::NewerFormat],
        Rule::AnswersAreDurable => &[Kind::TailLoss, Kind::Crashes, Kind::Silence],
        Rule::TimeNeverFalls => &[Kind::Clocks],
        Rule::TornSnapshotIsDropped => &[Kind::Snapshots, Kind::Crashes],
        Rule::SnapshotFitsTheLog => &[Kind::Truncation, Kind::Crashes],
        Rule::CheckpointFitsTheLog => &[Kind::Truncation],
        Rule::CheckpointWithRows | Rule::CheckpointComparedFirst => &[Kind::Transactions, Kind::Pauses],
        Rule::SwitchNeverGoesBack => &[Kind::Rebuilds, Kind::Pauses, Kind::Slow, Kind::Transactions],
        Rule::ClaimKnownByNonce | Rule::ClaimRaisesTerm => &[Kind::Pauses, Kind::Late, Kind::Silence],
        Rule::KeysAreRemembered | Rule::RefusalsAreRemembered | Rule::OpenKeysWait => &[Kind::Repeats],
        Rule::CommittedBeforeShown => &[],
        _ => &[Kind::Loss, Kind::Silence, Kind::Late, Kind::Twice, Kind::Pauses],
    }
}

async fn live(plan: &Plan, world: World, faults: Faults) {
    let (site, machines) = found(&world, &faults).await;
    let clients = Clients {
        world: world.clone(),
        history: Arc::new(Mutex::new(History::default())),
        addresses: Arc::default(),
    };
    let mut nemesis =
        Nemesis { site, clients: clients.clone(), machines, is_focused: plan.broken.is_some(), started: 0 };
    open(&mut nemesis).await;
    for node in 1..nemesis.machines.len() {
        nemesis.start(node);
    }
    world.lock().faults = faults;

    work(plan, &clients, &mut nemesis).await;
    calm(&mut nemesis).await;
}

/// Makes the ledger.
async fn found(world: &World, faults: &Faults) -> (Site, Vec<Arc<Machine>>) {
    let (window, nodes, has_one_writer) = {
        let mut inner = world.lock();
        let window = [2, 3, 8, 4_096][inner.rng.usize(..4)];
        (window, inner.rng.usize(1..4), inner.rng.bool())
    };
    for partition in partitions(PARTITIONS) {
        let genesis = Genesis { ledger_id: LedgerId([1; 16]), partition, partitions: PARTITIONS, window };
        let entry = entry::of_genesis(genesis).expect("a genesis");
        let mut inner = world.lock();
        let at = inner.topic.at_mut(partition.0).expect("a partition");
        let _ = at.append(vec![entry], Fate::Lands, BEGAN_MS);
    }
    let site =
        Site { world: world.clone(), tables: tables(world, has_one_writer), options: options(world, faults) };
    (site, (0..nodes).map(|_| Arc::default()).collect())
}

fn tables(world: &World, has_one_writer: bool) -> MemoryStore {
    let clock = world.clone();
    let now = move || i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX) + BEGAN_MS * 1_000;
    let cut = world.clone();
    MemoryStore::new(has_one_writer, Arc::new(now))
        .with_between_steps(Arc::new(move || !cut.strikes(Kind::Transactions)))
}

/// Limits and patience at random, often tiny.
fn options(world: &World, faults: &Faults) -> Options {
    let mut inner = world.lock();
    let mut millis = |from: u64, to: u64| Duration::from_millis(inner.rng.u64(from..to));
    let defaults = Options::new(Name::new("any").expect("a name"));
    let mut options = Options {
        answer_within: millis(1_000, 15_000),
        stall_after: millis(50, 1_500),
        append_patience: millis(300, 15_000),
        claim_patience: millis(300, 15_000),
        claim_again_after: millis(100, 3_000),
        ..defaults
    };
    options.snapshot_every = [3, 10, 60, u64::MAX][inner.rng.usize(..4)];
    // With it a writer stops where the log itself broke its word, and then also where only the simulation did.
    options.verify_tail = inner.rng.bool() && !faults.harms_the_log();
    options
}

/// The first process opens the sites while nothing goes wrong.
async fn open(nemesis: &mut Nemesis) {
    let process = nemesis.start(0);
    for name in shop::SITES {
        while !is_open(&process, name).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn is_open(process: &Process, name: &str) -> bool {
    match process.ledger() {
        Some(ledger) => ledger.submit(shop::open(name), None).await.is_ok(),
        None => false,
    }
}

/// Clients work while things go wrong.
async fn work(plan: &Plan, clients: &Clients, nemesis: &mut Nemesis) {
    let count = 3 + clients.world.below(6);
    let mut running = JoinSet::new();
    for number in 0..count {
        let share = plan.commands / count + usize::from(number < plan.commands % count);
        running.spawn(clients.clone().run(share));
    }
    let all = async { while running.join_next().await.is_some() {} };
    let trouble = nemesis.run();
    let worked = tokio::select! {
        biased;
        worked = timeout(CHAOS_MAX, all) => worked,
        () = trouble => return,
    };
    if worked.is_err() {
        clients.world.fail("clients do not come to an end");
    }
}

/// All trouble ends; now everything must come right, and stay as it was told.
async fn calm(nemesis: &mut Nemesis) {
    let world = nemesis.site.world.clone();
    nemesis.look_after();
    let is_harmed = world.lock().faults.harms_the_log();
    let may_be_blocked = world.lock().topic.all().any(|partition| partition.unreadable_from.is_some());
    let process = restart(nemesis).await;
    world.tell(format_args!("all trouble has ended"));
    let right = timeout(RIGHT_WITHIN, come_right(nemesis, &process)).await;
    match right {
        // What was changed after it was read stops whoever reads it afresh.
        Ok(Ok(())) if may_be_blocked => {}
        Ok(Ok(())) => compare_tables(nemesis).await,
        Ok(Err(wrong)) if !is_harmed => world.fail(wrong),
        Err(_) if !is_harmed => {
            world.fail(format!("not right within {RIGHT_WITHIN:?}: {}", stands(&process)));
        }
        // Whoever cannot go on must have said so.
        Err(_) if !may_be_blocked && process.halts().is_empty() && process.refused().is_none() => {
            world.fail(format!("stuck, and nobody says why: {}", stands(&process)));
        }
        _ => {}
    }
    nemesis.look_after();
    check_unreadable(nemesis);
    let checked = nemesis.clients.with_history(|history| history.check(&world.lock().topic));
    match checked {
        Ok(marks) => marks.into_iter().for_each(|mark| world.mark(mark)),
        Err(wrong) => world.fail(wrong),
    }
}

/// Where a process stands, for whoever has to find out.
fn stands(process: &Process) -> String {
    let writers = process.ledger().map(stockledger_writer::Ledger::status);
    let projector = process.progress().map(stockledger_projections::Progress::all);
    format!("{:?} {writers:?} {projector:?}", process.refused())
}

/// Everybody is gone but one, who starts afresh on some node.
async fn restart(nemesis: &mut Nemesis) -> Arc<Process> {
    let alive = nemesis.clients.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for process in &alive {
        process.gate.kill();
    }
    nemesis.site.world.lock().faults.end();
    nemesis.end().await;
    let node = nemesis.site.world.below(nemesis.machines.len());
    nemesis.start(node)
}

/// Every command comes to an end, and every answer is the same again; the tables come level.
async fn come_right(nemesis: &Nemesis, process: &Process) -> Result<(), String> {
    let clients = &nemesis.clients;
    until(process, || process.ledger().is_some() && process.progress().is_some()).await?;
    if let Some(ledger) = process.ledger() {
        ledger.led().await.map_err(|error| error.to_string())?;
    }
    for round in 0..2 {
        for number in 0..clients.with_history(|history| history.len()) {
            let is_settled = || clients.with_history(|history| history.is_settled(number));
            if round == 0 && is_settled() {
                continue;
            }
            clients.ask(number, process).await;
            while !is_settled() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                stopped(process)?;
                clients.ask(number, process).await;
            }
        }
    }
    until(process, || is_level(nemesis, process)).await
}

async fn until(process: &Process, is_so: impl Fn() -> bool) -> Result<(), String> {
    while !is_so() {
        stopped(process)?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn stopped(process: &Process) -> Result<(), String> {
    match (process.refused(), process.halts().pop()) {
        (Some(reason), _) => Err(format!("it refuses to start: {reason}")),
        (None, Some((partition, reason))) => Err(format!("partition {partition} stopped: {reason}")),
        (None, None) => Ok(()),
    }
}

fn is_level(nemesis: &Nemesis, process: &Process) -> bool {
    let statuses = process.progress().map(stockledger_projections::Progress::all).unwrap_or_default();
    let end = |partition: u16| nemesis.site.world.lock().topic.at(partition).map_or(0, |at| at.end());
    statuses.len() == usize::from(PARTITIONS)
        && statuses.iter().all(|status| status.next_offset >= end(status.position.partition.0))
}

/// The tables in use must be what the log says, row by row; so must those of one more rebuild.
async fn compare_tables(nemesis: &Nemesis) {
    let world = &nemesis.site.world;
    let log: Arc<dyn Log> = Arc::new(SimLog::plain(world.clone()));
    let expected = tables(world, true);
    let fresh = Replay::new(log.clone(), Arc::new(expected.clone()));
    let now = Timestamp::from_micros(BEGAN_MS * 1_000).expect("a time");
    let made = expected.create_version(Version::FIRST, now).await;
    if made.is_err() || replay_into(&fresh, Version::FIRST).await.is_err() {
        return world.fail("the log cannot be replayed from its beginning");
    }
    compare(nemesis, &expected);
    check_books(nemesis, &expected);
    if world.chance(0.3) {
        let replay = Replay::new(log, Arc::new(nemesis.site.tables.clone()));
        let rebuilt =
            timeout(RIGHT_WITHIN, rebuild(&replay, &Owner::new("last"), SwitchWhen::Level, now)).await;
        match rebuilt {
            Ok(Ok(_)) => compare(nemesis, &expected),
            other => world.fail(format!("a rebuild in calm did not succeed: {other:?}")),
        }
    }
}

fn compare(nemesis: &Nemesis, expected: &MemoryStore) {
    let (world, tables) = (&nemesis.site.world, &nemesis.site.tables);
    let Some(active) = tables.active() else { return world.fail("no tables are in use") };
    for table in TABLES {
        let (found, expected) = (tables.rows(table, active), expected.rows(table, Version::FIRST));
        if found != expected {
            let different = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            let (name, rows) = (table.name, (found.len(), expected.len()));
            world.fail(format!(
                "table {name} of version {active} is not what the log says: {rows:?} rows, {different:?}"
            ));
        }
    }
}

/// What the tables say is there must be what adding up gives.
fn check_books(nemesis: &Nemesis, tables: &MemoryStore) {
    let world = &nemesis.site.world;
    let mut found = Vec::new();
    for row in tables.rows(&STOCK, Version::FIRST) {
        let number = |at: usize| if let Some(Value::Int(number)) = row.get(at) { *number } else { -1 };
        found.push((row[0].clone(), row[1].clone(), number(2), number(3), (4..8).map(number).sum::<i64>()));
    }
    let mut expected = Vec::new();
    for partition in world.lock().topic.all() {
        for ((site, sku), shelf) in partition.referee.books().shelves() {
            expected.push((Value::from(site), Value::from(sku), shelf.on_hand, shelf.reserved, shelf.held));
        }
    }
    let order = |row: &(Value, Value, i64, i64, i64)| format!("{} {}", row.0, row.1);
    found.sort_by_key(order);
    expected.sort_by_key(order);
    if found != expected {
        world.fail(format!("the tables say {found:?}, adding up gives {expected:?}"));
    }
}

/// Nobody reads past a record that cannot be read.
fn check_unreadable(nemesis: &Nemesis) {
    let world = &nemesis.site.world;
    let stops: Vec<Option<u64>> = world.lock().topic.all().map(|partition| partition.must_stop_at).collect();
    for (partition, stop) in partitions(PARTITIONS).zip(stops) {
        let Some(stop) = stop else { continue };
        for version in nemesis.site.tables.versions() {
            let checkpoint = nemesis.site.tables.checkpoint(version, PartitionId(partition.0));
            if checkpoint.is_some_and(|checkpoint| checkpoint.next_offset > stop) {
                world.fail(format!("partition {partition}: read past offset {stop}, which cannot be read"));
            }
        }
    }
}
