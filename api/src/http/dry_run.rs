//! Dry runs: `?dry_run=true` on a command asks what it would be answered with if it came now, and writes nothing.
//!
//! The answer is that of the command itself, refusals too, and so are its status and its body; `position` in it is the place
//! that the decision would have. The headers tell the two apart: `Dry-Run: true`, and `Ledger-Position` is the last
//! decision that was taken into account. A command that was decided before is answered as any repetition of it.

use axum::http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use stockledger_schemas::Position;

use crate::http::headers::DRY_RUN;

/// The parameters of every command.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandParameters {
    #[serde(default)]
    dry_run: bool,
}

impl CommandParameters {
    pub(super) const fn purpose(&self) -> Purpose {
        Purpose::of(self.dry_run)
    }
}

/// What is wanted of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Purpose {
    /// To be carried out.
    #[default]
    Decide,
    /// To be told what would come of it.
    DryRun,
}

impl Purpose {
    pub(super) const fn of(dry_run: bool) -> Self {
        if dry_run { Self::DryRun } else { Self::Decide }
    }

    /// Says in the headers of an answer that nothing was written.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        if self == Self::DryRun {
            headers.insert(DRY_RUN, HeaderValue::from_static("true"));
        }
    }

    /// Where the ledger stands by an answer: at its decision, or before it if it was not made.
    pub(super) const fn stands_at(self, decision: Position, replayed: bool) -> Position {
        match self {
            Self::DryRun if !replayed => Position::new(decision.partition, decision.seq.saturating_sub(1)),
            Self::DryRun | Self::Decide => decision,
        }
    }
}
