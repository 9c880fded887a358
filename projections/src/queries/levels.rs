//! Stock levels by what they are: filtered and sorted by their balances, a page at a time, all pages of one state.
//!
//! A balance changes while somebody walks through a list that it orders, so each page is answered from the state that the
//! first one was answered from. Rows that have not changed since are as they were; of the others the last movement up to
//! then says what was there. Nothing is missed, nothing comes twice, and nothing has to be kept for a caller.

use stockledger_schemas::{PartitionId, SiteId, Sku};

use super::past::{Point, Then};
use super::statement::Statement;
use super::stock::{Balances, COLUMNS, level};
use super::summary::HELD;
use super::{Moment, Queries, Result, no_page, nothing_yet, one_more, page};
use crate::rows::StockRow;
use crate::value::{Fields, Value};
use crate::views::{Answer, AsOf, KnownSite, Page, StockLevel};

/// A balance that levels are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// What is physically there.
    OnHand,
    /// What can still be promised.
    Available,
}

/// Which levels, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LevelQuery {
    /// Those of items that begin like this.
    pub sku_prefix: Option<Sku>,
    /// Those of which less than this is on hand.
    pub on_hand_below: Option<i64>,
    /// Those of which less than this is available.
    pub available_below: Option<i64>,
    /// By this balance first; by the id alone, if absent.
    pub sort: Option<Balance>,
    /// From the last to the first.
    pub is_descending: bool,
}

/// The place of a level in a list: the balance that sorts it, 0 where none does, and its id in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelKey<Id> {
    /// The balance.
    pub balance: i64,
    /// The item in a list of a site, the site in a list of an item.
    pub id: Id,
}

impl LevelQuery {
    /// Whether it depends on balances, which change.
    #[must_use]
    pub const fn is_about_balances(&self) -> bool {
        self.on_hand_below.is_some() || self.available_below.is_some() || self.sort.is_some()
    }

    /// Whether it asks for all levels by their ids.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// A list of levels while it is asked for.
struct Listed<'a> {
    query: &'a LevelQuery,
    /// The column with the id: `sku` or `site`.
    id: &'static str,
    /// Where a row lives, as far as that differs.
    partition: &'static str,
    /// Where the rows come from, and which they are.
    rows: Statement,
    /// The last decision that is known of the partition of a row.
    known: Statement,
    /// Whether that is all that there is.
    is_now: bool,
}

