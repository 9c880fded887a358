//! Trying a transaction again as a whole: after a deadlock, a lock that was not given in time, or a lost connection.
//!
//! Where the reply to COMMIT was lost the transaction may have been done. Each begins with the row that it compares and
//! sets; that locks it, so the next attempt waits until the server is done with the one before, and then finds the row
//! either as it was or as this transaction leaves it.

use std::time::Duration;

use tokio::time::timeout;

use super::failure::{Kind, failed, kind, timed_out};
use super::lease::Lease;
use crate::store::Error;

/// How often a transaction is tried before the caller is told.
const ATTEMPTS_MAX: u32 = 6;
/// The wait before the second attempt; it doubles with each.
const RETRY_WAIT: Duration = Duration::from_millis(10);

/// Longest time of one attempt. Beyond it the connection is given up.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// Why an attempt failed.
pub(super) struct Failure {
    pub(super) operation: &'static str,
    pub(super) error: sqlx::Error,
    /// Whether COMMIT was sent, so that all of it may be written.
    pub(super) is_committing: bool,
}

impl Failure {
    pub(super) fn before_commit(operation: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| Self { operation, error, is_committing: false }
    }
}

/// The attempts at one transaction so far.
pub(super) struct Attempts {
    failed: u32,
    may_be_done: bool,
}

impl Attempts {
    pub(super) const fn none() -> Self {
        Self { failed: 0, may_be_done: false }
    }

    /// Whether the reply to the COMMIT of one of them was lost.
    pub(super) const fn may_be_done(&self) -> bool {
        self.may_be_done
    }

    /// Returns when it is time for another attempt; gives the error if there is none.
    pub(super) async fn after(&mut self, connection: Lease, failure: Failure) -> Result<(), Error> {
        self.failed += 1;
        self.may_be_done |= failure.is_committing;
        let kind = kind(&failure.error);
        if kind == Kind::Lost {
            drop(connection);
        } else {
            // At once, because the next attempt needs its locks.
            connection.roll_back().await;
        }
        if !matches!(kind, Kind::Contention | Kind::Lost) || self.failed == ATTEMPTS_MAX {
            return Err(failed(failure.operation)(failure.error));
        }
        tracing::debug!(error = %failure.error, failed = self.failed, "a transaction is tried again");
        tokio::time::sleep(RETRY_WAIT * 2_u32.pow(self.failed - 1)).await;
        Ok(())
    }
}

/// One attempt, for as long as one may take.
pub(super) async fn limited<T>(
    operation: &'static str,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(ATTEMPT_TIMEOUT, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure { operation, error: timed_out(), is_committing: true }),
    }
}

/// Ends a transaction by writing what was done in it.
pub(super) async fn commit(connection: &mut Lease, operation: &'static str) -> Result<(), Failure> {
    match sqlx::raw_sql("COMMIT").execute(&mut **connection).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure { operation, error, is_committing: true }),
    }
}
