//! The store port: where the tables live, in SQLite, MySQL or MariaDB.
//!
//! Reading goes through [`Snapshot`] and portable SQL only ([`crate::read`], [`crate::Queries`]), so an adapter has
//! nothing to do with what is asked. Writing is exactly once by construction: a batch advances its checkpoint by
//! compare-and-set, first, in the same transaction as its rows. Whoever loses that race has written nothing.
//!
//! ```text
//! BEGIN
//!   UPDATE projection_checkpoints SET next_offset = .. WHERE version = ? AND partition_id = ? AND next_offset = ? AND .. -- one row, or leave
//!   INSERT INTO movements__v3 ..        -- plain: a row that is there already is a bug, and stops the partition
//!   INSERT INTO stock__v3 .. ON CONFLICT -- absolute values
//! COMMIT
//! ```

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use stockledger_schemas::{Hash, Timestamp};

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::table::Version;
use crate::value::{Fields, Value};

/// What became of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// It was as expected and everything is written.
    Committed,
    /// Somebody else was first; nothing is written.
    Superseded,
    /// The partition is held before where it shall go; nothing is written. Trying again helps once it is let go.
    Held,
}

/// What became of a switch to another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Activation {
    /// Queries answer from the new version.
    Activated,
    /// Another version is active than was expected; nothing is changed.
    Superseded,
    /// The version that is active has a partition that is further than in the new one, or that the new one has not
    /// wholly; nothing is changed.
    Behind,
}

/// A database that holds versions of the read tables.
///
/// Every call is atomic: dropped or failed half-way it leaves nothing behind. After an unknown outcome of a commit the
/// caller reads the checkpoint, which tells.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes the tables of a version, or finds them made by the same code. They have no index but their keys yet.
    ///
    /// # Errors
    /// [`Error::OtherCode`] if other code made them, [`Error::Unavailable`].
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error>;

    /// Whether only one commit at a time is possible, whatever version it is for: then nothing may take long while others
    /// wait.
    fn has_one_writer(&self) -> bool;

    /// Makes the indexes of a version, those that are not there yet. Meant for tables that are full already: an index that
    /// is there while rows are loaded costs more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn create_indexes(&self, version: Version) -> Result<(), Error>;

    /// Removes the tables of a version and all that is known of it. One that is not there is removed already.
    ///
    /// # Errors
    /// [`Error::InUse`] for the active version, [`Error::Unavailable`].
    async fn drop_version(&self, version: Version) -> Result<(), Error>;

    /// Makes `next` the version that queries answer from, if `expected` is it now and `next` is at least as far in every
    /// partition. Nobody moves `expected` between that comparison and the switch, so no answer goes back behind another.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`] if `next` does not exist, [`Error::Unavailable`].
    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error>;

    /// Begins a partition of a version, unless it was begun.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`], [`Error::Unavailable`].
    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error>;

    /// Moves a partition from `expected_next_offset` to the checkpoint `next` and writes what changed between them.
    ///
    /// # Errors
    /// [`Error::DuplicateRow`] if history is there already, [`Error::Unavailable`].
    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error>;

    /// Changes rows about versions ([`crate::versions`]): in one transaction `guard`, then all of `rest`. If `guard` hits no
    /// row nothing is done. Doing it twice must be doing it once, because a transaction whose outcome is not known is
    /// tried again.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error>;

    /// A view of everything as it is now, unmoved by later writes for as long as it is held.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error>;

    /// Closes all connections. Calls after this one fail.
    async fn close(&self);
}

/// A statement that changes rows about versions: portable SQL with a `?` for each parameter, and `{now}` for the time by
/// the clock of the database, in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement, made of constant text and names of tables only.
    pub sql: &'static str,
    /// Its parameters.
    pub parameters: Vec<Value>,
}

/// A query: portable SQL with a `?` for each parameter, and `{now}` as in a [`Statement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The statement, made of constant text and table names only.
    pub sql: String,
    /// Its parameters.
    pub parameters: Vec<Value>,
}

/// Everything as it was at one moment.
#[async_trait]
pub trait Snapshot: Send {
    /// The rows of an answer, one after the other.
    fn stream<'a>(&'a mut self, select: Select) -> BoxStream<'a, Result<Fields, Error>>;

    /// The rows of an answer that is known to be short.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    async fn select(&mut self, select: Select) -> Result<Vec<Fields>, Error> {
        self.stream(select).try_collect().await
    }
}

/// Why a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or does not work at the moment; trying again may help.
    #[error("the projection store is not available: {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database can be reached and will not do it, however often it is asked: somebody must act.
    #[error("the database refuses to {operation}: {advice}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// Why, and what to do.
        advice: String,
        /// What the database says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was opened for reading only.
    #[error("the projection store is open for reading only")]
    ReadOnly,
    /// A row of history is in its table already: two histories were mixed, or this program has a bug.
    #[error("a row of history is there already: {operation}")]
    DuplicateRow {
        /// What was tried.
        operation: &'static str,
        /// What the database says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table holds something that this program never writes.
    #[error("a table holds {found} where {expected} must be: something else wrote to it; rebuild")]
    Unreadable {
        /// What must be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The tables of a version were made by another release.
    #[error(
        "version {version} of the projections was made by other code ({found}, this program is {expected}); rebuild"
    )]
    OtherCode {
        /// The version.
        version: Version,
        /// The digest of this program's code.
        expected: Hash,
        /// What the store says.
        found: String,
    },
    /// The first version is being filled, or was not filled to its end.
    #[error("version {0} of the projections is not filled to its end: run or resume `stockledger rebuild`")]
    NotFilled(Version),
    /// The version does not exist.
    #[error("version {0} of the projections does not exist")]
    NoSuchVersion(Version),
    /// The version is the one that queries answer from.
    #[error("version {0} of the projections is in use")]
    InUse(Version),
}

impl Error {
    /// Whether trying the same again may help.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
