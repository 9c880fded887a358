//! What an event changes of what is physically there, for whoever has to know what was there before.

use stockledger_schemas::{Event, Sku};

/// By how much an event changes what is on hand, by SKU; a SKU may stand there more than once.
#[must_use]
pub fn on_hand_changes(event: &Event) -> Vec<(&Sku, i64)> {
    match event {
        Event::StockReceived(event) => {
            event.lines.iter().map(|line| (&line.sku, line.quantity.get())).collect()
        }
        Event::StockAdjusted(event) => event.lines.iter().map(|line| (&line.sku, line.delta.get())).collect(),
        Event::StockCounted(event) => event.lines.iter().map(|line| (&line.sku, line.delta.get())).collect(),
        Event::OrderShipped(event) => {
            let left = event.moves.iter().map(|goods| (goods.line, -goods.quantity.get()));
            left.filter_map(|(line, delta)| Some((&event.order.lines.get(usize::from(line))?.sku, delta)))
                .collect()
        }
        Event::OrderReturned(event) => {
            let back = event.moves.iter().map(|goods| (goods.line, goods.quantity.get()));
            back.filter_map(|(line, delta)| Some((&event.order.lines.get(usize::from(line))?.sku, delta)))
                .collect()
        }
        Event::SiteRegistered(_)
        | Event::SiteRenamed(_)
        | Event::SiteOpened(_)
        | Event::ItemRegistered(_)
        | Event::ItemUpdated(_)
        | Event::NoteRecorded(_)
        | Event::KeyCreated(_)
        | Event::KeyRevoked(_)
        | Event::StockHeld(_)
        | Event::HoldReleased(_)
        | Event::OrderPlaced(_)
        | Event::OutOfStock(_)
        | Event::OrderCancelled(_)
        | Event::CommandRefused(_) => Vec::new(),
    }
}
