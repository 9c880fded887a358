//! `bench generate`: a ledger as a year of some warehouses might have made it, of any size, the same for the same seed.
//!
//! Each partition is written by itself ([`partition`]): warehouses ask for things ([`warehouse`]) by a clock that runs by
//! decisions ([`clock`]), and what they ask for is decided and appended as a writer would ([`history`]).

mod agenda;
mod catalog;
mod clock;
mod error;
mod history;
mod intent;
mod partition;
mod random;
mod summary;
mod warehouse;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stockledger_chain::State;
use stockledger_log::Log;
use stockledger_schemas::{Hash, Nonce, PartitionId, Timestamp};
use stockledger_writer::{Environment, genesis};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::super::output::Progress;
use super::super::{Context, Failure};
use crate::{data_dir, node, storage};
use catalog::Catalog;
use clock::Clock;
use error::Error;
use history::Tally;
use partition::Shared;
use summary::Summary;

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is generated.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Args {
    /// Events, at least: order lines, movements and order steps, each counted once
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    events: u64,
    /// Another seed makes another history
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Sites, spread evenly over the partitions
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    sites: u16,
    /// Items, of which each site has its favourites
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    skus: u32,
    /// Lines of each order
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    lines: u16,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if u32::from(args.lines) > args.skus {
        return Err(Error::FewSkus { lines: args.lines, skus: args.skus }.into());
    }
    let settings = &context.settings;
    let _lock = data_dir::lock(&settings.directories()).map_err(node::Error::from)?;
    let log = storage::create_log(settings).await?;
    let began = Instant::now();
    let generated = generate(args.clone(), log.clone()).await;
    log.close().await;
    let summary = Summary::new(args, generated?, began.elapsed());
    Ok(summary.print(context.format())?)
}

/// What came of each partition.
type Generated = BTreeMap<PartitionId, (Tally, State)>;

async fn generate(args: Args, log: Arc<dyn Log>) -> Result<Generated, Error> {
    must_be_empty(log.as_ref()).await?;
    genesis::initialise(log.as_ref(), &Seeded::new(&args, log.partitions())).await?;
    let mut chains = VecDeque::new();
    for partition in (0..log.partitions()).map(PartitionId) {
        chains.push_back(genesis::begin(log.as_ref(), partition).await?);
    }
    let shared = Arc::new(Shared {
        catalog: Catalog::new(args.skus, args.lines)?,
        partitions: log.partitions(),
        log,
        args,
        events: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    all_partitions(&shared, chains).await
}

/// As many partitions at a time as there are processors; the others wait, so that memory is bounded.
async fn all_partitions(shared: &Arc<Shared>, chains: VecDeque<State>) -> Result<Generated, Error> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(chains.len());
    let waiting = Arc::new(Mutex::new(chains));
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let (shared, waiting) = (shared.clone(), waiting.clone());
        tasks.spawn_blocking(move || one_after_the_other(&shared, &waiting));
    }
    let progress = Progress::new("generate", "events");
    let mut generated = Generated::new();
    let mut failed = None;
    let mut look = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                None => break,
                Some(done) => match done.map_err(Error::from).flatten() {
                    Ok(mut done) => generated.append(&mut done),
                    Err(error) => {
                        shared.stop.store(true, Ordering::Relaxed);
                        failed.get_or_insert(error);
                    }
                },
            },
            _ = look.tick() => {
                progress.set(shared.events.load(Ordering::Relaxed), shared.args.events);
            }
        }
    }
    progress.done();
    failed.map_or(Ok(generated), Err)
}

fn one_after_the_other(shared: &Shared, waiting: &Mutex<VecDeque<State>>) -> Result<Generated, Error> {
    let mut generated = Generated::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(chain) = next else { break };
        generated.insert(chain.partition, partition::generate(shared, chain)?);
    }
    Ok(generated)
}

async fn must_be_empty(log: &dyn Log) -> Result<(), Error> {
    let mut records = 0;
    for partition in 0..log.partitions() {
        records += log.bounds(partition).await?.end;
    }
    if records == 0 { Ok(()) } else { Err(Error::NotEmpty { records }) }
}

/// Gives a ledger the id that belongs to its seed and its options.
struct Seeded {
    ledger_id: Nonce,
}

impl Seeded {
    fn new(args: &Args, partitions: u16) -> Self {
        let Args { events, seed, sites, skus, lines } = args;
        let options = format!("generated {events} {seed} {sites} {skus} {lines} {partitions}");
        Self { ledger_id: Nonce(Hash::of(&[options.as_bytes()]).short()) }
    }
}

impl Environment for Seeded {
    fn now(&self) -> Timestamp {
        Clock::over(1).now()
    }

    fn nonce(&self) -> Nonce {
        self.ledger_id
    }
}
