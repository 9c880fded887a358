//! The rows of state that a projector keeps in memory: those that recent decisions touched.
//!
//! A view belongs to one partition at one checkpoint. It is folded forward ahead of the store and is to be dropped
//! whenever a commit did not succeed: what was never committed must not be seen again.

use std::collections::{HashMap, hash_map};

use stockledger_schemas::{Decision, Event, OrderId, PartitionId, Scope, SiteId, Sku};

use crate::changes::Changes;
use crate::rows::{HomeRow, ItemRow, MovementRow, OrderRow, SiteRow, StockRow, TrailRow};

/// Most rows of `stock` that stay in memory between batches, per partition.
pub const STOCK_ROWS_MAX: usize = 100_000;
/// Most rows of `orders` that stay in memory between batches, per partition.
pub const ORDER_ROWS_MAX: usize = 50_000;

/// Touched rows, and what changed in them since the last [`View::take_changes`].
#[derive(Debug)]
pub struct View {
    partition: PartitionId,
    stock: Cache<Sku, StockRow>,
    /// The lines of an order are here only between its last step and [`View::take_changes`]: the fold does not need them.
    orders: Cache<OrderId, OrderRow>,
    sites: HashMap<SiteId, SiteRow>,
    items: HashMap<Sku, ItemRow>,
    changes: Changes,
    is_complete: bool,
}

/// Rows by site and key, and which of them changed.
#[derive(Debug)]
struct Cache<K, R> {
    rows: HashMap<SiteId, HashMap<K, Entry<R>>>,
    count: usize,
    touched: Vec<(SiteId, K)>,
}

#[derive(Debug)]
struct Entry<R> {
    row: R,
    is_touched: bool,
}

/// The rows that decisions need and a view does not have, by site.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Rows of `stock`.
    pub stock: HashMap<SiteId, Vec<Sku>>,
    /// Rows of `orders`.
    pub orders: HashMap<SiteId, Vec<OrderId>>,
}

impl Missing {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stock.is_empty() && self.orders.is_empty()
    }
}

impl View {
    /// The view of an empty partition: what it does not have does not exist, so nothing needs to be loaded.
    #[must_use]
    pub fn of_nothing(partition: PartitionId) -> Self {
        Self { is_complete: true, ..Self::new(partition) }
    }

    /// A view of a partition of which nothing is loaded yet.
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            stock: Cache::default(),
            orders: Cache::default(),
            sites: HashMap::new(),
            items: HashMap::new(),
            changes: Changes::default(),
            is_complete: false,
        }
    }

    /// Which rows must be [`load`](View::load_stock)ed before `decisions` are folded.
    #[must_use]
    pub fn missing<'a>(&self, decisions: impl IntoIterator<Item = &'a Decision>) -> Missing {
        let mut missing = Missing::default();
        if self.is_complete {
            return missing;
        }
        for decision in decisions {
            let Scope::Site(site) = &decision.scope else { continue };
            for event in &decision.events {
                for_each_sku(event, |sku| self.stock.note_missing(site, sku, &mut missing.stock));
                if let Some(order_id) = order_touched(event) {
                    self.orders.note_missing(site, order_id, &mut missing.orders);
                }
            }
        }
        missing.stock.values_mut().for_each(sort_and_dedup);
        missing.orders.values_mut().for_each(sort_and_dedup);
        missing
    }

    /// Takes rows as the store has them.
    pub fn load_stock(&mut self, rows: Vec<StockRow>) {
        for row in rows {
            self.stock.load(row.site.clone(), row.sku.clone(), row);
        }
    }

    /// Takes rows as the store has them.
    pub fn load_orders(&mut self, rows: Vec<OrderRow>) {
        for row in rows {
            let row = OrderRow { lines: String::new(), ..row };
            self.orders.load(row.site.clone(), row.order_id.clone(), row);
        }
    }

    /// How many rows would be written if the changes were taken now, those of the directory left out.
    #[must_use]
    pub fn changed_rows(&self) -> usize {
        self.changes.rows() + self.stock.touched.len() + self.orders.touched.len()
    }

    /// What changed since the last call, to be committed. If that fails, drop the view.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sites = self.sites.drain().map(|(_, row)| row).collect();
        changes.items = self.items.drain().map(|(_, row)| row).collect();
        self.stock.take_touched(|row| changes.stock.push(row.clone()));
        self.orders.take_touched(|row| {
            let lines = std::mem::take(&mut row.lines);
            changes.orders.push(OrderRow { lines, ..row.clone() });
        });
        changes.sort();
        changes
    }

    /// Forgets rows if there are more than are kept between batches. Only after a commit.
    pub fn trim(&mut self) {
        if self.stock.count > STOCK_ROWS_MAX {
            self.stock = Cache::default();
            self.is_complete = false;
        }
        if self.orders.count > ORDER_ROWS_MAX {
            self.orders = Cache::default();
            self.is_complete = false;
        }
    }

    /// The balances of a SKU, to be changed; nothing if it was never there.
    pub(crate) fn stock(&mut self, site: &SiteId, sku: &Sku) -> &mut StockRow {
        self.stock.touch_or(site, sku, || StockRow::nothing(site.clone(), sku.clone()))
    }

    /// An order as it stands, accepted or refused, without its lines.
    pub(crate) fn order(&self, site: &SiteId, order_id: &OrderId) -> Option<&OrderRow> {
        self.orders.get(site, order_id)
    }

    /// Sets an order, with all its lines.
    pub(crate) fn set_order(&mut self, row: OrderRow) {
        let (site, order_id) = (row.site.clone(), row.order_id.clone());
        self.orders.set(site, order_id, row);
    }

    pub(crate) fn set_site(&mut self, row: SiteRow) {
        self.sites.insert(row.site.clone(), row);
    }

    /// Notes that a site lives on the partition of this view.
    pub(crate) fn add_home(&mut self, site: SiteId, seq: i64) {
        self.changes.homes.push(HomeRow { site, partition: self.partition, seq });
    }

    pub(crate) fn set_item(&mut self, row: ItemRow) {
        self.items.insert(row.sku.clone(), row);
    }

    pub(crate) fn add_trail(&mut self, row: TrailRow) {
        self.changes.trail.push(row);
    }

    pub(crate) fn add_movement(&mut self, row: MovementRow) {
        self.changes.movements.push(row);
    }
}

