//! The fingerprint of a command: by it a retry is told from another command under the same idempotency key.

use serde::Serialize;
use stockledger_schemas::{CorrelationId, Hash, Note, Reason, Reference, Scope, Timestamp};

use crate::command::{Checked, Command};

/// Stands before the JSON, so that another way of making fingerprints can never give the same ones.
const VERSION: &str = "stockledger-command-v1";

/// What the caller sent, in one fixed order of members; what was not given is absent. The actor is not part of it: a
/// retry may come with another credential.
#[derive(Serialize)]
pub(super) struct Said<'a> {
    scope: &'a Scope,
    command: &'a Command,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a Note>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a CorrelationId>,
}

impl Checked {
    /// The SHA-256 of the text `stockledger-command-v1` followed by the canonical JSON of what the caller sent.
    ///
    /// It is stored with every decision and compared for as long as the ledger lives, so it must never change: the
    /// golden tests of this crate hold it still.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        let json = serde_json::to_vec(&self.said()).expect("a command has only texts and whole numbers");
        Hash::of(&[VERSION.as_bytes(), &json])
    }

    pub(super) const fn said(&self) -> Said<'_> {
        Said {
            scope: &self.scope,
            command: &self.command,
            occurred_at: self.context.occurred_at,
            reason: self.context.reason,
            note: self.context.note.as_ref(),
            reference: self.context.reference.as_ref(),
            correlation_id: self.context.correlation_id.as_ref(),
        }
    }
}
