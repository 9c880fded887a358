//! The composition root: which log, which tables, which roles, started and stopped in the right order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stockledger_audit::key::public_path;
use stockledger_audit::{Notary, Proofs, SigningKey, VerifierKey, key, notary};
use stockledger_log::Log;
use stockledger_projections::projector::{self, Projector};
use stockledger_projections::store::{self, Store};
use stockledger_projections::{Halted, Progress, Queries, contradiction};
use stockledger_schemas::Name;
use stockledger_writer::genesis::Identity;
use stockledger_writer::{Environment, Ledger, Options, SystemEnvironment, genesis};
use tokio_util::sync::CancellationToken;

use crate::config::{LogAddress, Roles, Settings, Source};
use crate::data_dir::{self, Lock};
use crate::feed::{self, Feed};
use crate::http::{self, Gate, Rates};
use crate::keys::Keyring;
use crate::lag_group;
use crate::metrics::Metrics;
use crate::setup::{Code, Refused};
use crate::storage::{self, Access};
use crate::verifications::{self, Every, Verifications, Witnesses};
use crate::versions::Versions;

/// How long a log that is shorter than what was remembered of it is given to come back, as after a broker's fail-over.
const LOG_SHORTER_PATIENCE: Duration = Duration::from_secs(30);

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
    /// The log has lost its records.
    #[error(
        "the log has no records, but {0} was made from some: its topic or file was removed and made anew; restore the log, \
         or begin a new ledger with another data directory and other read tables"
    )]
    Recreated(String),
    /// The read tables were made from another log, or from more of it.
    #[error("the read tables and the log do not belong together: name the right ones, or restore the log")]
    Contradiction(#[source] Halted),
    /// A writer cannot begin.
    #[error("starting the writers")]
    Writer(#[from] stockledger_writer::OpenError),
    /// The read tables cannot be followed.
    #[error("looking for the read tables in use")]
    Projector(#[source] store::Error),
    /// The key that signs checkpoints cannot be used.
    #[error(transparent)]
    Key(#[from] key::Error),
    /// The key that signs checkpoints is not where it was said to be.
    #[error("there is no audit key at {0}; make one there with `stockledger init`, or name another file")]
    NoKey(PathBuf),
}

impl Refused for Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::DataDir(data_dir::Error::InUse { .. }) => vec![Code::DataDirInUse],
            Self::DataDir(_) => Vec::new(),
            Self::Storage(error) => error.codes(),
            Self::Genesis(error) => error.codes(),
            Self::Recreated(_) => vec![Code::TopicRecreated],
            Self::Contradiction(halted) => halted.codes(),
            Self::Writer(error) => error.codes(),
            Self::Projector(error) => error.codes(),
            Self::Key(error) => error.codes(),
            Self::NoKey(_) => vec![Code::AuditKey],
        }
    }
}

impl Error {
    /// Whether something is not there or does not answer: trying again may help.
    #[must_use]
    pub const fn is_not_ready(&self) -> bool {
        match self {
            Self::DataDir(_)
            | Self::Key(_)
            | Self::NoKey(_)
            | Self::Recreated(_)
            | Self::Contradiction(_) => false,
            Self::Genesis(error) => error.is_passing(),
            Self::Writer(error) => error.is_passing(),
            Self::Storage(error) => error.is_not_ready(),
            Self::Projector(error) => error.is_retryable(),
        }
    }
}

/// Makes a ledger where the settings say, or checks the one that is there, and makes the key that signs its checkpoints if
/// there is none. Any number of processes may do it at once.
///
/// # Errors
/// [`Error`].
pub async fn initialise(settings: &Settings) -> Result<(Identity, VerifierKey), Error> {
    let log = storage::create_log(settings).await?;
    let identity = genesis::initialise(log.as_ref(), &SystemEnvironment).await?;
    log.close().await;
    let key = SigningKey::load_or_create(&settings.audit_key.value, identity.ledger_id)?;
    let store = storage::create_store(settings).await?;
    let active = projector::ensure_active(store.as_ref(), SystemEnvironment.now()).await;
    store.close().await;
    active.map_err(Error::Projector)?;
    Ok((identity, key.verifier()))
}

