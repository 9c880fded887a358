//! Stock levels.

use std::collections::HashMap;

use stockledger_schemas::{HoldReason, PartitionId, Position, SiteId, Sku};

use super::directory::text_after;
use super::{Queries, Result, no_page, nothing_yet, one_more, page};
use crate::read;
use crate::rows::StockRow;
use crate::store::Error;
use crate::views::{Answer, AsOf, HeldByReason, KnownSite, Page, StockLevel};

const COLUMNS: &str = "s.site, s.sku, s.on_hand, s.reserved, s.held_damaged, s.held_quality_control, \
                       s.held_safety_stock, s.held_other, s.first_seq, s.seq";

impl Queries {
    /// The level of an item at a site; nothing if it was never seen there.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_level(&self, known: &KnownSite, sku: &Sku) -> Result<Option<StockLevel>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let sql = format!("SELECT {COLUMNS} FROM {{stock}} s WHERE s.site = ? AND s.sku = ?");
        let row = moment.select_one(&sql, vec![(&known.site).into(), sku.into()]).await?;
        row.map(|fields| StockRow::read(fields).map(|row| level(row, moment.at))).transpose()
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
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {{stock}} s WHERE s.site = ? AND s.sku > ? ORDER BY s.sku LIMIT ?"
        );
        let parameters = vec![(&known.site).into(), text_after(after), one_more(limit).into()];
        let at = moment.at;
        let rows = moment.select(&sql, parameters).await?;
        let levels = rows
            .into_iter()
            .map(|fields| StockRow::read(fields).map(|row| level(row, at)))
            .collect::<Result<_>>()?;
        Ok(moment.answer(page(levels, limit, |level: &StockLevel| level.sku.clone())))
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
        let checkpoints = read::checkpoints(&mut *moment.snapshot, moment.version).await?;
        let positions: HashMap<PartitionId, AsOf> = checkpoints
            .iter()
            .map(|found| (found.partition, AsOf { position: found.position(), as_of: found.recorded_at }))
            .collect();
        let sql = format!(
            "SELECT d.partition_id, {COLUMNS} FROM {{stock}} s JOIN {{homes}} d ON d.site = s.site \
             WHERE s.sku = ? AND s.site > ? ORDER BY s.site LIMIT ?"
        );
        let rows = moment.select(&sql, vec![sku.into(), text_after(after), one_more(limit).into()]).await?;
        let mut levels = Vec::with_capacity(rows.len());
        for mut fields in rows {
            let partition = PartitionId(fields.number()?);
            let begin = AsOf { position: Position::new(partition, 0), as_of: None };
            let at = positions.get(&partition).copied().unwrap_or(begin);
            levels.push(level(StockRow::read(fields)?, at));
        }
        Ok(page(levels, limit, |level: &StockLevel| level.site.clone()))
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

fn level(row: StockRow, at: AsOf) -> StockLevel {
    let held = row.held_sum();
    let by_reason = |reason: HoldReason| row.held[reason.index()];
    StockLevel {
        on_hand: row.on_hand,
        reserved: row.reserved,
        held,
        held_by_reason: HeldByReason {
            damaged: by_reason(HoldReason::Damaged),
            quality_control: by_reason(HoldReason::QualityControl),
            safety_stock: by_reason(HoldReason::SafetyStock),
            other: by_reason(HoldReason::Other),
        },
        incoming: 0,
        available: row.on_hand - row.reserved - held,
        site: row.site,
        sku: row.sku,
        at,
    }
}
