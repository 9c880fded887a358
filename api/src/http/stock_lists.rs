//! Lists of stock levels: of a site and of an item, now and then, by what they are.

use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::{Answer, AsOf, KnownSite, Page, StockLevel};
use stockledger_projections::{Axis, Balance, LevelKey, LevelQuery, Queries, Then};
use stockledger_schemas::limits::QUANTITY_MAX;
use stockledger_schemas::{KeyScope, SiteId, Sku, Timestamp};

use crate::http::access::{Access, Routes};
use crate::http::as_of::{Moment, Past, malformed};
use crate::http::cursor::Kept;
use crate::http::list::{LIMIT_MAX, Limit, List, ListParameters, Pages, Portion, Wanted};
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};

pub(super) fn routes() -> Routes {
    Routes::new().get("/v1/stock/{sku}", Access::AllSites(KeyScope::StockRead), of_item).get(
        "/v1/sites/{site}/stock",
        Access::AtSite(KeyScope::StockRead),
        at_site,
    )
}

/// Levels that are read at once where all of a sorted list are wanted: each time all levels of the site are sorted.
const SORTED_AT_ONCE: u32 = 5_000;

/// What a balance is compared with: a number that one can be.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct Bound(i64);

#[derive(Debug, thiserror::Error)]
#[error("must be from -{QUANTITY_MAX} to {QUANTITY_MAX}, as a balance is")]
struct InvalidBound;

impl TryFrom<i64> for Bound {
    type Error = InvalidBound;

    fn try_from(number: i64) -> Result<Self, InvalidBound> {
        if (-QUANTITY_MAX..=QUANTITY_MAX).contains(&number) { Ok(Self(number)) } else { Err(InvalidBound) }
    }
}

