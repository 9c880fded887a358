//! Stock as the ledger knew it at some moment: the balances that the last movement up to then left behind.
//!
//! A moment is a position, or an instant, which stands for the last decision of the site that was recorded at or before
//! it. Times of recording never fall along a partition, so that an instant of the past stands for the same decision for
//! ever. Nothing is folded and no row is ever rewritten: an answer about the past is a look-up.

use std::borrow::Borrow;
use std::collections::HashMap;

use stockledger_schemas::{PartitionId, SiteId, Sku, Timestamp};

use super::directory::text_after;
use super::levels::{LevelKey, LevelQuery};
use super::stock::{Balances, level};
use super::{Moment, Queries, Result, no_page, one_more, page};
use crate::dialect::shaped;
use crate::held;
use crate::value::{Fields, Value};
use crate::views::{Answer, AsOf, KnownSite, Page, StockLevel};

/// By which of its two times a fact counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// When the ledger took it: what was known then.
    #[default]
    Recorded,
    /// When it happened, as its caller says: what was true then, as known today.
    Occurred,
}

/// A moment of the past of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// After the last decision that was recorded at or before it.
    Instant(Timestamp),
    /// After this decision of the site's partition.
    Seq(u64),
}

/// The past that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// What was known then.
    Recorded(Point),
    /// What was true then, as known today: what happened later is left out, what was recorded later is not.
    Occurred(Timestamp),
}

/// The last decision of a site at or before an instant; the index has all of it.
///
/// The hint here and in those below is for MySQL, which otherwise spends more time on weighing other indexes than on the
/// answer. To other databases it is a comment.
pub(super) const LAST_AT_INSTANT: &str = "SELECT /*+ INDEX(t {trail}_1) */ t.seq, t.recorded_at FROM {trail} t \
    WHERE t.site = ? AND t.recorded_at <= ? ORDER BY t.recorded_at DESC, t.seq DESC LIMIT 1";

/// The last decision of a site at or before a position.
pub(super) const LAST_AT_SEQ: &str = "SELECT /*+ INDEX(t PRIMARY) */ t.seq, t.recorded_at FROM {trail} t \
    WHERE t.site = ? AND t.seq <= ? ORDER BY t.seq DESC LIMIT 1";

/// What the last movement of an item up to a decision left behind; the index has all of it.
pub(super) const LAST_MOVEMENT: &str = "\
    SELECT /*+ INDEX(m {movements}_0) */ m.sku, m.on_hand, m.reserved, m.held_by_reason FROM {movements} m \
    WHERE m.site = ? AND m.sku = ? AND m.seq <= ? ORDER BY m.seq DESC, m.line DESC LIMIT 1";

/// Items that one statement asks for at most.
const ITEMS_MAX: usize = 64;

const FIRST_SEEN: &str = "SELECT first_seq FROM {stock} WHERE site = ? AND sku = ?";

/// Sites that have ever seen an item, and where they live.
const SITES_OF_ITEM: &str = "SELECT d.partition_id, s.site FROM {stock} s JOIN {homes} d ON d.site = s.site \
    WHERE s.sku = ? AND s.site > ? ORDER BY s.site LIMIT ?";

impl Point {
    pub(super) fn value(self) -> Value {
        match self {
            Self::Instant(instant) => Value::Int(instant.micros()),
            Self::Seq(seq) => Value::from(seq),
        }
    }
}

