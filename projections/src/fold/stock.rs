//! Balances: how each event changes them, and the movement rows that say so.

use stockledger_schemas::event::{HoldReleased, StockAdjusted, StockCounted, StockHeld, StockReceived};
use stockledger_schemas::{Balances, HoldReason, Level, OrderId, Sku};

use super::{Reason, Step};
use crate::held;
use crate::rows::{MovementRow, StockRow};

/// By how much the balances of one SKU change.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) held: Option<(HoldReason, i64)>,
}

impl Change {
    pub(super) fn on_hand(delta: i64) -> Self {
        Self { on_hand: delta, ..Self::default() }
    }

    pub(super) fn reserved(delta: i64) -> Self {
        Self { reserved: delta, ..Self::default() }
    }

    fn held(reason: HoldReason, delta: i64) -> Self {
        Self { held: Some((reason, delta)), ..Self::default() }
    }

    fn deltas(self) -> [i64; 3] {
        [self.on_hand, self.reserved, self.held.map_or(0, |(_, delta)| delta)]
    }
}

pub(super) fn received(step: &mut Step<'_>, received: &StockReceived) -> Result<(), Reason> {
    received.lines.iter().try_for_each(|line| {
        step.move_stock("stock_received", &line.sku, Change::on_hand(line.quantity.get()), line.after, None)
    })
}

pub(super) fn adjusted(step: &mut Step<'_>, adjusted: &StockAdjusted) -> Result<(), Reason> {
    adjusted.lines.iter().try_for_each(|line| {
        step.move_stock("stock_adjusted", &line.sku, Change::on_hand(line.delta.get()), line.after, None)
    })
}

pub(super) fn counted(step: &mut Step<'_>, counted: &StockCounted) -> Result<(), Reason> {
    counted.lines.iter().try_for_each(|line| {
        step.move_stock("stock_counted", &line.sku, Change::on_hand(line.delta.get()), line.after, None)
    })
}

pub(super) fn held(step: &mut Step<'_>, held: &StockHeld) -> Result<(), Reason> {
    let change = Change::held(held.reason, held.quantity.get());
    step.move_stock("stock_held", &held.sku, change, held.after, None)
}

pub(super) fn released(step: &mut Step<'_>, released: &HoldReleased) -> Result<(), Reason> {
    let change = Change::held(released.reason, -released.quantity.get());
    step.move_stock("hold_released", &released.sku, change, released.after, None)
}

impl Step<'_> {
    /// Changes the balances of a SKU, checks them, and notes the movement. A change of nothing is no movement.
    pub(super) fn move_stock(
        &mut self,
        kind: &'static str,
        sku: &Sku,
        change: Change,
        recorded: Balances,
        order_id: Option<&OrderId>,
    ) -> Result<(), Reason> {
        let row = self.view.stock(self.site, sku);
        let after = apply(row, change)?;
        compare(sku, after, recorded)?;
        if row.first_seq == 0 {
            row.first_seq = self.seq;
        }
        row.first_occurred_at = row.first_occurred_at.min(self.decision.occurred_at());
        row.seq = self.seq;
        let delta = change.deltas();
        if delta == [0; 3] {
            return Ok(());
        }
        let held = row.held;
        let line = self.line;
        self.line += 1;
        if self.view.keeps_history() {
            self.view.add_movement(MovementRow {
                site: self.site.clone(),
                seq: self.seq,
                line,
                sku: sku.clone(),
                kind,
                delta,
                after,
                held_by_reason: held::to_text(held),
                held_reason: change.held.map(|(reason, _)| reason),
                occurred_at: self.decision.occurred_at(),
                order_id: order_id.cloned(),
            });
        }
        Ok(())
    }
}

/// Changes a row, and says on hand, reserved and held after it.
fn apply(row: &mut StockRow, change: Change) -> Result<[i64; 3], Reason> {
    row.on_hand = sum(&row.sku, "on_hand", row.on_hand, change.on_hand)?;
    row.reserved = sum(&row.sku, "reserved", row.reserved, change.reserved)?;
    if let Some((reason, delta)) = change.held {
        let held = &mut row.held[reason.index()];
        *held = sum(&row.sku, reason.as_str(), *held, delta)?;
    }
    let held = row.held_sum();
    let available = row.on_hand - row.reserved - held;
    if available < 0 {
        return Err(Reason::Oversold { sku: row.sku.clone(), available });
    }
    Ok([row.on_hand, row.reserved, held])
}

fn sum(sku: &Sku, balance: &'static str, before: i64, delta: i64) -> Result<i64, Reason> {
    let computed = before.saturating_add(delta);
    match Level::new(computed) {
        Ok(level) => Ok(level.get()),
        Err(_) => Err(Reason::OutOfBounds { sku: sku.clone(), balance, computed }),
    }
}

fn compare(sku: &Sku, computed: [i64; 3], recorded: Balances) -> Result<(), Reason> {
    let recorded = [recorded.on_hand, recorded.reserved, recorded.held].map(Level::get);
    let names = ["on_hand", "reserved", "held"];
    for ((balance, computed), recorded) in names.into_iter().zip(computed).zip(recorded) {
        if computed != recorded {
            return Err(Reason::Balance { sku: sku.clone(), balance, computed, recorded });
        }
    }
    Ok(())
}
