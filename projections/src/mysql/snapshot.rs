//! Reading: a consistent snapshot of everything, for as long as it is held.
//!
//! A table that was made or removed after the snapshot began cannot be read in it: the server answers that the definition
//! has changed (1412) or that there is no such table (1146). The pointer is read first in a snapshot, and what it points
//! at was there before it, so only a version that is removed meanwhile is met like this. Removing waits for the snapshots
//! of this process; a reader of another one is told to try again.

use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use sqlx::{AssertSqlSafe, MySql};
use tokio::sync::watch;
use tokio::time::timeout;

use super::failure::{failed, timed_out};
use super::flavor::Flavor;
use super::lease::Lease;
use super::statements::{fields, parameters};
use crate::dialect::Dialect;
use crate::store::{Error, Select, Snapshot};
use crate::value::Fields;

/// How long a server works on a query whose answer is short, before it gives it up.
const SELECT_LIMIT: Duration = Duration::from_secs(10);
/// How much longer than that an answer is waited for.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

const READ: &str = "read";

/// A read transaction. Dropping it ends it.
pub(super) struct MysqlSnapshot {
    pub(super) connection: Lease,
    pub(super) flavor: Flavor,
    /// Held, so that whoever removes tables can wait for it.
    pub(super) _held: watch::Receiver<()>,
}

#[async_trait]
impl Snapshot for MysqlSnapshot {
    fn stream<'a>(&'a mut self, select: Select) -> BoxStream<'a, Result<Fields, Error>> {
        let arguments = match parameters(&select.parameters) {
            Ok(arguments) => arguments,
            Err(error) => return stream::once(async { Err(failed(READ)(error)) }).boxed(),
        };
        debug_assert_eq!(select.sql.matches('?').count(), select.parameters.len());
        let sql = Dialect::Mysql.at_now(&select.sql);
        let (connection, is_settled) = self.connection.unsettled();
        // Reached only behind the last row, if nothing failed on the way.
        let end = stream::poll_fn(|_| {
            *is_settled = true;
            Poll::Ready(None)
        });
        sqlx::query_with::<MySql, _>(AssertSqlSafe(sql), arguments)
            .fetch(connection)
            .and_then(|row| async move { fields(&row) })
            .map_err(failed(READ))
            .chain(end)
            .boxed()
    }

    async fn select(&mut self, select: Select) -> Result<Vec<Fields>, Error> {
        let sql = self.flavor.limited(&select.sql, SELECT_LIMIT);
        let selected = self.stream(Select { sql, ..select }).try_collect();
        match timeout(SELECT_LIMIT + ANSWER_MARGIN, selected).await {
            Ok(rows) => rows,
            Err(_) => Err(failed(READ)(timed_out())),
        }
    }
}
