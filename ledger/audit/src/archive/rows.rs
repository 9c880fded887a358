//! Decisions as rows of a table: one for each order line or movement, or one for the step where it has no lines.

use stockledger_schemas::event::{LineMove, OrderReturned};
use stockledger_schemas::{Balances, Decision, Event, HoldId, Order, OrderId, Position, Scope, Sku};

/// The heading.
pub(super) const COLUMNS: [&str; 22] = [
    "position",
    "event",
    "recorded_at",
    "occurred_at",
    "site",
    "type",
    "order_id",
    "hold_id",
    "sku",
    "quantity",
    "available",
    "on_hand_after",
    "reserved_after",
    "held_after",
    "refusal",
    "actor",
    "reason",
    "note",
    "reference",
    "idempotency_key",
    "correlation_id",
    "name",
];

/// What is special about one row.
#[derive(Default)]
struct Row<'a> {
    site: Option<&'a str>,
    order_id: Option<&'a OrderId>,
    hold_id: Option<&'a HoldId>,
    sku: Option<&'a Sku>,
    /// How much the line is about; a difference where an event is about one.
    quantity: Option<i64>,
    /// What was available, of a refused line.
    available: Option<i64>,
    after: Option<Balances>,
    refusal: Option<&'static str>,
    name: Option<&'a str>,
}

/// The rows of a decision.
pub(super) fn of(position: Position, decision: &Decision) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (index, event) in decision.events.iter().enumerate() {
        rows.extend(of_event(event).into_iter().map(|row| cells(position, decision, index, event, &row)));
    }
    rows
}

fn of_event(event: &Event) -> Vec<Row<'_>> {
    match event {
        Event::SiteRegistered(event) => vec![named(Some(event.site.as_str()), event.name.as_str(), None)],
        Event::SiteRenamed(event) => vec![named(Some(event.site.as_str()), event.name.as_str(), None)],
        Event::ItemRegistered(event) => vec![named(None, event.name.as_str(), Some(&event.sku))],
        Event::ItemUpdated(event) => vec![named(None, event.name.as_str(), Some(&event.sku))],
        Event::KeyCreated(event) => vec![named(None, event.name.as_str(), None)],
        Event::SiteOpened(_) | Event::NoteRecorded(_) | Event::KeyRevoked(_) => vec![Row::default()],
        Event::StockReceived(event) => {
            event.lines.iter().map(|line| moved(&line.sku, line.quantity.get(), line.after)).collect()
        }
        Event::StockAdjusted(event) => {
            event.lines.iter().map(|line| moved(&line.sku, line.delta.get(), line.after)).collect()
        }
        Event::StockCounted(event) => {
            event.lines.iter().map(|line| moved(&line.sku, line.delta.get(), line.after)).collect()
        }
        Event::StockHeld(event) => {
            vec![Row {
                hold_id: Some(&event.hold_id),
                ..moved(&event.sku, event.quantity.get(), event.after)
            }]
        }
        Event::HoldReleased(event) => {
            vec![Row {
                hold_id: Some(&event.hold_id),
                ..moved(&event.sku, event.quantity.get(), event.after)
            }]
        }
        Event::OrderPlaced(event) => {
            let lines = event.lines.iter().map(|line| moved(&line.sku, line.quantity.get(), line.after));
            lines.map(|row| Row { order_id: Some(&event.order_id), ..row }).collect()
        }
        Event::OutOfStock(event) => event
            .lines
            .iter()
            .map(|line| Row {
                order_id: Some(&event.order_id),
                sku: Some(&line.sku),
                quantity: Some(line.requested.get()),
                available: Some(line.available.get()),
                ..Row::default()
            })
            .collect(),
        Event::OrderShipped(event) => of_moves(&event.order, &event.moves),
        Event::OrderCancelled(event) => of_moves(&event.order, &event.moves),
        Event::OrderReturned(event) => of_return(event),
        Event::CommandRefused(event) => vec![Row {
            order_id: event.order_id.as_ref(),
            hold_id: event.hold_id.as_ref(),
            refusal: Some(event.refusal.type_name()),
            ..Row::default()
        }],
    }
}

fn named<'a>(site: Option<&'a str>, name: &'a str, sku: Option<&'a Sku>) -> Row<'a> {
    Row { site, name: Some(name), sku, ..Row::default() }
}

fn moved(sku: &Sku, quantity: i64, after: Balances) -> Row<'_> {
    Row { sku: Some(sku), quantity: Some(quantity), after: Some(after), ..Row::default() }
}

fn of_moves<'a>(order: &'a Order, moves: &'a [LineMove]) -> Vec<Row<'a>> {
    let row = |goods: &LineMove| Row {
        order_id: Some(&order.order_id),
        sku: order.lines.get(usize::from(goods.line)).map(|line| &line.sku),
        quantity: Some(goods.quantity.get()),
        after: Some(goods.after),
        ..Row::default()
    };
    moves.iter().map(row).collect()
}

fn of_return(event: &OrderReturned) -> Vec<Row<'_>> {
    let order = &event.order;
    let goods = event.moves.iter().map(|goods| Row {
        order_id: Some(&order.order_id),
        hold_id: goods.hold_id.as_ref(),
        sku: order.lines.get(usize::from(goods.line)).map(|line| &line.sku),
        quantity: Some(goods.quantity.get()),
        after: Some(goods.after),
        ..Row::default()
    });
    goods.collect()
}

/// All cells of a row, in the order of [`COLUMNS`].
fn cells(position: Position, decision: &Decision, index: usize, event: &Event, row: &Row<'_>) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let site = match &decision.scope {
        Scope::Directory => row.site,
        Scope::Site(site) => Some(site.as_str()),
    };
    let context = &decision.context;
    let reference = context.reference.as_ref();
    vec![
        position.to_string(),
        index.to_string(),
        decision.recorded_at.to_string(),
        decision.occurred_at().to_string(),
        text(site),
        event.type_name().to_owned(),
        text(row.order_id.map(OrderId::as_str)),
        text(row.hold_id.map(HoldId::as_str)),
        text(row.sku.map(Sku::as_str)),
        number(row.quantity),
        number(row.available),
        number(row.after.map(|after| after.on_hand.get())),
        number(row.after.map(|after| after.reserved.get())),
        number(row.after.map(|after| after.held.get())),
        text(row.refusal),
        context.actor.to_string(),
        context.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        text(context.note.as_ref().map(AsRef::as_ref)),
        reference.map(|found| format!("{}:{}", found.kind, found.id)).unwrap_or_default(),
        text(decision.request.as_ref().map(|request| request.key.as_str())),
        text(context.correlation_id.as_ref().map(AsRef::as_ref)),
        text(row.name),
    ]
}
