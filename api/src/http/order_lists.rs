//! Lists of orders: those of a site, and how one of them came to be what it is.

use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::{KnownSite, Order, TrailStep};
use stockledger_projections::{Axis, Direction, OrderFilter, Queries};
use stockledger_schemas::{CustomerId, KeyScope, OrderId, OrderStatus, SiteId, Sku, Timestamp};

use crate::http::access::{Access, Routes};
use crate::http::list::{Limit, List, ListParameters, Pages, Portion, Wanted};
use crate::http::movements::First;
use crate::http::orders::unknown_order;
use crate::http::period::{self, period};
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};

pub(super) fn routes() -> Routes {
    Routes::new().get("/v1/sites/{site}/orders", Access::AtSite(KeyScope::StockRead), list).get(
        "/v1/sites/{site}/orders/{order_id}/trail",
        Access::AtSite(KeyScope::AuditRead),
        trail,
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderParameters {
    limit: Option<Limit>,
    cursor: Option<String>,
    status: Option<OrderStatus>,
    customer: Option<CustomerId>,
    sku: Option<Sku>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    axis: Option<Axis>,
    #[serde(default)]
    first: First,
}

async fn list(
    Segments(site): Segments<SiteId>,
    Parameters(parameters): Parameters<OrderParameters>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    let OrderParameters { limit, cursor, status, customer, sku, from, to, axis, first } = parameters;
    let filter = OrderFilter { status, customer, sku, period: period((from, to), axis)? };
    let list = named(&site, first, &filter);
    let known = reader.site(&site).await?;
    let pages = Orders { queries: reader.0.clone(), known, filter, direction: first.direction() };
    list.answer(wanted, ListParameters { limit, cursor }, pages).await
}

/// The list as its cursors know it.
pub(super) fn named(site: &SiteId, first: First, filter: &OrderFilter) -> List {
    let OrderFilter { status, customer, sku, period } = filter;
    List::new(
        "orders",
        &[
            site.as_str(),
            first.as_str(),
            status.map_or("", OrderStatus::as_str),
            customer.as_ref().map_or("", CustomerId::as_str),
            sku.as_ref().map_or("", Sku::as_str),
            &period::name(period),
        ],
    )
}

struct Orders {
    queries: Queries,
    known: KnownSite,
    filter: OrderFilter,
    direction: Direction,
}

impl Pages for Orders {
    type Row = Order;
    type Key = u64;

    async fn page(&self, after: Option<u64>, limit: u32) -> Result<Portion<Order, u64>, Problem> {
        let Self { queries, known, filter, direction } = self;
        Ok(Portion::of(queries.orders(known, filter, *direction, after, limit).await?))
    }
}

async fn trail(
    Segments((site, order_id)): Segments<(SiteId, OrderId)>,
    Parameters(asked): Parameters<ListParameters>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("trail", &[site.as_str(), order_id.as_str()]);
    let known = reader.site(&site).await?;
    list.answer(wanted, asked, Trail { queries: reader.0.clone(), known, order_id }).await
}

struct Trail {
    queries: Queries,
    known: KnownSite,
    order_id: OrderId,
}

impl Pages for Trail {
    type Row = TrailStep;
    type Key = u64;

    async fn page(&self, after: Option<u64>, limit: u32) -> Result<Portion<TrailStep, u64>, Problem> {
        let answer = self.queries.order_trail(&self.known, &self.order_id, after, limit).await?;
        if answer.value.data.is_empty() && after.is_none() {
            return Err(unknown_order(&self.order_id));
        }
        Ok(Portion::of(answer))
    }
}
