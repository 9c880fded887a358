//! A connection in use, and what becomes of it afterwards.
//!
//! Whoever drops a future drops it in the middle of anything: a caller went away, a deadline passed, another partition of a
//! rebuild failed. A connection on which an answer is still owed is of no use to anybody: the next one would take the rest
//! of that answer for its own, or wait for one that never comes. So a connection is given back only by those who have said
//! that they had all their answers ([`Lease::settle`]); any other is dropped, which ends its transaction as well.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::failure::timed_out;

/// A connection that nobody needed for so long is closed, well before the server does it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest time that ending a transaction may take when a connection is given back.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for taking leave of a server.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections that nobody uses, those that were used last at the end. Nothing once it is closed.
#[derive(Debug)]
pub(super) struct Shelf {
    idle: Mutex<Option<Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: MySqlConnection,
    since: Instant,
}

impl Shelf {
    pub(super) const fn empty() -> Self {
        Self { idle: Mutex::new(Some(Vec::new())) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.with(|idle| idle.is_none())
    }

    /// The connection that was used last, so that those that are not needed grow old.
    pub(super) fn take(&self) -> Option<MySqlConnection> {
        self.with(|idle| idle.as_mut().and_then(Vec::pop)).map(|idle| idle.connection)
    }

    pub(super) fn put(&self, connection: MySqlConnection) {
        let idle = Idle { connection, since: Instant::now() };
        let old = self.with(|shelf| match shelf {
            Some(shelf) => {
                shelf.push(idle);
                let is_fresh = |idle: &Idle| idle.since.elapsed() < IDLE_TIMEOUT;
                let old = shelf.iter().position(is_fresh).unwrap_or(0);
                shelf.drain(..old).collect()
            }
            None => vec![idle],
        });
        if !old.is_empty() {
            tokio::spawn(take_leave(old));
        }
    }

    /// Throws all of them away.
    pub(super) fn clear(&self) {
        drop(self.with(|idle| idle.as_mut().map(std::mem::take)));
    }

    /// Closes all of them, and from now on those that are given back.
    pub(super) async fn close(&self) {
        take_leave(self.with(Option::take).unwrap_or_default()).await;
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<Vec<Idle>>) -> T) -> T {
        work(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn take_leave(all: Vec<Idle>) {
    futures_util::future::join_all(all.into_iter().map(|idle| close(idle.connection))).await;
}

/// Closes a connection in good order, unless the server makes that long.
pub(super) async fn close(connection: MySqlConnection) {
    match timeout(GOODBYE_TIMEOUT, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection was not closed in good order"),
        Err(_) => tracing::debug!("a connection was not closed in time"),
    }
}

/// A connection in use. Dropping it ends its transaction; it is given back only if it is settled.
#[derive(Debug)]
pub(super) struct Lease {
    /// There until it is dropped.
    connection: Option<MySqlConnection>,
    place: Option<OwnedSemaphorePermit>,
    shelf: Arc<Shelf>,
    is_settled: bool,
}

impl Lease {
    pub(super) const fn new(
        connection: MySqlConnection,
        place: OwnedSemaphorePermit,
        shelf: Arc<Shelf>,
    ) -> Self {
        Self { connection: Some(connection), place: Some(place), shelf, is_settled: false }
    }

    /// All answers were read: it may be given back.
    pub(super) const fn settle(&mut self) {
        self.is_settled = true;
    }

    /// The connection, for one exchange with the server, and what says that all its answers were read.
    pub(super) fn unsettled(&mut self) -> (&mut MySqlConnection, &mut bool) {
        self.is_settled = false;
        (self.connection.as_mut().expect(HELD), &mut self.is_settled)
    }

    /// Throws the connection away, but not its place.
    pub(super) fn into_place(mut self) -> Option<OwnedSemaphorePermit> {
        self.place.take()
    }

    /// Ends the transaction before this returns.
    pub(super) async fn roll_back(mut self) {
        if roll_back(&mut self).await.is_ok() {
            self.settle();
        }
    }

    /// Closes the connection in good order, with all that it holds.
    pub(super) async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            close(connection).await;
        }
    }
}

const HELD: &str = "a lease has its connection until it is dropped";

impl Deref for Lease {
    type Target = MySqlConnection;

    fn deref(&self) -> &MySqlConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut MySqlConnection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(mut connection), true) = (self.connection.take(), self.is_settled) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let (place, shelf) = (self.place.take(), Arc::clone(&self.shelf));
        // Its place is free once it holds no lock and no snapshot any more.
        runtime.spawn(async move {
            if roll_back(&mut connection).await.is_ok() {
                shelf.put(connection);
            }
            drop(place);
        });
    }
}

/// Ends whatever transaction a connection is in.
async fn roll_back(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let done = timeout(ROLLBACK_TIMEOUT, sqlx::raw_sql("ROLLBACK").execute(connection)).await;
    done.unwrap_or_else(|_| Err(timed_out())).map(drop)
}
