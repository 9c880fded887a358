//! Read tables in memory, for a simulation that must come out the same each time.
//!
//! [`MemoryStore`] does what the stores in databases do, by the same conformance suite. Nothing in it waits, starts a
//! thread or asks a clock: every call is ready at once, and `{now}` in a statement is what the simulation says. The
//! portable SQL of the projector, the rebuild and the switch is interpreted (`sql`, `parse`); a statement beyond that is
//! a panic with its text, because a simulation must not go on with an answer that no database gives.
//!
//! Three rules can be broken here ([`stockledger_rules`]): the checkpoint moves with its rows, it moves only from where
//! it was expected, and queries are never switched to a version that is behind.

mod adapter;
mod commit;
mod parse;
mod sql;
mod tables;
mod versions;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stockledger_projections::store::Error;
use stockledger_projections::table::Table;
use stockledger_projections::value::Value;
use stockledger_projections::{Checkpoint, Version};
use stockledger_schemas::PartitionId;

use self::tables::State;

/// The time now, in microseconds since 1970. It must begin later than
/// [`OWNER_SILENT_MAX`](stockledger_projections::versions::OWNER_SILENT_MAX) after 1970: an owner that was never heard of
/// was heard of then.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Whether a commit that was cut in two goes on from its rows to its checkpoint.
pub type BetweenSteps = Arc<dyn Fn() -> bool + Send + Sync>;

/// Read tables in memory. A clone is another connection to the same tables.
pub struct MemoryStore {
    /// A snapshot shares it, and a writer copies what a snapshot still holds of what it changes.
    state: Arc<Mutex<Arc<State>>>,
    now: Now,
    has_one_writer: bool,
    between_steps: Option<BetweenSteps>,
    /// Of this connection only.
    is_closed: AtomicBool,
}

impl MemoryStore {
    /// A store without any version. `has_one_writer` is what it says of itself: it chooses which way its callers take.
    #[must_use]
    pub fn new(has_one_writer: bool, now: Now) -> Self {
        let state = Arc::new(Mutex::new(Arc::new(State::default())));
        Self { state, now, has_one_writer, between_steps: None, is_closed: AtomicBool::new(false) }
    }

    /// The same tables, where `between_steps` is asked after the rows of each commit, if
    /// [`Rule::CheckpointWithRows`](stockledger_rules::Rule::CheckpointWithRows) is broken: if it says no, the commit ends
    /// there, as unavailable.
    #[must_use]
    pub fn with_between_steps(self, between_steps: BetweenSteps) -> Self {
        Self { between_steps: Some(between_steps), ..self }
    }

    /// All rows of a table in the order of its key; none if the version is not there.
    #[must_use]
    pub fn rows(&self, table: &Table, version: Version) -> Vec<Vec<Value>> {
        let state = self.look();
        let rows =
            state.of(version, table.name).map(|rows| rows.under(&[]).map(|row| row.to_vec()).collect());
        rows.unwrap_or_default()
    }

    /// How far a partition of a version is; absent if it was never begun.
    #[must_use]
    pub fn checkpoint(&self, version: Version, partition: PartitionId) -> Option<Checkpoint> {
        commit::found(&self.look(), version, partition)
    }

    /// The version that queries answer from, if there is one.
    #[must_use]
    pub fn active(&self) -> Option<Version> {
        versions::active(&self.look())
    }

    /// All versions, oldest first.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        versions::all(&self.look())
    }

    /// Whether the indexes of a version were asked for. There are none: rows are found by their keys.
    #[must_use]
    pub fn has_indexes(&self, version: Version) -> bool {
        self.look().indexed.contains(&version)
    }

    /// Everything as it is now.
    fn look(&self) -> Arc<State> {
        Arc::clone(&self.lock())
    }

    /// Everything as it is now, unless this connection is closed.
    fn read(&self, operation: &'static str) -> Result<Arc<State>, Error> {
        self.check_open(operation)?;
        Ok(self.look())
    }

    /// Changes everything at once. `change` fails only before it has changed anything.
    fn write<T>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check_open(operation)?;
        change(Arc::make_mut(&mut self.lock()))
    }

    fn check_open(&self, operation: &'static str) -> Result<(), Error> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(unavailable(operation, "the connection is closed"));
        }
        Ok(())
    }

    /// A writer panics only before it has changed anything, so what it left is whole.
    fn lock(&self) -> MutexGuard<'_, Arc<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            now: Arc::clone(&self.now),
            has_one_writer: self.has_one_writer,
            between_steps: self.between_steps.clone(),
            is_closed: AtomicBool::new(false),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryStore").field("versions", &self.versions()).finish_non_exhaustive()
    }
}

fn unavailable(operation: &'static str, why: &'static str) -> Error {
    Error::Unavailable { operation, source: why.into() }
}
