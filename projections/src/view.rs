//! The rows of state that a projector keeps in memory: those that recent decisions touched.
//!
//! A view belongs to one partition at one checkpoint. It is folded forward ahead of the store and is to be dropped
//! whenever a commit did not succeed: what was never committed must not be seen again.
//!
//! Of a row it keeps, beside what the fold needs, the hash that the row has in the tables, so that the digest
//! ([`crate::digest`]) can be moved on without reading the row again. An order is a few numbers here, since every step
//! carries the whole of it; its row exists only from a step to the commit.

mod cache;

use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;
use stockledger_schemas::{
    Decision, Event, OrderId, OrderStatus, PartitionId, Scope as Subject, SiteId, Sku,
};

use self::cache::Cache;
use crate::changes::Changes;
use crate::digest::Digester;
use crate::rows::{HomeRow, ItemRow, MovementRow, OrderRow, SiteRow, StockRow, TrailRow};
use crate::value::Row;

/// Most rows of `stock` that stay in memory between batches, per partition.
pub const STOCK_ROWS_MAX: usize = 100_000;
/// Most rows of `orders` that stay in memory between batches, per partition.
pub const ORDER_ROWS_MAX: usize = 50_000;
/// Most rows of `stock` that a load keeps in memory, per partition; each takes about 200 bytes.
pub(crate) const STOCK_KNOWN_MAX: usize = 1_000_000;
/// Most orders that a load remembers, per partition; each takes about 120 bytes.
pub(crate) const ORDERS_KNOWN_MAX: usize = 2_000_000;
/// Most orders of which a load keeps back the row because more steps are expected; each takes about 500 bytes.
const ORDERS_KEPT_BACK_MAX: usize = 100_000;

/// Which tables a view makes rows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All of them.
    #[default]
    Everything,
    /// State only: no trail and no movements. To measure with; the digest is then one of these rows only.
    State,
    /// Stock levels only. To measure with, as above.
    Stock,
    /// History only: levels are kept in memory and not written. To measure with, as above.
    History,
}

/// Touched rows, and what changed in them since the last [`View::take_changes`].
#[derive(Debug)]
pub struct View {
    partition: PartitionId,
    scope: Scope,
    stock: Cache<Sku, Known<StockRow>>,
    orders: Cache<OrderId, KnownOrder>,
    /// Orders that changed and of which no more steps are expected.
    settled: Vec<(SiteId, OrderId)>,
    /// Orders that changed and are still open.
    open: Vec<(SiteId, OrderId)>,
    sites: Directory<SiteId, SiteRow>,
    items: Directory<Sku, ItemRow>,
    changes: Changes,
    is_complete: bool,
    digester: Digester,
    fixed_state: RandomState,
}

/// A row of state in memory.
#[derive(Debug)]
struct Known<R> {
    row: R,
    /// What the row adds to the digest as it stands in the tables; 0 if it does not.
    stored_hash: u64,
    is_touched: bool,
}

/// Rows of one table of the directory, and which of them were touched.
#[derive(Debug)]
struct Directory<K, R> {
    rows: HashMap<K, Known<R>, RandomState>,
    touched: Vec<K>,
}

/// What the fold must know of an order to judge its next step.
#[derive(Debug)]
pub(crate) struct KnownOrder {
    pub(crate) status: OrderStatus,
    /// The decision that accepted it, or refused it last.
    pub(crate) placed_seq: i64,
    /// Stands for everything that no step may change.
    fixed: u64,
    stored_hash: u64,
    /// The row as the last step since the commit left it.
    changed: Option<Box<OrderRow>>,
}

/// The rows that decisions need and a view does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Rows of `stock`, by site.
    pub stock: HashMap<SiteId, Vec<Sku>>,
    /// Rows of `orders`, by site.
    pub orders: HashMap<SiteId, Vec<OrderId>>,
    /// Rows of `sites`.
    pub sites: Vec<SiteId>,
    /// Rows of `items`.
    pub items: Vec<Sku>,
}

impl Missing {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stock.is_empty() && self.orders.is_empty() && self.sites.is_empty() && self.items.is_empty()
    }
}

