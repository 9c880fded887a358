//! What a command is answered with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use stockledger_domain::command::{Invalid, Misfit};
use stockledger_schemas::{Decision, PartitionId, Position, SiteId};
use tokio::sync::oneshot;

/// A command was decided, and the decision is durable in the log: an event, or a refusal that is remembered for ever.
///
/// In answer to a dry run ([`Ledger::dry_run`](crate::Ledger::dry_run)), a decision that is not `replayed` was not made and stands nowhere.
///
/// The answer to the caller is a pure function of the decision, so a retry gets the same one at any time.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Where the decision stands.
    pub position: Position,
    /// The decision.
    pub decision: Arc<Decision>,
    /// Whether it was made before, for an earlier command with the same key or with the same effect.
    pub replayed: bool,
}

/// Why a command has no decision to answer with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The site was never opened. Nothing was written.
    #[error("site {0} does not exist; open it first")]
    UnknownSite(SiteId),
    /// The key was used before, for something else. Nothing was written.
    #[error("the idempotency key was used before for another command")]
    KeyReused,
    /// The command contradicts the ledger in a way that no state could mend. Nothing was written.
    #[error("the command is not valid")]
    Invalid(Vec<Invalid>),
    /// Something has changed what the command is based on. Nothing was written.
    #[error("what the command is based on has changed since")]
    Changed {
        /// The decision that changed it last; absent if there is no such thing.
        last: Option<Position>,
    },
    /// One of the commands that were to be done together does not fit beside the others, whatever the state. Nothing was written.
    #[error("the commands cannot be done together: {0}")]
    Misfit(Misfit),
    /// The decision would be too long for one record. Nothing was written.
    #[error("the command is too large: {0}")]
    TooLarge(String),
    /// Too much is waiting. Nothing was written.
    #[error("too many commands are waiting; try again a little later")]
    Overloaded,
    /// The command was given up before it was decided, or was not taken because the log is silent. Nothing was written.
    #[error("the command was not applied: {0}")]
    NotApplied(&'static str),
    /// The writer is reading the log. Nothing was written.
    #[error("the writer of partition {0} is still reading its log; try again a little later")]
    Recovering(PartitionId),
    /// Another node writes this partition. Nothing was written.
    #[error("this node does not write partition {partition}")]
    NotOwner {
        /// Which partition.
        partition: PartitionId,
        /// Where its writer answers, if known.
        url: Option<String>,
    },
    /// The partition has stopped for good until somebody looks at it. Nothing was written.
    #[error("partition {partition} has stopped: {reason}")]
    Halted {
        /// Which partition.
        partition: PartitionId,
        /// Why.
        reason: String,
    },
    /// The command may or may not be in the log; the same key will tell.
    #[error("the outcome is not known yet; repeat the command with the same key to learn it")]
    OutcomeUnknown,
    /// A fault of this program. Nothing was written.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The answer to one command.
pub(crate) type Outcome = Result<Reply, CommandError>;

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

/// Settles between a writer that takes a waiting command and a caller that gives it up: exactly one of them wins, so a
/// caller that is told "not applied" was told the truth.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticket(Arc<AtomicU8>);

impl Ticket {
    /// The writer takes the command; false if the caller has given it up.
    pub(crate) fn take(&self) -> bool {
        self.0.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
            || self.is_taken()
    }

    /// The caller gives the command up; false if the writer has taken it.
    pub(crate) fn abandon(&self) -> bool {
        self.0.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire) == TAKEN
    }
}

/// Where the answer goes. A caller that has gone away is no error.
pub(crate) fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    drop(reply.send(outcome));
}
