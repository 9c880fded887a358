//! Connections: how one is made, what is set on it, and pools of them that stay usable while the server comes and goes.
//!
//! No connection is tested before it is handed out. The statement that begins a transaction is the test. Where it finds
//! the connection closed, that one is thrown away and the next is tried, down to a fresh one. Where it gets no answer, as
//! from a host that vanished without a word, the others will get none either: all that are idle are thrown away.
//!
//! The pool of sqlx is not used: it takes connections back on which an answer is owed still (`lease`), asks them in vain,
//! and over TLS waits for the server to speak before it lets go of one, for minutes, and with it of its place.
//!
//! Writers wait in line for a free connection for as long as it takes, because what they have at hand is worth more than
//! the wait; readers are told after a while. What the server has to do for it, to answer and to let in, has one deadline.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::address::{Address, SslMode};
use super::failure::{Described, Kind, failed, kind, timed_out};
use super::lease::{Lease, Shelf};
use super::login;
use super::outage::{self, Outage};
use crate::dialect::SHAPES;
use crate::store::Error;
use crate::table::TABLES;

/// Longest time until a transaction has begun, once a connection is free. A server that is gone is reported after it.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer on a connection that was idle before.
const IDLE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for those who use a connection when a pool is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait of a reader for a free connection.
const READER_PATIENCE: Duration = Duration::from_secs(3);
/// Longest time of a first login, which may have to start a sleeping server.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that a connection keeps prepared: all shapes of all tables in two versions, and the queries.
const STATEMENTS_MAX: usize = 2 * SHAPES.len() * TABLES.len() + 64;

/// On every connection. Strict, so that nothing is ever cut off to fit; and the server ends what a client that vanished
/// left open, with its locks.
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
                       innodb_lock_wait_timeout = 10, lock_wait_timeout = 10, wait_timeout = 300";

/// What connections are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

impl Purpose {
    const fn connections_max(self) -> u16 {
        match self {
            // One for each partition that is at work at the same moment, in live following and in a rebuild.
            Self::Write => 12,
            Self::Read => 16,
        }
    }

    /// A writer sees what is committed now; a reader sees one moment.
    const fn isolation(self) -> &'static str {
        match self {
            Self::Write => "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Self::Read => "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        }
    }

    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "START TRANSACTION",
            Self::Read => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        }
    }
}

/// A pool of connections for one purpose.
#[derive(Debug)]
pub(super) struct Connections {
    shelf: Arc<Shelf>,
    /// As many as there may be connections. Whoever waits here is served in order and may be dropped at any time.
    places: Arc<Semaphore>,
    address: Address,
    purpose: Purpose,
    outage: Arc<Outage>,
}

impl Connections {
    /// A pool that makes its connections when they are needed.
    pub(super) fn new(address: &Address, purpose: Purpose) -> Self {
        let places = Arc::new(Semaphore::new(purpose.connections_max().into()));
        let (shelf, outage) = (Arc::new(Shelf::empty()), Arc::default());
        Self { shelf, places, address: address.clone(), purpose, outage }
    }

