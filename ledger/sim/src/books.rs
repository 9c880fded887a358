//! A second, naive bookkeeping of stock and orders, written apart from the domain: it adds up what events say happened and
//! compares with the balances that they say were there afterwards.

use std::collections::BTreeMap;

use stockledger_schemas::{Balances, Decision, Disposition, Event, OrderId, Scope, SiteId, Sku};

/// What is there of one SKU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shelf {
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// Set aside.
    pub held: i64,
}

/// One line of an order: ordered, shipped, cancelled, returned.
type Line = (Sku, i64, i64, i64, i64);

/// The books of one partition.
#[derive(Debug, Clone, Default)]
pub struct Books {
    shelves: BTreeMap<(SiteId, Sku), Shelf>,
    orders: BTreeMap<(SiteId, OrderId), Vec<Line>>,
}

impl Books {
    /// What is there of every SKU.
    pub fn shelves(&self) -> impl Iterator<Item = (&(SiteId, Sku), &Shelf)> {
        self.shelves.iter()
    }

    /// Whether there is enough for all lines of an order that was refused.
    #[must_use]
    pub fn could_fill(&self, site: &SiteId, lines: &[(Sku, i64)]) -> bool {
        let available = |sku: &Sku| {
            let shelf = self.shelves.get(&(site.clone(), sku.clone())).copied().unwrap_or_default();
            shelf.on_hand - shelf.reserved - shelf.held
        };
        lines.iter().all(|(sku, quantity)| available(sku) >= *quantity)
    }

    /// Books a decision.
    ///
    /// # Errors
    /// What does not add up.
    pub fn book(&mut self, decision: &Decision) -> Result<(), String> {
        let Scope::Site(site) = &decision.scope else { return Ok(()) };
        for event in &decision.events {
            self.book_event(site, event).map_err(|wrong| format!("decision {}: {wrong}", decision.seq))?;
        }
        Ok(())
    }

    fn book_event(&mut self, site: &SiteId, event: &Event) -> Result<(), String> {
        match event {
            Event::StockReceived(receipt) => {
                for line in &receipt.lines {
                    self.change(site, &line.sku, [line.quantity.get(), 0, 0], &line.after)?;
                }
            }
            Event::StockAdjusted(adjustment) => {
                for line in &adjustment.lines {
                    self.change(site, &line.sku, [line.delta.get(), 0, 0], &line.after)?;
                }
            }
            Event::StockCounted(count) => {
                for line in &count.lines {
                    self.change(site, &line.sku, [line.delta.get(), 0, 0], &line.after)?;
                }
            }
            Event::StockHeld(hold) => {
                self.change(site, &hold.sku, [0, 0, hold.quantity.get()], &hold.after)?;
            }
            Event::HoldReleased(hold) => {
                self.change(site, &hold.sku, [0, 0, -hold.quantity.get()], &hold.after)?;
            }
            Event::OrderPlaced(order) => {
                for line in &order.lines {
                    self.change(site, &line.sku, [0, line.quantity.get(), 0], &line.after)?;
                }
                let lines = order.lines.iter().map(|line| (line.sku.clone(), line.quantity.get(), 0, 0, 0));
                if self.orders.insert((site.clone(), order.order_id.clone()), lines.collect()).is_some() {
                    return Err(format!("order {} was accepted twice", order.order_id));
                }
            }
            Event::OutOfStock(order) => {
                let lines: Vec<(Sku, i64)> =
                    order.lines.iter().map(|line| (line.sku.clone(), line.requested.get())).collect();
                if self.could_fill(site, &lines) {
                    return Err(format!("order {} was refused although there was enough", order.order_id));
                }
            }
            Event::OrderShipped(step) => {
                for moved in &step.moves {
                    let quantity = moved.quantity.get();
                    let line = self.line(site, &step.order.order_id, moved.line)?;
                    line.2 += quantity;
                    let sku = line.0.clone();
                    self.change(site, &sku, [-quantity, -quantity, 0], &moved.after)?;
                }
                self.check_order(site, &step.order.order_id)?;
            }
            Event::OrderCancelled(step) => {
                for moved in &step.moves {
                    let quantity = moved.quantity.get();
                    let line = self.line(site, &step.order.order_id, moved.line)?;
                    line.3 += quantity;
                    let sku = line.0.clone();
                    self.change(site, &sku, [0, -quantity, 0], &moved.after)?;
                }
                self.check_order(site, &step.order.order_id)?;
            }
            Event::OrderReturned(step) => {
                for moved in &step.moves {
                    let quantity = moved.quantity.get();
                    let line = self.line(site, &step.order.order_id, moved.line)?;
                    line.4 += quantity;
                    let sku = line.0.clone();
                    let held = if moved.disposition == Disposition::Damaged { quantity } else { 0 };
                    self.change(site, &sku, [quantity, 0, held], &moved.after)?;
                }
                self.check_order(site, &step.order.order_id)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn line(&mut self, site: &SiteId, order_id: &OrderId, line: u16) -> Result<&mut Line, String> {
        let order = self.orders.get_mut(&(site.clone(), order_id.clone()));
        let line = order.and_then(|lines| lines.get_mut(usize::from(line)));
        line.ok_or_else(|| format!("order {order_id} has no such line"))
    }

    fn check_order(&self, site: &SiteId, order_id: &OrderId) -> Result<(), String> {
        let lines = self.orders.get(&(site.clone(), order_id.clone()));
        let is_possible = |(_, ordered, shipped, cancelled, returned): &Line| {
            shipped + cancelled <= *ordered && returned <= shipped
        };
        let all = lines.is_some_and(|lines| lines.iter().all(is_possible));
        if all { Ok(()) } else { Err(format!("order {order_id} does not add up: {lines:?}")) }
    }

    fn change(&mut self, site: &SiteId, sku: &Sku, by: [i64; 3], after: &Balances) -> Result<(), String> {
        let shelf = self.shelves.entry((site.clone(), sku.clone())).or_default();
        shelf.on_hand += by[0];
        shelf.reserved += by[1];
        shelf.held += by[2];
        let said =
            Shelf { on_hand: after.on_hand.get(), reserved: after.reserved.get(), held: after.held.get() };
        if *shelf != said {
            return Err(format!("{site} {sku}: the event says {said:?}, adding up gives {shelf:?}"));
        }
        let is_possible =
            shelf.reserved >= 0 && shelf.held >= 0 && shelf.reserved + shelf.held <= shelf.on_hand;
        if is_possible { Ok(()) } else { Err(format!("{site} {sku}: impossible: {shelf:?}")) }
    }
}
