//! Paths of this service as they stand in answers, ids percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stockledger_schemas::{OrderId, SiteId};

/// All that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of an order.
pub(super) fn order(site: &SiteId, order_id: &OrderId) -> String {
    let segment = |text| utf8_percent_encode(text, RESERVED);
    format!("/v1/sites/{}/orders/{}", segment(site.as_str()), segment(order_id.as_str()))
}
