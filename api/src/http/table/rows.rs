//! The cells of every kind of row.

use stockledger_projections::views::{
    Item, Movement, Order, OrderLine, Site, StockLevel, TrailLine, TrailStep,
};

use super::{Cell, Row};
use crate::keys::Listed;

impl Row for Site {
    const NAMES: &'static [&'static str] = &["site", "name", "partition", "position", "recorded_at"];

    fn cells(&self) -> Vec<Cell> {
        let plain = [Cell::plain(self.partition), Cell::plain(self.position), Cell::plain(self.recorded_at)];
        [Cell::text(&self.site), Cell::text(&self.name)].into_iter().chain(plain).collect()
    }
}

impl Row for Item {
    const NAMES: &'static [&'static str] = &["sku", "name", "unit", "position", "recorded_at"];

    fn cells(&self) -> Vec<Cell> {
        let plain = [Cell::plain(self.position), Cell::plain(self.recorded_at)];
        [Cell::text(&self.sku), Cell::text(&self.name), Cell::text(&self.unit)]
            .into_iter()
            .chain(plain)
            .collect()
    }
}

impl Row for StockLevel {
    const NAMES: &'static [&'static str] =
        &["site", "sku", "on_hand", "reserved", "held", "available", "position", "as_of"];

    fn cells(&self) -> Vec<Cell> {
        let numbers = [self.on_hand, self.reserved, self.held, self.available].map(Cell::plain);
        let mut cells = vec![Cell::text(&self.site), Cell::text(&self.sku)];
        cells.extend(numbers);
        cells.extend([Cell::plain(self.at.position), Cell::maybe(self.at.as_of)]);
        cells
    }
}

impl Row for Movement {
    const NAMES: &'static [&'static str] = &[
        "position",
        "line",
        "type",
        "reason",
        "on_hand_change",
        "reserved_change",
        "held_change",
        "on_hand",
        "reserved",
        "held",
        "order_id",
        "occurred_at",
        "recorded_at",
        "actor",
        "note",
        "reference_type",
        "reference_id",
    ];

    fn cells(&self) -> Vec<Cell> {
        let (delta, after) = (self.delta, self.after);
        let mut cells = vec![Cell::plain(self.position), Cell::plain(self.line), Cell::plain(&self.kind)];
        cells.push(Cell::maybe(self.reason.map(|reason| reason.as_str())));
        let numbers = [delta.on_hand, delta.reserved, delta.held, after.on_hand, after.reserved, after.held];
        cells.extend(numbers.map(Cell::plain));
        cells.push(Cell::maybe(self.order_id.as_ref()));
        cells.extend([self.occurred_at, self.recorded_at].map(Cell::plain));
        cells.extend([Cell::text(&self.actor), Cell::maybe(self.note.as_ref())]);
        cells.push(Cell::maybe(self.reference.as_ref().map(|reference| &reference.kind)));
        cells.push(Cell::maybe(self.reference.as_ref().map(|reference| &reference.id)));
        cells
    }
}

impl Row for Order {
    const NAMES: &'static [&'static str] = &[
        "site",
        "order_id",
        "status",
        "customer",
        "currency",
        "lines",
        "ordered",
        "shipped",
        "open",
        "placed_at",
        "occurred_at",
        "position",
    ];

    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![Cell::text(&self.site), Cell::text(&self.order_id), Cell::plain(self.status)];
        cells.extend([Cell::maybe(self.customer.as_ref()), Cell::maybe(self.currency.as_ref())]);
        cells.push(Cell::plain(self.lines.len()));
        cells.extend(self.totals().map(Cell::plain));
        cells.extend([self.placed_at, self.occurred_at].map(Cell::plain));
        cells.push(Cell::plain(self.position));
        cells
    }
}

impl Row for OrderLine {
    const NAMES: &'static [&'static str] =
        &["sku", "ordered", "shipped", "cancelled", "returned", "unit_price_minor"];

    fn cells(&self) -> Vec<Cell> {
        let numbers = [self.ordered, self.shipped, self.cancelled, self.returned].map(Cell::plain);
        let mut cells = vec![Cell::text(&self.sku)];
        cells.extend(numbers);
        cells.push(Cell::maybe(self.unit_price_minor));
        cells
    }
}

/// One row for each step; its lines, which are of several kinds, are counted.
impl Row for TrailStep {
    const NAMES: &'static [&'static str] = &[
        "position",
        "type",
        "recorded_at",
        "occurred_at",
        "actor",
        "reason",
        "note",
        "reference_type",
        "reference_id",
        "idempotency_key",
        "correlation_id",
        "causation",
        "lines",
        "quantity",
    ];

    fn cells(&self) -> Vec<Cell> {
        let quantity = |line: &TrailLine| match line {
            TrailLine::Moved { quantity, .. } => *quantity,
            TrailLine::Refused { requested, .. } => *requested,
        };
        let quantity = self.lines.iter().map(quantity).fold(0, i64::saturating_add);
        vec![
            Cell::plain(self.position),
            Cell::plain(&self.kind),
            Cell::plain(self.recorded_at),
            Cell::plain(self.occurred_at),
            Cell::text(&self.actor),
            Cell::maybe(self.reason),
            Cell::maybe(self.note.as_ref()),
            Cell::maybe(self.reference.as_ref().map(|reference| &reference.kind)),
            Cell::maybe(self.reference.as_ref().map(|reference| &reference.id)),
            Cell::maybe(self.idempotency_key.as_ref()),
            Cell::maybe(self.correlation_id.as_ref()),
            Cell::maybe(self.causation),
            Cell::plain(self.lines.len()),
            Cell::plain(quantity),
        ]
    }
}

impl Row for Listed {
    const NAMES: &'static [&'static str] = &[
        "key_id",
        "name",
        "status",
        "scopes",
        "sites",
        "expires_at",
        "created_at",
        "created_by",
        "revoked_at",
        "revoked_by",
        "position",
    ];

    fn cells(&self) -> Vec<Cell> {
        let key = &self.key;
        vec![
            Cell::plain(&key.key_id),
            Cell::text(&key.name),
            Cell::plain(self.status),
            Cell::plain(joined(&key.scopes)),
            Cell::maybe(key.sites.as_deref().map(joined)),
            Cell::maybe(key.expires_at),
            Cell::plain(key.created_at),
            Cell::text(&key.created_by),
            Cell::maybe(key.revoked_at),
            Cell::maybe(key.revoked_by.as_ref()),
            Cell::plain(key.position),
        ]
    }
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
