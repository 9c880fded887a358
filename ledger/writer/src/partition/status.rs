//! What a partition's writer shows of itself to the rest of the process.

use stockledger_schemas::{PartitionId, Position};
use tokio::sync::watch;

/// Where a partition's writer stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum WriterState {
    /// It reads the log and claims the partition.
    Recovering,
    /// The partition is its own; it takes commands.
    Leading,
    /// The log does not answer: it acknowledges nothing, or cannot be read. Nothing new is taken meanwhile.
    Stalled,
    /// Another node claimed the partition; it will try again.
    Superseded {
        /// Where that node answers, if it said.
        url: Option<String>,
    },
    /// It stopped for good; somebody must look.
    Halted {
        /// Why, and what to do.
        reason: String,
    },
    /// It was told to stop.
    Stopped,
}

/// A partition's writer as others see it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartitionStatus {
    /// Which partition.
    pub partition: PartitionId,
    /// Where its writer stands.
    #[serde(flatten)]
    pub writer: WriterState,
    /// The current term.
    pub term: u64,
    /// The last confirmed decision.
    pub position: Position,
    /// How many idempotency keys are remembered.
    pub keys: usize,
    /// Records in the log that do not count; each is a failure that was survived.
    pub void_records: u64,
}

impl PartitionStatus {
    pub(crate) fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            writer: WriterState::Recovering,
            term: 0,
            position: Position::new(partition, 0),
            keys: 0,
            void_records: 0,
        }
    }
}

/// The writing end of a partition's status.
#[derive(Debug, Clone)]
pub(crate) struct StatusSender(watch::Sender<PartitionStatus>);

impl StatusSender {
    pub(crate) fn new(partition: PartitionId) -> (Self, watch::Receiver<PartitionStatus>) {
        let (tx, rx) = watch::channel(PartitionStatus::new(partition));
        (Self(tx), rx)
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut PartitionStatus)) {
        self.0.send_modify(change);
    }

    pub(crate) fn set(&self, state: WriterState) {
        self.update(|status| status.writer = state);
    }
}
