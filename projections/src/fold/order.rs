//! Orders: their rows, their lines, and what each step does to stock.

use stockledger_schemas::event::{
    LineMove, OrderCancelled, OrderPlaced, OrderReturned, OrderShipped, OutOfStock, PlacedLine, RefusedLine,
    ReturnMove,
};
use stockledger_schemas::{
    Currency, CustomerId, Disposition, HoldReason, Order, OrderId, OrderLine, OrderStatus, Sku,
};

use super::stock::Change;
use super::{Reason, Step};
use crate::lines;
use crate::rows::OrderRow;

pub(super) fn placed(step: &mut Step<'_>, placed: &OrderPlaced) -> Result<(), Reason> {
    let order_id = &placed.order_id;
    let lines: Vec<OrderLine> = placed.lines.iter().map(placed_line).collect();
    step.open_order(
        order_id,
        placed.customer.as_ref(),
        placed.currency.as_ref(),
        &lines,
        OrderStatus::Placed,
    )?;
    placed.lines.iter().try_for_each(|line| {
        let change = Change::reserved(line.quantity.get());
        step.move_stock("order_placed", &line.sku, change, line.after, Some(order_id))
    })
}

/// A refused order has a row and lines too, so that it can be asked for; it moves nothing.
pub(super) fn refused(step: &mut Step<'_>, refused: &OutOfStock) -> Result<(), Reason> {
    let lines: Vec<OrderLine> = refused.lines.iter().map(refused_line).collect();
    let (customer, currency) = (refused.customer.as_ref(), refused.currency.as_ref());
    step.open_order(&refused.order_id, customer, currency, &lines, OrderStatus::Refused)
}

pub(super) fn shipped(step: &mut Step<'_>, shipped: &OrderShipped) -> Result<(), Reason> {
    step.continue_order(&shipped.order)?;
    shipped.moves.iter().try_for_each(|moved: &LineMove| {
        let quantity = moved.quantity.get();
        let change = Change { on_hand: -quantity, reserved: -quantity, held: None };
        let sku = sku_of(&shipped.order, moved.line)?;
        step.move_stock("order_shipped", sku, change, moved.after, Some(&shipped.order.order_id))
    })
}

pub(super) fn cancelled(step: &mut Step<'_>, cancelled: &OrderCancelled) -> Result<(), Reason> {
    step.continue_order(&cancelled.order)?;
    cancelled.moves.iter().try_for_each(|moved: &LineMove| {
        let change = Change::reserved(-moved.quantity.get());
        let sku = sku_of(&cancelled.order, moved.line)?;
        step.move_stock("order_cancelled", sku, change, moved.after, Some(&cancelled.order.order_id))
    })
}

pub(super) fn returned(step: &mut Step<'_>, returned: &OrderReturned) -> Result<(), Reason> {
    step.continue_order(&returned.order)?;
    returned.moves.iter().try_for_each(|moved: &ReturnMove| {
        let quantity = moved.quantity.get();
        let held = match moved.disposition {
            Disposition::Restock => None,
            Disposition::Damaged => Some((HoldReason::Damaged, quantity)),
        };
        let change = Change { on_hand: quantity, reserved: 0, held };
        let sku = sku_of(&returned.order, moved.line)?;
        step.move_stock("order_returned", sku, change, moved.after, Some(&returned.order.order_id))
    })
}

fn placed_line(line: &PlacedLine) -> OrderLine {
    OrderLine::new(line.sku.clone(), line.quantity, line.unit_price_minor)
}

fn refused_line(line: &RefusedLine) -> OrderLine {
    OrderLine::new(line.sku.clone(), line.requested, line.unit_price_minor)
}

fn sku_of(order: &Order, line: u16) -> Result<&Sku, Reason> {
    let line = order.lines.get(usize::from(line));
    line.map(|line| &line.sku).ok_or_else(|| contradicts(&order.order_id, "line numbers"))
}

impl Step<'_> {
    /// The first row of an order, or the next attempt after refused ones.
    fn open_order(
        &mut self,
        order_id: &OrderId,
        customer: Option<&CustomerId>,
        currency: Option<&Currency>,
        lines: &[OrderLine],
        status: OrderStatus,
    ) -> Result<(), Reason> {
        if !self.view.keeps_orders() {
            return Ok(());
        }
        let before = self.view.order(self.site, order_id);
        if before.is_some_and(|before| before.status != OrderStatus::Refused) {
            return Err(Reason::OrderExists { order_id: order_id.clone() });
        }
        let row = OrderRow {
            site: self.site.clone(),
            order_id: order_id.clone(),
            status,
            customer: customer.cloned(),
            currency: currency.cloned(),
            placed_seq: self.seq,
            placed_at: self.decision.recorded_at,
            occurred_at: self.decision.occurred_at(),
            line_count: count(order_id, lines.len())?,
            lines: lines_of(order_id, lines)?,
            seq: self.seq,
        };
        self.view.set_order(row);
        Ok(())
    }

    /// The next row of an accepted order, which the event carries whole.
    fn continue_order(&mut self, order: &Order) -> Result<(), Reason> {
        if !self.view.keeps_orders() {
            return Ok(());
        }
        let order_id = &order.order_id;
        let before = self.view.order(self.site, order_id);
        let Some(before) = before.filter(|before| before.status != OrderStatus::Refused) else {
            return Err(Reason::OrderUnknown { order_id: order_id.clone() });
        };
        let row = OrderRow {
            site: self.site.clone(),
            order_id: order_id.clone(),
            status: order.status(),
            customer: order.customer.clone(),
            currency: order.currency.clone(),
            placed_seq: before.placed_seq,
            placed_at: order.placed_at,
            occurred_at: order.occurred_at,
            line_count: count(order_id, order.lines.len())?,
            lines: lines_of(order_id, &order.lines)?,
            seq: self.seq,
        };
        if !self.view.is_same_order(before, &row) {
            return Err(contradicts(order_id, "times, customer, currency or number of lines"));
        }
        self.view.set_order(row);
        Ok(())
    }
}

/// The lines as they stand in the order's row.
fn lines_of(order_id: &OrderId, lines: &[OrderLine]) -> Result<String, Reason> {
    if lines.iter().any(|line| line.open() < 0 || line.returnable() < 0) {
        return Err(contradicts(order_id, "quantities"));
    }
    lines::to_text(lines).map_err(|_| Reason::Detail)
}

fn count(order_id: &OrderId, number: usize) -> Result<i64, Reason> {
    i64::try_from(number).map_err(|_| contradicts(order_id, "number of lines"))
}

fn contradicts(order_id: &OrderId, what: &'static str) -> Reason {
    Reason::OrderContradicts { order_id: order_id.clone(), what }
}
