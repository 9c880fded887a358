//! The trail: one row per decision of a site, with who, when and why, and what the movements do not say.
//!
//! A decision is called by the event that is about an order, else by its first one; what its other events changed stands in
//! its movements.

use serde::Serialize;
use stockledger_schemas::event::{CountedLine, OutOfStock, RefusedLine};
use stockledger_schemas::{Currency, CustomerId, Event, Level, Quantity, Sku};

use super::{Reason, Step};
use crate::rows::TrailRow;

pub(super) fn add(step: &mut Step<'_>) -> Result<(), Reason> {
    if !step.view.keeps_history() {
        return Ok(());
    }
    let decision = step.decision;
    let of_order = decision.events.iter().find(|event| event.order_id().is_some());
    let Some(event) = of_order.or_else(|| decision.events.first()) else { return Ok(()) };
    let context = &decision.context;
    let row = TrailRow {
        site: step.site.clone(),
        seq: step.seq,
        kind: event.type_name(),
        order_id: event.order_id().cloned(),
        recorded_at: decision.recorded_at,
        occurred_at: decision.occurred_at(),
        actor: context.actor.clone(),
        reason: context.reason.or_else(|| reason_of(event)),
        note: context.note.clone(),
        reference: context.reference.clone(),
        idempotency_key: decision.request.as_ref().map(|request| request.key.clone()),
        correlation_id: context.correlation_id.clone(),
        detail: detail_of(event)?,
    };
    step.view.add_trail(row);
    Ok(())
}

/// A hold says why in its event; the context then need not.
fn reason_of(event: &Event) -> Option<stockledger_schemas::Reason> {
    match event {
        Event::StockHeld(held) => Some(held.reason.into()),
        Event::HoldReleased(released) => Some(released.reason.into()),
        _ => None,
    }
}

/// The detail of a row of `trail` that has lines.
#[derive(Serialize)]
struct Lines<L> {
    lines: Vec<L>,
}

/// The detail of a refused order: all that its row held until the next attempt.
#[derive(Serialize)]
struct RefusedOrder<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a CustomerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a Currency>,
    lines: Vec<ShortLine<'a>>,
}

#[derive(Serialize)]
struct ShortLine<'a> {
    sku: &'a Sku,
    requested: Quantity,
    available: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price_minor: Option<Level>,
}

#[derive(Serialize)]
struct CountLine<'a> {
    sku: &'a Sku,
    counted: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_at_seq: Option<u64>,
}

fn detail_of(event: &Event) -> Result<Option<String>, Reason> {
    match event {
        Event::OutOfStock(refused) => json(&refused_order(refused)),
        Event::StockCounted(counted) => {
            json(&Lines { lines: counted.lines.iter().map(count_line).collect() })
        }
        Event::CommandRefused(refused) => json(refused),
        _ => Ok(None),
    }
}

fn json(detail: &impl Serialize) -> Result<Option<String>, Reason> {
    serde_json::to_string(detail).map(Some).map_err(|_| Reason::Detail)
}

fn refused_order(refused: &OutOfStock) -> RefusedOrder<'_> {
    RefusedOrder {
        customer: refused.customer.as_ref(),
        currency: refused.currency.as_ref(),
        lines: refused.lines.iter().map(short_line).collect(),
    }
}

fn short_line(line: &RefusedLine) -> ShortLine<'_> {
    ShortLine {
        sku: &line.sku,
        requested: line.requested,
        available: line.available,
        unit_price_minor: line.unit_price_minor,
    }
}

fn count_line(line: &CountedLine) -> CountLine<'_> {
    CountLine { sku: &line.sku, counted: line.counted, counted_at_seq: line.counted_at_seq }
}
