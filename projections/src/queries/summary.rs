//! What is asked about a site as a whole: sums, counts, and what its items are called.

use std::collections::HashMap;

use serde::Serialize;
use stockledger_schemas::{OrderStatus, PartitionId, Sku};

use super::directory::item_of;
use super::{Moment, Queries, Result, nothing_yet};
use crate::store::Error;
use crate::value::Value;
use crate::views::{Answer, Item, KnownSite};

/// Most items that one question names.
pub const DESCRIBED_MAX: usize = 500;

pub(super) const HELD: &str =
    "(s.held_damaged + s.held_quality_control + s.held_safety_stock + s.held_other)";

/// The stock of a site, all items together. Units of different items are added up, which says how much there is and
/// nothing of what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SiteStock {
    /// Items that were ever seen there.
    pub items: i64,
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// There but not sellable.
    pub held: i64,
    /// What can still be promised.
    pub available: i64,
}

impl Queries {
    /// The stock of a site, all items together.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn site_stock(&self, known: &KnownSite) -> Result<Answer<SiteStock>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, SiteStock::default()));
        };
        let sql = format!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(s.on_hand), 0) AS SIGNED), \
             CAST(COALESCE(SUM(s.reserved), 0) AS SIGNED), CAST(COALESCE(SUM({HELD}), 0) AS SIGNED) \
             FROM {{stock}} s WHERE s.site = ?"
        );
        let row = moment.select_one(&sql, vec![(&known.site).into()]).await?;
        let mut fields = row.ok_or_else(no_sum)?;
        let (items, on_hand, reserved) = (fields.int()?, fields.int()?, fields.int()?);
        let held = fields.int()?;
        let available = on_hand - reserved - held;
        Ok(moment.answer(SiteStock { items, on_hand, reserved, held, available }))
    }

    /// How many orders of a site have one of these statuses, counted up to a bound: an answer that is the bound means so
    /// many or more.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn count_orders(
        &self,
        known: &KnownSite,
        statuses: &[OrderStatus],
        bound: u32,
    ) -> Result<Answer<u64>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, 0));
        };
        let mut count = 0;
        for status in statuses {
            count += moment.orders_of(known, *status, bound).await?;
        }
        Ok(moment.answer(count.min(u64::from(bound))))
    }

    /// The descriptions of the first [`DESCRIBED_MAX`] of these items, of those that have one.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn items_described(&self, skus: &[Sku]) -> Result<HashMap<Sku, Item>> {
        let skus = &skus[..skus.len().min(DESCRIBED_MAX)];
        if skus.is_empty() {
            return Ok(HashMap::new());
        }
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else { return Ok(HashMap::new()) };
        let places = vec!["?"; skus.len()].join(", ");
        let sql = format!("SELECT sku, name, unit, seq, recorded_at FROM {{items}} WHERE sku IN ({places})");
        let rows = moment.select(&sql, skus.iter().map(Value::from).collect()).await?;
        let items = rows.into_iter().map(|fields| item_of(&moment, fields));
        items.map(|item| item.map(|item| (item.sku.clone(), item))).collect()
    }
}

impl Moment {
    async fn orders_of(&mut self, known: &KnownSite, status: OrderStatus, bound: u32) -> Result<u64> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM {orders} WHERE site = ? AND status = ? LIMIT ?) k";
        let status = Value::Text(status.as_str().to_owned());
        let row = self.select_one(sql, vec![(&known.site).into(), status, bound.into()]).await?;
        row.ok_or_else(no_sum)?.number()
    }
}

fn no_sum() -> Error {
    Error::Unreadable { expected: "a sum", found: "nothing".to_owned() }
}