impl View {
    /// The view of an empty partition: what it does not have does not exist, so nothing needs to be loaded.
    #[must_use]
    pub fn of_nothing(partition: PartitionId) -> Self {
        Self { is_complete: true, ..Self::new(partition) }
    }

    /// The same, for tables of this scope.
    pub(crate) fn for_load(partition: PartitionId, scope: Scope) -> Self {
        Self { scope, ..Self::of_nothing(partition) }
    }

    /// A view of a partition of which nothing is loaded yet.
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            scope: Scope::Everything,
            stock: Cache::default(),
            orders: Cache::default(),
            settled: Vec::new(),
            open: Vec::new(),
            sites: Directory::default(),
            items: Directory::default(),
            changes: Changes::default(),
            is_complete: false,
            digester: Digester::default(),
            fixed_state: RandomState::new(),
        }
    }

    /// Which rows must be loaded ([`View::load_stock`] and so on) before `decisions` are folded.
    #[must_use]
    pub fn missing<'a>(&self, decisions: impl IntoIterator<Item = &'a Decision>) -> Missing {
        let mut missing = Missing::default();
        if self.is_complete {
            return missing;
        }
        for decision in decisions {
            match &decision.scope {
                Subject::Directory => self.note_missing_of_directory(decision, &mut missing),
                Subject::Site(site) => self.note_missing_of_site(site, decision, &mut missing),
            }
        }
        missing.stock.values_mut().for_each(sort_and_dedup);
        missing.orders.values_mut().for_each(sort_and_dedup);
        sort_and_dedup(&mut missing.sites);
        sort_and_dedup(&mut missing.items);
        missing
    }

    fn note_missing_of_site(&self, site: &SiteId, decision: &Decision, missing: &mut Missing) {
        for event in &decision.events {
            for_each_sku(event, |sku| self.stock.note_missing(site, sku, &mut missing.stock));
            if let Some(order_id) = order_touched(event) {
                self.orders.note_missing(site, order_id, &mut missing.orders);
            }
        }
    }

    fn note_missing_of_directory(&self, decision: &Decision, missing: &mut Missing) {
        for event in &decision.events {
            match event {
                Event::SiteRenamed(renamed) if !self.sites.rows.contains_key(&renamed.site) => {
                    missing.sites.push(renamed.site.clone());
                }
                Event::ItemUpdated(updated) if !self.items.rows.contains_key(&updated.sku) => {
                    missing.items.push(updated.sku.clone());
                }
                _ => {}
            }
        }
    }

    /// Takes rows as the store has them.
    pub fn load_stock(&mut self, rows: Vec<StockRow>) {
        for row in rows {
            let (site, sku) = (row.site.clone(), row.sku.clone());
            let known = Known::stored(row, &mut self.digester);
            self.stock.insert(site, sku, known);
        }
    }

    /// Takes rows as the store has them.
    pub fn load_orders(&mut self, rows: Vec<OrderRow>) {
        for row in rows {
            let known = KnownOrder {
                status: row.status,
                placed_seq: row.placed_seq,
                fixed: fixed(&self.fixed_state, &row),
                stored_hash: self.digester.row(&row),
                changed: None,
            };
            self.orders.insert(row.site, row.order_id, known);
        }
    }

    /// Takes rows as the store has them.
    pub fn load_directory(&mut self, sites: Vec<SiteRow>, items: Vec<ItemRow>) {
        for row in sites {
            self.sites.rows.insert(row.site.clone(), Known::stored(row, &mut self.digester));
        }
        for row in items {
            self.items.rows.insert(row.sku.clone(), Known::stored(row, &mut self.digester));
        }
    }

    /// How many rows would be written if the changes were taken now, those of the directory left out.
    #[must_use]
    pub fn changed_rows(&self) -> usize {
        self.changes.rows() + self.stock.touched() + self.settled.len() + self.open.len()
    }

    /// What changed since the last call, to be committed. If that fails, drop the view.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let open = std::mem::take(&mut self.open);
        self.settled.extend(open);
        let mut changes = self.take_history_and_settled(|_| true);
        if self.scope == Scope::History {
            changes.sort();
            return changes;
        }
        changes.sites = self.sites.take(&mut self.digester, &mut changes.digest);
        changes.items = self.items.take(&mut self.digester, &mut changes.digest);
        self.stock.take_touched(|known| {
            changes.stock.extend(known.take(&mut self.digester, &mut changes.digest));
        });
        changes.sort();
        changes
    }

    /// History since the last call, and the orders of which no more steps are expected; the others too, if there are too
    /// many to keep back and they may be taken. What is not taken changes further and is taken later.
    pub(crate) fn take_settled(&mut self, may_take_open: bool) -> Changes {
        if self.open.len() > ORDERS_KEPT_BACK_MAX {
            let orders = &self.orders;
            let is_kept_back = |known: &KnownOrder| known.changed.is_some() && is_open(known.status);
            self.open.retain(|(site, order_id)| orders.get(site, order_id).is_some_and(is_kept_back));
        }
        let are_too_many = may_take_open && self.open.len() > ORDERS_KEPT_BACK_MAX;
        if are_too_many {
            let open = std::mem::take(&mut self.open);
            self.settled.extend(open);
        }
        let mut changes = self.take_history_and_settled(|status| are_too_many || !is_open(status));
        changes.sort();
        changes
    }

    fn take_history_and_settled(&mut self, is_taken: impl Fn(OrderStatus) -> bool) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        for (site, order_id) in self.settled.drain(..) {
            let Some(known) = self.orders.get_mut(&site, &order_id) else { continue };
            if !is_taken(known.status) {
                // It was refused, and then placed again.
                self.open.push((site, order_id));
                continue;
            }
            let Some(row) = known.changed.take() else { continue };
            let hash = self.digester.row(&*row);
            changes.digest = changes.digest.wrapping_sub(known.stored_hash).wrapping_add(hash);
            known.stored_hash = hash;
            changes.orders.push(*row);
        }
        changes
    }

    /// How many rows [`View::take_settled`] would take.
    pub(crate) fn settled_rows(&self) -> usize {
        self.changes.rows() + self.settled.len()
    }

    /// Whether a load keeps as much in memory as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.stock.count() >= STOCK_KNOWN_MAX || self.orders.count() >= ORDERS_KNOWN_MAX
    }

    /// Forgets rows if there are more than are kept between batches. Only after a commit.
    pub fn trim(&mut self) {
        if self.stock.count() > STOCK_ROWS_MAX || self.items.rows.len() > STOCK_ROWS_MAX {
            self.stock = Cache::default();
            self.items = Directory::default();
            self.is_complete = false;
        }
        if self.orders.count() > ORDER_ROWS_MAX {
            self.orders = Cache::default();
            self.is_complete = false;
        }
    }

    /// The balances of a SKU, to be changed; nothing if it was never there.
    pub(crate) fn stock(&mut self, site: &SiteId, sku: &Sku) -> &mut StockRow {
        let known =
            self.stock.touch_or(site, sku, || Known::new(StockRow::nothing(site.clone(), sku.clone())));
        &mut known.row
    }

    /// What is known of an order, accepted or refused.
    pub(crate) fn order(&self, site: &SiteId, order_id: &OrderId) -> Option<&KnownOrder> {
        self.orders.get(site, order_id)
    }

    /// Whether a row has all that no step of its order may change as it was.
    pub(crate) fn is_same_order(&self, known: &KnownOrder, row: &OrderRow) -> bool {
        known.fixed == fixed(&self.fixed_state, row)
    }

    /// Sets an order, with all its lines.
    pub(crate) fn set_order(&mut self, row: OrderRow) {
        let (site, order_id) = (row.site.clone(), row.order_id.clone());
        let fixed = fixed(&self.fixed_state, &row);
        let (status, placed_seq) = (row.status, row.placed_seq);
        let row = Some(Box::new(row));
        let is_new_change = match self.orders.get_mut(&site, &order_id) {
            Some(known) => {
                let is_new_change = known.changed.is_none();
                let was_open = is_open(known.status);
                known.changed = row;
                (known.status, known.placed_seq, known.fixed) = (status, placed_seq, fixed);
                is_new_change || (was_open && !is_open(status))
            }
            None => {
                let known = KnownOrder { status, placed_seq, fixed, stored_hash: 0, changed: row };
                self.orders.insert(site.clone(), order_id.clone(), known);
                true
            }
        };
        if is_new_change {
            let list = if is_open(status) { &mut self.open } else { &mut self.settled };
            list.push((site, order_id));
        }
    }

    pub(crate) fn set_site(&mut self, row: SiteRow) {
        self.sites.set(row.site.clone(), row);
    }

    /// Notes that a site lives on the partition of this view.
    pub(crate) fn add_home(&mut self, site: SiteId, seq: i64) {
        let row = HomeRow { site, partition: self.partition, seq };
        self.add_to_digest(&row);
        self.changes.homes.push(row);
    }

    pub(crate) fn set_item(&mut self, row: ItemRow) {
        self.items.set(row.sku.clone(), row);
    }

    /// Whether rows of history are made.
    pub(crate) const fn keeps_history(&self) -> bool {
        matches!(self.scope, Scope::Everything | Scope::History)
    }

    /// Whether rows of orders are made.
    pub(crate) const fn keeps_orders(&self) -> bool {
        matches!(self.scope, Scope::Everything | Scope::State)
    }

    pub(crate) fn add_trail(&mut self, row: TrailRow) {
        self.add_to_digest(&row);
        self.changes.trail.push(row);
    }

    pub(crate) fn add_movement(&mut self, row: MovementRow) {
        self.add_to_digest(&row);
        self.changes.movements.push(row);
    }

    fn add_to_digest(&mut self, row: &impl Row) {
        self.changes.digest = self.changes.digest.wrapping_add(self.digester.row(row));
    }
}

