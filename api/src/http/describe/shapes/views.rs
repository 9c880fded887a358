//! What reads are answered with.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::answers::{Order, OrderLine};
use super::commands::Reference;
use super::words::{
    Actor, Axis, Balance, CorrelationId, Currency, Cursor, CustomerId, HoldReason, IdempotencyKey, KeyId,
    KeyScope, Level, Name, Note, OrderId, OrderStatus, Partition, Position, Reason, SiteId, Sku, Time, Unit,
};
use crate::http::describe::shape::{Named, Shape, objects, one_of};

/// Declares lists: pages of one thing each.
macro_rules! lists {
    ($($(#[doc = $meaning:literal])+ $name:ident of $element:ident;)+) => {
        objects! {
            $($(#[doc = $meaning])+
            open $name {
                must data: Vec<$element>,
                must has_more: bool,
                /// Where the next page begins; `null` on the last one.
                must next_cursor: Option<Cursor>,
                /// With `as_of`: the decision that is shown last.
                may position: Position,
                /// With `as_of`: when that was recorded.
                may as_of: Option<Time>,
                /// The read tables have stopped, and this is how they stood then.
                may stale: bool,
                /// Why they have.
                may stale_reason: String,
                /// With `axis=occurred`.
                may axis: Axis,
                /// With `axis=occurred`: until when.
                may occurred_until: Time,
            })+
        }
    };
}

lists! {
    /// A page of sites.
    SiteList of Site;
    /// A page of items.
    ItemList of Item;
    /// A page of stock levels.
    StockList of StockLevel;
    /// A page of movements.
    MovementList of Movement;
    /// A page of orders.
    OrderList of Order;
    /// A page of the steps of an order.
    Trail of TrailStep;
    /// A page of API keys.
    KeyList of Key;
}

objects! {
    /// A place that holds stock.
    open Site {
        must site: SiteId,
        must name: Name,
        /// Where its decisions are kept.
        must partition: Partition,
        must position: Position,
        must recorded_at: Time,
        /// The read tables have stopped, and this is how they stood then.
        may stale: bool,
        /// Why they have.
        may stale_reason: String,
    }
    /// What is counted.
    open Item {
        must sku: Sku,
        must name: Name,
        must unit: Unit,
        must position: Position,
        must recorded_at: Time,
        /// The read tables have stopped, and this is how they stood then.
        may stale: bool,
        /// Why they have.
        may stale_reason: String,
    }
    /// What is set aside, by reason.
    open HeldByReason {
        must damaged: Level,
        must quality_control: Level,
        must safety_stock: Level,
        must other: Level,
    }
    /// How much of an item is at a site.
    open StockLevel {
        must site: SiteId,
        must sku: Sku,
        /// What is in the building.
        must on_hand: Balance,
        /// What is promised to orders.
        must reserved: Balance,
        /// What is set aside.
        must held: Balance,
        must held_by_reason: HeldByReason,
        /// What is on its way here.
        must incoming: Balance,
        /// `on_hand - reserved - held`
        must available: Balance,
        /// The last decision that this includes.
        must position: Position,
        /// When that was recorded.
        must as_of: Option<Time>,
        /// The read tables have stopped, and this is how they stood then.
        may stale: bool,
        /// Why they have.
        may stale_reason: String,
        /// With `axis=occurred`.
        may axis: Axis,
        /// With `axis=occurred`: until when.
        may occurred_until: Time,
    }
    /// Balances, or how they changed.
    open Balances {
        must on_hand: Balance,
        must reserved: Balance,
        must held: Balance,
    }
    /// One change of the balances of an item at a site.
    open Movement {
        must position: Position,
        /// Which line of the decision.
        must line: u64,
        /// The event, such as `order_shipped`.
        must type: String,
        must reason: Option<Reason>,
        must delta: Balances,
        must after: Balances,
        must order_id: Option<OrderId>,
        must occurred_at: Time,
        must recorded_at: Time,
        must actor: Actor,
        must note: Option<Note>,
        must reference: Option<Reference>,
    }
    /// An order, now or then. What `as_of` lies before has only `site` and `order_id`.
    open ShownOrder {
        must site: SiteId,
        must order_id: OrderId,
        must status: Option<OrderStatus>,
        must customer: Option<CustomerId>,
        must currency: Option<Currency>,
        /// In the order given, equal SKUs added up.
        must lines: Vec<OrderLine>,
        must placed_at: Option<Time>,
        must occurred_at: Option<Time>,
        /// Its last step.
        must position: Option<Position>,
        /// With `as_of`: the decision that is shown last.
        may as_of_position: Position,
        /// With `as_of`: when that was recorded.
        may as_of: Option<Time>,
        /// The read tables have stopped, and this is how they stood then.
        may stale: bool,
        /// Why they have.
        may stale_reason: String,
        /// With `axis=occurred`.
        may axis: Axis,
        /// With `axis=occurred`: until when.
        may occurred_until: Time,
    }
    /// A step of an order, refused ones too.
    open TrailStep {
        must position: Position,
        /// The event, such as `order_placed` or `out_of_stock`.
        must type: String,
        must recorded_at: Time,
        must occurred_at: Time,
        must actor: Actor,
        must reason: Option<Reason>,
        must note: Option<Note>,
        must reference: Option<Reference>,
        must idempotency_key: Option<IdempotencyKey>,
        must correlation_id: Option<CorrelationId>,
        /// The decision that led to it, where another one did.
        must causation: Option<Position>,
        must lines: Vec<TrailLine>,
        /// Of a refused step: why, as the ledger keeps it.
        may refused: Value,
    }
    /// One SKU of a step: what moved, or of a refused order what was requested and available.
    open TrailLine {
        must sku: Sku,
        may quantity: Balance,
        may delta: Balances,
        may after: Balances,
        may requested: Balance,
        may available: Balance,
    }
    /// Why a stock level is what it is.
    open Explanation {
        must site: SiteId,
        must sku: Sku,
        must on_hand: Balance,
        must reserved: Balance,
        must held: Balance,
        must held_by_reason: HeldByReason,
        must incoming: Balance,
        must available: Balance,
        /// The last decision that this includes.
        must position: Position,
        /// When that was recorded.
        must as_of: Option<Time>,
        /// The read tables have stopped, and this is how they stood then.
        may stale: bool,
        /// Why they have.
        may stale_reason: String,
        /// Whether the parts add up to the level.
        must adds_up: bool,
        /// What the parts add up to.
        must sums: Sums,
        /// What was there before the movements that are kept.
        must opening: Part,
        /// What led to it, by event and reason.
        must parts: Vec<Part>,
        /// What is promised to orders.
        must reservations: Reservations,
        /// What is set aside.
        must holds: Vec<HeldPart>,
        /// Where all of it is.
        must links: ExplanationLinks,
    }
    /// Sums of an explanation.
    open Sums {
        must on_hand: Balance,
        must reserved: Balance,
        must held: Balance,
        must held_by_reason: HeldByReason,
    }
    /// Movements of one kind.
    open Part {
        must type: String,
        must reason: Option<Reason>,
        must delta: Balances,
        /// How many movements.
        must movements: u64,
        /// Of how many orders.
        must orders: u64,
        must first: Option<Place>,
        must last: Option<Place>,
        must newest: Vec<Movement>,
    }
    /// A decision and when it was recorded.
    open Place {
        must position: Position,
        must recorded_at: Time,
    }
    /// What is promised to orders.
    open Reservations {
        must quantity: Balance,
        must orders: u64,
        must oldest: Vec<Reservation>,
    }
    /// What is promised to one order.
    open Reservation {
        must order_id: OrderId,
        must quantity: Balance,
        must position: Position,
        must recorded_at: Time,
    }
    /// What is set aside for one reason.
    open HeldPart {
        must reason: HoldReason,
        must quantity: Balance,
        must set_aside: Balance,
        must released: Balance,
        must movements: u64,
    }
    /// Paths of this service.
    open ExplanationLinks {
        must movements: String,
        must open_orders: Vec<String>,
    }
    /// An API key as lists show it.
    open Key {
        must status: KeyStatus,
        must key_id: KeyId,
        must name: Actor,
        must scopes: Vec<KeyScope>,
        /// All sites, if `null`.
        must sites: Option<Vec<SiteId>>,
        must expires_at: Option<Time>,
        must created_at: Time,
        must created_by: Actor,
        must revoked_at: Option<Time>,
        must revoked_by: Option<Actor>,
        /// The decision that touched it last.
        must position: Position,
    }
}

/// Whether a key still opens anything.
pub(in crate::http::describe) struct KeyStatus;

impl Shape for KeyStatus {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        one_of(["live", "expired", "revoked"]).into()
    }
}
