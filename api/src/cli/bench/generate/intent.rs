//! A command on its way to be decided, with the papers that come with it: who, why, when, and by which document.

use std::collections::HashMap;

use stockledger_domain::Command;
use stockledger_schemas::{
    Actor, Context, CorrelationId, IdempotencyKey, Level, Note, Reason, Reference, ReferenceId,
    ReferenceType, Sku, Timestamp,
};

use super::Error;

/// What is asked of the ledger.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) command: Command,
    pub(super) context: Context,
    /// Absent for what is idempotent by itself.
    pub(super) key: Option<IdempotencyKey>,
    /// What was on hand at the positions that a count names.
    pub(super) counted: HashMap<Sku, Level>,
}

impl Intent {
    /// A command of somebody, with nothing else said.
    pub(super) fn by(actor: &str, command: Command) -> Result<Self, Error> {
        Ok(Self { command, context: Context::by(Actor::new(actor)?), key: None, counted: HashMap::new() })
    }

    pub(super) fn because(mut self, reason: Reason) -> Self {
        self.context.reason = Some(reason);
        self
    }

    pub(super) fn saying(mut self, note: &str) -> Result<Self, Error> {
        self.context.note = Some(Note::new(note)?);
        Ok(self)
    }

    pub(super) fn with_document(mut self, kind: &str, id: impl AsRef<str>) -> Result<Self, Error> {
        self.context.reference =
            Some(Reference { kind: ReferenceType::new(kind)?, id: ReferenceId::new(id)? });
        Ok(self)
    }

    pub(super) fn belonging_to(mut self, work: impl AsRef<str>) -> Result<Self, Error> {
        self.context.correlation_id = Some(CorrelationId::new(work)?);
        Ok(self)
    }

    /// It happened then, and is recorded only now.
    pub(super) fn late(mut self, occurred_at: Option<Timestamp>) -> Self {
        self.context.occurred_at = occurred_at;
        self
    }
}
