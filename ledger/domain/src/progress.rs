//! The steps of an accepted order, line by line: the only arithmetic that changes one.

use stockledger_schemas::{HoldId, OrderLine, Position, Quantity};

use crate::command::RETURN_HOLD_PREFIX;

/// What can happen to a line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Goods leave.
    Ship,
    /// What was open is given up.
    Cancel,
    /// Goods come back.
    Return,
}

impl Progress {
    /// How much of a line it can still happen to. Negative only in a corrupt record.
    pub(crate) const fn limit(self, line: &OrderLine) -> i64 {
        match self {
            Self::Ship | Self::Cancel => line.open(),
            Self::Return => line.returnable(),
        }
    }

    /// Lets it happen to so much of a line, or to nothing at all if that is more than it can happen to.
    #[must_use]
    pub(crate) fn advance(self, line: &mut OrderLine, quantity: Quantity) -> bool {
        if quantity.get() > self.limit(line) {
            return false;
        }
        let done = match self {
            Self::Ship => &mut line.shipped,
            Self::Cancel => &mut line.cancelled,
            Self::Return => &mut line.returned,
        };
        let sum = done.checked_add(quantity.get());
        *done = sum.unwrap_or(*done);
        sum.is_some()
    }
}

/// The id of the hold that keeps damaged goods of a returned line from being sold: unique, because one decision brings
/// back damaged goods of a line at most once, and no caller can make holds whose ids begin so.
pub(crate) fn return_hold_id(position: Position, line: u16) -> HoldId {
    HoldId::new(format!("{RETURN_HOLD_PREFIX}{position}:{line}")).expect("at most 40 printable characters")
}
