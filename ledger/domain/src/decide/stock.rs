//! Decisions about stock: goods in, differences, counts, holds.

use stockledger_schemas::event::{
    AdjustedLine, CountedLine, HoldReleased, ReceivedLine, StockAdjusted, StockCounted, StockHeld,
    StockReceived,
};
use stockledger_schemas::refusal::{
    CountSuperseded, ExceedsHold, ExpectedQuantityStale, HoldExists, InsufficientStock, QuantityLimit,
    Shortage, UnknownHold,
};
use stockledger_schemas::{Balances, Delta, Event, Level, Position, Quantity, Sku};

use crate::command::{AdjustStock, CountLine, CountStock, HoldStock, Invalid, ReceiveStock, ReleaseHold};
use crate::decide::{Moment, Rejection, Undecidable, refuse, stock_after, totals};
use crate::lines::Sum;
use crate::state::Site;
use crate::stock::Step;

pub(super) fn receive(site: &Site, command: &ReceiveStock) -> Result<Event, Rejection> {
    let sums = totals(command.lines.iter().map(|line| (&line.sku, line.quantity.get())))?;
    let received = |Sum { key: sku, total: quantity, .. }: Sum<&Sku, Quantity>| {
        let after = balances_after(site, sku, Step::receive(quantity))?;
        Ok(ReceivedLine { sku: sku.clone(), quantity, after })
    };
    let lines = sums.into_iter().map(received).collect::<Result<_, Rejection>>()?;
    Ok(StockReceived { lines }.into())
}

pub(super) fn adjust(site: &Site, command: &AdjustStock) -> Result<Event, Rejection> {
    check_expectations(site, command.lines.iter().map(|line| (&line.sku, line.expected_on_hand)))?;
    let sums: Vec<Sum<&Sku, Delta>> = totals(command.lines.iter().map(|line| (&line.sku, line.delta.get())))?;
    let shortages = shortages(site, sums.iter().map(|sum| (sum.key, sum.total)));
    if !shortages.is_empty() {
        return refuse(InsufficientStock { shortages });
    }
    let adjusted = |Sum { key: sku, total: delta, .. }: Sum<&Sku, Delta>| {
        let after = balances_after(site, sku, Step::adjust(delta))?;
        Ok(AdjustedLine { sku: sku.clone(), delta, after })
    };
    let lines = sums.into_iter().map(adjusted).collect::<Result<_, Rejection>>()?;
    Ok(StockAdjusted { lines }.into())
}

pub(super) fn count(site: &Site, command: &CountStock, moment: &Moment<'_>) -> Result<Event, Rejection> {
    let problems = foreign_bases(&command.lines, moment.position);
    if !problems.is_empty() {
        return Err(Undecidable::CountBases(problems).into());
    }
    check_expectations(site, command.lines.iter().map(|line| (&line.sku, line.expected_on_hand)))?;
    for line in &command.lines {
        if let Some(counted_seq) = superseding_count(site, line) {
            return refuse(CountSuperseded { sku: line.sku.clone(), counted_seq });
        }
    }
    let deltas = command.lines.iter().map(|line| difference(site, line, moment));
    let deltas = deltas.collect::<Result<Vec<_>, Rejection>>()?;
    let shortages = shortages(site, command.lines.iter().map(|line| &line.sku).zip(deltas.iter().copied()));
    if !shortages.is_empty() {
        return refuse(InsufficientStock { shortages });
    }
    let counted = |(line, delta): (&CountLine, Delta)| {
        let after = balances_after(site, &line.sku, Step::adjust(delta))?;
        let counted_at_seq = line.at_position.map(|base| base.seq);
        Ok(CountedLine { sku: line.sku.clone(), counted: line.counted, counted_at_seq, delta, after })
    };
    let lines = command.lines.iter().zip(deltas).map(counted).collect::<Result<_, Rejection>>()?;
    Ok(StockCounted { lines }.into())
}

