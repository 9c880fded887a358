//! `/v1/sites/{site}/orders`: orders, their steps, and how each came to be what it is.

use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use stockledger_domain::Command;
use stockledger_domain::command::{
    CancelOrder, OrderedLine, PlaceOrder, ReturnLine, ReturnOrder, ShipOrder, ShipmentLine,
};
use stockledger_schemas::{Currency, CustomerId, OrderId, OrderStatus, Reason, Scope, SiteId};

use crate::http::App;
use crate::http::body::{body, objects, optional_objects};
use crate::http::command::{Input, command};
use crate::http::list::{Limit, List, ListParameters};
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, respond};
use crate::http::segments::{NoParameters, Parameters, Segments};

pub(super) fn router() -> axum::Router<App> {
    axum::Router::new()
        .route("/v1/sites/{site}/orders", get(list).post(command::<OrderBody>))
        .route("/v1/sites/{site}/orders/{order_id}", get(show))
        .route("/v1/sites/{site}/orders/{order_id}/trail", get(trail))
        .route("/v1/sites/{site}/orders/{order_id}/shipments", post(command::<ShipmentBody>))
        .route("/v1/sites/{site}/orders/{order_id}/cancellation", post(command::<CancellationBody>))
        .route("/v1/sites/{site}/orders/{order_id}/returns", post(command::<ReturnBody>))
}

body! {
    /// The body that places an order.
    pub(super) struct OrderBody[Reason] {
        order_id: OrderId,
        customer: Option<CustomerId>,
        currency: Option<Currency>,
        #[serde(deserialize_with = "objects")]
        lines: Vec<OrderedLine>,
    }
}

impl Input for OrderBody {
    type Target = SiteId;

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        let Self { order_id, customer, currency, lines, .. } = self;
        (Scope::Site(site), Command::PlaceOrder(PlaceOrder { order_id, customer, currency, lines }))
    }
}

body! {
    /// The body that ships goods of an order; all that is open, if it names no lines.
    pub(super) struct ShipmentBody[Reason] {
        #[serde(default, deserialize_with = "optional_objects")]
        lines: Option<Vec<ShipmentLine>>,
    }
}

impl Input for ShipmentBody {
    type Target = (SiteId, OrderId);

    const BODY_IS_OPTIONAL: bool = true;

    fn into_command(self, (site, order_id): (SiteId, OrderId)) -> (Scope, Command) {
        (Scope::Site(site), Command::ShipOrder(ShipOrder { order_id, lines: self.lines }))
    }
}

body! {
    /// The body that gives up what is open of an order.
    pub(super) struct CancellationBody[Reason] {}
}

impl Input for CancellationBody {
    type Target = (SiteId, OrderId);

    const BODY_IS_OPTIONAL: bool = true;

    fn into_command(self, (site, order_id): (SiteId, OrderId)) -> (Scope, Command) {
        (Scope::Site(site), Command::CancelOrder(CancelOrder { order_id }))
    }
}

body! {
    /// The body that takes goods of an order back.
    pub(super) struct ReturnBody[Reason] {
        #[serde(deserialize_with = "objects")]
        lines: Vec<ReturnLine>,
    }
}

impl Input for ReturnBody {
    type Target = (SiteId, OrderId);

    fn into_command(self, (site, order_id): (SiteId, OrderId)) -> (Scope, Command) {
        (Scope::Site(site), Command::ReturnOrder(ReturnOrder { order_id, lines: self.lines }))
    }
}

fn unknown_order(order_id: &OrderId) -> Problem {
    Problem::new(Code::UnknownOrder, format!("no order {order_id} was ever placed at this site"))
}

async fn show(
    Segments((site, order_id)): Segments<(SiteId, OrderId)>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    let answer = reader.0.order(&known, &order_id).await?.ok_or_else(|| unknown_order(&order_id))?;
    respond(Some(answer.at.position), &answer.value)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderParameters {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    status: Option<OrderStatus>,
}

async fn list(
    Segments(site): Segments<SiteId>,
    Parameters(OrderParameters { limit, cursor, status }): Parameters<OrderParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("orders", &[site.as_str(), status.map_or("", OrderStatus::as_str)]);
    let before = list.begin::<u64>(cursor.as_deref())?;
    let known = reader.site(&site).await?;
    let answer = reader.0.orders(&known, status, before, limit.get()).await?;
    list.respond(Some(answer.at.position), &answer.value)
}

async fn trail(
    Segments((site, order_id)): Segments<(SiteId, OrderId)>,
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("trail", &[site.as_str(), order_id.as_str()]);
    let after = list.begin::<u64>(cursor.as_deref())?;
    let known = reader.site(&site).await?;
    let answer = reader.0.order_trail(&known, &order_id, after, limit.get()).await?;
    if answer.value.data.is_empty() && after.is_none() {
        return Err(unknown_order(&order_id));
    }
    list.respond(Some(answer.at.position), &answer.value)
}