impl Queries {
    /// The level of an item at a site then; nothing if it was never seen there until today, all zero if not until then.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_level_then(
        &self,
        known: &KnownSite,
        sku: &Sku,
        then: Then,
    ) -> Result<Option<StockLevel>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let found = moment.level_of(&known.site, sku, then).await?;
        Ok(found.map(|found| found.level))
    }

    /// The levels of a site then by SKU, beginning after one. The pages behind the first are given the `kept` state that
    /// the first one was answered from, so that all are of one state whatever is recorded meanwhile.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_levels_then(
        &self,
        known: &KnownSite,
        then: Then,
        kept: Option<AsOf>,
        after: Option<&Sku>,
        limit: u32,
    ) -> Result<Answer<Page<StockLevel, Sku>>> {
        let after = after.map(|sku| LevelKey { balance: 0, id: sku.clone() });
        let query = LevelQuery::default();
        let Answer { at, value } =
            self.stock_levels_like(known, &query, (Some(then), kept), after.as_ref(), limit).await?;
        Ok(Answer { at, value: Page { data: value.data, next: value.next.map(|key| key.id) } })
    }

    /// The levels of an item at all sites then by site, beginning after one: those at which it had been seen. Each is of
    /// one state of its own partition; the states that the first page was answered from, of those partitions that had not
    /// passed the instant, are `kept` for the others.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_of_item_then(
        &self,
        sku: &Sku,
        (axis, instant): (Axis, Timestamp),
        kept: Option<Vec<AsOf>>,
        after: Option<&SiteId>,
        limit: u32,
    ) -> Result<(Page<StockLevel, SiteId>, Vec<AsOf>)> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else {
            return Ok((no_page(), Vec::new()));
        };
        let reached = self.reached_by_partition(&mut moment).await?;
        let kept = kept.unwrap_or_else(|| unfinished(axis, instant, &reached));
        let mut levels = Vec::new();
        let mut after = after.cloned();
        'pages: loop {
            let sites = moment.sites_of_item(sku, after.as_ref(), one_more(limit)).await?;
            let Some((_, last)) = sites.last() else { break };
            after = Some(last.clone());
            for (partition, site) in sites {
                let kept = kept.iter().find(|at| at.position.partition == partition);
                let at = kept.or_else(|| reached.get(&partition)).cloned();
                moment.at = at.unwrap_or_else(|| AsOf::beginning(partition));
                let then = match (axis, kept) {
                    (Axis::Occurred, _) => Then::Occurred(instant),
                    (Axis::Recorded, None) => Then::Recorded(Point::Instant(instant)),
                    (Axis::Recorded, Some(at)) => Then::Recorded(Point::Seq(at.position.seq)),
                };
                let found = moment.level_of(&site, sku, then).await?;
                levels.extend(found.filter(|found| found.is_seen).map(|found| found.level));
                if levels.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
                    break 'pages;
                }
            }
        }
        Ok((page(levels, limit, |level: &StockLevel| level.site.clone()), kept))
    }
}

/// How far those partitions are that may still record something that an answer about an instant would have to include.
fn unfinished(axis: Axis, instant: Timestamp, reached: &HashMap<PartitionId, AsOf>) -> Vec<AsOf> {
    let is_unfinished = |at: &&AsOf| match axis {
        Axis::Recorded => at.as_of.is_none_or(|recorded_at| recorded_at <= instant),
        Axis::Occurred => true,
    };
    let mut unfinished: Vec<AsOf> = reached.values().filter(is_unfinished).cloned().collect();
    unfinished.sort_unstable_by_key(|at| at.position);
    unfinished
}

/// A level of then.
pub(super) struct Found {
    pub(super) level: StockLevel,
    /// Whether the item had been seen at the site by then.
    pub(super) is_seen: bool,
}

impl Moment {
    /// Goes back to the state that is asked for: the last one on the axis of what happened, because that is as known today.
    pub(super) async fn go_to(&mut self, site: &SiteId, then: Then, kept: Option<AsOf>) -> Result<()> {
        let at = match (kept, then) {
            (Some(kept), _) if kept.position < self.at.position => kept,
            (Some(_), _) | (None, Then::Occurred(_)) => return Ok(()),
            (None, Then::Recorded(point)) => self.state_at(site, point).await?,
        };
        self.at = AsOf { stale: self.at.stale.take(), ..at };
        Ok(())
    }

