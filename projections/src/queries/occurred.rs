//! Stock by when things happened: what was true at an instant, as known today.
//!
//! A level is the sum of what moved until then, whenever it was recorded; a receipt that was booked a week late is in the
//! levels of that week. Callers may say any time, so that these sums can be negative where the recorded balances never are:
//! goods may have left, as somebody says, before they came.

use stockledger_schemas::{SiteId, Sku, Timestamp};

use super::directory::text_after;
use super::levels::behind;
use super::past::Found;
use super::stock::{Balances, level};
use super::{Moment, Result, one_more};
use crate::value::{Fields, Value};
use crate::views::{KnownSite, StockLevel};

/// Whether anything of the item `s` had moved by then. The movements come from the index alone, their times by key: a
/// database that is left the choice may read all decisions of the site instead. The same holds for what moved.
const HAS_MOVED: &str = "EXISTS (SELECT 1 FROM {movements} y CROSS JOIN {movements} z \
    ON z.site = y.site AND z.seq = y.seq AND z.line = y.line \
    WHERE y.site = s.site AND y.sku = s.sku AND y.seq <= ? AND z.occurred_at <= ?)";

/// Behind every id: they are of printable ASCII.
const BEHIND_ALL: &str = "\u{7f}";

/// What moved of the items `k` until then.
const SUMS: &str = "\
    CAST(COALESCE(SUM(m.d_on_hand), 0) AS SIGNED), CAST(COALESCE(SUM(m.d_reserved), 0) AS SIGNED), \
    CAST(COALESCE(SUM(CASE WHEN m.held_reason = 'damaged' THEN m.d_held ELSE 0 END), 0) AS SIGNED), \
    CAST(COALESCE(SUM(CASE WHEN m.held_reason = 'quality_control' THEN m.d_held ELSE 0 END), 0) AS SIGNED), \
    CAST(COALESCE(SUM(CASE WHEN m.held_reason = 'safety_stock' THEN m.d_held ELSE 0 END), 0) AS SIGNED), \
    CAST(COALESCE(SUM(CASE WHEN m.held_reason = 'other' THEN m.d_held ELSE 0 END), 0) AS SIGNED)";

const MOVED: &str = "LEFT JOIN {movements} x ON x.site = k.site AND x.sku = k.sku AND x.seq <= ? \
    LEFT JOIN {movements} m ON m.site = x.site AND m.seq = x.seq AND m.line = x.line AND m.occurred_at <= ?";

/// The level of one item that the site has ever seen, and whether it had been seen by then.
pub(super) fn level_sql() -> String {
    format!(
        "SELECT k.first_occurred_at, k.seq, COUNT(m.seq), {SUMS} FROM \
         (SELECT s.site, s.sku, s.first_occurred_at, s.seq FROM {{stock}} s WHERE s.site = ? AND s.sku = ? LIMIT 1) k \
         {MOVED} GROUP BY k.first_occurred_at, k.seq"
    )
}

/// A page of levels: the items to which anything had happened by then, of those that changed after what is to be known the
/// ones that had moved.
pub(super) fn levels_sql() -> String {
    format!(
        "SELECT k.sku, {SUMS} FROM (SELECT s.site, s.sku FROM {{stock}} s \
         WHERE s.site = ? AND s.sku > ? AND s.sku >= ? AND s.sku < ? AND s.first_occurred_at <= ? AND (s.seq <= ? OR {HAS_MOVED}) \
         ORDER BY s.sku LIMIT ?) k {MOVED} GROUP BY k.sku ORDER BY k.sku"
    )
}

impl Moment {
    pub(super) async fn level_occurred(
        &mut self,
        site: &SiteId,
        sku: &Sku,
        until: Timestamp,
    ) -> Result<Option<Found>> {
        let known = self.at.position.seq;
        let (seq, last) = (Value::from(known), Value::Int(until.micros()));
        let parameters = vec![site.into(), sku.into(), seq, last];
        let Some(mut fields) = self.select_one(&level_sql(), parameters).await? else { return Ok(None) };
        let (first_occurred_at, last_seq): (_, u64) = (fields.time()?, fields.number()?);
        let moved = fields.int()? > 0;
        let is_seen = moved || (first_occurred_at <= until && last_seq <= known);
        let level = level(site.clone(), sku.clone(), sums(&mut fields)?, self.at.clone());
        Ok(Some(Found { level, is_seen }))
    }

    pub(super) async fn levels_occurred(
        &mut self,
        known: &KnownSite,
        until: Timestamp,
        (prefix, after): (Option<&Sku>, Option<&Sku>),
        limit: u32,
    ) -> Result<Vec<StockLevel>> {
        let behind = prefix.map_or_else(|| BEHIND_ALL.to_owned(), behind);
        let (seq, until) = (Value::from(self.at.position.seq), Value::Int(until.micros()));
        let parameters = vec![
            (&known.site).into(),
            text_after(after),
            text_after(prefix),
            Value::Text(behind),
            until.clone(),
            seq.clone(),
            seq.clone(),
            until.clone(),
            one_more(limit).into(),
            seq,
            until,
        ];
        let rows = self.select(&levels_sql(), parameters).await?;
        let level = |mut fields: Fields| {
            let sku = fields.text()?;
            Ok(level(known.site.clone(), sku, sums(&mut fields)?, self.at.clone()))
        };
        rows.into_iter().map(level).collect()
    }
}

fn sums(fields: &mut Fields) -> Result<Balances> {
    Ok(Balances {
        on_hand: fields.int()?,
        reserved: fields.int()?,
        held: [fields.int()?, fields.int()?, fields.int()?, fields.int()?],
    })
}
