//! An order as of some moment: what its steps up to then had made of it.
//!
//! What never changes of an accepted order stands in its row, what the steps did to it in their movements. A refused
//! attempt is in no row any more once the next one was made; the trail keeps it whole.

use std::collections::HashMap;

use serde::Deserialize;
use stockledger_schemas::{
    Currency, CustomerId, Level, Order as Stored, OrderId, OrderLine as StoredLine, OrderStatus, Position,
    Quantity, Sku, Timestamp,
};

use super::orders::{TRAIL_LINES, order_row};
use super::past::Then;
use super::{Moment, Queries, Result};
use crate::lines;
use crate::rows::OrderRow;
use crate::store::Error;
use crate::value::{Fields, Value};
use crate::views::{Answer, KnownSite, NotYet, Order, OrderLine, PastOrder};

/// The steps of an order up to one, as far as they say what became of it.
pub(super) const STEPS_THEN: &str = "\
    SELECT t.seq, t.type, t.recorded_at, t.occurred_at, t.detail \
    FROM (SELECT site, seq FROM {trail} WHERE site = ? AND order_id = ? AND seq > 0 AND seq <= ? \
    ORDER BY seq LIMIT 1000000) k \
    JOIN {trail} t ON t.site = k.site AND t.seq = k.seq ORDER BY t.seq";

/// One step of an order that counts.
struct Step {
    seq: u64,
    kind: String,
    recorded_at: Timestamp,
    occurred_at: Timestamp,
    detail: Option<String>,
}

/// What the trail keeps of a refused attempt.
#[derive(Deserialize)]
struct Refused {
    customer: Option<CustomerId>,
    currency: Option<Currency>,
    lines: Vec<RefusedLine>,
}

#[derive(Deserialize)]
struct RefusedLine {
    sku: Sku,
    requested: i64,
    unit_price_minor: Option<i64>,
}

impl Queries {
    /// An order then, accepted or refused; nothing if it was never placed until today.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn order_then(
        &self,
        known: &KnownSite,
        order_id: &OrderId,
        then: Then,
    ) -> Result<Option<Answer<PastOrder>>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let Some(row) = order_row(&mut moment, known, order_id).await? else { return Ok(None) };
        moment.go_to(&known.site, then, None).await?;
        let order = moment.order_of(known, row, then).await?;
        Ok(Some(moment.answer(order)))
    }
}

impl Moment {
    async fn order_of(&mut self, known: &KnownSite, row: OrderRow, then: Then) -> Result<PastOrder> {
        let steps = self.steps(known, &row.order_id, then).await?;
        if let Some(placed) = steps.iter().find(|step| step.kind == "order_placed") {
            let last = steps.iter().map(|step| step.seq).max().unwrap_or(placed.seq);
            let lines = self.lines_of(known, &row, &steps).await?;
            return Ok(PastOrder::There(order(row, lines, self.position(last))?));
        }
        let when = |step: &&Step| match then {
            Then::Recorded(_) => (step.recorded_at, step.seq),
            Then::Occurred(_) => (step.occurred_at, step.seq),
        };
        match steps.iter().filter(|step| step.kind == "out_of_stock").max_by_key(when) {
            Some(step) => self.refused(row, step).map(PastOrder::There),
            None => Ok(PastOrder::NotYet(not_yet(row))),
        }
    }

    async fn steps(&mut self, known: &KnownSite, order_id: &OrderId, then: Then) -> Result<Vec<Step>> {
        let parameters = vec![(&known.site).into(), order_id.into(), Value::from(self.at.position.seq)];
        let rows = self.select(STEPS_THEN, parameters).await?;
        let mut steps = rows.into_iter().map(step).collect::<Result<Vec<_>>>()?;
        steps.retain(|step| step.kind != "command_refused");
        if let Then::Occurred(until) = then {
            steps.retain(|step| step.occurred_at <= until);
        }
        Ok(steps)
    }