impl<R: Row + Clone> Known<R> {
    /// A row that is in no table yet.
    const fn new(row: R) -> Self {
        Self { row, stored_hash: 0, is_touched: false }
    }

    fn stored(row: R, digester: &mut Digester) -> Self {
        let stored_hash = digester.row(&row);
        Self { row, stored_hash, is_touched: false }
    }

    /// The row if it was touched, which it is not any more; moves the digest on.
    fn take(&mut self, digester: &mut Digester, digest: &mut u64) -> Option<R> {
        if !std::mem::take(&mut self.is_touched) {
            return None;
        }
        let hash = digester.row(&self.row);
        *digest = digest.wrapping_sub(self.stored_hash).wrapping_add(hash);
        self.stored_hash = hash;
        Some(self.row.clone())
    }
}

impl<K, R> Default for Directory<K, R> {
    fn default() -> Self {
        Self { rows: HashMap::default(), touched: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, R: Row + Clone> Directory<K, R> {
    fn set(&mut self, key: K, row: R) {
        let before = self.rows.get(&key);
        if before.is_none_or(|known| !known.is_touched) {
            self.touched.push(key.clone());
        }
        let stored_hash = before.map_or(0, |known| known.stored_hash);
        self.rows.insert(key, Known { row, stored_hash, is_touched: true });
    }

    /// The rows that were touched, which they are not any more; moves the digest on.
    fn take(&mut self, digester: &mut Digester, digest: &mut u64) -> Vec<R> {
        let Self { rows, touched } = self;
        let take = |key: K| rows.get_mut(&key)?.take(digester, digest);
        touched.drain(..).filter_map(take).collect()
    }
}

impl<R> cache::Touched for Known<R> {
    fn is_touched(&mut self) -> &mut bool {
        &mut self.is_touched
    }
}

/// Stands for everything of an order that no step may change.
fn fixed(state: &RandomState, row: &OrderRow) -> u64 {
    state.hash_one((row.placed_at, row.occurred_at, &row.customer, &row.currency, row.line_count))
}

const fn is_open(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Placed | OrderStatus::PartiallyShipped)
}

fn sort_and_dedup<K: Ord>(keys: &mut Vec<K>) {
    keys.sort_unstable();
    keys.dedup();
}

/// The order whose row an event changes. A refused command changes none.
fn order_touched(event: &Event) -> Option<&OrderId> {
    match event {
        Event::CommandRefused(_) => None,
        event => event.order_id(),
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
