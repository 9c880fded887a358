//! Reads about stock: levels now, at one site or at all, and the movements that led to them.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_projections::views::{AsOf, Page};
use stockledger_projections::{Axis, Direction, MovementKey};
use stockledger_schemas::{KeyScope, OrderStatus, SiteId, Sku};

use crate::http::access::{Access, Routes};
use crate::http::as_of::{Moment, Past};
use crate::http::cursor::Kept;
use crate::http::list::{Limit, List};
use crate::http::paths;
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, With, respond};
use crate::http::segments::{Parameters, Segments};

/// What moved and why tells who did it, which is a matter of audit.
pub(super) fn routes() -> Routes {
    let (read, audit) = (Access::AtSite(KeyScope::StockRead), Access::AtSite(KeyScope::AuditRead));
    Routes::new()
        .get("/v1/stock/{sku}", Access::AllSites(KeyScope::StockRead), at_all_sites)
        .get("/v1/sites/{site}/stock", read, at_site)
        .get("/v1/sites/{site}/stock/{sku}", read, show)
        .get("/v1/sites/{site}/stock/{sku}/movements", audit, movements)
        .get("/v1/sites/{site}/stock/{sku}/explain", audit, explain)
}

pub(super) fn unknown_stock(site: &SiteId, sku: &Sku) -> Problem {
    Problem::new(Code::UnknownStock, format!("{sku} was never seen at site {site}"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowParameters {
    as_of: Option<Moment>,
    axis: Option<Axis>,
}

async fn show(
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(ShowParameters { as_of, axis }): Parameters<ShowParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(as_of, axis)?;
    let known = reader.site(&site).await?;
    let level = match past {
        None => reader.0.stock_level(&known, &sku).await?,
        Some(past) => reader.0.stock_level_then(&known, &sku, past.at(&known)?).await?,
    };
    let level = level.ok_or_else(|| unknown_stock(&site, &sku))?;
    respond(Some(level.at.position), &With { value: &level, more: past.and_then(Past::told) })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelsParameters {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    as_of: Option<Moment>,
    axis: Option<Axis>,
}

async fn at_site(
    Segments(site): Segments<SiteId>,
    Parameters(LevelsParameters { limit, cursor, as_of, axis }): Parameters<LevelsParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(as_of, axis)?;
    let list = List::new("stock", &[site.as_str(), &Past::name(past)]);
    let Some(past) = past else {
        let after = list.begin::<Sku>(cursor.as_deref())?;
        let known = reader.site(&site).await?;
        let answer = reader.0.stock_levels(&known, after.as_ref(), limit.get()).await?;
        return list.respond(&answer.at, &answer.value);
    };
    let begin = list.begin::<Kept<AsOf, Sku>>(cursor.as_deref())?;
    let (kept, after) = begin.map(Kept::parts).unzip();
    let known = reader.site(&site).await?;
    let then = past.at(&known)?;
    let answer = reader.0.stock_levels_then(&known, then, kept, after.as_ref(), limit.get()).await?;
    let Page { data, next } = answer.value;
    let next = next.map(|sku| Kept::new(answer.at.clone(), sku));
    list.respond_then(&answer.at, Some(past), &data, next.as_ref())
}

/// Each level has the position of its own partition, so the list as a whole has none.
async fn at_all_sites(
    Segments(sku): Segments<Sku>,
    Parameters(LevelsParameters { limit, cursor, as_of, axis }): Parameters<LevelsParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(as_of, axis)?;
    let list = List::new("stock of item", &[sku.as_str(), &Past::name(past)]);
    let Some(past) = past else {
        let after = list.begin::<SiteId>(cursor.as_deref())?;
        let page = reader.0.stock_of_item(&sku, after.as_ref(), limit.get()).await?;
        return list.respond_everywhere(None, &page.data, page.next.as_ref());
    };
    let then = past.everywhere()?;
    let begin = list.begin::<Kept<Vec<AsOf>, SiteId>>(cursor.as_deref())?;
    let (kept, after) = begin.map(Kept::parts).unzip();
    let (page, kept) = reader.0.stock_of_item_then(&sku, then, kept, after.as_ref(), limit.get()).await?;
    let next = page.next.map(|site| Kept::new(kept, site));
    list.respond_everywhere(Some(past), &page.data, next.as_ref())
}

/// Which end of the history comes first.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum First {
    #[default]
    Newest,
    Oldest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MovementParameters {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    #[serde(default)]
    first: First,
}

async fn movements(
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(MovementParameters { limit, cursor, first }): Parameters<MovementParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let (direction, name) = match first {
        First::Newest => (Direction::NewestFirst, "newest"),
        First::Oldest => (Direction::OldestFirst, "oldest"),
    };
    let list = List::new("movements", &[site.as_str(), sku.as_str(), name]);
    let after = list.begin::<MovementKey>(cursor.as_deref())?;
    let known = reader.site(&site).await?;
    let answer = reader.0.movements(&known, &sku, direction, after, limit.get()).await?;
    if answer.value.data.is_empty() && reader.0.stock_level(&known, &sku).await?.is_none() {
        return Err(unknown_stock(&site, &sku));
    }
    list.respond(&answer.at, &answer.value)
}

/// Where all is that an explanation shows only the newest or the oldest of.
#[derive(Serialize)]
struct Links {
    movements: String,
    open_orders: [String; 2],
}

#[derive(Serialize)]
struct WithLinks {
    links: Links,
}

async fn explain(
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(ShowParameters { as_of, axis }): Parameters<ShowParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(as_of, axis)?;
    let known = reader.site(&site).await?;
    let point = past.map(|past| past.point(&known)).transpose()?;
    let explanation =
        reader.0.explain(&known, &sku, point).await?.ok_or_else(|| unknown_stock(&site, &sku))?;
    let open_orders = [OrderStatus::Placed, OrderStatus::PartiallyShipped];
    let open_orders = open_orders.map(|status| paths::orders(&site, status));
    let more = WithLinks { links: Links { movements: paths::movements(&site, &sku), open_orders } };
    respond(Some(explanation.level.at.position), &With { value: &explanation, more })
}
