//! Commands about stock: receipts, adjustments, counts and holds.

use stockledger_domain::Command;
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CountLine, CountStock, HoldStock, ReceiptLine, ReceiveStock, ReleaseHold,
};
use stockledger_schemas::{HoldId, HoldReason, KeyScope, Quantity, Reason, Scope, SiteId, Sku};

use crate::http::access::{Access, Routes};
use crate::http::body::{body, objects};
use crate::http::command::Input;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post_command::<ReceiptBody>("/v1/sites/{site}/receipts")
        .post_command::<AdjustmentBody>("/v1/sites/{site}/adjustments")
        .post_command::<CountBody>("/v1/sites/{site}/counts")
        .post_command::<HoldBody>("/v1/sites/{site}/holds")
        .post_command::<ReleaseBody>("/v1/sites/{site}/holds/{hold_id}/release")
}

body! {
    /// The body of a receipt.
    pub(super) struct ReceiptBody[Reason] {
        #[serde(deserialize_with = "objects")]
        lines: Vec<ReceiptLine>,
    }
}

impl Input for ReceiptBody {
    type Target = SiteId;

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Site(site), Command::ReceiveStock(ReceiveStock { lines: self.lines }))
    }
}

body! {
    /// The body of an adjustment.
    pub(super) struct AdjustmentBody[Reason] {
        #[serde(deserialize_with = "objects")]
        lines: Vec<AdjustmentLine>,
    }
}

impl Input for AdjustmentBody {
    type Target = SiteId;

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Site(site), Command::AdjustStock(AdjustStock { lines: self.lines }))
    }
}

body! {
    /// The body of a count.
    pub(super) struct CountBody[Reason] {
        #[serde(deserialize_with = "objects")]
        lines: Vec<CountLine>,
    }
}

impl Input for CountBody {
    type Target = SiteId;

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Site(site), Command::CountStock(CountStock { lines: self.lines }))
    }
}

body! {
    /// The body that sets goods aside; without a reason it is `other`.
    pub(super) struct HoldBody[HoldReason] {
        hold_id: HoldId,
        sku: Sku,
        quantity: Quantity,
    }
}

impl Input for HoldBody {
    type Target = SiteId;

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        let Self { hold_id, sku, quantity, reason, .. } = self;
        let reason = reason.unwrap_or(HoldReason::Other);
        (Scope::Site(site), Command::HoldStock(HoldStock { hold_id, sku, quantity, reason }))
    }
}

body! {
    /// The body that gives goods of a hold free; all that is left, if it says nothing.
    pub(super) struct ReleaseBody[Reason] {
        quantity: Option<Quantity>,
    }
}

impl Input for ReleaseBody {
    type Target = (SiteId, HoldId);

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);
    const BODY_IS_OPTIONAL: bool = true;

    fn into_command(self, (site, hold_id): (SiteId, HoldId)) -> (Scope, Command) {
        (Scope::Site(site), Command::ReleaseHold(ReleaseHold { hold_id, quantity: self.quantity }))
    }
}
