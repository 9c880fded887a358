//! What remembers records of the log: signed checkpoints, and how far the read tables are. A log cannot show by itself that
//! its end was cut off or changed.

use std::sync::Arc;
use std::time::Duration;

use stockledger_audit::{Proofs, Remembered};
use stockledger_log::Log;
use stockledger_projections::{Checkpoint, Store, read, store};
use stockledger_schemas::PartitionId;
use tokio::time::{Instant, sleep};

/// How often a log that is shorter is looked at again.
const POLL: Duration = Duration::from_millis(500);

/// Who remembers. One that does not answer says nothing, and is missed in what is said to vouch for the log.
#[derive(Clone, Default)]
pub struct Witnesses {
    /// What was signed last.
    pub checkpoints: Option<Proofs>,
    /// The read tables.
    pub tables: Option<Arc<dyn Store>>,
}

impl Witnesses {
    pub(super) async fn remembered(&self, partitions: u16) -> Vec<Remembered> {
        let mut remembered = Vec::new();
        for partition in (0..partitions).map(PartitionId) {
            remembered.extend(self.signed(partition).await);
        }
        if let Some(tables) = &self.tables {
            match checkpoints(&**tables).await {
                Ok(checkpoints) => remembered.extend(checkpoints.into_iter().map(of_tables)),
                Err(error) => tracing::warn!(%error, "the log is verified without the read tables"),
            }
        }
        remembered
    }

    /// A checkpoint of an empty partition remembers nothing.
    async fn signed(&self, partition: PartitionId) -> Option<Remembered> {
        let signed = self.checkpoints.as_ref()?.checkpoint(partition).await.ok()?;
        let checkpoint = signed.checkpoint();
        (checkpoint.size > 0).then(|| Remembered {
            witness: "the signed checkpoint".to_owned(),
            partition,
            seq: checkpoint.size,
            hash: checkpoint.chain_hash,
            next_offset: None,
        })
    }
}

async fn checkpoints(tables: &dyn Store) -> Result<Vec<Checkpoint>, store::Error> {
    let mut snapshot = tables.snapshot().await?;
    match read::active(&mut *snapshot).await? {
        Some(version) => read::checkpoints(&mut *snapshot, version).await,
        None => Ok(Vec::new()),
    }
}

fn of_tables(checkpoint: Checkpoint) -> Remembered {
    Remembered {
        witness: "the read tables".to_owned(),
        partition: checkpoint.partition,
        seq: checkpoint.seq,
        hash: checkpoint.hash,
        next_offset: Some(checkpoint.next_offset),
    }
}

/// Waits until the log has all that is remembered with its place, but no longer than `patience`: a cluster may say for a
/// while that it has less, as after a fail-over.
pub(super) async fn wait_for_all(log: &dyn Log, remembered: &[Remembered], patience: Duration) {
    let deadline = Instant::now() + patience;
    for one in remembered {
        let Some(wanted) = one.next_offset else { continue };
        while Instant::now() < deadline
            && log.bounds(one.partition.0).await.is_ok_and(|bounds| bounds.end < wanted)
        {
            sleep(POLL).await;
        }
    }
}
