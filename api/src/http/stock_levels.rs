//! Reads about one stock level: what it is, and why.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_projections::Axis;
use stockledger_schemas::{KeyScope, OrderStatus, SiteId, Sku};

use crate::http::access::{Access, Routes};
use crate::http::as_of::{Moment, Past};
use crate::http::conditional::Tag;
use crate::http::paths;
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, With, respond_tagged, tag_at};
use crate::http::segments::{Parameters, Segments};

/// Why it is what it is tells who did it, which is a matter of audit.
pub(super) fn routes() -> Routes {
    let (read, audit) = (Access::AtSite(KeyScope::StockRead), Access::AtSite(KeyScope::AuditRead));
    Routes::new().get("/v1/sites/{site}/stock/{sku}", read, show).get(
        "/v1/sites/{site}/stock/{sku}/explain",
        audit,
        explain,
    )
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
    let found = match past {
        None => {
            let found = reader.0.stock_level_and_change(&known, &sku).await?;
            found.map(|(level, changed)| (level, Tag::ChangedLastBy(changed)))
        }
        Some(past) => {
            let level = reader.0.stock_level_then(&known, &sku, past.at(&known)?).await?;
            level.map(|level| (level, Tag::Body))
        }
    };
    let (level, tag) = found.ok_or_else(|| unknown_stock(&site, &sku))?;
    let tag = tag_at(&level.at, tag);
    respond_tagged(Some(level.at.position), tag, &With { value: &level, more: past.and_then(Past::told) })
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
    respond_tagged(Some(explanation.level.at.position), Tag::Body, &With { value: &explanation, more })
}
