//! The composition root: which log, which tables, which roles, started and stopped in the right order.

use std::sync::Arc;

use stockledger_log::Log;
use stockledger_projections::projector::{self, Projector};
use stockledger_projections::store::{self, Store};
use stockledger_projections::{Progress, Queries};
use stockledger_schemas::Name;
use stockledger_writer::genesis::Identity;
use stockledger_writer::{Environment, Ledger, Options, SystemEnvironment, genesis};
use tokio_util::sync::CancellationToken;

use crate::config::{LogAddress, Roles, Settings};
use crate::data_dir::{self, Lock};
use crate::http;
use crate::storage::{self, Access};
use crate::versions::Versions;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] data_dir::Error),
    /// The log or the read tables cannot be opened.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The log is not a ledger.
    #[error("the log is not a ledger that this program can use")]
    Genesis(#[from] genesis::Error),
    /// A writer cannot begin.
    #[error("starting the writers")]
    Writer(#[from] stockledger_writer::OpenError),
    /// The read tables cannot be followed.
    #[error("starting the projector")]
    Projector(#[source] store::Error),
}

impl Error {
    /// Whether the set-up must be mended before it makes sense to try again, as opposed to something being away.
    #[must_use]
    pub fn is_unsafe_setup(&self) -> bool {
        match self {
            Self::DataDir(error) => matches!(error, data_dir::Error::InUse { .. }),
            Self::Storage(error) => error.is_unsafe_setup(),
            Self::Genesis(error) => !error.is_passing(),
            Self::Writer(error) => !error.is_passing(),
            Self::Projector(error) => !error.is_retryable(),
        }
    }

    /// Whether something is not there or does not answer: trying again may help.
    #[must_use]
    pub const fn is_not_ready(&self) -> bool {
        match self {
            Self::DataDir(_) => false,
            Self::Genesis(error) => error.is_passing(),
            Self::Writer(error) => error.is_passing(),
            Self::Storage(error) => error.is_not_ready(),
            Self::Projector(error) => error.is_retryable(),
        }
    }
}

/// Makes a ledger where the settings say, or checks the one that is there. Any number of processes may do it at once.
///
/// # Errors
/// [`Error`].
pub async fn initialise(settings: &Settings) -> Result<Identity, Error> {
    let log = storage::create_log(settings).await?;
    let identity = genesis::initialise(log.as_ref(), &SystemEnvironment).await?;
    log.close().await;
    let store = storage::create_store(settings).await?;
    let active = projector::ensure_active(store.as_ref(), SystemEnvironment.now()).await;
    store.close().await;
    active.map_err(Error::Projector)?;
    Ok(identity)
}

/// A running node.
pub struct Node {
    identity: Identity,
    /// What kind of log and of tables there are.
    kinds: (&'static str, &'static str),
    log: Arc<dyn Log>,
    ledger: Option<Ledger>,
    tables: Option<Tables>,
    answers_queries: bool,
    _lock: Option<Lock>,
}

/// The read tables, where a role needs them.
struct Tables {
    store: Arc<dyn Store>,
    queries: Queries,
    projector: Option<Projector>,
    stop_projector: CancellationToken,
    versions: Versions,
}

impl Node {
    /// Opens log and tables as the roles need them, and starts what they do in the background. `url` is where this process
    /// answers HTTP, if it does.
    ///
    /// A log in a file that does not exist is made by a writer, and by nobody else. A topic is made by `init` only, so
    /// that a name that was mistyped does not become a ledger.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(settings: &Settings, roles: Roles, url: Option<Name>) -> Result<Self, Error> {
        let writes = roles.writer || roles.projector;
        let lock = if writes { Some(data_dir::lock(&settings.directories())?) } else { None };
        let log = storage::open_log(settings, access(roles.writer)).await?;
        let is_file = matches!(settings.log.value, LogAddress::Sqlite(_));
        let identity = if roles.writer && is_file {
            genesis::initialise(log.as_ref(), &SystemEnvironment).await?
        } else {
            genesis::check(log.as_ref()).await?
        };
        let tables = if roles.projector || roles.api {
            Some(Tables::open(settings, roles.projector, log.clone()).await?)
        } else {
            None
        };
        let ledger = if roles.writer {
            let options = Options {
                url,
                snapshots: Some(settings.snapshots()),
                // What a cluster of other machines acknowledges is read back; what our own file does is not.
                verify_tail: !is_file,
                ..Options::new(settings.node.value.clone())
            };
            Some(Ledger::start(log.clone(), Arc::new(SystemEnvironment), options).await?)
        } else {
            None
        };
        Ok(Self {
            identity,
            kinds: (settings.log.value.kind(), settings.projections.value.kind()),
            log,
            ledger,
            tables,
            answers_queries: roles.api,
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

    /// The writers, where that role is played.
    #[must_use]
    pub const fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// The read tables, where a role needs them.
    #[must_use]
    pub fn store(&self) -> Option<Arc<dyn Store>> {
        self.tables.as_ref().map(|tables| tables.store.clone())
    }

    /// Queries of the read tables, where a role needs them.
    #[must_use]
    pub fn queries(&self) -> Option<&Queries> {
        self.tables.as_ref().map(|tables| &tables.queries)
    }

    /// How far the projector is, where that role is played.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.tables.as_ref()?.projector.as_ref().map(Projector::progress)
    }

    /// The HTTP service of this node.
    #[must_use]
    pub fn app(&self) -> http::App {
        let (log, projections) = self.kinds;
        let node = http::Node {
            ledger_id: self.identity.ledger_id,
            partitions: self.identity.partitions,
            log,
            projections,
            environment: Arc::new(SystemEnvironment),
        };
        let api = self.queries().filter(|_| self.answers_queries).cloned();
        let versions = self.tables.as_ref().map(|tables| tables.versions.clone());
        let roles = http::Roles { writer: self.ledger.clone(), projector: self.progress(), api, versions };
        http::App::new(node, roles)
    }

    /// Stops in the order in which nothing is lost: no new commands, everything taken is decided and answered, the tables
    /// are left at a checkpoint, log and tables are closed.
    pub async fn stop(self) {
        if let Some(ledger) = self.ledger {
            ledger.stop().await;
        }
        if let Some(tables) = self.tables {
            tables.close().await;
        }
        self.log.close().await;
    }
}

impl Tables {
    async fn open(settings: &Settings, follows: bool, log: Arc<dyn Log>) -> Result<Self, Error> {
        let store = storage::open_store(settings, access(follows)).await?;
        let stop_projector = CancellationToken::new();
        let projector = if follows {
            let (options, now) = (projector::Options::default(), SystemEnvironment.now());
            let started =
                Projector::start(log.clone(), store.clone(), options, now, stop_projector.clone()).await;
            Some(started.map_err(Error::Projector)?)
        } else {
            None
        };
        let queries = Queries::new(store.clone(), projector.as_ref().map(Projector::progress));
        let look = projector.as_ref().map(Projector::look);
        let versions = Versions::new(log, store.clone(), Arc::new(SystemEnvironment), look);
        Ok(Self { store, queries, projector, stop_projector, versions })
    }

    async fn close(self) {
        self.versions.stop().await;
        self.stop_projector.cancel();
        if let Some(projector) = self.projector {
            projector.stopped().await;
        }
        self.store.close().await;
    }
}

const fn access(writes: bool) -> Access {
    if writes { Access::Write } else { Access::Read }
}
