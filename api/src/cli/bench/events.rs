//! What counts as one event where speed is told in events: one order line, one movement of stock, one step of an order
//! or of the directory, each counted once. A placed order of three lines counts four, its shipment of three lines four.

use stockledger_schemas::Event;

/// How many events a stored event counts.
pub(super) fn count(event: &Event) -> u64 {
    let counted = match event {
        Event::StockReceived(receipt) => receipt.lines.len(),
        Event::StockAdjusted(adjustment) => adjustment.lines.len(),
        Event::StockCounted(count) => count.lines.len(),
        Event::OrderPlaced(order) => 1 + order.lines.len(),
        Event::OutOfStock(order) => 1 + order.lines.len(),
        Event::OrderShipped(shipment) => 1 + shipment.moves.len(),
        Event::OrderCancelled(cancellation) => 1 + cancellation.moves.len(),
        Event::OrderReturned(goods) => 1 + goods.moves.len(),
        Event::SiteRegistered(_)
        | Event::SiteRenamed(_)
        | Event::SiteOpened(_)
        | Event::ItemRegistered(_)
        | Event::ItemUpdated(_)
        | Event::NoteRecorded(_)
        | Event::StockHeld(_)
        | Event::HoldReleased(_)
        | Event::CommandRefused(_) => 1,
    };
    counted as u64
}
