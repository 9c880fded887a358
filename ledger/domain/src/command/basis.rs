//! What a caller has seen of the one thing that a command changes: it is decided only if nothing has changed that since.
//!
//! The basis is no part of what is asked for. It is not logged and not in the fingerprint: a command that was decided is
//! answered with its decision for ever, whatever a retry is based on, and one that was not decided because its basis was
//! gone has left nothing behind. What a thing was changed by last only ever moves on, so a basis that is gone stays gone.

use stockledger_schemas::{OrderId, Position, Sku};

use crate::command::{Checked, Command};

/// What the one thing that a command changes must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// It is there.
    Existing,
    /// One of these decisions changed it last.
    ChangedLastBy(Vec<Position>),
}

/// The one thing that a command changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The stock of an item at the site of the command.
    Stock(&'a Sku),
    /// An order of that site.
    Order(&'a OrderId),
}

/// A command changes more than one thing, or none that anybody could have seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only adjustments and counts of one item and the steps of an order are based on one thing")]
pub struct NoSubject;

impl Command {
    /// The one thing that it changes, if it is one.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<'_>> {
        match self {
            Self::AdjustStock(command) => one_of(command.lines.iter().map(|line| &line.sku)),
            Self::CountStock(command) => one_of(command.lines.iter().map(|line| &line.sku)),
            Self::ShipOrder(command) => Some(Subject::Order(&command.order_id)),
            Self::CancelOrder(command) => Some(Subject::Order(&command.order_id)),
            Self::ReturnOrder(command) => Some(Subject::Order(&command.order_id)),
            _ => None,
        }
    }
}

fn one_of<'a>(mut skus: impl Iterator<Item = &'a Sku>) -> Option<Subject<'a>> {
    let first = skus.next()?;
    skus.all(|sku| sku == first).then_some(Subject::Stock(first))
}

impl Checked {
    /// The same command, to be decided only on this basis.
    ///
    /// # Errors
    /// [`NoSubject`] if it does not change one thing.
    pub fn based_on(self, basis: Basis) -> Result<Self, NoSubject> {
        match self.command.subject() {
            Some(_) => Ok(Self { basis: Some(basis), ..self }),
            None => Err(NoSubject),
        }
    }

    /// What it is based on, if anything.
    #[must_use]
    pub const fn basis(&self) -> Option<&Basis> {
        self.basis.as_ref()
    }
}