    /// The state that a moment stands for. What is not past yet is now.
    async fn state_at(&mut self, site: &SiteId, point: Point) -> Result<AsOf> {
        let (sql, is_now) = match point {
            Point::Instant(instant) => (LAST_AT_INSTANT, self.at.as_of.is_none_or(|last| last <= instant)),
            Point::Seq(seq) => (LAST_AT_SEQ, seq >= self.at.position.seq),
        };
        if is_now {
            return Ok(self.at.clone());
        }
        let (last, as_of) = match self.select_one(sql, vec![site.into(), point.value()]).await? {
            Some(mut fields) => (fields.number()?, Some(fields.time()?)),
            None => (0, None),
        };
        let seq = match point {
            Point::Instant(_) => last,
            Point::Seq(seq) => seq,
        };
        Ok(AsOf { position: self.position(seq), as_of, stale: self.at.stale.clone() })
    }

    /// The level of an item at a site then, if the site has ever seen it.
    async fn level_of(&mut self, site: &SiteId, sku: &Sku, then: Then) -> Result<Option<Found>> {
        match then {
            Then::Recorded(point) => self.level_recorded(site, sku, point).await,
            Then::Occurred(until) => self.level_occurred(site, sku, until).await,
        }
    }

    pub(super) async fn level_recorded(
        &mut self,
        site: &SiteId,
        sku: &Sku,
        point: Point,
    ) -> Result<Option<Found>> {
        let at = self.state_at(site, point).await?;
        let seq = at.position.seq;
        let last = self.last_movements(site, &[sku], seq).await?.remove(sku);
        let (balances, is_seen) = match last {
            Some(balances) => (balances, true),
            None => {
                let row = self.select_one(FIRST_SEEN, vec![site.into(), sku.into()]).await?;
                let Some(mut fields) = row else { return Ok(None) };
                (Balances::default(), fields.number::<u64>()? <= seq)
            }
        };
        Ok(Some(Found { level: level(site.clone(), sku.clone(), balances, at), is_seen }))
    }

    /// What the last movement of each item up to a decision left behind; items that had not moved are absent.
    pub(super) async fn last_movements<S: Borrow<Sku>>(
        &mut self,
        site: &SiteId,
        skus: &[S],
        seq: u64,
    ) -> Result<HashMap<Sku, Balances>> {
        let mut found = HashMap::with_capacity(skus.len());
        for piece in skus.chunks(ITEMS_MAX).flat_map(shaped) {
            let sql = last_movements_sql(piece.len());
            let parameters =
                piece.iter().flat_map(|sku| [site.into(), sku.borrow().into(), Value::from(seq)]);
            for mut fields in self.select(&sql, parameters.collect()).await? {
                found.insert(fields.text()?, balances(&mut fields)?);
            }
        }
        Ok(found)
    }

    async fn sites_of_item(
        &mut self,
        sku: &Sku,
        after: Option<&SiteId>,
        limit: u32,
    ) -> Result<Vec<(PartitionId, SiteId)>> {
        let rows = self.select(SITES_OF_ITEM, vec![sku.into(), text_after(after), limit.into()]).await?;
        rows.into_iter().map(|mut fields| Ok((PartitionId(fields.number()?), fields.text()?))).collect()
    }
}

/// The same for so many items at once.
pub(super) fn last_movements_sql(items: usize) -> String {
    match items {
        1 => LAST_MOVEMENT.to_owned(),
        // SQLite takes no limit in a part of a union that is not a query of its own.
        _ => vec![format!("SELECT k.* FROM ({LAST_MOVEMENT}) k"); items].join(" UNION ALL "),
    }
}

/// What a movement left behind.
fn balances(fields: &mut Fields) -> Result<Balances> {
    let (on_hand, reserved) = (fields.int()?, fields.int()?);
    let held = fields.optional_text::<String>()?;
    Ok(Balances { on_hand, reserved, held: held::from_text(held.as_deref())? })
}
