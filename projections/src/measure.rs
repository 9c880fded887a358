//! Parts of a replay by themselves, to measure what each can do: reading and folding without a database, the tables of
//! state without history, and the statements of history without a log.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use stockledger_log::Log;
use stockledger_schemas::PartitionId;
use tokio_util::sync::CancellationToken;

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::follower::{Source, begin_partition, write};
use crate::level;
use crate::load::{Folding, Load};
use crate::rebuild::{Error, Replay, Replayed};
use crate::store::Store;
use crate::table::Version;
use crate::verify::verify;
use crate::view::Scope;

/// Reads, admits and folds the whole log and keeps state in memory; the store of `replay` is not asked for anything.
///
/// # Errors
/// As [`replay_into`](crate::rebuild::replay_into).
pub async fn fold_in_memory(replay: &Replay, scope: Scope) -> Result<Replayed, Error> {
    each_partition(
        replay,
        async |load| {
            let begin = verify(&*load.source.log, load.partition, None).await?;
            let mut folding = Folding::begin(&load, begin, 0).await?;
            let mut replayed = Replayed::default();
            while folding.goes_on() {
                let advance = folding.fold_some().await?;
                replayed = replayed.and(Replayed { decisions: advance.decisions, events: advance.events });
                drop(folding.take_settled().await?);
            }
            Ok(replayed)
        },
        scope,
    )
    .await
}

/// Loads the tables of a scope into a version that nobody reads and that has no indexes.
///
/// # Errors
/// As [`replay_into`](crate::rebuild::replay_into).
pub async fn load(replay: &Replay, version: Version, scope: Scope) -> Result<Replayed, Error> {
    each_partition(
        replay,
        async |load| {
            let mut replayed = Replayed::default();
            let load = Load { version, ..load };
            load.run(|_, advance| {
                replayed = replayed.and(Replayed { decisions: advance.decisions, events: advance.events });
            })
            .await?;
            Ok(replayed)
        },
        scope,
    )
    .await
}

async fn each_partition(
    replay: &Replay,
    work: impl AsyncFn(Load) -> Result<Replayed, Error>,
    scope: Scope,
) -> Result<Replayed, Error> {
    let ends = level::log_ends(&*replay.log).await?;
    stream::iter(ends)
        .map(|(partition, until)| {
            let source = replay.source();
            work(Load { source, version: Version::FIRST, partition, until, scope })
        })
        .buffer_unordered(replay.workers)
        .try_fold(Replayed::default(), |sum, one| async move { Ok(sum.and(one)) })
        .await
}

/// Rows of history of one partition, made ready to be written.
pub struct History {
    source: Source,
    begin: Checkpoint,
    pieces: Vec<(Changes, Checkpoint)>,
}

impl History {
    /// Folds the beginning of a partition: about so many rows of history, in the pieces in which a load writes them.
    ///
    /// # Errors
    /// As [`replay_into`](crate::rebuild::replay_into).
    pub async fn of(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        partition: PartitionId,
        rows_max: usize,
    ) -> Result<Self, Error> {
        let source = Source { log, store, cancel: CancellationToken::new() };
        let until = level::log_ends(&*source.log).await?;
        let until = until.iter().find(|(found, _)| *found == partition).map_or(0, |(_, end)| *end);
        let begin = verify(&*source.log, partition, None).await?;
        let load = Load {
            source: source.clone(),
            version: Version::FIRST,
            partition,
            until,
            scope: Scope::Everything,
        };
        let mut folding = Folding::begin(&load, begin, 0).await?;
        let (mut pieces, mut rows) = (Vec::new(), 0);
        while folding.goes_on() && rows < rows_max {
            folding.fold_some().await?;
            let changes = Changes { orders: Vec::new(), ..folding.take_settled().await? };
            rows += changes.rows();
            pieces.push((changes, folding.checkpoint(false)));
        }
        let begin = Checkpoint { is_loaded: false, ..Checkpoint::of(&begin, None, 0) };
        Ok(Self { source, begin, pieces })
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.pieces.iter().map(|(changes, _)| changes.rows() as u64).sum()
    }

    /// Where the log is to end for a load that writes these rows and no others.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.pieces.last().map_or(self.begin.next_offset, |(_, next)| next.next_offset)
    }

    /// Writes them into a version, with the statements and commits of a load and nothing else.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Unavailable`].
    pub async fn write(&self, version: Version) -> Result<(), Error> {
        begin_partition(&*self.source.store, version, self.begin).await?;
        let mut at = self.begin.next_offset;
        for (changes, next) in &self.pieces {
            write(&self.source, version, at, next, changes).await?;
            at = next.next_offset;
        }
        Ok(())
    }

    /// Makes the same rows from the log and writes them into a version, as a load does.
    ///
    /// # Errors
    /// As [`replay_into`](crate::rebuild::replay_into).
    pub async fn load(&self, version: Version) -> Result<(), Error> {
        let (source, partition) = (self.source.clone(), self.begin.partition);
        let load = Load { source, version, partition, until: self.end(), scope: Scope::History };
        Ok(load.run(|_, _| {}).await?)
    }
}
