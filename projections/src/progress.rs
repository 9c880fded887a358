//! How far the projector of this process is, for whoever wants to know or to wait.

use std::sync::Arc;

use stockledger_schemas::{PartitionId, Position, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::table::Version;

/// Where the projector stands in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The version that it writes to; absent before it begins.
    pub version: Option<Version>,
    /// The last decision that is committed.
    pub position: Position,
    /// When that decision was recorded; absent before the first.
    pub recorded_at: Option<Timestamp>,
    /// The offset of the next record.
    pub next_offset: u64,
    /// Where the log ended when the projector looked last.
    pub log_end: u64,
    /// What it is doing.
    pub activity: Activity,
}

/// What a projector is doing in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// It has not read its checkpoint yet.
    Starting,
    /// It follows the log.
    Running,
    /// The log or the store does not answer, or refuses to; it tries again.
    Retrying {
        /// What went wrong.
        reason: Arc<str>,
    },
    /// It stopped at what cannot be read past, until the tables are rebuilt or the process begins again. Somebody must act.
    Halted {
        /// Why, and what to do.
        reason: Arc<str>,
    },
    /// It was told to stop.
    Stopped,
}

impl Status {
    pub(crate) const fn starting(partition: PartitionId) -> Self {
        Self {
            version: None,
            position: Position::new(partition, 0),
            recorded_at: None,
            next_offset: 0,
            log_end: 0,
            activity: Activity::Starting,
        }
    }

    /// How many records of the log are not in the tables yet, as far as the projector knows.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.log_end.saturating_sub(self.next_offset)
    }
}

/// A handle to the status of every partition; clones are cheap and see the same.
#[derive(Debug, Clone)]
pub struct Progress {
    partitions: Arc<[watch::Receiver<Status>]>,
}

impl Progress {
    pub(crate) fn new(partitions: Vec<watch::Receiver<Status>>) -> Self {
        Self { partitions: partitions.into() }
    }

    /// The status of every partition, by partition.
    #[must_use]
    pub fn all(&self) -> Vec<Status> {
        self.partitions.iter().map(|partition| partition.borrow().clone()).collect()
    }

    /// The status of one partition, unless the log has no such partition.
    #[must_use]
    pub fn of(&self, partition: PartitionId) -> Option<Status> {
        self.partitions.get(usize::from(partition.0)).map(|partition| partition.borrow().clone())
    }

    /// Waits until the status of a partition is as asked for, at most until the deadline. Says whether it is.
    pub async fn until(
        &self,
        partition: PartitionId,
        deadline: Instant,
        is_reached: impl FnMut(&Status) -> bool,
    ) -> bool {
        let Some(mut status) = self.partitions.get(usize::from(partition.0)).cloned() else { return false };
        matches!(timeout_at(deadline, status.wait_for(is_reached)).await, Ok(Ok(_)))
    }
}
