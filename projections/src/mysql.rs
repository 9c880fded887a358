//! The store in MySQL or MariaDB, for ledgers that are more than one machine's.
//!
//! Writers and readers have a pool of connections each, so that no query keeps a projector waiting. A commit is one
//! transaction on one connection (`commit`), several partitions commit at the same moment; a snapshot is one read
//! transaction (`snapshot`), and so is a switch to another version (`switch`). Whatever the two servers do differently
//! stands in `flavor`, and what their errors mean in `failure` and `login`. How they are to be set up: `docs/mysql.md`.

mod address;
mod attempts;
mod commit;
mod connections;
mod failure;
mod flavor;
mod lease;
mod login;
mod outage;
mod schema;
mod snapshot;
mod statements;
mod switch;
mod update;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;
use stockledger_schemas::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

pub use self::address::{Address, InvalidAddress, SslMode};
use self::commit::Batch;
use self::connections::{Connections, Purpose};
use self::failure::{Described, Kind, failed, kind};
use self::flavor::{Flavor, Server};
use self::schema::REMOVING;
use self::snapshot::MysqlSnapshot;
use self::statements::{execute, select_one};
use crate::changes::Changes;
use crate::checkpoint::{self, Checkpoint};
use crate::store::{Activation, Commit, Error, Snapshot, Statement, Store};
use crate::table::Version;
use crate::value::{Cell, Value};

/// How long the removal of a version waits for those who read it.
const READERS_TIMEOUT: Duration = Duration::from_secs(5);

/// Read tables in a database of a MySQL or MariaDB server.
#[derive(Debug)]
pub struct MysqlStore {
    name: String,
    flavor: Flavor,
    /// Absent where the database is open for reading only.
    writers: Option<Connections>,
    readers: Connections,
    /// Every snapshot holds a receiver of the sender that was here when it began.
    snapshots: Mutex<watch::Sender<()>>,
}

impl MysqlStore {
    /// Opens a database, and makes the tables about versions unless they are there. Any number of processes may do it at
    /// once.
    ///
    /// # Errors
    /// [`Error::Refused`] with what to do: no such database, no such account, no right to make tables, a login that needs
    /// TLS, a server that is too old. [`Error::Unavailable`] if the server does not answer.
    pub async fn open(address: &Address) -> Result<Self, Error> {
        let mut connection = connections::log_in(address, OPEN).await?;
        let server = server(&mut connection).await?;
        if !schema::is_there(&mut connection).await.map_err(|error| not_ours(address, error))? {
            schema::create(&mut connection).await?;
        }
        lease::close(connection).await;
        Ok(Self::new(address, &server, Some(Connections::new(address, Purpose::Write))))
    }

    /// Opens a database for reading only; nothing is made, and the account needs no right but to select. Calls that write
    /// fail.
    ///
    /// # Errors
    /// As [`MysqlStore::open`], and [`Error::Refused`] if nobody has opened the database for writing yet.
    pub async fn open_read_only(address: &Address) -> Result<Self, Error> {
        let mut connection = connections::log_in(address, OPEN).await?;
        let server = server(&mut connection).await?;
        if let Some(error) = unreadable(address, schema::is_there(&mut connection).await) {
            return Err(error);
        }
        lease::close(connection).await;
        Ok(Self::new(address, &server, None))
    }

    /// Makes the database itself, unless it is there. The account needs the right to create it.
    ///
    /// # Errors
    /// As [`MysqlStore::open`].
    pub async fn create_database_if_missing(address: &Address) -> Result<(), Error> {
        connections::create_database(address, "create the database").await
    }

    /// Removes the database with everything in it, for good. For measurements, which make databases of their own.
    ///
    /// # Errors
    /// As [`MysqlStore::open`].
    pub async fn drop_database(address: &Address) -> Result<(), Error> {
        connections::drop_database(address, "remove the database").await
    }

    /// The server and its version, such as `mysql 8.4.6` or `mariadb 10.11.14`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn new(address: &Address, server: &Server, writers: Option<Connections>) -> Self {
        Self {
            name: server.to_string(),
            flavor: server.flavor,
            writers,
            readers: Connections::new(address, Purpose::Read),
            snapshots: Mutex::new(watch::channel(()).0),
        }
    }

    fn writers(&self) -> Result<&Connections, Error> {
        self.writers.as_ref().ok_or(Error::ReadOnly)
    }

    /// Waits for the snapshots that are held now, but not for ever, and not for those that begin meanwhile.
    async fn until_snapshots_end(&self) {
        let before = {
            let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *snapshots, watch::channel(()).0)
        };
        if timeout(READERS_TIMEOUT, before.closed()).await.is_err() {
            tracing::debug!("a version of the projections is removed while somebody reads");
        }
    }
}

const OPEN: &str = "open the database";

