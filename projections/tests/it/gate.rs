//! A store that keeps its callers waiting at the moment of a test's choice.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stockledger_projections::store::Error;
use stockledger_projections::{Activation, Changes, Checkpoint, Commit, Snapshot, Statement, Store, Version};
use stockledger_schemas::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

/// Who waits longer than this waits in vain.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where callers wait while it is shut.
pub(crate) struct Gate {
    entered: watch::Sender<usize>,
    /// How many may pass, of all that ever come.
    allowed: watch::Sender<usize>,
}

impl Gate {
    fn letting_pass(allowed: usize) -> Self {
        Self { entered: watch::channel(0).0, allowed: watch::channel(allowed).0 }
    }

    async fn pass(&self) {
        let mut number = 0;
        self.entered.send_modify(|entered| {
            *entered += 1;
            number = *entered;
        });
        self.allowed.subscribe().wait_for(|allowed| *allowed >= number).await.unwrap();
    }

    pub(crate) fn open(&self) {
        self.allowed.send_replace(usize::MAX);
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

/// A store with a gate before each commit, each switch, and each change of what is known of versions.
pub(crate) struct Gated {
    store: Arc<dyn Store>,
    pub(crate) commits: Gate,
    pub(crate) switches: Gate,
    pub(crate) updates: Gate,
}

impl Gated {
    fn open(store: &Arc<dyn Store>) -> Self {
        let [commits, switches, updates] = [(); 3].map(|()| Gate::letting_pass(usize::MAX));
        Self { store: Arc::clone(store), commits, switches, updates }
    }

    /// Lets so many commits pass.
    pub(crate) fn shut_after_commits(store: &Arc<dyn Store>, commits: usize) -> Arc<Self> {
        Arc::new(Self { commits: Gate::letting_pass(commits), ..Self::open(store) })
    }

    /// Lets so many commits pass, and so many changes of what is known of versions.
    pub(crate) fn shut_after(store: &Arc<dyn Store>, commits: usize, updates: usize) -> Arc<Self> {
        let (commits, updates) = (Gate::letting_pass(commits), Gate::letting_pass(updates));
        Arc::new(Self { commits, updates, ..Self::open(store) })
    }

    pub(crate) fn shut_for_commits(store: &Arc<dyn Store>) -> Arc<Self> {
        Self::shut_after_commits(store, 0)
    }

    pub(crate) fn shut_for_switches(store: &Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { switches: Gate::letting_pass(0), ..Self::open(store) })
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
        self.updates.pass().await;
        self.store.update(guard, rest).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        self.store.snapshot().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