impl Queries {
    /// Levels of a site, beginning behind one. The pages behind the first are given the `kept` state that it was answered
    /// from; without it the state is that of `then`, or else the present. By occurrence levels come by SKU, and of the
    /// query the prefix counts alone.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_levels_like(
        &self,
        known: &KnownSite,
        query: &LevelQuery,
        (then, kept): (Option<Then>, Option<AsOf>),
        after: Option<&LevelKey<Sku>>,
        limit: u32,
    ) -> Result<Answer<Page<StockLevel, LevelKey<Sku>>>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let now = Then::Recorded(Point::Seq(moment.at.position.seq));
        let then = then.unwrap_or(now);
        moment.go_to(&known.site, then, kept).await?;
        let levels = match then {
            Then::Recorded(_) => moment.levels_like(&known.site, query, after, limit).await?,
            Then::Occurred(until) => {
                let (prefix, after) = (query.sku_prefix.as_ref(), after.map(|after| &after.id));
                moment.levels_occurred(known, until, (prefix, after), limit).await?
            }
        };
        Ok(moment.answer(page(levels, limit, |level| query.key(level, level.sku.clone()))))
    }

    /// Levels of an item at all sites, beginning behind one. The states that the first page was answered from, of the
    /// partitions that have seen the item, are `kept` for the others.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn stock_of_item_like(
        &self,
        sku: &Sku,
        query: &LevelQuery,
        kept: Option<Vec<AsOf>>,
        after: Option<&LevelKey<SiteId>>,
        limit: u32,
    ) -> Result<(Page<StockLevel, LevelKey<SiteId>>, Vec<AsOf>)> {
        let Some(mut moment) = self.moment(PartitionId::DIRECTORY).await? else {
            return Ok((no_page(), Vec::new()));
        };
        let kept = match kept {
            Some(kept) => kept,
            None => self.states_of_item(&mut moment, sku).await?,
        };
        if kept.is_empty() {
            return Ok((no_page(), kept));
        }
        let rows = "d.site = s.site WHERE s.sku = ?";
        let listed = Listed {
            query,
            id: "site",
            partition: "d.partition_id",
            rows: Statement::new(&format!(" FROM {{stock}} s JOIN {{homes}} d ON {rows}"), [sku.into()]),
            known: known_of(&kept),
            is_now: false,
        };
        let mut levels = Vec::new();
        for row in
            moment.listed(&listed, after.map(|after| (after.balance, (&after.id).into())), limit).await?
        {
            let state = kept.iter().find(|at| at.position.partition == row.partition);
            let at = state.cloned().unwrap_or_else(|| AsOf::beginning(row.partition));
            let seq = at.position.seq;
            let then = match row.is_as_known(seq) {
                true => row.balances(),
                false => {
                    moment.last_movements(&row.row.site, &[sku], seq).await?.remove(sku).unwrap_or_default()
                }
            };
            levels.push(level(row.row.site, row.row.sku, then, at));
        }
        Ok((page(levels, limit, |level: &StockLevel| query.key(level, level.site.clone())), kept))
    }

    /// How far those partitions are that have seen an item.
    async fn states_of_item(&self, moment: &mut Moment, sku: &Sku) -> Result<Vec<AsOf>> {
        let sql =
            "SELECT DISTINCT d.partition_id FROM {stock} s JOIN {homes} d ON d.site = s.site WHERE s.sku = ?";
        let rows = moment.select(sql, vec![sku.into()]).await?;
        let reached = self.reached_by_partition(moment).await?;
        let state = |mut fields: Fields| {
            let partition = PartitionId(fields.number()?);
            Ok(reached.get(&partition).cloned().unwrap_or_else(|| AsOf::beginning(partition)))
        };
        let mut states = rows.into_iter().map(state).collect::<Result<Vec<AsOf>>>()?;
        states.sort_unstable_by_key(|at| at.position);
        Ok(states)
    }
}

impl Moment {
    /// Levels as this moment knows them, one more than a page.
    pub(super) async fn levels_like(
        &mut self,
        site: &SiteId,
        query: &LevelQuery,
        after: Option<&LevelKey<Sku>>,
        limit: u32,
    ) -> Result<Vec<StockLevel>> {
        let seq = self.at.position.seq;
        let prefix = query.sku_prefix.as_ref();
        let listed = Listed {
            query,
            id: "sku",
            partition: "0",
            rows: Statement::new(" FROM {stock} s WHERE s.site = ?", [site.into()])
                .if_some(" AND s.sku >= ?", prefix.map(Value::from))
                .if_some(" AND s.sku < ?", prefix.map(|prefix| Value::Text(behind(prefix)))),
            known: Statement::new("?", [Value::from(seq)]),
            is_now: seq >= self.newest,
        };
        let after = after.map(|after| (after.balance, (&after.id).into()));
        let rows = self.listed(&listed, after, limit).await?;
        let changed = rows.iter().filter(|row| !row.is_as_known(seq)).map(|row| row.row.sku.clone());
        let changed: Vec<Sku> = changed.collect();
        let mut then = self.last_movements(site, &changed, seq).await?;
        let level = |row: ListedRow| {
            let balances = match row.is_as_known(seq) {
                true => row.balances(),
                false => then.remove(&row.row.sku).unwrap_or_default(),
            };
            level(row.row.site, row.row.sku, balances, self.at.clone())
        };
        Ok(rows.into_iter().map(level).collect())
    }

    async fn listed(
        &mut self,
        listed: &Listed<'_>,
        after: Option<(i64, Value)>,
        limit: u32,
    ) -> Result<Vec<ListedRow>> {
        let Statement { sql, parameters } = listed.page(after, limit);
        let rows = self.select(&sql, parameters).await?;
        rows.into_iter().map(ListedRow::read).collect()
    }
}

/// A row as it is, which may be newer than what is known.
struct ListedRow {
    partition: PartitionId,
    row: StockRow,
}

impl ListedRow {
    fn read(mut fields: Fields) -> Result<Self> {
        Ok(Self { partition: PartitionId(fields.number()?), row: StockRow::read(fields)? })
    }

