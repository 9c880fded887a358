//! The composition root: which log, which tables, which roles, started and stopped in the right order.

use std::path::Path;
use std::sync::Arc;

use stockledger_log::Log;
use stockledger_log::sqlite::SqliteLog;
use stockledger_projections::projector::{self, Projector};
use stockledger_projections::store::{self, Store};
use stockledger_projections::{Progress, Queries, SqliteStore};
use stockledger_schemas::Name;
use stockledger_writer::genesis::Identity;
use stockledger_writer::{Environment, Ledger, Options, SystemEnvironment, genesis};
use tokio_util::sync::CancellationToken;

use crate::config::{Address, Roles, Settings};
use crate::data_dir::{self, Lock};
use crate::http;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    /// There is no ledger to read.
    #[error(
        "there is no ledger at {0} yet; make one with `stockledger serve`, `stockledger import` or `stockledger demo`"
    )]
    NoLedger(String),
    /// The log cannot be opened.
    #[error("opening the log {address}")]
    Log {
        /// Which log.
        address: String,
        /// What went wrong.
        #[source]
        source: stockledger_log::Error,
    },
    /// The log is not a ledger.
    #[error("the log is not a ledger that this program can use")]
    Genesis(#[from] genesis::Error),
    /// A writer cannot begin.
    #[error("starting the writers")]
    Writer(#[from] stockledger_writer::OpenError),
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
    /// Whether the set-up must be mended before it makes sense to try again, as opposed to something being away.
    #[must_use]
    pub fn is_unsafe_setup(&self) -> bool {
        match self {
            Self::DataDir(error) => matches!(error, data_dir::Error::InUse { .. }),
            Self::Log { source, .. } => matches!(source, stockledger_log::Error::Mismatch(_)),
            Self::Store { source, .. } => !source.is_retryable(),
            Self::NoLedger(_) => false,
            Self::Genesis(error) => !matches!(error, genesis::Error::Log { .. } | genesis::Error::Append(_)),
            Self::Writer(_) => true,
        }
    }
}

/// A running node.
pub struct Node {
    log: Arc<SqliteLog>,
    store: Arc<SqliteStore>,
    identity: Identity,
    ledger: Option<Ledger>,
    projector: Option<Projector>,
    queries: Queries,
    answers_queries: bool,
    stop_projector: CancellationToken,
    _lock: Option<Lock>,
}

impl Node {
    /// Opens log and tables as the roles need them, and starts what they do in the background. A log that does not exist
    /// is made by a writer, and by nobody else. `url` is where this process answers HTTP, if it does.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(settings: &Settings, roles: Roles, url: Option<Name>) -> Result<Self, Error> {
        let writes = roles.writer || roles.projector;
        let lock = if writes { Some(data_dir::lock(&settings.directories())?) } else { None };
        let log = Arc::new(open_log(settings, roles.writer).await?);
        let environment = SystemEnvironment;
        let identity = if roles.writer {
            genesis::initialise(log.as_ref(), &environment).await?
        } else {
            genesis::check(log.as_ref()).await?
        };
        let store = Arc::new(open_store(settings, writes).await?);

        let stop_projector = CancellationToken::new();
        let projector = if roles.projector {
            Some(start_projector(settings, log.clone(), store.clone(), stop_projector.clone()).await?)
        } else {
            None
        };
        let ledger = if roles.writer {
            let options = Options {
                url,
                snapshots: Some(settings.snapshots()),
                ..Options::new(settings.node.value.clone())
            };
            Some(Ledger::start(log.clone(), Arc::new(environment), options).await?)
        } else {
            None
        };
        let queries = Queries::new(store.clone(), projector.as_ref().map(Projector::progress));
        let answers_queries = roles.api;
        Ok(Self {
            log,
            store,
            identity,
            ledger,
            projector,
            queries,
            answers_queries,
            stop_projector,
            _lock: lock,
        })
    }

    /// Which ledger it is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    /// The read tables.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The writers, where that role is played.
    #[must_use]
    pub const fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// Queries of the read tables.
    #[must_use]
    pub const fn queries(&self) -> &Queries {
        &self.queries
    }

    /// How far the projector is, where that role is played.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.projector.as_ref().map(Projector::progress)
    }

    /// The HTTP service of this node.
    #[must_use]
    pub fn app(&self) -> http::App {
        let node = http::Node {
            ledger_id: self.identity.ledger_id,
            partitions: self.identity.partitions,
            log: "sqlite",
            projections: "sqlite",
            environment: Arc::new(SystemEnvironment),
        };
        let api = self.answers_queries.then(|| self.queries.clone());
        http::App::new(node, http::Roles { writer: self.ledger.clone(), projector: self.progress(), api })
    }

    /// Stops in the order in which nothing is lost: no new commands, everything taken is decided and answered, the tables
    /// are left at a checkpoint, the files are closed.
    pub async fn stop(self) {
        if let Some(ledger) = self.ledger {
            ledger.stop().await;
        }
        self.stop_projector.cancel();
        if let Some(projector) = self.projector {
            projector.stopped().await;
        }
        self.store.close().await;
        self.log.close().await;
    }
}

/// The log for reading only, as for looking into it while a server writes.
///
/// # Errors
/// [`Error::NoLedger`], [`Error::Log`].
pub async fn log_for_reading(settings: &Settings) -> Result<Arc<dyn Log>, Error> {
    let Address::Sqlite(path) = &settings.log.value;
    must_exist(path, &settings.log.value)?;
    let log = SqliteLog::open_read_only(path).await.map_err(|source| log_error(settings, source))?;
    Ok(Arc::new(log))
}

async fn open_log(settings: &Settings, for_writing: bool) -> Result<SqliteLog, Error> {
    let Address::Sqlite(path) = &settings.log.value;
    let opened = match (for_writing, path.exists()) {
        (true, true) => SqliteLog::open(path).await,
        (true, false) => SqliteLog::create(path, settings.partitions.value).await,
        (false, _) => {
            must_exist(path, &settings.log.value)?;
            SqliteLog::open_read_only(path).await
        }
    };
    opened.map_err(|source| log_error(settings, source))
}

/// The read tables for writing, made if they are not there. The caller holds the lock of the data directory.
///
/// # Errors
/// [`Error::Store`].
pub async fn store_for_writing(settings: &Settings) -> Result<Arc<dyn Store>, Error> {
    Ok(Arc::new(open_store(settings, true).await?))
}

async fn open_store(settings: &Settings, for_writing: bool) -> Result<SqliteStore, Error> {
    let Address::Sqlite(path) = &settings.projections.value;
    let opened = if for_writing {
        SqliteStore::open(path).await
    } else {
        must_exist(path, &settings.projections.value)?;
        SqliteStore::open_read_only(path).await
    };
    opened.map_err(|source| store_error(settings, source))
}

async fn start_projector(
    settings: &Settings,
    log: Arc<SqliteLog>,
    store: Arc<SqliteStore>,
    stop: CancellationToken,
) -> Result<Projector, Error> {
    let now = SystemEnvironment.now();
    let projector = Projector::start(log, store, projector::Options::default(), now, stop).await;
    projector.map_err(|source| store_error(settings, source))
}

fn must_exist(path: &Path, address: &Address) -> Result<(), Error> {
    if path.exists() { Ok(()) } else { Err(Error::NoLedger(address.to_string())) }
}

fn log_error(settings: &Settings, source: stockledger_log::Error) -> Error {
    Error::Log { address: settings.log.value.to_string(), source }
}

fn store_error(settings: &Settings, source: store::Error) -> Error {
    Error::Store { address: settings.projections.value.to_string(), source }
}
