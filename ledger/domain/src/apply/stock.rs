//! Stock: every change of a balance goes through [`change`].

use std::collections::{HashMap, HashSet};

use stockledger_schemas::event::{
    CommandRefused, CountedLine, HoldReleased, StockAdjusted, StockCounted, StockHeld, StockReceived,
};
use stockledger_schemas::{Balances, Delta, Level, Refusal, Sku};

use crate::apply::Breach;
use crate::state::{Hold, Site};
use crate::stock::{Step, Stock};

/// Lines up to which comparing each with each is the fastest way to find a SKU that stands there twice.
const FEW_LINES: usize = 16;

/// Takes a step of one SKU and compares what is there afterwards with what the event says.
pub(super) fn change(
    stock: &mut HashMap<Sku, Stock>,
    seq: u64,
    sku: &Sku,
    step: Step,
    after: Balances,
) -> Result<(), Breach> {
    let known = stock.get_mut(sku);
    let changed = known.as_deref().copied().unwrap_or_default().after(step);
    let changed = Stock { seq, ..changed.ok_or_else(|| Breach::Unbalanced(sku.clone()))? };
    let expected = changed.balances();
    if expected != after {
        return Err(Breach::WrongBalances { sku: sku.clone(), expected, found: after });
    }
    match known {
        Some(known) => *known = changed,
        None => drop(stock.insert(sku.clone(), changed)),
    }
    Ok(())
}

pub(super) fn received(site: &mut Site, seq: u64, event: &StockReceived) -> Result<(), Breach> {
    one_line_per_sku(event.lines.iter().map(|line| &line.sku))?;
    let mut lines = event.lines.iter();
    lines.try_for_each(|line| {
        change(&mut site.stock, seq, &line.sku, Step::receive(line.quantity), line.after)
    })
}

pub(super) fn adjusted(site: &mut Site, seq: u64, event: &StockAdjusted) -> Result<(), Breach> {
    one_line_per_sku(event.lines.iter().map(|line| &line.sku))?;
    let mut lines = event.lines.iter();
    lines.try_for_each(|line| change(&mut site.stock, seq, &line.sku, Step::adjust(line.delta), line.after))
}

pub(super) fn counted(site: &mut Site, seq: u64, event: &StockCounted) -> Result<(), Breach> {
    one_line_per_sku(event.lines.iter().map(|line| &line.sku))?;
    for line in &event.lines {
        check_count(site, seq, line)?;
        change(&mut site.stock, seq, &line.sku, Step::adjust(line.delta), line.after)?;
        site.stock.entry(line.sku.clone()).or_default().counted_seq = Some(seq);
    }
    Ok(())
}

/// A count of now fits if it gives its own number. A count of the past cannot be checked so, because the state does not
/// remember what was there; but it must lie in the past, and not before the last count.
fn check_count(site: &Site, seq: u64, line: &CountedLine) -> Result<(), Breach> {
    let stock = site.stock_of(&line.sku);
    let fits = match line.counted_at_seq {
        None => Delta::new(line.counted.get() - stock.on_hand.get()).is_ok_and(|delta| delta == line.delta),
        Some(base) => base < seq && stock.counted_seq.is_none_or(|last| last <= base),
    };
    if fits { Ok(()) } else { Err(Breach::WrongCount(line.sku.clone())) }
}

pub(super) fn held(site: &mut Site, seq: u64, event: &StockHeld) -> Result<(), Breach> {
    let StockHeld { hold_id, sku, quantity, reason, after } = event.clone();
    change(&mut site.stock, seq, &sku, Step::hold(reason, quantity), after)?;
    let hold = Hold { sku, reason, quantity, remaining: quantity.into(), seq };
    match site.holds.insert(hold_id.clone(), hold) {
        Some(_) => Err(Breach::HoldExists(hold_id)),
        None => Ok(()),
    }
}

pub(super) fn released(site: &mut Site, seq: u64, event: &HoldReleased) -> Result<(), Breach> {
    let hold = site.holds.get_mut(&event.hold_id);
    let hold = hold.ok_or_else(|| Breach::UnknownHold(event.hold_id.clone()))?;
    let remaining = hold.remaining.checked_add(-event.quantity.get());
    let fits = hold.sku == event.sku
        && hold.reason == event.reason
        && hold.quantity == event.held_at_first
        && remaining == Some(event.remaining);
    if !fits {
        return Err(Breach::WrongHold);
    }
    hold.remaining = event.remaining;
    hold.seq = seq;
    change(&mut site.stock, seq, &event.sku, Step::release(event.reason, event.quantity), event.after)
}

/// A refusal changes nothing, but what it says was there must have been there.
pub(super) fn refused(site: &Site, event: &CommandRefused) -> Result<(), Breach> {
    match &event.refusal {
        Refusal::InsufficientStock(refusal) => refusal.shortages.iter().try_for_each(|shortage| {
            was_there(&shortage.sku, site.stock_of(&shortage.sku).available(), shortage.available)
        }),
        Refusal::ExpectedQuantityStale(refusal) => {
            was_there(&refusal.sku, site.stock_of(&refusal.sku).on_hand, refusal.on_hand)
        }
        _ => Ok(()),
    }
}

pub(super) fn was_there(sku: &Sku, expected: Level, found: Level) -> Result<(), Breach> {
    if found == expected { Ok(()) } else { Err(Breach::WrongLevel { sku: sku.clone(), expected, found }) }
}

pub(super) fn one_line_per_sku<'a>(skus: impl ExactSizeIterator<Item = &'a Sku>) -> Result<(), Breach> {
    if skus.len() == 0 {
        return Err(Breach::NoLines);
    }
    let repeated = if skus.len() <= FEW_LINES { repeated_of_few(skus) } else { repeated_of_many(skus) };
    match repeated {
        Some(sku) => Err(Breach::RepeatedSku(sku.clone())),
        None => Ok(()),
    }
}

/// Each with each, which is faster than a set as long as they are few.
fn repeated_of_few<'a>(skus: impl Iterator<Item = &'a Sku>) -> Option<&'a Sku> {
    let mut seen = [None; FEW_LINES];
    for (count, sku) in skus.take(FEW_LINES).enumerate() {
        if seen[..count].contains(&Some(sku)) {
            return Some(sku);
        }
        seen[count] = Some(sku);
    }
    None
}

fn repeated_of_many<'a>(mut skus: impl ExactSizeIterator<Item = &'a Sku>) -> Option<&'a Sku> {
    let mut seen = HashSet::with_capacity(skus.len());
    skus.find(|sku| !seen.insert(*sku))
}