    fn is_as_known(&self, seq: u64) -> bool {
        u64::try_from(self.row.seq).is_ok_and(|changed| changed <= seq)
    }

    const fn balances(&self) -> Balances {
        Balances { on_hand: self.row.on_hand, reserved: self.row.reserved, held: self.row.held }
    }
}

impl LevelQuery {
    fn key<Id>(&self, level: &StockLevel, id: Id) -> LevelKey<Id> {
        let balance = match self.sort {
            Some(Balance::OnHand) => level.on_hand,
            Some(Balance::Available) => level.available,
            None => 0,
        };
        LevelKey { balance, id }
    }
}

impl Listed<'_> {
    /// One page, and one row more.
    fn page(&self, after: Option<(i64, Value)>, limit: u32) -> Statement {
        let page = Statement::new(&format!("SELECT s.partition_id, {COLUMNS} FROM (SELECT {COLUMNS}, "), [])
            .and(&format!("{} AS partition_id, ", self.partition), [])
            .then(self.then("s.on_hand", "m.on_hand"))
            .and(" AS then_on_hand, ", [])
            .then(self.then(&format!("s.on_hand - s.reserved - {HELD}"), "m.on_hand - m.reserved - m.held"))
            .and(" AS then_available", [])
            .then(self.rows.clone())
            .and(" AND s.first_seq <= ", [])
            .then(self.known.clone())
            .and(") s WHERE 1 = 1", [])
            .if_some(" AND s.then_on_hand < ?", self.query.on_hand_below.map(Value::Int))
            .if_some(" AND s.then_available < ?", self.query.available_below.map(Value::Int));
        self.in_order(page, after).and(" LIMIT ?", [one_more(limit).into()])
    }

    /// A balance as it was known: as it is where nothing has moved since, else as the last movement left it. The index of
    /// movements finds that in one step.
    fn then(&self, now: &str, then: &str) -> Statement {
        if !self.query.is_about_balances() {
            return Statement::new("0", []);
        }
        if self.is_now {
            return Statement::new(now, []);
        }
        let moved = "FROM {movements} m WHERE m.site = s.site AND m.sku = s.sku AND m.seq <= ";
        Statement::new("CASE WHEN s.seq <= ", [])
            .then(self.known.clone())
            .and(&format!(" THEN {now} ELSE COALESCE((SELECT {then} {moved}"), [])
            .then(self.known.clone())
            .and(" ORDER BY m.seq DESC, m.line DESC LIMIT 1), 0) END", [])
    }

    fn in_order(&self, page: Statement, after: Option<(i64, Value)>) -> Statement {
        let (sign, order) = if self.query.is_descending { ("<", "DESC") } else { (">", "ASC") };
        let id = self.id;
        let sort = match self.query.sort {
            Some(Balance::OnHand) => "s.then_on_hand",
            Some(Balance::Available) => "s.then_available",
            None => {
                let page = page.if_some(&format!(" AND s.{id} {sign} ?"), after.map(|(_, id)| id));
                return page.and(&format!(" ORDER BY s.{id} {order}"), []);
            }
        };
        let page = match after {
            Some((balance, key)) => page.and(
                &format!(" AND ({sort} {sign} ? OR ({sort} = ? AND s.{id} {sign} ?))"),
                [Value::Int(balance), Value::Int(balance), key],
            ),
            None => page,
        };
        page.and(&format!(" ORDER BY {sort} {order}, s.{id} {order}"), [])
    }
}

/// The last decision that is known of the partition `d.partition_id`.
fn known_of(states: &[AsOf]) -> Statement {
    let cases = states.iter().flat_map(|at| [at.position.partition.into(), Value::from(at.position.seq)]);
    let arms = " WHEN ? THEN ?".repeat(states.len());
    Statement::new(&format!("CASE d.partition_id{arms} ELSE 0 END"), cases)
}

/// The first text behind all that begin with `prefix`: ids are of printable ASCII, so that the last character has a next one.
pub(super) fn behind(prefix: &Sku) -> String {
    let mut text = prefix.as_str().to_owned();
    let last = text.pop().map_or(0, u32::from);
    text.extend(char::from_u32(last + 1));
    text
}
