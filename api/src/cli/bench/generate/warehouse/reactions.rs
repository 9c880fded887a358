//! What follows from what has happened: orders are packed, given up or sent back, shelves are filled again, goods that
//! were set aside are looked at.

use stockledger_schemas::event::{HoldReleased, OrderPlaced, OrderReturned, StockReceived};
use stockledger_schemas::{Balances, Event, HoldId, Order, OrderId, Quantity, Sku};

use super::Warehouse;
use crate::cli::bench::generate::agenda::Task;
use crate::cli::bench::generate::catalog::Catalog;
use crate::cli::bench::generate::random::Random;

/// Lines of a delivery.
const DELIVERY_LINES: usize = 12;
/// An item is ordered when no more than so many hundredths of its cover are available.
const REORDER_PERCENT: i64 = 60;

// How many steps of the site it takes, at least and at most.
const PACKING: (u32, u32) = (4, 160);
const DELIVERY: (u32, u32) = (20, 120);
const RETURN: (u32, u32) = (100, 900);
const INSPECTION: (u32, u32) = (20, 600);

impl Warehouse {
    /// Takes note of what happened here. The order to which nothing will happen any more is given back.
    pub(in super::super) fn heard(
        &mut self,
        event: &Event,
        catalog: &Catalog,
        random: &mut Random,
    ) -> Option<OrderId> {
        match event {
            Event::OrderPlaced(order) => self.heard_placed(order, catalog, random),
            Event::OutOfStock(order) => {
                let short = order.lines.iter().filter(|line| line.is_short());
                for line in short {
                    self.reorder_if_low(&line.sku, line.available.get(), catalog, random);
                }
            }
            Event::OrderShipped(shipment) => return self.heard_shipped(&shipment.order, random),
            Event::OrderCancelled(cancellation) => return Some(cancellation.order.order_id.clone()),
            Event::OrderReturned(goods) => return Some(self.heard_returned(goods, random)),
            Event::StockReceived(receipt) => self.heard_received(receipt, catalog),
            Event::StockHeld(hold) => self.look_at(&hold.hold_id, hold.quantity, random),
            Event::HoldReleased(release) => self.heard_released(release, random),
            Event::StockAdjusted(_)
            | Event::StockCounted(_)
            | Event::NoteRecorded(_)
            | Event::KeyCreated(_)
            | Event::KeyRevoked(_)
            | Event::CommandRefused(_)
            | Event::SiteRegistered(_)
            | Event::SiteRenamed(_)
            | Event::SiteOpened(_)
            | Event::ItemRegistered(_)
            | Event::ItemUpdated(_) => {}
        }
        None
    }

    fn heard_placed(&mut self, order: &OrderPlaced, catalog: &Catalog, random: &mut Random) {
        let order_id = order.order_id.clone();
        let task = match random.below(100) {
            0..88 => Task::Ship(order_id),
            88..95 => Task::ShipSome(order_id),
            _ => Task::Cancel(order_id),
        };
        self.note(PACKING, task, random);
        for line in &order.lines {
            self.reorder_if_low(&line.sku, Balances::available(line.after), catalog, random);
        }
    }

    fn heard_shipped(&mut self, order: &Order, random: &mut Random) -> Option<OrderId> {
        let order_id = order.order_id.clone();
        if order.is_open() {
            let gives_up = random.per_mille(300);
            let task = if gives_up { Task::Cancel(order_id) } else { Task::Ship(order_id) };
            self.note(PACKING, task, random);
            return None;
        }
        if random.per_mille(40) {
            self.note(RETURN, Task::Return(order_id), random);
            return None;
        }
        Some(order_id)
    }

    fn heard_returned(&mut self, goods: &OrderReturned, random: &mut Random) -> OrderId {
        for moved in &goods.moves {
            if let Some(hold_id) = &moved.hold_id {
                self.look_at(hold_id, moved.quantity, random);
            }
        }
        goods.order.order_id.clone()
    }

    fn heard_received(&mut self, receipt: &StockReceived, catalog: &Catalog) {
        for line in &receipt.lines {
            if let Some(rank) = self.rank_of(&line.sku, catalog) {
                self.on_order[rank] = false;
            }
        }
    }

    fn heard_released(&mut self, release: &HoldReleased, random: &mut Random) {
        if let Ok(left) = Quantity::new(release.remaining.get()) {
            self.look_at(&release.hold_id, left, random);
        }
    }

    /// Mostly everything is found to be good, sometimes a first part of it.
    fn look_at(&mut self, hold_id: &HoldId, held: Quantity, random: &mut Random) {
        let is_partial = held.get() > 1 && random.per_mille(300);
        let quantity = if is_partial { Quantity::new(1).ok() } else { None };
        self.note(INSPECTION, Task::Release(hold_id.clone(), quantity), random);
    }

    fn reorder_if_low(&mut self, sku: &Sku, available: i64, catalog: &Catalog, random: &mut Random) {
        let Some(rank) = self.rank_of(sku, catalog) else { return };
        if self.on_order[rank] || available > catalog.cover(rank) * REORDER_PERCENT / 100 {
            return;
        }
        self.on_order[rank] = true;
        self.wanted.push(rank);
        if self.wanted.len() >= DELIVERY_LINES.min(catalog.len()) {
            let ranks = std::mem::take(&mut self.wanted);
            self.note(DELIVERY, Task::Deliver(ranks), random);
        }
    }

    fn note(&mut self, (first, last): (u32, u32), task: Task, random: &mut Random) {
        self.agenda.note(self.steps + u64::from(random.between(first, last)), task);
    }

    fn rank_of(&self, sku: &Sku, catalog: &Catalog) -> Option<usize> {
        Some((catalog.number(sku)? + catalog.len() - self.shift) % catalog.len())
    }
}