impl Bound {
    const fn get(self) -> i64 {
        self.0
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtSite {
    limit: Option<Limit>,
    cursor: Option<String>,
    as_of: Option<Moment>,
    axis: Option<Axis>,
    sku_prefix: Option<Sku>,
    below: Option<Bound>,
    available_lt: Option<Bound>,
    sort: Option<String>,
}

async fn at_site(
    Segments(site): Segments<SiteId>,
    Parameters(parameters): Parameters<AtSite>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    let AtSite { limit, cursor, as_of, axis, sku_prefix, below, available_lt, sort } = parameters;
    let (sort, is_descending) = sorted(sort.as_deref(), "sku")?;
    let query = LevelQuery {
        sku_prefix,
        on_hand_below: below.map(Bound::get),
        available_below: available_lt.map(Bound::get),
        sort,
        is_descending,
    };
    let past = Past::of(as_of, axis)?;
    let known = reader.site(&site).await?;
    let levels = SiteLevels::new(&reader, known, past, query)?;
    // Rows are of one state as a whole.
    let levels = SiteLevels { is_kept: levels.is_kept || wanted.is_whole(limit), ..levels };
    levels.list("stock").answer(wanted, ListParameters { limit, cursor }, levels).await
}

/// Where a list of a site goes on, and the state that it is of.
pub(super) type SiteKey = Kept<AsOf, LevelKey<Sku>>;

/// The levels of a site.
pub(super) struct SiteLevels {
    queries: Queries,
    known: KnownSite,
    past: Option<Past>,
    then: Option<Then>,
    query: LevelQuery,
    /// Whether all pages are of the state of the first one.
    is_kept: bool,
}

impl SiteLevels {
    /// # Errors
    /// `malformed-request` for what no list has.
    pub(super) fn new(
        reader: &Reader,
        known: KnownSite,
        past: Option<Past>,
        query: LevelQuery,
    ) -> Result<Self, Problem> {
        let then = past.map(|past| past.at(&known)).transpose()?;
        if matches!(then, Some(Then::Occurred(_))) && (query.is_about_balances() || query.is_descending) {
            let why = "by occurrence, levels are listed by SKU: leave out axis=occurred, or below, available_lt and sort";
            return Err(malformed(why));
        }
        let is_kept = then.is_some() || query.is_about_balances();
        Ok(Self { queries: reader.0.clone(), known, past, then, query, is_kept })
    }

    /// The list as its cursors know it.
    pub(super) fn list(&self, name: &str) -> List {
        List::new(name, &[self.known.site.as_str(), &Past::name(self.past), &name_of(&self.query)])
    }

    /// A page of levels, and where the next one begins.
    pub(super) async fn find(
        &self,
        after: Option<SiteKey>,
        limit: u32,
    ) -> Result<Answer<Page<StockLevel, SiteKey>>, Problem> {
        let (kept, after) = after.map(Kept::parts).unzip();
        let state = (self.then, kept.filter(|_| self.is_kept));
        let found = self.queries.stock_levels_like(&self.known, &self.query, state, after.as_ref(), limit);
        let Answer { at, value: Page { data, next } } = found.await?;
        let next = next.map(|key| Kept::new(at.clone(), key));
        Ok(Answer { at, value: Page { data, next } })
    }
}

impl Pages for SiteLevels {
    type Row = StockLevel;
    type Key = SiteKey;

    async fn page(
        &self,
        after: Option<SiteKey>,
        limit: u32,
    ) -> Result<Portion<StockLevel, SiteKey>, Problem> {
        Ok(Portion { past: self.past, ..Portion::of(self.find(after, limit).await?) })
    }

    fn at_once(&self) -> u32 {
        if self.query.sort.is_some() { SORTED_AT_ONCE } else { LIMIT_MAX }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfItem {
    limit: Option<Limit>,
    cursor: Option<String>,
    as_of: Option<Moment>,
    axis: Option<Axis>,
    below: Option<Bound>,
    available_lt: Option<Bound>,
    sort: Option<String>,
}

async fn of_item(
    Segments(sku): Segments<Sku>,
    Parameters(parameters): Parameters<OfItem>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    let OfItem { limit, cursor, as_of, axis, below, available_lt, sort } = parameters;
    let (sort, is_descending) = sorted(sort.as_deref(), "site")?;
    let query = LevelQuery {
        sku_prefix: None,
        on_hand_below: below.map(Bound::get),
        available_below: available_lt.map(Bound::get),
        sort,
        is_descending,
    };
    let past = Past::of(as_of, axis)?;
    if past.is_some() && !query.is_plain() {
        let why = "of the past, the levels of an item are listed by site: leave out as_of, or below, available_lt and sort";
        return Err(malformed(why));
    }
    let then = past.map(Past::everywhere).transpose()?;
    let list = List::new("stock of item", &[sku.as_str(), &Past::name(past), &name_of(&query)]);
    let pages = ItemLevels { queries: reader.0.clone(), sku, past, then, query };
    list.answer(wanted, ListParameters { limit, cursor }, pages).await
}

/// Where a list of an item goes on, and the states that it is of.
type ItemKey = Kept<Vec<AsOf>, LevelKey<SiteId>>;

/// The levels of an item at all sites. Each has the position of its own partition, so the list as a whole has none.
struct ItemLevels {
    queries: Queries,
    sku: Sku,
    past: Option<Past>,
    then: Option<(Axis, Timestamp)>,
    query: LevelQuery,
}

impl Pages for ItemLevels {
    type Row = StockLevel;
    type Key = ItemKey;

    async fn page(
        &self,
        after: Option<ItemKey>,
        limit: u32,
    ) -> Result<Portion<StockLevel, ItemKey>, Problem> {
        let Self { queries, sku, past, then, query } = self;
        let (kept, after) = after.map(Kept::parts).unzip();
        let (page, kept) = match then {
            Some(then) => {
                let after = after.map(|after| after.id);
                let found = queries.stock_of_item_then(sku, *then, kept, after.as_ref(), limit).await?;
                (by_site(found.0), found.1)
            }
            None if query.is_plain() => {
                let after = after.map(|after| after.id);
                (by_site(queries.stock_of_item(sku, after.as_ref(), limit).await?), Vec::new())
            }
            None => queries.stock_of_item_like(sku, query, kept, after.as_ref(), limit).await?,
        };
        let next = page.next.map(|key| Kept::new(kept, key));
        Ok(Portion { at: None, past: *past, data: page.data, next })
    }
}

fn by_site(page: Page<StockLevel, SiteId>) -> Page<StockLevel, LevelKey<SiteId>> {
    Page { data: page.data, next: page.next.map(|id| LevelKey { balance: 0, id }) }
}

/// What `sort=` says: the balance that comes before the id, and whether the last is first.
fn sorted(sort: Option<&str>, id: &str) -> Result<(Option<Balance>, bool), Problem> {
    let sort = sort.unwrap_or(id);
    let (word, is_descending) = sort.strip_prefix('-').map_or((sort, false), |word| (word, true));
    let balance = match word {
        "on_hand" => Some(Balance::OnHand),
        "available" => Some(Balance::Available),
        word if word == id => None,
        _ => {
            let why =
                format!("sort: must be {id}, on_hand or available, or one of them with a minus before it");
            return Err(malformed(&why));
        }
    };
    Ok((balance, is_descending))
}

/// A query in the name of a list.
fn name_of(query: &LevelQuery) -> String {
    let LevelQuery { sku_prefix, on_hand_below, available_below, sort, is_descending } = query;
    let prefix = sku_prefix.as_ref().map_or("", Sku::as_str);
    format!("{prefix}\n{on_hand_below:?} {available_below:?} {sort:?} {is_descending}")
}
