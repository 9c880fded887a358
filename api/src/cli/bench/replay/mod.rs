//! `bench replay`: how fast an existing log is folded, alone and into the tables, beside the limits of the same run.

mod figures;
mod peer;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use stockledger_log::Log;
use stockledger_projections::measure::{self, History};
use stockledger_projections::rebuild::{self, Replay, Replayed, WORKERS_DEFAULT, WORKERS_MAX};
use stockledger_projections::{Scope, Version};
use stockledger_schemas::PartitionId;
use stockledger_writer::genesis;

use self::figures::{Figure, Unit, print};
use self::tables::Tables;
use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};
use crate::node;
use crate::storage::{self, Access};

/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);
const READ_RECORDS: usize = 1_024;
/// How often history is written from memory and from the log, in turn.
const HISTORY_ROUNDS: usize = 2;

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Partitions that are read and loaded at the same moment
    #[arg(long, default_value_t = WORKERS_DEFAULT, value_name = "N")]
    workers: usize,
    /// Rows of history that are written from memory and from the log, to compare
    #[arg(long, default_value_t = 400_000, value_name = "N")]
    history_rows: usize,
    /// Also let this program, the built `xtask/peers/cqrs-es`, replay the same orders into the same server (MySQL or MariaDB)
    #[arg(long, value_name = "PROGRAM")]
    peer: Option<PathBuf>,
    /// Orders that the peer replays
    #[arg(long, default_value_t = 3_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    peer_orders: u64,
}

pub(in crate::cli) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if !(1..=WORKERS_MAX).contains(&args.workers) {
        return Err(Failure::text(Exit::Usage, format!("--workers must be from 1 to {WORKERS_MAX}")));
    }
    let log = storage::open_log(&context.settings, Access::Read).await?;
    genesis::check(log.as_ref()).await.map_err(node::Error::from)?;
    let tables = Tables::make(&context.settings).await?;
    let measured = tables
        .until_signal(async {
            Bench { args: &args, context, log: log.clone(), tables: &tables }.measure().await
        })
        .await;
    let removed = tables.remove().await;
    log.close().await;
    let figures = measured?;
    removed?;
    print(&figures, context.format())
}

struct Bench<'a> {
    args: &'a Args,
    context: &'a Context,
    log: Arc<dyn Log>,
    tables: &'a Tables,
}

