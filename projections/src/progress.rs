//! How far the projector of this process is, for whoever wants to know or to wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use stockledger_schemas::{PartitionId, Position, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::table::Version;

/// Where the projector stands in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The version that it writes to.
    pub version: Version,
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
    pub(crate) const fn starting(partition: PartitionId, version: Version) -> Self {
        Self {
            version,
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

/// The versions that a projector follows, with the status of each of their partitions.
#[derive(Debug, Clone)]
pub(crate) struct Following {
    /// The version that queries answer from.
    pub(crate) active: Version,
    /// By version, then by partition.
    pub(crate) statuses: BTreeMap<Version, Arc<[watch::Receiver<Status>]>>,
}

impl Following {
    pub(crate) const fn nothing(active: Version) -> Self {
        Self { active, statuses: BTreeMap::new() }
    }

    /// Whether the same versions are followed by the same tasks.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.active == other.active
            && self.statuses.len() == other.statuses.len()
            && self.statuses.iter().zip(&other.statuses).all(|(one, two)| one.0 == two.0)
    }

    fn of(&self, version: Version) -> &[watch::Receiver<Status>] {
        self.statuses.get(&version).map_or(&[], |statuses| statuses)
    }
}

/// A handle to the status of every partition; clones are cheap and see the same.
#[derive(Debug, Clone)]
pub struct Progress {
    following: watch::Receiver<Following>,
}

impl Progress {
    pub(crate) fn new(following: watch::Receiver<Following>) -> Self {
        Self { following }
    }

    /// The status of every partition of the active version, by partition.
    #[must_use]
    pub fn all(&self) -> Vec<Status> {
        let following = self.following.borrow();
        following.of(following.active).iter().map(|status| status.borrow().clone()).collect()
    }

    /// The status of every partition of a version, by partition; empty if it is not followed.
    #[must_use]
    pub fn of_version(&self, version: Version) -> Vec<Status> {
        self.following.borrow().of(version).iter().map(|status| status.borrow().clone()).collect()
    }

    /// The status of one partition of the active version, unless the log has no such partition.
    #[must_use]
    pub fn of(&self, partition: PartitionId) -> Option<Status> {
        self.receiver(partition).map(|status| status.borrow().clone())
    }

    /// Waits until the status of a partition of the active version is as asked for, at most until the deadline. Says whether
    /// it is.
    pub async fn until(
        &self,
        partition: PartitionId,
        deadline: Instant,
        mut is_reached: impl FnMut(&Status) -> bool,
    ) -> bool {
        let mut following = self.following.clone();
        loop {
            following.mark_unchanged();
            let Some(mut status) = self.receiver(partition) else { return false };
            let reached = async {
                if status.wait_for(&mut is_reached).await.is_err() {
                    // It has halted or stopped and says nothing more.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                reached = timeout_at(deadline, reached) => return reached.is_ok(),
                // Another version may be active now, which has a status of its own.
                changed = following.changed() => if changed.is_err() {
                    return false;
                }
            }
        }
    }

    fn receiver(&self, partition: PartitionId) -> Option<watch::Receiver<Status>> {
        let following = self.following.borrow();
        following.of(following.active).get(usize::from(partition.0)).cloned()
    }
}
