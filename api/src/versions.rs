//! Looking after the versions of the read tables from inside a running node: rebuilding beside the version in use,
//! switching, dropping. At most one rebuild runs in a process at a time.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use stockledger_log::{Causes, Log};
use stockledger_projections::overview::{self, Overview};
use stockledger_projections::rebuild::{self, Rebuilt, Replay, SwitchWhen};
use stockledger_projections::switch::{self, IfDifferent, Switched, Target};
use stockledger_projections::versions::Owner;
use stockledger_projections::{Store, Version};
use stockledger_writer::Environment;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A cheap handle; clones are the same.
#[derive(Clone)]
pub struct Versions(Arc<Parts>);

struct Parts {
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    environment: Arc<dyn Environment>,
    /// Makes the projector look for versions at once; absent where this node has none and may only look.
    projector: Option<Arc<Notify>>,
    cancel: CancellationToken,
    running: Mutex<Option<JoinHandle<()>>>,
    last: Mutex<Option<Outcome>>,
}

/// What came of the last rebuild of this process.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is finished.
    Rebuilt(Rebuilt),
    /// It is not.
    Failed {
        /// Why.
        reason: String,
        /// Whether it is history or the tables that are wrong, so that somebody must look.
        is_history_wrong: bool,
    },
}

/// Why a node does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node plays no role that may change tables.
    #[error("this node does not keep the read tables: ask one that plays the role projector")]
    NoProjector,
    /// A rebuild of this process is not finished.
    #[error("a rebuild is running already; its progress is in GET /v1/projections")]
    Running,
    /// It was tried.
    #[error(transparent)]
    Failed(#[from] rebuild::Error),
    /// This program has a bug.
    #[error("switching failed")]
    Panicked(#[source] tokio::task::JoinError),
}

impl Versions {
    /// The versions of a store. Without the `projector` of this process, nothing but looking is possible.
    #[must_use]
    pub fn new(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        environment: Arc<dyn Environment>,
        projector: Option<Arc<Notify>>,
    ) -> Self {
        Self(Arc::new(Parts {
            log,
            store,
            environment,
            projector,
            cancel: CancellationToken::new(),
            running: Mutex::default(),
            last: Mutex::default(),
        }))
    }

    /// Where every version stands.
    ///
    /// # Errors
    /// [`rebuild::Error`] if log or store do not answer.
    pub async fn overview(&self) -> Result<Overview, rebuild::Error> {
        overview::overview(&*self.0.store, &*self.0.log, self.0.environment.now()).await
    }

    /// What came of the last rebuild of this process; nothing while one runs, or if there was none.
    #[must_use]
    pub fn last_rebuild(&self) -> Option<Outcome> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a rebuild of this process is not finished.
    #[must_use]
    pub fn is_rebuilding(&self) -> bool {
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Begins a rebuild and returns; it goes on in the background.
    ///
    /// # Errors
    /// [`Error::NoProjector`], [`Error::Running`].
    pub fn rebuild(&self, when: SwitchWhen, workers: usize) -> Result<(), Error> {
        let projector = Arc::clone(self.projector()?);
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|task| !task.is_finished()) {
            return Err(Error::Running);
        }
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let (parts, replay) = (Arc::clone(&self.0), Replay { workers, ..self.replay() });
        *running = Some(tokio::spawn(async move {
            let owner = Owner::new(Uuid::new_v4().to_string());
            let outcome = match rebuild::rebuild(&replay, &owner, when, parts.environment.now()).await {
                Ok(rebuilt) => {
                    tracing::info!(version = %rebuilt.version, "the read tables are rebuilt");
                    Outcome::Rebuilt(rebuilt)
                }
                Err(error) => {
                    let reason = Causes(&error).to_string();
                    tracing::error!(reason, "the read tables could not be rebuilt");
                    let is_history_wrong =
                        matches!(error, rebuild::Error::Halted(_) | rebuild::Error::Differ { .. });
                    Outcome::Failed { reason, is_history_wrong }
                }
            };
            *parts.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            projector.notify_one();
        }));
        Ok(())
    }

    /// Makes queries answer from another version.
    ///
    /// # Errors
    /// [`Error::NoProjector`], [`Error::Failed`]; then nothing is changed.
    pub async fn switch(&self, target: Target, if_different: IfDifferent) -> Result<Switched, Error> {
        let projector = Arc::clone(self.projector()?);
        let replay = self.replay();
        // In a task of its own: a caller that hangs up must not leave both versions held.
        let switching = tokio::spawn(async move {
            let switched = switch::switch(&replay, target, if_different).await;
            projector.notify_one();
            switched
        });
        match switching.await {
            Ok(switched) => Ok(switched?),
            Err(error) => Err(Error::Panicked(error)),
        }
    }

    /// Removes a version that is not in use.
    ///
    /// # Errors
    /// [`Error::NoProjector`], [`Error::Failed`].
    pub async fn drop_version(&self, version: Version) -> Result<(), Error> {
        let projector = self.projector()?;
        switch::drop_version(&*self.0.store, version).await?;
        projector.notify_one();
        Ok(())
    }

    /// Ends a rebuild that runs, between two commits; a later one goes on with it.
    pub async fn stop(&self) {
        self.0.cancel.cancel();
        let running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = running
            && let Err(error) = task.await
        {
            tracing::error!(%error, "a rebuild failed");
        }
    }

    fn projector(&self) -> Result<&Arc<Notify>, Error> {
        self.0.projector.as_ref().ok_or(Error::NoProjector)
    }

    fn replay(&self) -> Replay {
        let replay = Replay::new(Arc::clone(&self.0.log), Arc::clone(&self.0.store));
        Replay { cancel: self.0.cancel.clone(), ..replay }
    }
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Versions").finish_non_exhaustive()
    }
}