/// A running node.
pub struct Node {
    identity: Identity,
    /// What kind of log and of tables there are.
    kinds: (&'static str, &'static str),
    log: Arc<dyn Log>,
    ledger: Option<Ledger>,
    tables: Option<Tables>,
    audit: Audit,
    verifications: Verifications,
    answers_queries: bool,
    /// What was decided, for those who listen.
    feed: Feed,
    /// Ends the keyrings of the services of this node.
    stop_keyrings: CancellationToken,
    /// How often one client may ask.
    rates: Rates,
    metrics: Metrics,
    _lock: Option<Lock>,
}

/// Who signs checkpoints and answers proofs.
enum Audit {
    /// This node signs.
    Signed(Notary),
    /// This node answers from what another has signed in the same data directory.
    Read(Proofs),
    /// This node has no key.
    None,
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
        if let (true, LogAddress::Sqlite(path)) = (roles.writer, &settings.log.value)
            && !path.exists()
            && let Some(remembered) = remembered(settings)
        {
            return Err(Error::Recreated(remembered));
        }
        let log = storage::open_log(settings, access(roles.writer)).await?;
        let is_file = matches!(settings.log.value, LogAddress::Sqlite(_));
        let identity = if roles.writer && is_file {
            genesis::initialise(log.as_ref(), &SystemEnvironment).await?
        } else {
            match genesis::check(log.as_ref()).await {
                Err(error @ genesis::Error::Empty(_)) => {
                    return Err(remembered(settings).map_or(Error::Genesis(error), Error::Recreated));
                }
                checked => checked?,
            }
        };
        let patience = if is_file { Duration::ZERO } else { LOG_SHORTER_PATIENCE };
        // All is looked at before anything begins: what is refused has followed and claimed nothing.
        let store = if roles.projector || roles.api {
            Some(checked_store(settings, roles.projector, &*log, patience).await?)
        } else {
            None
        };
        let metrics = Metrics::default();
        let ledger = if roles.writer {
            let options = Options {
                observer: Some(metrics.observer()),
                url,
                snapshots: Some(settings.snapshots()),
                log_shorter_patience: patience,
                // What a cluster of other machines acknowledges is read back; what our own file does is not.
                verify_tail: !is_file,
                headers: settings.kafka.headers.value,
                ..Options::new(settings.node.value.clone())
            };
            Some(Ledger::start(log.clone(), Arc::new(SystemEnvironment), options).await?)
        } else {
            None
        };
        let tables = match store {
            Some(store) => Some(Tables::open(store, roles.projector, log.clone()).await?),
            None => None,
        };
        if let Some(Tables { projector: Some(projector), stop_projector, .. }) = &tables {
            lag_group::show(settings, projector.progress(), stop_projector.clone());
        }
        let audit = Audit::open(settings, roles, identity, log.clone())?;
        let verifications = Verifications::open(verifications::Setup {
            ledger_id: identity.ledger_id,
            log: log.clone(),
            directory: settings.audit(),
            environment: Arc::new(SystemEnvironment),
            writer: ledger.clone(),
            witnesses: Witnesses {
                checkpoints: audit.proofs(),
                tables: tables.as_ref().map(|tables| tables.store.clone()),
            },
            patience,
            pace: verifications::PACE,
        });
        let feed = Feed::new(log.clone(), identity.ledger_id, feed::Options::default());
        Ok(Self {
            audit,
            verifications,
            identity,
            kinds: (settings.log.value.kind(), settings.projections.value.kind()),
            log,
            ledger,
            tables,
            answers_queries: roles.api,
            feed,
            stop_keyrings: CancellationToken::new(),
            rates: Rates::new(settings.edge.rate_limit.value, settings.edge.rate_burst.value),
            metrics,
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

    /// Begins to verify the log every so often, on a node that writes: for one that stays.
    pub fn verify_regularly(&self, every: Every) {
        if self.ledger.is_some() {
            self.verifications.regularly(every);
        }
    }

    /// The HTTP service of this node for whoever can reach it over a network: as soon as the ledger has API keys, nobody comes
    /// in without one. Begins to read which there are.
    #[must_use]
    pub fn app(&self) -> http::App {
        let keyring = Keyring::follow(self.log.clone(), self.stop_keyrings.child_token());
        self.app_behind(Gate::Keyed(keyring))
    }

    /// The same service for this process itself, which has the log and the tables in its hands anyway.
    #[must_use]
    pub fn app_for_itself(&self) -> http::App {
        self.app_behind(Gate::Open)
    }

    fn app_behind(&self, gate: Gate) -> http::App {
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
        let (writer, projector, audit) = (self.ledger.clone(), self.progress(), self.audit.proofs());
        let verifications = Some(self.verifications.clone());
        let roles = http::Roles { writer, projector, api, versions, audit, verifications };
        http::App::new(node, roles, gate)
            .limited_to(self.rates.clone())
            .telling(self.feed.clone())
            .measured_by(self.metrics.clone())
    }

    /// Stops in the order in which nothing is lost: what only reads ends, no new commands, everything taken is decided and
    /// answered, all of it is signed for, the tables are left at a checkpoint, log and tables are closed.
    pub async fn stop(self) {
        self.stop_keyrings.cancel();
        self.feed.stop();
        self.verifications.stop().await;
        if let Some(ledger) = self.ledger {
            ledger.stop().await;
        }
        if let Audit::Signed(notary) = self.audit {
            notary.stop().await;
        }
        if let Some(tables) = self.tables {
            tables.close().await;
        }
        self.log.close().await;
    }
}

impl Audit {
    /// A node that writes in its data directory signs, if it has the key; one that only answers queries reads what was signed
    /// there. Beside a log in a file the writer makes the key that is missing, as it makes the log: nobody runs `init` there.
    fn open(settings: &Settings, roles: Roles, identity: Identity, log: Arc<dyn Log>) -> Result<Self, Error> {
        let (path, ledger_id) = (&settings.audit_key.value, identity.ledger_id);
        let directory = settings.audit();
        if !(roles.writer || roles.projector) {
            return Ok(Self::Read(Proofs::of_files(log, ledger_id, published_key(path), directory)));
        }
        let is_named = settings.audit_key.source != Source::Default;
        let key = match SigningKey::load(path, ledger_id)? {
            Some(key) => key,
            None if is_named => return Err(Error::NoKey(path.clone())),
            None if roles.writer && matches!(settings.log.value, LogAddress::Sqlite(_)) => {
                SigningKey::load_or_create(path, ledger_id)?
            }
            None => {
                tracing::warn!(path = %path.display(), "there is no audit key: no checkpoints are signed; init makes one");
                return Ok(Self::None);
            }
        };
        Ok(Self::Signed(Notary::start(log, ledger_id, key, directory, notary::Options::default())))
    }

    fn proofs(&self) -> Option<Proofs> {
        match self {
            Self::Signed(notary) => Some(notary.proofs()),
            Self::Read(proofs) => Some(proofs.clone()),
            Self::None => None,
        }
    }
}

/// The key that checks, as it lies beside the one that signs, which not everybody may read.
#[must_use]
pub fn published_key(path: &Path) -> Option<VerifierKey> {
    let text = std::fs::read_to_string(public_path(path)).ok()?;
    text.trim().parse().ok()
}

impl Tables {
    async fn open(store: Arc<dyn Store>, follows: bool, log: Arc<dyn Log>) -> Result<Self, Error> {
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

/// The read tables, seen to be of this program and of this log; those that follow make the first version if there is none.
async fn checked_store(
    settings: &Settings,
    follows: bool,
    log: &dyn Log,
    patience: Duration,
) -> Result<Arc<dyn Store>, Error> {
    let store = storage::open_store(settings, access(follows)).await?;
    let active = if follows {
        projector::ensure_active(&*store, SystemEnvironment.now()).await.map(Some)
    } else {
        projector::checked_active(&*store).await
    };
    if let Some(active) = active.map_err(Error::Projector)?
        && let Some(halted) = contradiction(log, &*store, active, patience).await
    {
        return Err(Error::Contradiction(halted));
    }
    Ok(store)
}

/// What remembers records of a log, where something does.
fn remembered(settings: &Settings) -> Option<String> {
    let directory = settings.snapshots();
    let mut files = std::fs::read_dir(&directory).ok()?;
    files.next().map(|_| format!("the snapshot in {}", directory.display()))
}

const fn access(writes: bool) -> Access {
    if writes { Access::Write } else { Access::Read }
}