impl Bench<'_> {
    async fn measure(&self) -> Result<Vec<Figure>, Failure> {
        let mut figures = vec![self.read().await?];
        figures.push(self.in_memory("log to memory, chain checked", Scope::State).await?);
        figures.push(self.in_memory("log to memory, stock levels only", Scope::Stock).await?);
        figures.push(self.load_tables("stock levels into tables", Scope::Stock).await?);
        let (state, orders) = self.state_tables().await?;
        figures.extend([state, orders]);
        figures.extend(self.history().await?);
        figures.push(self.rebuild().await?);
        if let Some(program) = &self.args.peer {
            output::say("measuring the peer ...");
            let count = self.args.peer_orders;
            figures.push(peer::measure(program, &*self.log, self.tables, count).await?);
        }
        Ok(figures)
    }

    fn replay(&self) -> Replay {
        Replay { workers: self.args.workers, ..Replay::new(self.log.clone(), self.tables.store()) }
    }

    fn begin(&self, what: &str) -> Instant {
        if self.context.format() == Format::Table {
            output::say(format!("measuring: {what} ..."));
        }
        Instant::now()
    }

    /// All records, read and thrown away.
    async fn read(&self) -> Result<Figure, Failure> {
        let name = "log alone, read";
        let began = self.begin(name);
        let records = stream::iter(0..self.log.partitions())
            .map(|partition| read_all(&*self.log, partition))
            .buffer_unordered(self.args.workers)
            .try_fold(0_u64, |sum, records| async move { Ok(sum + records) })
            .await
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Figure::new(name, records, Unit::Records, began.elapsed()))
    }

    async fn in_memory(&self, name: &'static str, scope: Scope) -> Result<Figure, Failure> {
        let began = self.begin(name);
        let replayed = measure::fold_in_memory(&self.replay(), scope).await.map_err(failed)?;
        Ok(Figure::new(name, replayed.events, Unit::Events, began.elapsed()))
    }

    async fn load_tables(&self, name: &'static str, scope: Scope) -> Result<Figure, Failure> {
        let version = self.tables.fresh_version().await?;
        let began = self.begin(name);
        let replayed = measure::load(&self.replay(), version, scope).await.map_err(failed)?;
        let elapsed = began.elapsed();
        self.tables.drop_version(version).await?;
        Ok(Figure::new(name, replayed.events, Unit::Events, elapsed))
    }

    /// Stock levels and orders, told in events and in orders.
    async fn state_tables(&self) -> Result<(Figure, Figure), Failure> {
        let name = "stock levels and orders into tables";
        let version = self.tables.fresh_version().await?;
        let began = self.begin(name);
        let replayed = measure::load(&self.replay(), version, Scope::State).await.map_err(failed)?;
        let elapsed = began.elapsed();
        let orders = self.tables.count_accepted_orders(version).await?;
        self.tables.drop_version(version).await?;
        let events = Figure::new(name, replayed.events, Unit::Events, elapsed);
        Ok((events, Figure::new("the same in orders", orders, Unit::Orders, elapsed)))
    }

    /// The beginning of every partition's history: from memory, with the same statements, and from the log.
    async fn history(&self) -> Result<[Figure; 2], Failure> {
        self.begin("rows of history, from memory and from the log");
        let partitions = usize::from(self.log.partitions());
        let rows_max = self.args.history_rows / partitions;
        let histories: Vec<History> = stream::iter((0..self.log.partitions()).map(PartitionId))
            .map(|partition| History::of(self.log.clone(), self.tables.store(), partition, rows_max))
            .buffer_unordered(self.args.workers)
            .try_collect()
            .await
            .map_err(failed)?;
        let rows: u64 = histories.iter().map(History::rows).sum();
        let (mut bare, mut loaded) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..HISTORY_ROUNDS {
            bare +=
                self.write_history(&histories, async |history, version| history.write(version).await).await?;
            loaded +=
                self.write_history(&histories, async |history, version| history.load(version).await).await?;
        }
        let rows = rows * HISTORY_ROUNDS as u64;
        Ok([
            Figure::new("history from memory: the statements alone", rows, Unit::Rows, bare),
            Figure::new("history from the log", rows, Unit::Rows, loaded),
        ])
    }

    async fn write_history(
        &self,
        histories: &[History],
        write: impl AsyncFn(&History, Version) -> Result<(), rebuild::Error>,
    ) -> Result<Duration, Failure> {
        let version = self.tables.fresh_version().await?;
        let began = Instant::now();
        stream::iter(histories)
            .map(|history| write(history, version))
            .buffer_unordered(self.args.workers)
            .try_collect::<()>()
            .await
            .map_err(failed)?;
        let elapsed = began.elapsed();
        self.tables.drop_version(version).await?;
        Ok(elapsed)
    }

    async fn rebuild(&self) -> Result<Figure, Failure> {
        let name = "everything, with indexes";
        let version = self.tables.fresh_version().await?;
        let began = self.begin(name);
        let Replayed { events, .. } = rebuild::replay_into(&self.replay(), version).await.map_err(failed)?;
        let elapsed = began.elapsed();
        self.tables.drop_version(version).await?;
        Ok(Figure::new(name, events, Unit::Events, elapsed))
    }
}

async fn read_all(log: &dyn Log, partition: u16) -> Result<u64, stockledger_log::Error> {
    let end = log.bounds(partition).await?.end;
    let mut reader = log.reader(partition, 0).await?;
    let mut records = 0;
    while records < end {
        records += reader.next(READ_RECORDS, PATIENCE).await?.len() as u64;
    }
    Ok(records)
}

fn failed(error: rebuild::Error) -> Failure {
    Failure::new(Exit::Failed, error)
}
