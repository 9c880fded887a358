//! The port on the tables in memory. Every call is ready at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use stockledger_projections::store::{Error, Store};
use stockledger_projections::value::Fields;
use stockledger_projections::{
    Activation, Changes, Checkpoint, Commit, Select, Snapshot, Statement, Version,
};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::Timestamp;

use super::commit::{Step, batches};
use super::tables::State;
use super::{MemoryStore, Now, commit, sql, unavailable, versions};

#[async_trait]
impl Store for MemoryStore {
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error> {
        self.write("create a version", |state| versions::create(state, version, created_at))
    }

    fn has_one_writer(&self) -> bool {
        self.has_one_writer
    }

    async fn create_indexes(&self, version: Version) -> Result<(), Error> {
        let operation = "create an index";
        self.write(operation, |state| {
            if !versions::is_there(state, version) {
                return Err(unavailable(operation, "no such table"));
            }
            state.indexed.insert(version);
            Ok(())
        })
    }

    async fn drop_version(&self, version: Version) -> Result<(), Error> {
        self.write("drop a version", |state| versions::drop(state, version))
    }

    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        self.write("activate a version", |state| versions::activate(state, expected, next))
    }

    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
        self.write("begin a partition", |state| commit::begin(state, version, first))
    }

    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error> {
        let operation = "commit a batch";
        let batches = batches(changes);
        let step = Step { version, expected_next_offset, next, now: (self.now)() };
        if keeps(Rule::CheckpointWithRows) {
            return self.write(operation, |state| commit::commit(state, step, &batches));
        }
        self.write(operation, |state| commit::write(state, version, &batches))?;
        if self.between_steps.as_ref().is_some_and(|goes_on| !goes_on()) {
            return Err(unavailable(operation, "cut off between the rows and the checkpoint"));
        }
        self.write(operation, |state| commit::commit(state, step, &[]))
    }

    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error> {
        let operation = "change what is known of versions";
        let now = (self.now)();
        // All of them are understood, and what they are about is there, before the first changes anything.
        let (parsed_guard, parsed_rest) =
            (sql::update(guard), rest.iter().map(sql::update).collect::<Vec<_>>());
        self.write(operation, |state| {
            let updates = || std::iter::once(&parsed_guard).chain(&parsed_rest);
            if updates().any(|update| state.rows(update.name()).is_none()) {
                return Err(unavailable(operation, "no such table"));
            }
            if parsed_guard.run(state, guard, now) == 0 {
                return Ok(Commit::Superseded);
            }
            for (update, statement) in parsed_rest.iter().zip(rest) {
                update.run(state, statement, now);
            }
            Ok(Commit::Committed)
        })
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        let state = self.read("begin to read")?;
        Ok(Box::new(MemorySnapshot { state, now: Arc::clone(&self.now) }))
    }

    async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}

/// Everything as it was; writers copy what they change of it.
struct MemorySnapshot {
    state: Arc<State>,
    now: Now,
}

impl Snapshot for MemorySnapshot {
    fn stream<'a>(&'a mut self, select: Select) -> BoxStream<'a, Result<Fields, Error>> {
        let rows = sql::select(&select, &self.state, (self.now)());
        let rows = match rows {
            Some(rows) => rows.into_iter().map(|row| Ok(Fields::new(row))).collect(),
            None => vec![Err(unavailable("read", "no such table"))],
        };
        stream::iter(rows).boxed()
    }
}
