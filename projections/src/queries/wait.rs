//! Read your own writes: waiting until the tables include a position.

use std::sync::Arc;
use std::time::Duration;

use stockledger_schemas::{PartitionId, Position};
use tokio::time::{Instant, sleep_until};

use super::{Queries, Result};
use crate::progress::Activity;
use crate::views::AsOf;

/// How often the checkpoints are looked at while the projector of another process works.
const POLL: Duration = Duration::from_millis(10);

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The tables include every position asked for.
    Reached,
    /// They do not; this is how far the partitions asked for are.
    Behind {
        /// A position for each partition asked for, in that order.
        reached: Vec<Position>,
    },
    /// A partition has stopped for good and will not get there; somebody must act.
    Halted {
        /// Which partition.
        partition: PartitionId,
        /// Why, and what to do.
        reason: Arc<str>,
    },
}

impl Queries {
    /// Waits until the active version includes all of `positions`, at most until `deadline`; the tables are looked at once
    /// in any case. Ends early when a partition has halted below what is asked for.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn wait_for(&self, positions: &[Position], deadline: Instant) -> Result<Waited> {
        loop {
            let all = self.positions().await?;
            let reached = reached_of(positions, &all);
            let is_missing = |(wanted, reached): &(&Position, &Position)| reached.seq < wanted.seq;
            let missing = || positions.iter().zip(&reached).filter(is_missing).map(|(wanted, _)| *wanted);
            let Some(wanted) = missing().next() else { return Ok(Waited::Reached) };
            let halted = |wanted: Position| {
                let found = all.iter().find(|found| found.position.partition == wanted.partition);
                let stale = found.and_then(|found| found.stale.clone()).filter(|stale| stale.is_halted);
                stale.map(|stale| Waited::Halted { partition: wanted.partition, reason: stale.reason })
            };
            if let Some(halted) = missing().find_map(halted) {
                return Ok(halted);
            }
            if Instant::now() >= deadline {
                return Ok(Waited::Behind { reached });
            }
            self.until_moved(wanted, deadline).await;
        }
    }

    /// Returns when it is worth looking again. The projector of this process says when; that of another one does not, and
    /// right after a switch even our own may have passed the position in the version before.
    async fn until_moved(&self, wanted: Position, deadline: Instant) {
        let poll = deadline.min(Instant::now() + POLL);
        match &self.progress {
            Some(progress)
                if progress.of(wanted.partition).is_some_and(|status| status.position < wanted) =>
            {
                let is_reached = |status: &crate::Status| {
                    status.position >= wanted || matches!(status.activity, Activity::Halted { .. })
                };
                // It may also end because the projector is gone; then somebody else may move the tables.
                if !progress.until(wanted.partition, deadline, is_reached).await {
                    sleep_until(poll).await;
                }
            }
            _ => sleep_until(poll).await,
        }
    }
}

/// How far the partitions of `positions` are, of all that are.
fn reached_of(positions: &[Position], all: &[AsOf]) -> Vec<Position> {
    let of = |partition: PartitionId| all.iter().find(|found| found.position.partition == partition);
    let seq = |partition| of(partition).map_or(0, |found| found.position.seq);
    positions.iter().map(|wanted| Position::new(wanted.partition, seq(wanted.partition))).collect()
}
