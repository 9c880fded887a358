//! What a run of decisions changes in the tables: rows to insert, and rows to set to absolute values.

use crate::dialect::Mode;
use crate::rows::{HomeRow, ItemRow, MovementRow, OrderRow, SiteRow, StockRow, TrailRow};
use crate::value::Rows;

/// Row changes of one batch. Every key stands once in each list of state, with its last values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Sites to set.
    pub sites: Vec<SiteRow>,
    /// Homes to add.
    pub homes: Vec<HomeRow>,
    /// Items to set.
    pub items: Vec<ItemRow>,
    /// Balances to set.
    pub stock: Vec<StockRow>,
    /// Orders to set.
    pub orders: Vec<OrderRow>,
    /// Decisions to add.
    pub trail: Vec<TrailRow>,
    /// Changes of balances to add.
    pub movements: Vec<MovementRow>,
    /// By how much these rows change what all rows add up to ([`crate::digest`]), modulo 2^64.
    pub digest: u64,
}

impl Changes {
    /// How many rows are written.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.sites.len()
            + self.homes.len()
            + self.items.len()
            + self.stock.len()
            + self.orders.len()
            + self.trail.len()
            + self.movements.len()
    }

    /// The same rows in parts of at most so many, in the order of [`Changes::writes`].
    pub(crate) fn split(self, rows_max: usize) -> Vec<Self> {
        let mut parts = vec![Self::default()];
        deal(&mut parts, rows_max, self.movements, |part| &mut part.movements);
        deal(&mut parts, rows_max, self.trail, |part| &mut part.trail);
        deal(&mut parts, rows_max, self.homes, |part| &mut part.homes);
        deal(&mut parts, rows_max, self.sites, |part| &mut part.sites);
        deal(&mut parts, rows_max, self.items, |part| &mut part.items);
        deal(&mut parts, rows_max, self.stock, |part| &mut part.stock);
        deal(&mut parts, rows_max, self.orders, |part| &mut part.orders);
        parts
    }

    /// What is written, table by table, in the one order in which every writer locks.
    pub(crate) fn writes(&self) -> [(Mode, &dyn Rows); 7] {
        [
            (Mode::Insert, &self.movements),
            (Mode::Insert, &self.trail),
            (Mode::Insert, &self.homes),
            (Mode::Upsert, &self.sites),
            (Mode::Upsert, &self.items),
            (Mode::Upsert, &self.stock),
            (Mode::Upsert, &self.orders),
        ]
    }

    /// Sorts every list by the key of its table, as the tables are stored and so that writers lock in one order.
    pub(crate) fn sort(&mut self) {
        self.sites.sort_unstable_by(|a, b| a.site.cmp(&b.site));
        self.homes.sort_unstable_by(|a, b| a.site.cmp(&b.site));
        self.items.sort_unstable_by(|a, b| a.sku.cmp(&b.sku));
        self.stock.sort_unstable_by(|a, b| (&a.site, &a.sku).cmp(&(&b.site, &b.sku)));
        self.orders.sort_unstable_by(|a, b| (&a.site, &a.order_id).cmp(&(&b.site, &b.order_id)));
        self.trail.sort_by(|a, b| (&a.site, a.seq).cmp(&(&b.site, b.seq)));
        self.movements.sort_by(|a, b| (&a.site, a.seq, a.line).cmp(&(&b.site, b.seq, b.line)));
    }
}

/// Deals rows of one list out: into the last part as long as it has room, then into new ones.
fn deal<R>(parts: &mut Vec<Changes>, rows_max: usize, rows: Vec<R>, list: fn(&mut Changes) -> &mut Vec<R>) {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let room = parts.last().map_or(0, |part| rows_max.saturating_sub(part.rows()));
        if room == 0 {
            parts.push(Changes::default());
        }
        if let Some(part) = parts.last_mut() {
            list(part).extend(rows.by_ref().take(room.max(1)));
        }
    }
}
