//! An order and its lines, as every step of it is stored: whole, so that an answer needs one record and not a history.

use crate::code::OrderStatus;
use crate::codec::{Decode, Encode};
use crate::position::Timestamp;
use crate::quantity::{Level, Quantity};
use crate::text::{Currency, CustomerId, OrderId, Sku};

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Order {
    /// The caller's id.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    pub currency: Option<Currency>,
    /// When the ledger accepted it.
    pub placed_at: Timestamp,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// In the order given, one per SKU.
    pub lines: Vec<OrderLine>,
}

/// One SKU of an order. `shipped + cancelled <= ordered` and `returned <= shipped`, always.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderLine {
    /// What.
    pub sku: Sku,
    /// How much was ordered.
    pub ordered: Quantity,
    /// How much of it has left.
    pub shipped: Level,
    /// How much of it was given up.
    pub cancelled: Level,
    /// How much of what was shipped came back.
    pub returned: Level,
    /// The price of one, in minor units of the currency.
    pub unit_price_minor: Option<Level>,
}

impl OrderLine {
    /// A line of a new order.
    #[must_use]
    pub const fn new(sku: Sku, ordered: Quantity, unit_price_minor: Option<Level>) -> Self {
        Self {
            sku,
            ordered,
            shipped: Level::ZERO,
            cancelled: Level::ZERO,
            returned: Level::ZERO,
            unit_price_minor,
        }
    }

    /// What is still reserved: ordered, neither shipped nor cancelled. Negative only in a corrupt record.
    #[must_use]
    pub const fn open(&self) -> i64 {
        self.ordered.get() - self.shipped.get() - self.cancelled.get()
    }

    /// What can still be returned.
    #[must_use]
    pub const fn returnable(&self) -> i64 {
        self.shipped.get() - self.returned.get()
    }
}

impl Order {
    /// Where this order stands; never `refused`, because a refused order is not one of these.
    #[must_use]
    pub fn status(&self) -> OrderStatus {
        let open = self.is_open();
        let shipped = self.lines.iter().any(|line| line.shipped > Level::ZERO);
        match (open, shipped) {
            (true, false) => OrderStatus::Placed,
            (true, true) => OrderStatus::PartiallyShipped,
            (false, true) => OrderStatus::Shipped,
            (false, false) => OrderStatus::Cancelled,
        }
    }

    /// Whether anything of it is still reserved.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lines.iter().any(|line| line.open() > 0)
    }
}
