//! What a warehouse has yet to do, and when.

use std::collections::BTreeMap;

use stockledger_schemas::{HoldId, Level, OrderId, Position, Quantity, Sku};

/// Something that follows from what has happened.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Send off all that is open.
    Ship(OrderId),
    /// Send off a part of it.
    ShipSome(OrderId),
    /// Give up all that is open.
    Cancel(OrderId),
    /// Take some of it back.
    Return(OrderId),
    /// Take in what was ordered from suppliers, by rank.
    Deliver(Vec<usize>),
    /// Give set-aside goods free; all that is left of them without a quantity.
    Release(HoldId, Option<Quantity>),
    /// State what was found on the walk that began at a position, beside what was on hand there.
    Count {
        /// The last decision before the walk.
        base: Position,
        /// What the ledger had there, and what the person has found.
        found: Vec<(Sku, Level, Level)>,
    },
}

/// Tasks in the order in which they are due; of equal ones the earlier noted first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    tasks: BTreeMap<(u64, u64), Task>,
    noted: u64,
}

impl Agenda {
    /// Notes a task for step `due` of the site.
    pub(super) fn note(&mut self, due: u64, task: Task) {
        self.noted += 1;
        self.tasks.insert((due, self.noted), task);
    }

    /// What is due at step `now`.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Task> {
        let first = self.tasks.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }
}
