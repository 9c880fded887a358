//! The stock of one SKU at one site, and the only arithmetic that changes it.

use stockledger_schemas::{Balances, Delta, Disposition, HoldReason, Level, Quantity};

/// What is there of one SKU, and how much of it is promised or set aside.
///
/// `0 <= reserved + held <= on_hand`, always. A SKU that was never seen at a site has the default, which is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// What is physically there.
    pub on_hand: Level,
    /// Promised to open orders.
    pub reserved: Level,
    /// Set aside, one number per reason in the order of [`HoldReason::ALL`].
    pub held: [Level; HoldReason::ALL.len()],
    /// The decision that counted it last.
    pub counted_seq: Option<u64>,
    /// The decision that touched it last.
    pub seq: u64,
}

impl Default for Stock {
    fn default() -> Self {
        Self {
            on_hand: Level::ZERO,
            reserved: Level::ZERO,
            held: [Level::ZERO; HoldReason::ALL.len()],
            counted_seq: None,
            seq: 0,
        }
    }
}

impl Stock {
    /// The balances as events carry them.
    #[must_use]
    pub fn balances(&self) -> Balances {
        let held = self.held.iter().fold(Level::ZERO, |sum, level| {
            // What is held is part of what is on hand, so the sum is a level in every state that `apply` made.
            sum.checked_add(level.get()).unwrap_or(sum)
        });
        Balances { on_hand: self.on_hand, reserved: self.reserved, held }
    }

    /// What can still be promised.
    #[must_use]
    pub fn available(&self) -> Level {
        Level::new(self.balances().available()).unwrap_or(Level::ZERO)
    }

    /// What is held for one reason.
    #[must_use]
    pub const fn held_for(&self, reason: HoldReason) -> Level {
        self.held[reason.index()]
    }

    /// This stock after a step, or nothing if a balance would leave its range or promise more than there is.
    pub(crate) fn after(mut self, step: Step) -> Option<Self> {
        self.on_hand = self.on_hand.checked_add(step.on_hand)?;
        self.reserved = self.reserved.checked_add(step.reserved)?;
        if let Some((reason, change)) = step.held {
            let held = &mut self.held[reason.index()];
            *held = held.checked_add(change)?;
        }
        self.balances().is_possible().then_some(self)
    }
}

/// What one thing that happens does to the balances of one SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    on_hand: i64,
    reserved: i64,
    held: Option<(HoldReason, i64)>,
}

impl Step {
    /// Goods come in.
    pub(crate) const fn receive(quantity: Quantity) -> Self {
        Self { on_hand: quantity.get(), reserved: 0, held: None }
    }

    /// What is on hand changes by a difference.
    pub(crate) const fn adjust(delta: Delta) -> Self {
        Self { on_hand: delta.get(), reserved: 0, held: None }
    }

    /// Goods are set aside.
    pub(crate) const fn hold(reason: HoldReason, quantity: Quantity) -> Self {
        Self { on_hand: 0, reserved: 0, held: Some((reason, quantity.get())) }
    }

    /// Goods that were set aside are free again.
    pub(crate) const fn release(reason: HoldReason, quantity: Quantity) -> Self {
        Self { on_hand: 0, reserved: 0, held: Some((reason, -quantity.get())) }
    }

    /// Goods are promised to an order.
    pub(crate) const fn reserve(quantity: Quantity) -> Self {
        Self { on_hand: 0, reserved: quantity.get(), held: None }
    }

    /// Promised goods leave.
    pub(crate) const fn ship(quantity: Quantity) -> Self {
        Self { on_hand: -quantity.get(), reserved: -quantity.get(), held: None }
    }

    /// Promised goods are free again.
    pub(crate) const fn cancel(quantity: Quantity) -> Self {
        Self { on_hand: 0, reserved: -quantity.get(), held: None }
    }

    /// Goods come back: for sale again, or on hand and held as damaged.
    pub(crate) const fn take_back(disposition: Disposition, quantity: Quantity) -> Self {
        let held = match disposition {
            Disposition::Restock => None,
            Disposition::Damaged => Some((HoldReason::Damaged, quantity.get())),
        };
        Self { on_hand: quantity.get(), reserved: 0, held }
    }
}
