//! A store that keeps its callers waiting at the moment of a test's choice.

use std::sync::Arc;

use async_trait::async_trait;
use stockledger_projections::store::Error;
use stockledger_projections::{Activation, Changes, Checkpoint, Commit, Snapshot, Statement, Store, Version};
use stockledger_schemas::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::common::DEADLINE;

/// Where callers wait while it is shut.
pub(crate) struct Gate {
    entered: watch::Sender<usize>,
    is_open: watch::Sender<bool>,
}

impl Gate {
    fn new(is_open: bool) -> Self {
        Self { entered: watch::channel(0).0, is_open: watch::channel(is_open).0 }
    }

    async fn pass(&self) {
        self.entered.send_modify(|entered| *entered += 1);
        self.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
    }

    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How many have come so far, those that passed included.
    pub(crate) fn entered(&self) -> usize {
        *self.entered.borrow()
    }

    pub(crate) async fn until_entered(&self, count: usize) {
        let mut entered = self.entered.subscribe();
        timeout(DEADLINE, entered.wait_for(|entered| *entered >= count)).await.unwrap().unwrap();
    }
}

/// A store with a gate before each commit and each switch.
pub(crate) struct Gated {
    store: Arc<dyn Store>,
    pub(crate) commits: Gate,
    pub(crate) switches: Gate,
}

impl Gated {
    pub(crate) fn shut_for_commits(store: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), commits: Gate::new(false), switches: Gate::new(true) })
    }

    pub(crate) fn shut_for_switches(store: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store: Arc::clone(store), commits: Gate::new(true), switches: Gate::new(false) })
    }
}

#[async_trait]
impl Store for Gated {
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error> {
        self.store.create_version(version, created_at).await
    }

    fn has_one_writer(&self) -> bool {
        self.store.has_one_writer()
    }

    async fn create_indexes(&self, version: Version) -> Result<(), Error> {
        self.store.create_indexes(version).await
    }

    async fn drop_version(&self, version: Version) -> Result<(), Error> {
        self.store.drop_version(version).await
    }

    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        self.switches.pass().await;
        self.store.activate(expected, next).await
    }

    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
        self.store.begin(version, first).await
    }

    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error> {
        self.commits.pass().await;
        self.store.commit(version, expected_next_offset, next, changes).await
    }

    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error> {
        self.store.update(guard, rest).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        self.store.snapshot().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
