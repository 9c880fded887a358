//! Orders.

use std::collections::HashMap;

use stockledger_schemas::event::{
    LineMove, OrderCancelled, OrderPlaced, OrderReturned, OrderShipped, OutOfStock, RefusedLine, ReturnMove,
};
use stockledger_schemas::{
    Decision, Disposition, HoldId, HoldReason, Level, Order, OrderId, OrderLine, Position, Quantity, Sku,
};

use crate::apply::Breach;
use crate::apply::stock::{change, one_line_per_sku, was_there};
use crate::progress::{Progress, return_hold_id};
use crate::state::{Hold, ResidentOrder, Site};
use crate::stock::Step;

pub(super) fn placed(site: &mut Site, decision: &Decision, event: &OrderPlaced) -> Result<(), Breach> {
    not_accepted(site, &event.order_id)?;
    one_line_per_sku(event.lines.iter().map(|line| &line.sku))?;
    for line in &event.lines {
        change(&mut site.stock, decision.seq, &line.sku, Step::reserve(line.quantity), line.after)?;
    }
    let lines = event.lines.iter();
    let lines = lines.map(|line| OrderLine::new(line.sku.clone(), line.quantity, line.unit_price_minor));
    let order = Order {
        order_id: event.order_id.clone(),
        customer: event.customer.clone(),
        currency: event.currency.clone(),
        placed_at: decision.recorded_at,
        occurred_at: decision.occurred_at(),
        lines: lines.collect(),
    };
    site.orders.insert(order.order_id.clone(), ResidentOrder { order, seq: decision.seq });
    Ok(())
}

/// Changes nothing; but the order was not accepted before, and its goods were as short as the event says.
pub(super) fn out_of_stock(site: &Site, event: &OutOfStock) -> Result<(), Breach> {
    not_accepted(site, &event.order_id)?;
    one_line_per_sku(event.lines.iter().map(|line| &line.sku))?;
    for line in &event.lines {
        was_there(&line.sku, site.stock_of(&line.sku).available(), line.available)?;
    }
    if event.lines.iter().any(RefusedLine::is_short) { Ok(()) } else { Err(Breach::NothingShort) }
}

pub(super) fn shipped(site: &mut Site, seq: u64, event: &OrderShipped) -> Result<(), Breach> {
    step(site, seq, &event.order, &event.moves, Progress::Ship, Step::ship)
}

pub(super) fn cancelled(site: &mut Site, seq: u64, event: &OrderCancelled) -> Result<(), Breach> {
    step(site, seq, &event.order, &event.moves, Progress::Cancel, Step::cancel)
}

pub(super) fn returned(site: &mut Site, position: Position, event: &OrderReturned) -> Result<(), Breach> {
    if !site.orders.contains_key(&event.order.order_id) {
        site.make_resident(before_return(event)?, 0);
    }
    if event.moves.is_empty() {
        return Err(Breach::NoLines);
    }
    for return_move in &event.moves {
        let order = resident(&mut site.orders, &event.order.order_id)?;
        let sku =
            advance(&mut order.order, return_move.line, return_move.quantity, Progress::Return)?.clone();
        let back = Step::take_back(return_move.disposition, return_move.quantity);
        change(&mut site.stock, position.seq, &sku, back, return_move.after)?;
        hold_damaged(site, position, &sku, return_move)?;
    }
    keep(resident(&mut site.orders, &event.order.order_id)?, position.seq, &event.order)
}

fn not_accepted(site: &Site, order_id: &OrderId) -> Result<(), Breach> {
    if site.orders.contains_key(order_id) { Err(Breach::OrderExists) } else { Ok(()) }
}

/// What an order was before it was returned: a closed order may have left memory, but its event carries it whole, so what
/// it was is what it is now less what came back.
///
/// # Errors
/// [`Breach`] if the order of the event is not whole and closed, which is all that can be checked without its history.
pub fn before_return(event: &OrderReturned) -> Result<Order, Breach> {
    let mut order = event.order.clone();
    for return_move in &event.moves {
        let line = order.lines.get_mut(usize::from(return_move.line));
        let line = line.ok_or(Breach::WrongStep(return_move.line))?;
        let before = line.returned.checked_add(-return_move.quantity.get());
        line.returned = before.ok_or(Breach::WrongStep(return_move.line))?;
    }
    one_line_per_sku(order.lines.iter().map(|line| &line.sku))?;
    let is_closed = order.lines.iter().all(|line| line.open() == 0);
    if is_closed { Ok(order) } else { Err(Breach::UnknownOrder) }
}

/// A step of an open order. Those are always in memory, so one that is not there was never accepted.
fn step(
    site: &mut Site,
    seq: u64,
    after: &Order,
    moves: &[LineMove],
    progress: Progress,
    step: fn(Quantity) -> Step,
) -> Result<(), Breach> {
    let order = resident(&mut site.orders, &after.order_id)?;
    if moves.is_empty() {
        return Err(Breach::NoLines);
    }
    for line_move in moves {
        let sku = advance(&mut order.order, line_move.line, line_move.quantity, progress)?;
        change(&mut site.stock, seq, sku, step(line_move.quantity), line_move.after)?;
    }
    keep(order, seq, after)
}

fn resident<'a>(
    orders: &'a mut HashMap<OrderId, ResidentOrder>,
    order_id: &OrderId,
) -> Result<&'a mut ResidentOrder, Breach> {
    orders.get_mut(order_id).ok_or(Breach::UnknownOrder)
}

/// Lets it happen to a line; says of which SKU the line is.
fn advance(order: &mut Order, line: u16, quantity: Quantity, progress: Progress) -> Result<&Sku, Breach> {
    let place = order.lines.get_mut(usize::from(line)).ok_or(Breach::WrongStep(line))?;
    if progress.advance(place, quantity) { Ok(&place.sku) } else { Err(Breach::WrongStep(line)) }
}

/// The order that the steps gave must be the one that the event says.
fn keep(order: &mut ResidentOrder, seq: u64, found: &Order) -> Result<(), Breach> {
    if order.order != *found {
        return Err(Breach::WrongOrder);
    }
    order.seq = seq;
    Ok(())
}

/// Damaged goods of a return are held under an id that only the ledger makes, restocked ones are not held.
fn hold_damaged(site: &mut Site, position: Position, sku: &Sku, goods: &ReturnMove) -> Result<(), Breach> {
    let expected: Option<HoldId> = match goods.disposition {
        Disposition::Restock => None,
        Disposition::Damaged => Some(return_hold_id(position, goods.line)),
    };
    if goods.hold_id != expected {
        return Err(Breach::WrongHold);
    }
    let Some(hold_id) = expected else { return Ok(()) };
    let hold = Hold {
        sku: sku.clone(),
        reason: HoldReason::Damaged,
        quantity: goods.quantity,
        remaining: Level::from(goods.quantity),
        seq: position.seq,
    };
    match site.holds.insert(hold_id.clone(), hold) {
        Some(_) => Err(Breach::HoldExists(hold_id)),
        None => Ok(()),
    }
}
