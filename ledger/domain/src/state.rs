//! The state of one partition: everything that a decision looks at.
//!
//! It is a fold of the decisions of the partition, nothing else; [`apply`](crate::apply()) is the only function that
//! carries it forward. The fields are public because the writer makes snapshots of them.

use std::collections::{BTreeMap, HashMap};

use stockledger_schemas::{
    HoldId, HoldReason, KeyId, KeyScope, Level, Name, Order, OrderId, PartitionId, Quantity, SiteId, Sku,
    Unit,
};

use crate::stock::Stock;

/// The state of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Which partition this is.
    pub id: PartitionId,
    /// How many the ledger has.
    pub partitions: u16,
    /// The last decision that was applied; 0 before the first.
    pub seq: u64,
    /// Sites, items and API keys of the whole ledger; empty except on [`PartitionId::DIRECTORY`].
    pub directory: Directory,
    /// The sites that live here and are open.
    pub sites: HashMap<SiteId, Site>,
}

impl Partition {
    /// A partition to which nothing has happened, of a ledger with so many of them.
    #[must_use]
    pub fn new(id: PartitionId, partitions: u16) -> Self {
        Self { id, partitions, seq: 0, directory: Directory::default(), sites: HashMap::new() }
    }
}

/// Which sites, items and API keys there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// The sites, in the order of their ids.
    pub sites: BTreeMap<SiteId, DirectorySite>,
    /// The items that have a description. Any SKU may be received, described or not.
    pub items: HashMap<Sku, Item>,
    /// Every API key that was ever made, also those that are revoked: their ids stay taken.
    pub keys: BTreeMap<KeyId, ApiKey>,
}

/// A site as the directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySite {
    /// What it is called.
    pub name: Name,
    /// Where it lives, for ever.
    pub partition: PartitionId,
    /// The decision that touched it last.
    pub seq: u64,
}

/// The description of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
    /// The decision that touched it last.
    pub seq: u64,
}

/// An API key, as far as decisions look at it. Who may come in with it is not decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// The decision that made it.
    pub created_seq: u64,
    /// The decision that revoked it.
    pub revoked_seq: Option<u64>,
}

/// A site that takes commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The decision that opened it.
    pub opened_seq: u64,
    /// Every SKU that was ever seen here.
    pub stock: HashMap<Sku, Stock>,
    /// The orders in memory: all open ones, and closed ones that a decision needs or has just made.
    pub orders: HashMap<OrderId, ResidentOrder>,
    /// Every hold that was ever made here, also those of which nothing is left: their ids stay taken.
    pub holds: HashMap<HoldId, Hold>,
}

/// An order in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidentOrder {
    /// The order.
    pub order: Order,
    /// The decision that touched it last.
    pub seq: u64,
}

/// Goods that were set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What.
    pub sku: Sku,
    /// Why it is not for sale.
    pub reason: HoldReason,
    /// How much at first.
    pub quantity: Quantity,
    /// How much is still held.
    pub remaining: Level,
    /// The decision that touched it last.
    pub seq: u64,
}

impl Site {
    /// A site that decision `opened_seq` opened and to which nothing else has happened.
    #[must_use]
    pub fn new(opened_seq: u64) -> Self {
        Self { opened_seq, stock: HashMap::new(), orders: HashMap::new(), holds: HashMap::new() }
    }

    /// The stock of a SKU; nothing if it was never seen here.
    #[must_use]
    pub fn stock_of(&self, sku: &Sku) -> Stock {
        self.stock.get(sku).copied().unwrap_or_default()
    }

    /// Brings an order back that was read from the log, last touched by decision `seq`. An order that is in memory
    /// already stays as it is, because it may be newer.
    pub fn make_resident(&mut self, order: Order, seq: u64) {
        self.orders.entry(order.order_id.clone()).or_insert(ResidentOrder { order, seq });
    }

    /// Drops an order from memory if it is closed and no decision after `up_to_seq` touched it; says whether it did.
    pub fn evict_closed(&mut self, order_id: &OrderId, up_to_seq: u64) -> bool {
        let evictable = self
            .orders
            .get(order_id)
            .is_some_and(|resident| !resident.order.is_open() && resident.seq <= up_to_seq);
        evictable && self.orders.remove(order_id).is_some()
    }
}