pub(super) fn hold(site: &Site, command: &HoldStock) -> Result<Event, Rejection> {
    let HoldStock { hold_id, sku, quantity, reason } = command.clone();
    if site.holds.contains_key(&hold_id) {
        return refuse(HoldExists {});
    }
    let available = site.stock_of(&sku).available();
    if quantity.get() > available.get() {
        return refuse(InsufficientStock {
            shortages: vec![Shortage { sku, requested: quantity, available }],
        });
    }
    let after = balances_after(site, &sku, Step::hold(reason, quantity))?;
    Ok(StockHeld { hold_id, sku, quantity, reason, after }.into())
}

pub(super) fn release(site: &Site, command: &ReleaseHold) -> Result<Event, Rejection> {
    let Some(hold) = site.holds.get(&command.hold_id) else {
        return refuse(UnknownHold {});
    };
    let all_that_is_left = Quantity::new(hold.remaining.get()).ok();
    let released = command.quantity.or(all_that_is_left).and_then(|quantity| {
        let remaining = hold.remaining.checked_add(-quantity.get())?;
        Some((quantity, remaining))
    });
    let Some((quantity, remaining)) = released else {
        return refuse(ExceedsHold { requested: command.quantity, remaining: hold.remaining });
    };
    let after = balances_after(site, &hold.sku, Step::release(hold.reason, quantity))?;
    let (hold_id, sku, reason) = (command.hold_id.clone(), hold.sku.clone(), hold.reason);
    Ok(HoldReleased { hold_id, sku, quantity, reason, held_at_first: hold.quantity, remaining, after }.into())
}

/// The first line that expects another quantity than is on hand.
fn check_expectations<'a>(
    site: &Site,
    mut lines: impl Iterator<Item = (&'a Sku, Option<Level>)>,
) -> Result<(), Rejection> {
    let stale = lines.find_map(|(sku, expected)| {
        let on_hand = site.stock_of(sku).on_hand;
        let expected = expected.filter(|expected| *expected != on_hand)?;
        Some(ExpectedQuantityStale { sku: sku.clone(), expected, on_hand })
    });
    stale.map_or(Ok(()), refuse)
}

/// The balances of a SKU after a step whose rungs have passed.
pub(super) fn balances_after(site: &Site, sku: &Sku, step: Step) -> Result<Balances, Rejection> {
    stock_after(site.stock_of(sku), sku, step).map(|stock| stock.balances())
}

/// Promised and held goods are not written off: no difference may take more than what is available.
fn shortages<'a>(site: &Site, deltas: impl Iterator<Item = (&'a Sku, Delta)>) -> Vec<Shortage> {
    let shortage = |(sku, delta): (&Sku, Delta)| {
        let requested = Quantity::new(-delta.get()).ok()?;
        let available = site.stock_of(sku).available();
        let is_short = requested.get() > available.get();
        is_short.then(|| Shortage { sku: sku.clone(), requested, available })
    };
    deltas.filter_map(shortage).collect()
}

/// The count that was booked after the position which this line names, if there is one: it knew better.
fn superseding_count(site: &Site, line: &CountLine) -> Option<u64> {
    let base = line.at_position?;
    site.stock_of(&line.sku).counted_seq.filter(|counted_seq| *counted_seq > base.seq)
}

/// What a count line found, less what the ledger had at the position that the line names. Moves since then are kept,
/// because the difference is booked on top of them.
fn difference(site: &Site, line: &CountLine, moment: &Moment<'_>) -> Result<Delta, Rejection> {
    let on_hand = match line.at_position {
        Some(_) => moment.counted.get(&line.sku).copied().unwrap_or(Level::ZERO),
        None => site.stock_of(&line.sku).on_hand,
    };
    let difference = line.counted.get() - on_hand.get();
    Delta::new(difference).or_else(|_| refuse(QuantityLimit { sku: line.sku.clone() }))
}

/// The lines of a count that name another partition's position, or one that was not reached yet.
fn foreign_bases(lines: &[CountLine], position: Position) -> Vec<Invalid> {
    let problem = |(index, line): (usize, &CountLine)| {
        let base = line.at_position?;
        let detail = if base.partition != position.partition {
            format!("must be a position of the site's partition {}, not {base}", position.partition)
        } else if base.seq >= position.seq {
            format!("must be a position that was reached; {base} was not")
        } else {
            return None;
        };
        Some(Invalid { pointer: format!("/lines/{index}/at_position"), detail })
    };
    lines.iter().enumerate().filter_map(problem).collect()
}
