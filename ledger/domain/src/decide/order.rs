//! Decisions about orders: placed, shipped, cancelled, returned. Each is all or nothing.

use std::collections::HashMap;

use stockledger_schemas::event::{
    LineMove, OrderCancelled, OrderPlaced, OrderReturned, OrderShipped, OutOfStock, PlacedLine, RefusedLine,
    ReturnMove,
};
use stockledger_schemas::refusal::{
    ExceedsOpen, ExceedsReturnable, NotInOrder, OrderExists, OrderFinished, UnknownOrder,
};
use stockledger_schemas::{Disposition, Event, Level, Order, OrderId, OrderLine, Position, Quantity, Sku};

use crate::command::{CancelOrder, PlaceOrder, ReturnOrder, ShipOrder};
use crate::decide::stock::balances_after;
use crate::decide::{Rejection, refuse, stock_after, totals};
use crate::lines::Sum;
use crate::progress::{Progress, return_hold_id};
use crate::state::Site;
use crate::stock::{Step, Stock};

/// So much of one line of an order.
struct Pick<'a> {
    /// Which line, from 0.
    line: u16,
    /// The line as it is before.
    before: &'a OrderLine,
    quantity: Quantity,
}

pub(super) fn place(site: &Site, command: &PlaceOrder) -> Result<Event, Rejection> {
    if site.orders.contains_key(&command.order_id) {
        return refuse(OrderExists {});
    }
    let lines = requested_lines(site, command)?;
    let PlaceOrder { order_id, customer, currency, .. } = command.clone();
    if lines.iter().any(RefusedLine::is_short) {
        return Err(Rejection::OutOfStock(OutOfStock { order_id, customer, currency, lines }));
    }
    let reserved = |line: RefusedLine| {
        let RefusedLine { sku, requested: quantity, unit_price_minor, .. } = line;
        let after = balances_after(site, &sku, Step::reserve(quantity))?;
        Ok(PlacedLine { sku, quantity, unit_price_minor, after })
    };
    let lines = lines.into_iter().map(reserved).collect::<Result<_, Rejection>>()?;
    Ok(OrderPlaced { order_id, customer, currency, lines }.into())
}

pub(super) fn ship(site: &Site, command: &ShipOrder) -> Result<Event, Rejection> {
    let order = order_with_open_lines(site, &command.order_id)?;
    let picks = match &command.lines {
        None => everything_open(order),
        Some(lines) => {
            let sums: Vec<_> = totals(lines.iter().map(|line| (&line.sku, line.quantity.get())))?;
            picks_of(order, sums.iter().map(|sum| (sum.key, sum.total)))?
        }
    };
    let order = advanced(order, &picks, Progress::Ship)?;
    let moves = moves(site, &picks, Step::ship)?;
    Ok(OrderShipped { order, moves }.into())
}

pub(super) fn cancel(site: &Site, command: &CancelOrder) -> Result<Event, Rejection> {
    let order = order_with_open_lines(site, &command.order_id)?;
    let picks = everything_open(order);
    let order = advanced(order, &picks, Progress::Cancel)?;
    let moves = moves(site, &picks, Step::cancel)?;
    Ok(OrderCancelled { order, moves }.into())
}

pub(super) fn take_back(site: &Site, command: &ReturnOrder, position: Position) -> Result<Event, Rejection> {
    let order = known_order(site, &command.order_id)?;
    if order.lines.iter().all(|line| line.returnable() <= 0) {
        return refuse(OrderFinished { status: order.status() });
    }
    let by_sku: Vec<_> = totals(command.lines.iter().map(|line| (&line.sku, line.quantity.get())))?;
    let picks = picks_of(order, by_sku.iter().map(|sum| (sum.key, sum.total)))?;
    let after = advanced(order, &picks, Progress::Return)?;
    let moves = return_moves(site, order, command, position)?;
    Ok(OrderReturned { order: after, moves }.into())
}

fn known_order<'a>(site: &'a Site, order_id: &OrderId) -> Result<&'a Order, Rejection> {
    site.orders.get(order_id).map_or_else(|| refuse(UnknownOrder {}), |resident| Ok(&resident.order))
}

fn order_with_open_lines<'a>(site: &'a Site, order_id: &OrderId) -> Result<&'a Order, Rejection> {
    let order = known_order(site, order_id)?;
    if order.is_open() { Ok(order) } else { refuse(OrderFinished { status: order.status() }) }
}