    /// The lines of an accepted order after some of its steps.
    async fn lines_of(
        &mut self,
        known: &KnownSite,
        row: &OrderRow,
        steps: &[Step],
    ) -> Result<Vec<OrderLine>> {
        let mut lines = lines::from_text(&row.lines)?;
        for line in &mut lines {
            (line.shipped, line.cancelled, line.returned) = (0, 0, 0);
        }
        let places: HashMap<Sku, usize> =
            lines.iter().enumerate().map(|(place, line)| (line.sku.clone(), place)).collect();
        let kinds: HashMap<u64, &str> = steps.iter().map(|step| (step.seq, step.kind.as_str())).collect();
        let to = Value::from(self.at.position.seq);
        let order_id = &row.order_id;
        let parameters = vec![(&known.site).into(), order_id.into(), Value::Int(0), to, order_id.into()];
        for mut fields in self.select(TRAIL_LINES, parameters).await? {
            let (seq, sku): (u64, Sku) = (fields.number()?, fields.text()?);
            let (on_hand, reserved) = (fields.int()?, fields.int()?);
            let line = places.get(&sku).and_then(|place| lines.get_mut(*place));
            let line = line.ok_or_else(|| unreadable("a line of the order", &sku))?;
            match kinds.get(&seq).copied() {
                Some("order_shipped") => line.shipped -= on_hand,
                Some("order_cancelled") => line.cancelled -= reserved,
                Some("order_returned") => line.returned += on_hand,
                _ => {}
            }
        }
        Ok(lines)
    }

    /// A refused attempt as its step tells of it.
    fn refused(&self, row: OrderRow, step: &Step) -> Result<Order> {
        let detail = step.detail.as_deref().unwrap_or_default();
        let refused: Refused =
            serde_json::from_str(detail).map_err(|_| unreadable("the detail of a refused order", &detail))?;
        Ok(Order {
            site: row.site,
            order_id: row.order_id,
            status: OrderStatus::Refused,
            customer: refused.customer,
            currency: refused.currency,
            lines: refused.lines.into_iter().map(refused_line).collect(),
            placed_at: step.recorded_at,
            occurred_at: step.occurred_at,
            position: self.position(step.seq),
        })
    }
}

fn step(mut fields: Fields) -> Result<Step> {
    Ok(Step {
        seq: fields.number()?,
        kind: fields.text()?,
        recorded_at: fields.time()?,
        occurred_at: fields.time()?,
        detail: fields.optional_text()?,
    })
}

fn refused_line(line: RefusedLine) -> OrderLine {
    let RefusedLine { sku, requested: ordered, unit_price_minor } = line;
    OrderLine { sku, ordered, shipped: 0, cancelled: 0, returned: 0, unit_price_minor }
}

/// An accepted order with lines as they were.
fn order(row: OrderRow, lines: Vec<OrderLine>, position: Position) -> Result<Order> {
    Ok(Order {
        status: status(&row, &lines)?,
        site: row.site,
        order_id: row.order_id,
        customer: row.customer,
        currency: row.currency,
        lines,
        placed_at: row.placed_at,
        occurred_at: row.occurred_at,
        position,
    })
}

/// Where an accepted order with these lines stands, by the one rule that there is for it.
fn status(row: &OrderRow, lines: &[OrderLine]) -> Result<OrderStatus> {
    let order = Stored {
        order_id: row.order_id.clone(),
        customer: None,
        currency: None,
        placed_at: row.placed_at,
        occurred_at: row.occurred_at,
        lines: lines.iter().map(stored_line).collect::<Result<_>>()?,
    };
    Ok(order.status())
}

fn stored_line(line: &OrderLine) -> Result<StoredLine> {
    let quantity = |number| Quantity::new(number).map_err(|_| unreadable("a quantity", &number));
    let level = |number| Level::new(number).map_err(|_| unreadable("a quantity", &number));
    Ok(StoredLine {
        shipped: level(line.shipped)?,
        cancelled: level(line.cancelled)?,
        returned: level(line.returned)?,
        ..StoredLine::new(line.sku.clone(), quantity(line.ordered)?, None)
    })
}

fn not_yet(row: OrderRow) -> NotYet {
    NotYet {
        site: row.site,
        order_id: row.order_id,
        status: (),
        customer: (),
        currency: (),
        lines: [],
        placed_at: (),
        occurred_at: (),
        position: (),
    }
}

fn unreadable(expected: &'static str, found: &impl std::fmt::Display) -> Error {
    Error::Unreadable { expected, found: found.to_string() }
}
