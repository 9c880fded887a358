//! Paths of this service as they stand in answers, ids percent-encoded.

use stockledger_schemas::{OrderId, SiteId};

use crate::text::segment;

/// The path of an order.
pub(super) fn order(site: &SiteId, order_id: &OrderId) -> String {
    format!("/v1/sites/{}/orders/{}", segment(site.as_str()), segment(order_id.as_str()))
}