/// The lines of a new order, one per SKU, beside what is available of each.
fn requested_lines(site: &Site, command: &PlaceOrder) -> Result<Vec<RefusedLine>, Rejection> {
    let sums = totals(command.lines.iter().map(|line| (&line.sku, line.quantity.get())))?;
    let line = |Sum { key: sku, first, total: requested }: Sum<&Sku, Quantity>| RefusedLine {
        sku: sku.clone(),
        requested,
        available: site.stock_of(sku).available(),
        unit_price_minor: command.lines[first].unit_price_minor,
    };
    Ok(sums.into_iter().map(line).collect())
}

fn everything_open(order: &Order) -> Vec<Pick<'_>> {
    let open = numbered(order).filter_map(|(line, before)| {
        let quantity = Quantity::new(before.open()).ok()?;
        Some(Pick { line, before, quantity })
    });
    open.collect()
}

/// The lines of the order that a command names, in the command's order.
fn picks_of<'a>(
    order: &'a Order,
    wanted: impl Iterator<Item = (&'a Sku, Quantity)>,
) -> Result<Vec<Pick<'a>>, Rejection> {
    let lines: HashMap<&Sku, (u16, &OrderLine)> =
        numbered(order).map(|(line, before)| (&before.sku, (line, before))).collect();
    let pick = |(sku, quantity): (&Sku, Quantity)| match lines.get(sku) {
        Some((line, before)) => Ok(Pick { line: *line, before, quantity }),
        None => refuse(NotInOrder { sku: sku.clone() }),
    };
    wanted.map(pick).collect()
}

fn numbered(order: &Order) -> impl Iterator<Item = (u16, &OrderLine)> {
    (0..=u16::MAX).zip(&order.lines)
}

/// The order after a step of the picked lines; refused if it is more than what such a step can still happen to.
fn advanced(order: &Order, picks: &[Pick<'_>], progress: Progress) -> Result<Order, Rejection> {
    let mut after = order.clone();
    for pick in picks {
        let line = after.lines.get_mut(usize::from(pick.line));
        if !line.is_some_and(|line| progress.advance(line, pick.quantity)) {
            return refuse_excess(pick, progress);
        }
    }
    Ok(after)
}

fn refuse_excess<T>(pick: &Pick<'_>, progress: Progress) -> Result<T, Rejection> {
    let (sku, requested) = (pick.before.sku.clone(), pick.quantity);
    let limit = Level::new(progress.limit(pick.before)).unwrap_or(Level::ZERO);
    match progress {
        Progress::Ship | Progress::Cancel => refuse(ExceedsOpen { sku, requested, open: limit }),
        Progress::Return => refuse(ExceedsReturnable { sku, requested, returnable: limit }),
    }
}

fn moves(site: &Site, picks: &[Pick<'_>], step: fn(Quantity) -> Step) -> Result<Vec<LineMove>, Rejection> {
    let line_move = |pick: &Pick<'_>| {
        let after = balances_after(site, &pick.before.sku, step(pick.quantity))?;
        Ok(LineMove { line: pick.line, quantity: pick.quantity, after })
    };
    picks.iter().map(line_move).collect()
}

/// What comes back, one move per line and disposition. A line may come back in both ways, so each move goes on from the
/// stock that the one before has left.
fn return_moves(
    site: &Site,
    order: &Order,
    command: &ReturnOrder,
    position: Position,
) -> Result<Vec<ReturnMove>, Rejection> {
    let lines = command.lines.iter().map(|line| ((&line.sku, line.disposition), line.quantity.get()));
    let sums: Vec<Sum<(&Sku, Disposition), Quantity>> = totals(lines)?;
    let picks = picks_of(order, sums.iter().map(|sum| (sum.key.0, sum.total)))?;
    let mut stocks: HashMap<&Sku, Stock> = HashMap::new();
    let mut moves = Vec::with_capacity(picks.len());
    for (Pick { line, before, quantity }, sum) in picks.into_iter().zip(&sums) {
        let disposition = sum.key.1;
        let stock = stocks.entry(&before.sku).or_insert_with(|| site.stock_of(&before.sku));
        *stock = stock_after(*stock, &before.sku, Step::take_back(disposition, quantity))?;
        let hold_id = (disposition == Disposition::Damaged).then(|| return_hold_id(position, line));
        moves.push(ReturnMove { line, quantity, disposition, hold_id, after: stock.balances() });
    }
    Ok(moves)
}
