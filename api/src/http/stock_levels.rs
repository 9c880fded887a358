//! Reads about stock: levels now, at one site or at all, and the movements that led to them.

use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use stockledger_projections::{Direction, MovementKey};
use stockledger_schemas::{SiteId, Sku};

use crate::http::App;
use crate::http::list::{Limit, List, ListParameters};
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, respond};
use crate::http::segments::{NoParameters, Parameters, Segments};

pub(super) fn router() -> axum::Router<App> {
    axum::Router::new()
        .route("/v1/stock/{sku}", get(at_all_sites))
        .route("/v1/sites/{site}/stock", get(at_site))
        .route("/v1/sites/{site}/stock/{sku}", get(show))
        .route("/v1/sites/{site}/stock/{sku}/movements", get(movements))
}

fn unknown_stock(site: &SiteId, sku: &Sku) -> Problem {
    Problem::new(Code::UnknownStock, format!("{sku} was never seen at site {site}"))
}

async fn show(
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    let level = reader.0.stock_level(&known, &sku).await?.ok_or_else(|| unknown_stock(&site, &sku))?;
    respond(Some(level.at.position), &level)
}

async fn at_site(
    Segments(site): Segments<SiteId>,
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("stock", &[site.as_str()]);
    let after = list.begin::<Sku>(cursor.as_deref())?;
    let known = reader.site(&site).await?;
    let answer = reader.0.stock_levels(&known, after.as_ref(), limit.get()).await?;
    list.respond(Some(answer.at.position), &answer.value)
}

/// Each level has the position of its own partition, so the list as a whole has none.
async fn at_all_sites(
    Segments(sku): Segments<Sku>,
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("stock of item", &[sku.as_str()]);
    let after = list.begin::<SiteId>(cursor.as_deref())?;
    let page = reader.0.stock_of_item(&sku, after.as_ref(), limit.get()).await?;
    list.respond(None, &page)
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
    list.respond(Some(answer.at.position), &answer.value)
}
