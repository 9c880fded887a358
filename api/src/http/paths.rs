//! Paths of this service as they stand in answers, ids percent-encoded.

use stockledger_schemas::{OrderId, OrderStatus, SiteId, Sku};

use crate::text::segment;

/// The path of an order.
pub(super) fn order(site: &SiteId, order_id: &OrderId) -> String {
    format!("/v1/sites/{}/orders/{}", segment(site.as_str()), segment(order_id.as_str()))
}

/// The path of the orders of a site that stand like this.
pub(super) fn orders(site: &SiteId, status: OrderStatus) -> String {
    format!("/v1/sites/{}/orders?status={status}", segment(site.as_str()))
}

/// The path of the movements of an item at a site.
pub(super) fn movements(site: &SiteId, sku: &Sku) -> String {
    format!("/v1/sites/{}/stock/{}/movements", segment(site.as_str()), segment(sku.as_str()))
}
