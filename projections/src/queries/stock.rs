//! Stock levels.

use std::collections::HashMap;

use stockledger_schemas::{HoldReason, PartitionId, Position, SiteId, Sku};

use super::directory::text_after;
use super::levels::{LevelKey, LevelQuery};
use super::{Moment, Queries, Result, no_page, nothing_yet, one_more, page, seq_of};
use crate::held::Held;
use crate::rows::StockRow;
use crate::store::Error;
use crate::views::{Answer, AsOf, HeldByReason, KnownSite, Page, StockLevel};

pub(super) const COLUMNS: &str = "s.site, s.sku, s.on_hand, s.reserved, s.held_damaged, s.held_quality_control, \
                       s.held_safety_stock, s.held_other, s.first_seq, s.first_occurred_at, s.seq";

impl Queries {
    /// The level of an item at a site; nothing if it was never seen there.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_level(&self, known: &KnownSite, sku: &Sku) -> Result<Option<StockLevel>> {
        Ok(self.stock_level_and_change(known, sku).await?.map(|(level, _)| level))
    }

    /// The same, and the decision that changed it last.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_level_and_change(
        &self,
        known: &KnownSite,
        sku: &Sku,
    ) -> Result<Option<(StockLevel, Position)>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let Some(row) = moment.stock_row(&known.site, sku).await? else { return Ok(None) };
        let changed = moment.position(seq_of(row.seq)?);
        Ok(Some((level_now(row, &moment.at), changed)))
    }

    /// The levels of a site by SKU, beginning after one.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_levels(
        &self,
        known: &KnownSite,
        after: Option<&Sku>,
        limit: u32,
    ) -> Result<Answer<Page<StockLevel, Sku>>> {
        let after = after.map(|sku| LevelKey { balance: 0, id: sku.clone() });
        let query = LevelQuery::default();
        let Answer { at, value } =
            self.stock_levels_like(known, &query, (None, None), after.as_ref(), limit).await?;
        Ok(Answer { at, value: Page { data: value.data, next: value.next.map(|key| key.id) } })
    }

    /// The levels of an item at all sites by site, beginning after one. Each is as of the position of its own partition,
    /// all at one moment.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_of_item(
        &self,
        sku: &Sku,
        after: Option<&SiteId>,
        limit: u32,
    ) -> Result<Page<StockLevel, SiteId>> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else { return Ok(no_page()) };
        let reached = self.reached_by_partition(&mut moment).await?;
        let sql = format!(
            "SELECT d.partition_id, {COLUMNS} FROM {{stock}} s JOIN {{homes}} d ON d.site = s.site \
             WHERE s.sku = ? AND s.site > ? ORDER BY s.site LIMIT ?"
        );
        let rows = moment.select(&sql, vec![sku.into(), text_after(after), one_more(limit).into()]).await?;
        let mut levels = Vec::with_capacity(rows.len());
        for mut fields in rows {
            let partition = PartitionId(fields.number()?);
            let at = reached.get(&partition).cloned().unwrap_or_else(|| AsOf::beginning(partition));
            levels.push(level_now(StockRow::read(fields)?, &at));
        }
        Ok(page(levels, limit, |level: &StockLevel| level.site.clone()))
    }

    pub(super) async fn reached_by_partition(
        &self,
        moment: &mut Moment,
    ) -> Result<HashMap<PartitionId, AsOf>> {
        let reached = self.reached(&mut *moment.snapshot, moment.version).await?;
        Ok(reached.into_iter().map(|at| (at.position.partition, at)).collect())
    }

    /// All units that are on hand at a site.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn units_on_hand(&self, known: &KnownSite) -> Result<Answer<i64>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, 0));
        };
        let sql = "SELECT CAST(COALESCE(SUM(on_hand), 0) AS SIGNED) FROM {stock} WHERE site = ?";
        let row = moment.select_one(sql, vec![(&known.site).into()]).await?;
        let missing = || Error::Unreadable { expected: "a sum", found: "nothing".to_owned() };
        let units = row.ok_or_else(missing)?.int()?;
        Ok(moment.answer(units))
    }
}

impl Moment {
    /// The level of an item at a site as the tables are.
    pub(super) async fn level_now(&mut self, site: &SiteId, sku: &Sku) -> Result<Option<StockLevel>> {
        Ok(self.stock_row(site, sku).await?.map(|row| level_now(row, &self.at)))
    }

    async fn stock_row(&mut self, site: &SiteId, sku: &Sku) -> Result<Option<StockRow>> {
        let sql = format!("SELECT {COLUMNS} FROM {{stock}} s WHERE s.site = ? AND s.sku = ?");
        let row = self.select_one(&sql, vec![site.into(), sku.into()]).await?;
        row.map(StockRow::read).transpose()
    }
}

pub(super) fn level_now(row: StockRow, at: &AsOf) -> StockLevel {
    let balances = Balances { on_hand: row.on_hand, reserved: row.reserved, held: row.held };
    level(row.site, row.sku, balances, at.clone())
}

/// What is there, what of it is promised, and what of it is held by reason.
#[derive(Clone, Copy, Default)]
pub(super) struct Balances {
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) held: Held,
}

pub(super) fn level(site: SiteId, sku: Sku, balances: Balances, at: AsOf) -> StockLevel {
    let Balances { on_hand, reserved, held } = balances;
    let held_by_reason = by_reason(held);
    let held = held.iter().sum();
    let available = on_hand - reserved - held;
    StockLevel { site, sku, on_hand, reserved, held, held_by_reason, incoming: 0, available, at }
}

pub(super) fn by_reason(held: Held) -> HeldByReason {
    let of = |reason: HoldReason| held[reason.index()];
    HeldByReason {
        damaged: of(HoldReason::Damaged),
        quality_control: of(HoldReason::QualityControl),
        safety_stock: of(HoldReason::SafetyStock),
        other: of(HoldReason::Other),
    }
}