impl<K, R> Default for Cache<K, R> {
    fn default() -> Self {
        Self { rows: HashMap::new(), count: 0, touched: Vec::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash, R> Cache<K, R> {
    fn get(&self, site: &SiteId, key: &K) -> Option<&R> {
        self.rows.get(site)?.get(key).map(|entry| &entry.row)
    }

    fn note_missing(&self, site: &SiteId, key: &K, missing: &mut HashMap<SiteId, Vec<K>>) {
        if self.get(site, key).is_none() {
            match missing.get_mut(site) {
                Some(keys) => keys.push(key.clone()),
                None => drop(missing.insert(site.clone(), vec![key.clone()])),
            }
        }
    }

    fn load(&mut self, site: SiteId, key: K, row: R) {
        let entry = Entry { row, is_touched: false };
        if self.rows.entry(site).or_default().insert(key, entry).is_none() {
            self.count += 1;
        }
    }

    fn touch_or(&mut self, site: &SiteId, key: &K, make: impl FnOnce() -> R) -> &mut R {
        if !self.rows.contains_key(site) {
            self.rows.insert(site.clone(), HashMap::new());
        }
        let count = &mut self.count;
        let rows = self.rows.entry(site.clone()).or_default();
        let entry = rows.entry(key.clone()).or_insert_with(|| {
            *count += 1;
            Entry { row: make(), is_touched: false }
        });
        if !entry.is_touched {
            entry.is_touched = true;
            self.touched.push((site.clone(), key.clone()));
        }
        &mut entry.row
    }

    fn set(&mut self, site: SiteId, key: K, row: R) {
        match self.rows.entry(site.clone()).or_default().entry(key.clone()) {
            hash_map::Entry::Occupied(mut found) => {
                let entry = found.get_mut();
                entry.row = row;
                if entry.is_touched {
                    return;
                }
                entry.is_touched = true;
            }
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Entry { row, is_touched: true });
                self.count += 1;
            }
        }
        self.touched.push((site, key));
    }

    fn take_touched(&mut self, mut take: impl FnMut(&mut R)) {
        for (site, key) in self.touched.drain(..) {
            if let Some(entry) = self.rows.get_mut(&site).and_then(|rows| rows.get_mut(&key)) {
                entry.is_touched = false;
                take(&mut entry.row);
            }
        }
    }
}

fn sort_and_dedup<K: Ord>(keys: &mut Vec<K>) {
    keys.sort_unstable();
    keys.dedup();
}

/// The order whose row an event changes. A refused command changes none.
fn order_touched(event: &Event) -> Option<&OrderId> {
    match event {
        Event::OrderPlaced(placed) => Some(&placed.order_id),
        Event::OutOfStock(refused) => Some(&refused.order_id),
        Event::OrderShipped(shipped) => Some(&shipped.order.order_id),
        Event::OrderCancelled(cancelled) => Some(&cancelled.order.order_id),
        Event::OrderReturned(returned) => Some(&returned.order.order_id),
        _ => None,
    }
}

/// The SKUs whose balances an event may change.
fn for_each_sku<'a>(event: &'a Event, mut visit: impl FnMut(&'a Sku)) {
    match event {
        Event::StockReceived(received) => received.lines.iter().for_each(|line| visit(&line.sku)),
        Event::StockAdjusted(adjusted) => adjusted.lines.iter().for_each(|line| visit(&line.sku)),
        Event::StockCounted(counted) => counted.lines.iter().for_each(|line| visit(&line.sku)),
        Event::StockHeld(held) => visit(&held.sku),
        Event::HoldReleased(released) => visit(&released.sku),
        Event::OrderPlaced(placed) => placed.lines.iter().for_each(|line| visit(&line.sku)),
        Event::OrderShipped(shipped) => shipped.order.lines.iter().for_each(|line| visit(&line.sku)),
        Event::OrderCancelled(cancelled) => cancelled.order.lines.iter().for_each(|line| visit(&line.sku)),
        Event::OrderReturned(returned) => returned.order.lines.iter().for_each(|line| visit(&line.sku)),
        _ => {}
    }
}
