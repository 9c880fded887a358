//! The store port of one process: the tables in memory, behind the process's gate and a network that loses replies.

use std::sync::Arc;

use async_trait::async_trait;
use stockledger_projections::{
    Activation, Changes, Checkpoint, Commit, Snapshot, Statement, Store, Version, store::Error,
};
use stockledger_schemas::Timestamp;

use crate::faults::Kind;
use crate::gate::Gate;
use crate::mark::Mark;
use crate::store::MemoryStore;
use crate::world::World;

/// The tables as one process sees them.
pub struct SimStore {
    world: World,
    gate: Arc<Gate>,
    tables: MemoryStore,
}

/// What becomes of one transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Luck {
    Done,
    /// As a deadlock, or a connection that was cut before the commit.
    RolledBack,
    /// It is done, and the reply is lost.
    ReplyLost,
    /// It is done, but only after its caller has given it up.
    Late,
}

impl SimStore {
    /// The tables as a process sees them.
    #[must_use]
    pub const fn new(world: World, gate: Arc<Gate>, tables: MemoryStore) -> Self {
        Self { world, gate, tables }
    }

    async fn arrive(&self, operation: &'static str) -> Result<Luck, Error> {
        self.gate.pass().await;
        self.world.travel().await;
        self.gate.pass().await;
        if self.world.lock().store_is_away {
            self.world.mark(Mark::StoreAway);
            return Err(unavailable(operation));
        }
        if !self.world.strikes(Kind::Transactions) {
            return Ok(Luck::Done);
        }
        Ok([Luck::RolledBack, Luck::ReplyLost, Luck::Late][self.world.below(3)])
    }

    async fn leave<T>(
        &self,
        luck: Luck,
        done: Result<T, Error>,
        operation: &'static str,
    ) -> Result<T, Error> {
        self.world.travel().await;
        self.gate.pass().await;
        if luck == Luck::ReplyLost {
            self.world.mark(Mark::CommitReplyLost);
            return Err(unavailable(operation));
        }
        done
    }

    /// A transaction: done, not done, or done without its caller hearing of it.
    async fn transact<T: Send>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let luck = self.arrive(operation).await?;
        if luck == Luck::RolledBack || luck == Luck::Late {
            self.world.mark(Mark::TransactionFailed);
            return Err(unavailable(operation));
        }
        let done = work.await;
        self.leave(luck, done, operation).await
    }
}

impl SimStore {
    /// Queries must never go back behind what they showed.
    async fn watched_switch(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        let before = positions(&self.tables);
        let activated = self.tables.activate(expected, next).await;
        let after = positions(&self.tables);
        self.world.tell(format_args!("switch {expected:?} -> {next:?}: {activated:?}"));
        if after.iter().zip(&before).any(|(now, then)| now < then) {
            self.world.fail(format!("queries went back from {before:?} to {after:?}"));
        }
        activated
    }
}

#[async_trait]
impl Store for SimStore {
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error> {
        self.transact("create a version", self.tables.create_version(version, created_at)).await
    }

    fn has_one_writer(&self) -> bool {
        self.tables.has_one_writer()
    }

    async fn create_indexes(&self, version: Version) -> Result<(), Error> {
        self.transact("create indexes", self.tables.create_indexes(version)).await
    }

    async fn drop_version(&self, version: Version) -> Result<(), Error> {
        self.transact("drop a version", self.tables.drop_version(version)).await
    }

    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        self.transact("switch", self.watched_switch(expected, next)).await
    }

    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
        self.transact("begin a partition", self.tables.begin(version, first)).await
    }

    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error> {
        let operation = "commit a batch";
        let luck = self.arrive(operation).await?;
        if luck == Luck::Late {
            let (world, tables) = (self.world.clone(), self.tables.clone());
            let (next, changes) = (*next, changes.clone());
            tokio::spawn(async move {
                world.a_while(5_000).await;
                world.mark(Mark::CommittedLate);
                // Whatever comes of it, nobody hears.
                let _ = tables.commit(version, expected_next_offset, &next, &changes).await;
            });
        }
        if luck == Luck::RolledBack || luck == Luck::Late {
            self.world.mark(Mark::TransactionFailed);
            return Err(unavailable(operation));
        }
        let done = self.tables.commit(version, expected_next_offset, next, changes).await;
        if matches!(done, Ok(Commit::Superseded)) {
            self.world.mark(Mark::CheckpointRaceLost);
        }
        self.world.tell(format_args!(
            "version {version} partition {}: {expected_next_offset} -> {}: {done:?}",
            next.partition, next.next_offset
        ));
        self.leave(luck, done, operation).await
    }

    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error> {
        self.transact("change what is known of versions", self.tables.update(guard, rest)).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        self.transact("read", self.tables.snapshot()).await
    }

    async fn close(&self) {}
}

/// How far queries can see.
fn positions(tables: &MemoryStore) -> Vec<u64> {
    let Some(active) = tables.active() else { return Vec::new() };
    (0..crate::run::PARTITIONS)
        .map(|partition| {
            let checkpoint = tables.checkpoint(active, stockledger_schemas::PartitionId(partition));
            checkpoint.map_or(0, |checkpoint| checkpoint.next_offset)
        })
        .collect()
}

fn unavailable(operation: &'static str) -> Error {
    Error::Unavailable { operation, source: "the simulation made it so".into() }
}
