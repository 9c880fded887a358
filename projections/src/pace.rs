//! How fast a version is filled, told to the store every second: others see it there, and that somebody is at work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stockledger_log::Causes;
use stockledger_schemas::PartitionId;
use tokio::time::{Instant, timeout};

use crate::rebuild::{Error, OnProgress, ReplayProgress};
use crate::store::{Commit, Error as StoreError, Store};
use crate::table::Version;
use crate::versions::{self, Filling, OWNER_SILENT_MAX, Owner};

/// How often the store is told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// How long the store may take to take it.
const REPORT_WITHIN: Duration = Duration::from_secs(3);

/// What was done of every partition, and of how much.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Arc<Mutex<HashMap<PartitionId, (u64, u64)>>>);

impl Pace {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Notes what is told and tells it on.
    pub(crate) fn noting(&self, next: &Arc<OnProgress>) -> Arc<OnProgress> {
        let (pace, next) = (self.clone(), Arc::clone(next));
        Arc::new(move |progress: ReplayProgress| {
            let mut partitions = pace.0.lock().unwrap_or_else(PoisonError::into_inner);
            partitions.insert(progress.partition, (progress.done, progress.total));
            drop(partitions);
            next(progress);
        })
    }

    /// Reports as long as the owner has the right to fill the version; returns when it has not, or cannot be told for so
    /// long that another may have it.
    pub(crate) async fn keep(&self, store: &dyn Store, version: Version, owner: &Owner) -> Error {
        let (mut reported_at, mut before) = (Instant::now(), self.filling(0));
        loop {
            tokio::time::sleep(REPORT_EVERY).await;
            let elapsed = reported_at.elapsed();
            let done = self.filling(0).records_done.saturating_sub(before.records_done);
            let filling = self.filling(per_second(done, elapsed));
            let report = timeout(REPORT_WITHIN, versions::report(store, version, owner, filling)).await;
            match report.unwrap_or_else(|_| Err(too_late())) {
                Ok(Commit::Committed) => (reported_at, before) = (Instant::now(), filling),
                // It became ready or active: whoever fills it is about to be done.
                Ok(Commit::Superseded | Commit::Held) if self.is_done_with(store, version).await => {}
                Ok(Commit::Superseded | Commit::Held) => return Error::Superseded,
                // While a long index is made in a file nobody else comes to write, and nobody else can take the version over.
                Err(_) if store.has_one_writer() => {}
                Err(error) if elapsed < OWNER_SILENT_MAX / 2 => {
                    tracing::warn!(error = %Causes(&error), "the progress of a rebuild could not be told");
                }
                Err(error) => return Error::Store(error),
            }
        }
    }

    async fn is_done_with(&self, store: &dyn Store, version: Version) -> bool {
        let Ok(mut snapshot) = store.snapshot().await else { return false };
        let Ok(versions) = crate::read::versions(&mut *snapshot).await else { return false };
        let found = versions.into_iter().find(|info| info.version == version);
        found.is_some_and(|info| info.state != crate::read::VersionState::Building)
    }

    fn filling(&self, records_per_second: u64) -> Filling {
        let partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = partitions.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Filling { records_done: sum.0, records_total: sum.1, records_per_second }
    }
}

fn too_late() -> StoreError {
    StoreError::Unavailable {
        operation: "report the progress of a rebuild",
        source: "no answer in time".into(),
    }
}

fn per_second(records: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    records.saturating_mul(1_000) / millis
}