async fn server(connection: &mut MySqlConnection) -> Result<Server, Error> {
    let row = select_one(connection, "SELECT VERSION()", &[]).await.map_err(failed(OPEN))?;
    let server = match row.map(|mut fields| fields.value()) {
        Some(Value::Text(version)) => Server::of_version(&version),
        other => {
            return Err(Error::Unreadable { expected: "a server's version", found: format!("{other:?}") });
        }
    };
    if server.is_too_old() {
        let advice = "use MySQL 8.0, MariaDB 10.6 or a later one".to_owned();
        let source = Box::new(Described::new(format!("the server is {server}")));
        return Err(Error::Refused { operation: OPEN, advice, source });
    }
    Ok(server)
}

/// An error of looking for our tables: those of an earlier program have other columns.
fn not_ours(address: &Address, error: sqlx::Error) -> Error {
    if failure::number(&error) != Some(failure::NO_SUCH_COLUMN) {
        return failed(OPEN)(error);
    }
    let advice = format!(
        "database {} holds read tables of an earlier program: name another database with --projections, or remove this one, \
         and run `stockledger init` and `stockledger rebuild`; everything in it comes from the log",
        address.database()
    );
    Error::Refused { operation: OPEN, advice, source: Box::new(error) }
}

/// Why a database cannot be read from, given whether its tables are there.
fn unreadable(address: &Address, is_there: Result<bool, sqlx::Error>) -> Option<Error> {
    let (what, source) = match is_there {
        Ok(true) => return None,
        Ok(false) => ("there are no tables", None),
        // An account that may not read a table is not told whether it exists.
        Err(error) if kind(&error) == Kind::Denied => {
            ("the tables are not there or may not be read", Some(error))
        }
        Err(error) => return Some(not_ours(address, error)),
    };
    let advice = format!(
        "database {} holds no projections that {} may read: start a projector on it or run `stockledger init`, and \
         grant SELECT on it",
        address.database(),
        address.user()
    );
    let source = Box::new(Described { what: what.to_owned(), source });
    Some(Error::Refused { operation: OPEN, advice, source })
}

#[async_trait]
impl Store for MysqlStore {
    async fn create_version(&self, version: Version, created_at: Timestamp) -> Result<(), Error> {
        let mut connection = self.writers()?.acquire("create a version").await?;
        let created = schema::create_version(&mut connection, version, created_at).await;
        // It holds the lock on making tables until it is closed.
        connection.close().await;
        created
    }

    fn has_one_writer(&self) -> bool {
        false
    }

    async fn create_indexes(&self, version: Version) -> Result<(), Error> {
        let mut connection = self.writers()?.acquire("create the indexes of a version").await?;
        schema::create_indexes(&mut connection, version).await?;
        connection.settle();
        Ok(())
    }

    async fn drop_version(&self, version: Version) -> Result<(), Error> {
        switch::mark_for_removal(self.writers()?, version).await?;
        self.until_snapshots_end().await;
        let mut connection = self.writers()?.acquire("drop a version").await?;
        let removed = schema::remove_marked(&mut connection, version).await;
        connection.close().await;
        removed
    }

    async fn activate(&self, expected: Option<Version>, next: Version) -> Result<Activation, Error> {
        switch::activate(self.writers()?, expected, next).await
    }

    async fn begin(&self, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
        const OPERATION: &str = "begin a partition";
        let failed = failed(OPERATION);
        let hashes = first.hashes();
        let cells = first.cells(&hashes)?;
        let mut tx = self.writers()?.begin(OPERATION).await?;
        // Nothing is changed: the row is locked, so that the version is not removed meanwhile.
        let sql = "UPDATE projection_versions SET version = version WHERE version = ? AND code_hash <> ?";
        if execute(&mut tx, sql, &[version.into(), Cell::Text(REMOVING)]).await.map_err(&failed)? != 1 {
            return Err(Error::NoSuchVersion(version));
        }
        let parameters: Vec<Cell<'_>> = std::iter::once(Cell::from(version)).chain(cells).collect();
        match execute(&mut tx, checkpoint::insert(), &parameters).await {
            Err(error) if kind(&error) == Kind::Duplicate => return Ok(Commit::Superseded),
            inserted => inserted.map_err(&failed)?,
        };
        sqlx::raw_sql("COMMIT").execute(&mut *tx).await.map_err(&failed)?;
        tx.settle();
        Ok(Commit::Committed)
    }

    async fn commit(
        &self,
        version: Version,
        expected_next_offset: u64,
        next: &Checkpoint,
        changes: &Changes,
    ) -> Result<Commit, Error> {
        commit::commit(self.writers()?, Batch { version, expected_next_offset, next, changes }).await
    }

    async fn update(&self, guard: &Statement, rest: &[Statement]) -> Result<Commit, Error> {
        update::update(self.writers()?, guard, rest).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        let held = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).subscribe();
        let mut connection = self.readers.begin("begin to read").await?;
        connection.settle();
        Ok(Box::new(MysqlSnapshot { connection, flavor: self.flavor, _held: held }))
    }

    async fn close(&self) {
        if let Some(writers) = &self.writers {
            writers.close().await;
        }
        self.readers.close().await;
    }
}
