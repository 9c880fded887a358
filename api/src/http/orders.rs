//! `/v1/sites/{site}/orders`: orders and their steps.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_domain::Command;
use stockledger_domain::command::{
    CancelOrder, OrderedLine, PlaceOrder, ReturnLine, ReturnOrder, ShipOrder, ShipmentLine,
};
use stockledger_projections::Axis;
use stockledger_projections::views::{Answer, AsOf, Stale};
use stockledger_schemas::{
    Currency, CustomerId, KeyScope, OrderId, Position, Reason, Scope, SiteId, Timestamp,
};

use crate::http::access::{Access, Routes};
use crate::http::as_of::{Moment, Occurred, Past};
use crate::http::body::{body, objects, optional_objects};
use crate::http::command::Input;
use crate::http::conditional::Tag;
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, With, respond_at, respond_tagged};
use crate::http::segments::{Parameters, Segments};

pub(super) fn routes() -> Routes {
    Routes::new()
        .post_command::<OrderBody>("/v1/sites/{site}/orders")
        .get("/v1/sites/{site}/orders/{order_id}", Access::AtSite(KeyScope::StockRead), show)
        .post_command::<ShipmentBody>("/v1/sites/{site}/orders/{order_id}/shipments")
        .post_command::<CancellationBody>("/v1/sites/{site}/orders/{order_id}/cancellation")
        .post_command::<ReturnBody>("/v1/sites/{site}/orders/{order_id}/returns")
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

    const ACCESS: Access = Access::AtSite(KeyScope::OrderPlace);

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

    const ACCESS: Access = Access::AtSite(KeyScope::OrderManage);
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

    const ACCESS: Access = Access::AtSite(KeyScope::OrderManage);
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

    const ACCESS: Access = Access::AtSite(KeyScope::OrderManage);

    fn into_command(self, (site, order_id): (SiteId, OrderId)) -> (Scope, Command) {
        (Scope::Site(site), Command::ReturnOrder(ReturnOrder { order_id, lines: self.lines }))
    }
}

pub(super) fn unknown_order(order_id: &OrderId) -> Problem {
    Problem::new(Code::UnknownOrder, format!("no order {order_id} was ever placed at this site"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowParameters {
    as_of: Option<Moment>,
    axis: Option<Axis>,
}

/// Which past an order is shown of; its own `position` is that of its last step.
#[derive(Serialize)]
struct ToldOfOrder<'a> {
    as_of_position: Position,
    as_of: Option<Timestamp>,
    #[serde(flatten)]
    stale: Option<&'a Stale>,
    #[serde(flatten)]
    occurred: Option<Occurred>,
}

async fn show(
    Segments((site, order_id)): Segments<(SiteId, OrderId)>,
    Parameters(ShowParameters { as_of, axis }): Parameters<ShowParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(as_of, axis)?;
    let known = reader.site(&site).await?;
    if let Some(past) = past {
        let found = reader.0.order_then(&known, &order_id, past.at(&known)?).await?;
        let Answer { at, value } = found.ok_or_else(|| unknown_order(&order_id))?;
        let AsOf { position: as_of_position, as_of, stale } = &at;
        let (as_of_position, as_of, stale) = (*as_of_position, *as_of, stale.as_ref());
        let more = ToldOfOrder { as_of_position, as_of, stale, occurred: past.told() };
        return respond_tagged(Some(at.position), Tag::Body, &With { value: &value, more });
    }
    let answer = reader.0.order(&known, &order_id).await?.ok_or_else(|| unknown_order(&order_id))?;
    respond_at(&answer.at, Tag::ChangedLastBy(answer.value.position), &answer.value)
}
