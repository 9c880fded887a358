//! Where the commands of an import go: the ledger of this process, or a server. Both give the same positions.

mod line;
mod local;
mod remote;

use async_trait::async_trait;
use stockledger_domain::command::Checked;
use stockledger_schemas::{IdempotencyKey, Position, SiteId};

pub use self::local::Local;
pub use self::remote::Remote;

/// A command and the key that makes it idempotent; absent where the command is so by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The command.
    pub command: Checked,
    /// Its key.
    pub key: Option<IdempotencyKey>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or was done before.
    Done(Answered),
    /// It was refused because goods are short, now or before.
    Short(Answered),
    /// Its key was used before for something else. Nothing was written.
    KeyReused,
    /// The site was never opened. Nothing was written.
    UnknownSite,
    /// The ledger cannot take it at the moment, or cannot say what became of it; why, in words. The same again may help.
    Later(String),
    /// Anything else; in words.
    Failed(String),
}

/// Where the ledger has decided about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The decision.
    pub position: Position,
    /// Whether it was made before.
    pub is_replay: bool,
}

/// Why a target cannot do its part.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server did not answer, or not as it should.
    #[error(transparent)]
    Server(#[from] crate::client::Error),
    /// The projections of this process cannot be read.
    #[error(transparent)]
    Projections(#[from] stockledger_projections::store::Error),
    /// The projections cannot come far enough.
    #[error("the projections have stopped: {0}")]
    Halted(String),
    /// The projections have not come far enough in time.
    #[error("the projections are not level with the log after {waited_seconds} s; they will be later")]
    NotLevel {
        /// How long was waited.
        waited_seconds: u64,
    },
    /// The projections do not know the site.
    #[error("the projections do not know site {0}")]
    UnknownSite(SiteId),
    /// The answers do not fit what was sent.
    #[error("{expected} commands were sent and {found} answers came back")]
    Answers {
        /// How many commands were sent.
        expected: usize,
        /// How many answers came.
        found: usize,
    },
}

impl Error {
    /// Whether the same again may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Server(error) if error.is_unreachable())
    }
}

/// A ledger that commands can be sent to.
#[async_trait]
pub trait Target: Send + Sync {
    /// Opens a site; one that is open stays as it is, under the new name.
    ///
    /// # Errors
    /// [`Error`] if the target does not answer; a refusal is an [`Outcome`].
    async fn open_site(&self, command: Checked) -> Result<Outcome, Error>;

    /// Has commands decided in this order, all of them together, and returns their outcomes in the same order. It returns
    /// when all are answered. After an outcome that is neither done nor short the rest may be missing.
    ///
    /// # Errors
    /// [`Error`] if the target does not answer. Some of the commands may have been carried out: their keys will tell.
    async fn submit(&self, chunk: Vec<Submission>) -> Result<Vec<Outcome>, Error>;

    /// Waits until the projections include the positions, each of another partition.
    ///
    /// # Errors
    /// [`Error::NotLevel`] after a while.
    async fn level_with(&self, site: &SiteId, positions: &[Position]) -> Result<(), Error>;

    /// How many units of all goods are on hand at a site, by the projections.
    ///
    /// # Errors
    /// [`Error`].
    async fn units_on_hand(&self, site: &SiteId) -> Result<i64, Error>;
}
