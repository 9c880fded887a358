//! What commands are answered with.

use super::commands::Reference;
use super::words::{
    Actor, Balance, Currency, CustomerId, Delta, HoldId, HoldReason, KeyId, KeyScope, Level, Name, Note,
    OrderId, OrderStatus, Partition, Position, Quantity, Reason, SiteId, Sku, Time, Unit,
};
use crate::http::describe::shape::{Named, Shape, objects, one_of};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// Declares the answers to receipts, adjustments and counts, which differ in their lines.
macro_rules! stock_changes {
    ($($(#[doc = $meaning:literal])+ $name:ident of $line:ident;)+) => {
        objects! {
            $($(#[doc = $meaning])+
            open $name {
                /// Where.
                must site: SiteId,
                /// Where the decision stands.
                must position: Position,
                /// What changed, with the balances after.
                must lines: Vec<$line>,
                /// Why.
                must reason: Option<Reason>,
                /// What a person said.
                must note: Option<Note>,
                /// The document that caused it.
                must reference: Option<Reference>,
                /// When it happened.
                must occurred_at: Time,
                /// When it was recorded.
                must recorded_at: Time,
            })+
        }
    };
}

stock_changes! {
    /// Goods that were taken in.
    Receipt of ReceivedLine;
    /// Stock that was changed by a difference.
    Adjustment of AdjustedLine;
    /// Stock that was counted.
    Count of CountedLine;
}

objects! {
    /// A site that was opened or renamed.
    open OpenedSite {
        must site: SiteId,
        must name: Name,
        /// Where its decisions are kept.
        must partition: Partition,
        must position: Position,
    }
    /// An item that was registered or described anew.
    open RegisteredItem {
        must sku: Sku,
        must name: Name,
        must unit: Unit,
        must position: Position,
    }
    /// Balances, and what can still be promised.
    open BalancesAfter {
        /// What is in the building.
        must on_hand: Level,
        /// What is promised to orders.
        must reserved: Level,
        /// What is set aside.
        must held: Level,
        /// `on_hand - reserved - held`
        must available: Balance,
    }
    /// One SKU of a receipt.
    open ReceivedLine {
        must sku: Sku,
        must quantity: Quantity,
        must after: BalancesAfter,
    }
    /// One SKU of an adjustment.
    open AdjustedLine {
        must sku: Sku,
        must delta: Delta,
        must after: BalancesAfter,
    }
    /// One SKU of a count.
    open CountedLine {
        must sku: Sku,
        must counted: Level,
        /// The difference that was booked.
        must delta: Delta,
        must after: BalancesAfter,
    }
    /// A hold after a step of it.
    open Hold {
        must site: SiteId,
        must hold_id: HoldId,
        must sku: Sku,
        must reason: HoldReason,
        /// What was set aside at first.
        must quantity: Quantity,
        /// What was given free since.
        must released: Level,
        /// What is left.
        must remaining: Level,
        /// `released` when nothing is left.
        must status: HoldStatus,
        must position: Position,
        must after: BalancesAfter,
    }
    /// An order.
    open Order {
        must site: SiteId,
        must order_id: OrderId,
        must status: OrderStatus,
        must customer: Option<CustomerId>,
        must currency: Option<Currency>,
        /// In the order given, equal SKUs added up.
        must lines: Vec<OrderLine>,
        /// When it was recorded first.
        must placed_at: Time,
        /// When it was placed, as its caller says.
        must occurred_at: Time,
        /// Its last step.
        must position: Position,
    }
    /// One SKU of an order.
    open OrderLine {
        must sku: Sku,
        must ordered: Quantity,
        must shipped: Level,
        must cancelled: Level,
        must returned: Level,
        /// The price of one, in minor units of the currency.
        must unit_price_minor: Option<Level>,
    }
    /// A remark on record.
    open Remark {
        must site: SiteId,
        must position: Position,
        must reason: Option<Reason>,
        must note: Option<Note>,
        must reference: Option<Reference>,
        must occurred_at: Time,
        must recorded_at: Time,
    }
    /// An API key that was made. Its token is with whoever made it.
    open MadeKey {
        must key_id: KeyId,
        must name: Actor,
        must scopes: Vec<KeyScope>,
        /// All sites, if `null`.
        must sites: Option<Vec<SiteId>>,
        must expires_at: Option<Time>,
        must created_at: Time,
        must position: Position,
    }
    /// An API key that was revoked.
    open RevokedKey {
        must key_id: KeyId,
        must revoked_at: Time,
        must position: Position,
    }
}

/// Where a hold stands.
pub(in crate::http::describe) struct HoldStatus;

impl Shape for HoldStatus {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        one_of(["held", "released"]).into()
    }
}
