//! What the errors of the servers mean, in one place: for this program, and for whoever has to act.
//!
//! The numbers are those of the MySQL and MariaDB error references; both servers use the same ones up to 1,900.

use sqlx::mysql::MySqlDatabaseError;

use crate::store::Error;

/// What is to be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another transaction was in the way; the same batch may pass the next time.
    Contention,
    /// The connection is gone, and with it whatever was not committed.
    Lost,
    /// The row is there already.
    Duplicate,
    /// The tables were replaced or removed while they were read.
    Replaced,
    /// The account lacks a right.
    Denied,
    /// The server has run out of something that can be raised, or that comes free by itself.
    Exhausted,
    /// The statement can never succeed on these tables.
    Unfit,
    /// Anything else; it may pass.
    Other,
}

const DEADLOCK: u16 = 1213;
const LOCK_WAIT_TIMEOUT: u16 = 1205;
/// A row was changed by somebody else since it was read, where the server checks that.
const CHANGED_SINCE_READ: u16 = 1020;
/// The server shuts down, the connection was aborted or killed, by MySQL's words and by MariaDB's.
const LOST: [u16; 9] = [1053, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 4031];
pub(super) const NO_SUCH_TABLE: u16 = 1146;
pub(super) const NO_SUCH_COLUMN: u16 = 1054;
pub(super) const DUPLICATE_KEY_NAME: u16 = 1061;
const TABLE_CHANGED: u16 = 1412;
/// Database, login, table, column, privilege, routine, and MariaDB's word for the socket login.
const DENIED: [u16; 7] = [1044, 1045, 1142, 1143, 1227, 1370, 1698];
const TOO_MANY_CONNECTIONS: [u16; 2] = [1040, 1203];
const TOO_MUCH_FOR_ACCOUNT: u16 = 1226;
/// It has the SQL state of a statement that is wrong.
const TOO_MANY_STATEMENTS: u16 = 1461;

/// The number of a database's error.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let database = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(database.number())
}

pub(super) fn kind(error: &sqlx::Error) -> Kind {
    let Some(number) = number(error) else {
        let is_lost = matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_));
        return if is_lost { Kind::Lost } else { Kind::Other };
    };
    let database = error.as_database_error();
    match number {
        DEADLOCK | LOCK_WAIT_TIMEOUT | CHANGED_SINCE_READ => Kind::Contention,
        NO_SUCH_TABLE | TABLE_CHANGED => Kind::Replaced,
        number if LOST.contains(&number) => Kind::Lost,
        number if DENIED.contains(&number) => Kind::Denied,
        number if advice_about_limit(number).is_some() => Kind::Exhausted,
        _ if database.is_some_and(|database| database.is_unique_violation()) => Kind::Duplicate,
        // By the standard: wrong data, a broken constraint, a statement that the tables do not fit.
        _ => match database.and_then(|database| database.code()).as_deref().map(|code| code.get(..2)) {
            Some(Some("22" | "23" | "42")) => Kind::Unfit,
            _ => Kind::Other,
        },
    }
}

/// What to raise where the server has run out of something.
fn advice_about_limit(number: u16) -> Option<&'static str> {
    match number {
        TOO_MANY_STATEMENTS => Some(
            "the server holds as many prepared statements as it may: raise max_prepared_stmt_count, see docs/mysql.md",
        ),
        TOO_MUCH_FOR_ACCOUNT => Some("the account has used up what it may: raise its resource limits"),
        number if TOO_MANY_CONNECTIONS.contains(&number) => {
            Some("the server has as many connections as it may: raise max_connections, see docs/mysql.md")
        }
        _ => None,
    }
}

/// The error of the store for a failed statement.
pub(super) fn failed(operation: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| {
        let refused = |advice: &str, source| Error::Refused { operation, advice: advice.to_owned(), source };
        match kind(&error) {
            Kind::Contention | Kind::Lost | Kind::Replaced | Kind::Other => {
                Error::Unavailable { operation, source: Box::new(error) }
            }
            Kind::Exhausted => {
                let what = number(&error)
                    .and_then(advice_about_limit)
                    .unwrap_or("the server has run out of something");
                let source = Described { what: what.to_owned(), source: Some(error) };
                Error::Unavailable { operation, source: Box::new(source) }
            }
            Kind::Duplicate => Error::DuplicateRow { operation, source: Box::new(error) },
            Kind::Denied => {
                refused("the account lacks a right; grant it, see docs/mysql.md", Box::new(error))
            }
            Kind::Unfit => refused("the tables are not those of this program; rebuild", Box::new(error)),
        }
    }
}

/// A failure that no error of the driver says well.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Described {
    pub(super) what: String,
    #[source]
    pub(super) source: Option<sqlx::Error>,
}

impl Described {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }
}

/// A call that took longer than it may.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server did not answer in time"))
}
