//! Opening the log and the read tables: the one place that knows which adapters there are.

use std::path::Path;
use std::sync::Arc;

use stockledger_log::kafka::KafkaLog;
use stockledger_log::sqlite::SqliteLog;
use stockledger_log::{self as log, Log};
use stockledger_projections::store::{self, Store};
use stockledger_projections::{MysqlStore, SqliteStore, versions};

use crate::config::{LogAddress, ProjectionsAddress, Settings};

/// What a log or the read tables are opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To look at.
    Read,
    /// To write into. Files are made if they are not there; a topic is made by [`create_log`] only, so that a name that
    /// was mistyped does not become a ledger.
    Write,
}

/// Why a log or the read tables cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no ledger to read.
    #[error("there is no ledger at {address} yet; make one with `stockledger init`")]
    NoLedger {
        /// Where there is none.
        address: String,
    },
    /// The log cannot be opened.
    #[error("opening the log {address}")]
    Log {
        /// Which log.
        address: String,
        /// What went wrong.
        #[source]
        source: log::Error,
    },
    /// The read tables cannot be opened.
    #[error("opening the read tables {address}")]
    Store {
        /// Which tables.
        address: String,
        /// What went wrong.
        #[source]
        source: store::Error,
    },
}

impl Error {
    /// Whether something is not there or does not answer: trying again may help.
    #[must_use]
    pub const fn is_not_ready(&self) -> bool {
        match self {
            Self::NoLedger { .. } => true,
            Self::Log { source, .. } => matches!(source, log::Error::Unavailable { .. }),
            Self::Store { source, .. } => source.is_retryable(),
        }
    }
}

/// Opens the log.
///
/// # Errors
/// [`Error::NoLedger`] if there is none and none is made, [`Error::Log`].
pub async fn open_log(settings: &Settings, access: Access) -> Result<Arc<dyn Log>, Error> {
    let opened: Result<Arc<dyn Log>, log::Error> = match (&settings.log.value, access) {
        (LogAddress::Sqlite(path), Access::Read) => {
            must_exist(path, &settings.log.value)?;
            SqliteLog::open_read_only(path).await.map(shared)
        }
        (LogAddress::Sqlite(path), Access::Write) => open_or_create(path, settings).await.map(shared),
        (LogAddress::Kafka(topic), Access::Read) => KafkaLog::open_read_only(topic).await.map(shared),
        (LogAddress::Kafka(topic), Access::Write) => {
            KafkaLog::open(topic, settings.profile.value).await.map(shared)
        }
    };
    opened.map_err(|source| log_error(settings, source))
}

/// Opens the log for writing, and makes it first if it is not there.
///
/// # Errors
/// [`Error::Log`].
pub async fn create_log(settings: &Settings) -> Result<Arc<dyn Log>, Error> {
    let LogAddress::Kafka(topic) = &settings.log.value else {
        return open_log(settings, Access::Write).await;
    };
    let profile = settings.profile.value;
    let opened = match KafkaLog::open(topic, profile).await {
        Err(log::Error::NoSuchLog(_)) => {
            match KafkaLog::create(topic, settings.partitions.value, profile).await {
                // Somebody else made it meanwhile.
                Err(log::Error::Mismatch(_)) => KafkaLog::open(topic, profile).await,
                created => created,
            }
        }
        opened => opened,
    };
    opened.map(shared).map_err(|source| log_error(settings, source))
}

async fn open_or_create(path: &Path, settings: &Settings) -> Result<SqliteLog, log::Error> {
    if path.exists() {
        SqliteLog::open(path).await
    } else {
        SqliteLog::create(path, settings.partitions.value).await
    }
}

fn shared(log: impl Log) -> Arc<dyn Log> {
    Arc::new(log)
}

/// Opens the read tables; for writing, they are made if they are not there. Whoever writes to tables in a file has locked
/// the directory ([`crate::data_dir`]), so any rebuild that a process before this one had begun there has ended.
///
/// # Errors
/// [`Error::NoLedger`] if there are none to read, [`Error::Store`].
pub async fn open_store(settings: &Settings, access: Access) -> Result<Arc<dyn Store>, Error> {
    fn shared(store: impl Store) -> Arc<dyn Store> {
        Arc::new(store)
    }
    let opened = match (&settings.projections.value, access) {
        (ProjectionsAddress::Sqlite(path), Access::Read) => {
            must_exist(path, &settings.projections.value)?;
            SqliteStore::open_read_only(path).await.map(shared)
        }
        (ProjectionsAddress::Sqlite(path), Access::Write) => open_alone(path).await.map(shared),
        (ProjectionsAddress::Mysql(address), Access::Read) => {
            MysqlStore::open_read_only(address).await.map(shared)
        }
        (ProjectionsAddress::Mysql(address), Access::Write) => MysqlStore::open(address).await.map(shared),
    };
    opened.map_err(|source| store_error(settings, source))
}

async fn open_alone(path: &Path) -> Result<SqliteStore, store::Error> {
    let store = SqliteStore::open(path).await?;
    versions::forget_owners(&store).await?;
    Ok(store)
}

/// Opens the read tables for writing; a database that is not there is made first, where the account may do that.
///
/// # Errors
/// [`Error::Store`].
pub async fn create_store(settings: &Settings) -> Result<Arc<dyn Store>, Error> {
    if let ProjectionsAddress::Mysql(address) = &settings.projections.value {
        let made = MysqlStore::create_database_if_missing(address).await;
        made.map_err(|source| store_error(settings, source))?;
    }
    open_store(settings, Access::Write).await
}

fn must_exist(path: &Path, address: &impl ToString) -> Result<(), Error> {
    if path.exists() { Ok(()) } else { Err(Error::NoLedger { address: address.to_string() }) }
}

fn log_error(settings: &Settings, source: log::Error) -> Error {
    let address = settings.log.value.to_string();
    match source {
        log::Error::NoSuchLog(_) => Error::NoLedger { address },
        source => Error::Log { address, source },
    }
}

fn store_error(settings: &Settings, source: store::Error) -> Error {
    Error::Store { address: settings.projections.value.to_string(), source }
}