    /// A connection in a transaction that has just begun, which is not settled. Dropping it ends the transaction.
    /// Readers of a server that was away a moment ago are refused at once.
    pub(super) async fn begin(&self, operation: &'static str) -> Result<Lease, Error> {
        if let Some(lasted) = self.outage.lasted() {
            return Err(self.away(operation, lasted));
        }
        let mut place = self.place(operation).await?;
        let deadline = Instant::now() + BEGIN_TIMEOUT;
        let mut answer_timeout = IDLE_ANSWER_TIMEOUT;
        // Each of those that are idle may be found closed, and the fresh one after them.
        for _ in 0..=self.purpose.connections_max() {
            let mut lease = self.lease(operation, place, deadline).await?;
            let begun = sqlx::raw_sql(self.purpose.begin()).execute(&mut *lease);
            let error = match timeout_at(deadline.min(Instant::now() + answer_timeout), begun).await {
                Ok(Ok(_)) => return Ok(lease),
                Ok(Err(error)) => error,
                Err(_) => {
                    self.shelf.clear();
                    answer_timeout = BEGIN_TIMEOUT;
                    timed_out()
                }
            };
            let kept = lease.into_place();
            let (Some(kept), Kind::Lost) = (kept, kind(&error)) else { return Err(failed(operation)(error)) };
            if Instant::now() >= deadline {
                self.note_outage();
                return Err(failed(operation)(error));
            }
            place = kept;
            tracing::debug!(%error, "a connection to the projection store was gone");
        }
        let error =
            std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "every connection was closed at once");
        Err(failed(operation)(sqlx::Error::Io(error)))
    }

    /// A connection outside of any transaction, which is not settled.
    pub(super) async fn acquire(&self, operation: &'static str) -> Result<Lease, Error> {
        let place = self.place(operation).await?;
        self.lease(operation, place, Instant::now() + BEGIN_TIMEOUT).await
    }

    /// Waits until a connection of the pool is free or may be made.
    async fn place(&self, operation: &'static str) -> Result<OwnedSemaphorePermit, Error> {
        let free = Arc::clone(&self.places).acquire_owned();
        let place = match self.purpose {
            Purpose::Write => free.await,
            Purpose::Read => match timeout(READER_PATIENCE, free).await {
                Ok(place) => place,
                Err(_) => return Err(self.all_in_use(operation)),
            },
        };
        match place {
            Ok(place) if !self.shelf.is_closed() => Ok(place),
            _ => Err(failed(operation)(sqlx::Error::PoolClosed)),
        }
    }

    fn all_in_use(&self, operation: &'static str) -> Error {
        let what = format!("all {} connections are in use", self.purpose.connections_max());
        Error::Unavailable { operation, source: Box::new(Described::new(what)) }
    }

    async fn lease(
        &self,
        operation: &'static str,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Lease, Error> {
        let connection = match self.shelf.take() {
            Some(connection) => connection,
            None => {
                let made = timeout_at(deadline, fresh(&self.address, self.purpose)).await;
                made.unwrap_or_else(|_| Err(timed_out())).map_err(|error| {
                    if kind(&error) == Kind::Lost {
                        self.note_outage();
                    }
                    login::failed(&self.address, operation, error)
                })?
            }
        };
        Ok(Lease::new(connection, place, Arc::clone(&self.shelf)))
    }

    /// Writers go on asking: what they have at hand is worth more than the wait.
    fn note_outage(&self) {
        if self.purpose == Purpose::Read {
            outage::note(&self.outage, &self.address, self.purpose, &self.shelf);
        }
    }

    fn away(&self, operation: &'static str, lasted: Duration) -> Error {
        let (server, seconds) = (self.address.place(), lasted.as_secs());
        let what = format!("the server at {server} has not answered for {seconds} s, and is looked for");
        Error::Unavailable { operation, source: Box::new(Described::new(what)) }
    }

    /// Closes what is idle; whoever waits for a connection is refused, and those who have one may finish, within reason.
    pub(super) async fn close(&self) {
        self.shelf.close().await;
        let all = self.places.acquire_many(self.purpose.connections_max().into());
        if timeout(CLOSE_TIMEOUT, all).await.is_err() {
            tracing::warn!("a connection to the projection store is in use still, which is closed");
        }
        self.places.close();
    }
}

/// A connection that is ready for its purpose.
pub(super) async fn fresh(address: &Address, purpose: Purpose) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = options(address).connect().await?;
    sqlx::raw_sql(SESSION).execute(&mut connection).await?;
    sqlx::raw_sql(purpose.isolation()).execute(&mut connection).await?;
    Ok(connection)
}

/// A first connection, with every way in which a login can fail told apart.
pub(super) async fn log_in(address: &Address, operation: &'static str) -> Result<MySqlConnection, Error> {
    let mut connection = connect(address, operation, LOGIN_TIMEOUT).await?;
    sqlx::raw_sql(SESSION).execute(&mut connection).await.map_err(failed(operation))?;
    Ok(connection)
}

async fn connect(
    address: &Address,
    operation: &'static str,
    patience: Duration,
) -> Result<MySqlConnection, Error> {
    let connected = timeout(patience, options(address).connect()).await;
    connected.unwrap_or_else(|_| Err(timed_out())).map_err(|error| login::failed(address, operation, error))
}

/// Makes the database of an address, unless it is there.
pub(super) async fn create_database(address: &Address, operation: &'static str) -> Result<(), Error> {
    run_without_database(address, operation, login::create_database_statement(address)).await
}

/// Removes the database with everything in it.
pub(super) async fn drop_database(address: &Address, operation: &'static str) -> Result<(), Error> {
    run_without_database(address, operation, format!("DROP DATABASE IF EXISTS `{}`", address.database()))
        .await
}

async fn run_without_database(address: &Address, operation: &'static str, sql: String) -> Result<(), Error> {
    let connected = timeout(LOGIN_TIMEOUT, options_without_database(address).connect()).await;
    let failed = |error| login::failed(address, operation, error);
    let mut connection = connected.unwrap_or_else(|_| Err(timed_out())).map_err(failed)?;
    // The name was checked when the address was read: it holds nothing that could end the quotes.
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.map(drop).map_err(failed)
}

fn options(address: &Address) -> MySqlConnectOptions {
    options_without_database(address).database(address.database())
}

fn options_without_database(address: &Address) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .host(address.host())
        .port(address.port())
        .username(address.user())
        .ssl_mode(ssl_mode(address.ssl_mode()))
        .statement_cache_capacity(STATEMENTS_MAX)
        .disable_statement_logging();
    if let Some(password) = address.password() {
        options = options.password(password);
    }
    if let Some(path) = address.ssl_ca() {
        options = options.ssl_ca(path);
    }
    if let Some(path) = address.socket() {
        options = options.socket(path);
    }
    options
}

const fn ssl_mode(mode: SslMode) -> MySqlSslMode {
    match mode {
        SslMode::Disabled => MySqlSslMode::Disabled,
        SslMode::Preferred => MySqlSslMode::Preferred,
        SslMode::Required => MySqlSslMode::Required,
        SslMode::VerifyCa => MySqlSslMode::VerifyCa,
        SslMode::VerifyIdentity => MySqlSslMode::VerifyIdentity,
    }
}
