//! How events are counted wherever a speed or a size is told: one for each step of an order, and one for each order line
//! or movement of stock, each counted once.
//!
//! So an order of three lines that is placed counts 4, its shipment counts 4, a receipt of three SKUs counts 3, and
//! whatever has no lines counts 1.

use crate::event::Event;
use crate::record::Decision;

impl Event {
    /// How many events this is: its order step, if it is one, and each of its lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        const STEP: usize = 1;
        let count = match self {
            Self::StockReceived(event) => event.lines.len(),
            Self::StockAdjusted(event) => event.lines.len(),
            Self::StockCounted(event) => event.lines.len(),
            Self::OrderPlaced(event) => STEP + event.lines.len(),
            Self::OutOfStock(event) => STEP + event.lines.len(),
            Self::OrderShipped(event) => STEP + event.moves.len(),
            Self::OrderCancelled(event) => STEP + event.moves.len(),
            Self::OrderReturned(event) => STEP + event.moves.len(),
            Self::SiteRegistered(_)
            | Self::SiteRenamed(_)
            | Self::SiteOpened(_)
            | Self::ItemRegistered(_)
            | Self::ItemUpdated(_)
            | Self::NoteRecorded(_)
            | Self::KeyCreated(_)
            | Self::KeyRevoked(_)
            | Self::StockHeld(_)
            | Self::HoldReleased(_)
            | Self::CommandRefused(_) => 1,
        };
        count as u64
    }
}

impl Decision {
    /// How many events this decision is; see [`Event::count`].
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.events.iter().map(Event::count).sum()
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{Event, NoteRecorded, OutOfStock, RefusedLine, StockReceived};
    use crate::quantity::{Level, Quantity};

    #[test]
    fn a_step_of_an_order_counts_beside_its_lines() {
        let line = RefusedLine {
            sku: "LAMP".parse().unwrap(),
            requested: Quantity::new(2).unwrap(),
            available: Level::ZERO,
            unit_price_minor: None,
        };
        let refused = OutOfStock {
            order_id: "1".parse().unwrap(),
            customer: None,
            currency: None,
            lines: vec![line; 3],
        };
        assert_eq!(Event::from(refused).count(), 4);
        assert_eq!(Event::from(NoteRecorded {}).count(), 1);
        assert_eq!(Event::from(StockReceived { lines: vec![] }).count(), 0);
    }
}
