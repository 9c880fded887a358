//! The events: what happened, in the past tense, complete enough to answer and to fold without looking anything up.
//!
//! Every line that changes a balance carries the balances after it. So a reply is a pure function of one decision, and
//! every reader can check its own arithmetic against the writer's.

use crate::code::{CommandKind, Disposition, HoldReason, KeyScope};
use crate::codec::{Decode, Encode};
use crate::hash::Hash;
use crate::order::Order;
use crate::position::{PartitionId, Timestamp};
use crate::quantity::{Balances, Delta, Level, Quantity};
use crate::refusal::Refusal;
use crate::tagged::tagged;
use crate::text::{Actor, Currency, CustomerId, HoldId, KeyId, Name, OrderId, SiteId, Sku, Unit};

tagged!(
    /// What happened.
    "event" Event {
        /// Directory: a site is known, and where it lives for ever.
        SiteRegistered = 1 v 1 "site_registered",
        /// Directory: a site is called something else.
        SiteRenamed = 2 v 1 "site_renamed",
        /// A site takes commands from here on; the first event of the site.
        SiteOpened = 3 v 1 "site_opened",
        /// Directory: an item has a description.
        ItemRegistered = 4 v 1 "item_registered",
        /// Directory: an item has another description.
        ItemUpdated = 5 v 1 "item_updated",
        /// Somebody put a remark on record; nothing else changed.
        NoteRecorded = 6 v 1 "note_recorded",
        /// Directory: an API key opens the ledger to somebody.
        KeyCreated = 7 v 1 "key_created",
        /// Directory: an API key opens nothing any more.
        KeyRevoked = 8 v 1 "key_revoked",
        /// Goods came in.
        StockReceived = 10 v 1 "stock_received",
        /// What is on hand was changed by a difference.
        StockAdjusted = 11 v 1 "stock_adjusted",
        /// What is on hand was counted, and the difference booked.
        StockCounted = 12 v 1 "stock_counted",
        /// Goods were set aside.
        StockHeld = 13 v 1 "stock_held",
        /// Goods that were set aside are free again.
        HoldReleased = 14 v 1 "hold_released",
        /// An order was accepted and its goods reserved.
        OrderPlaced = 20 v 1 "order_placed",
        /// An order was refused because goods were short.
        OutOfStock = 21 v 1 "out_of_stock",
        /// Goods of an order left.
        OrderShipped = 22 v 1 "order_shipped",
        /// What was open of an order was given up.
        OrderCancelled = 23 v 1 "order_cancelled",
        /// Goods of an order came back.
        OrderReturned = 24 v 1 "order_returned",
        /// A command other than an order short of goods was refused.
        CommandRefused = 30 v 1 "command_refused",
    }
);

/// See [`Event::SiteRegistered`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct SiteRegistered {
    /// The site.
    pub site: SiteId,
    /// What it is called.
    pub name: Name,
    /// Where it lives.
    pub partition: PartitionId,
}

/// See [`Event::SiteRenamed`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct SiteRenamed {
    /// The site.
    pub site: SiteId,
    /// What it is called now.
    pub name: Name,
    /// Where it lives, unchanged.
    pub partition: PartitionId,
}

/// See [`Event::SiteOpened`]; the site is the scope of the decision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct SiteOpened {}

/// See [`Event::ItemRegistered`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ItemRegistered {
    /// The item.
    pub sku: Sku,
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
}

/// See [`Event::ItemUpdated`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ItemUpdated {
    /// The item.
    pub sku: Sku,
    /// What it is called now.
    pub name: Name,
    /// What a quantity of it counts now.
    pub unit: Unit,
}

/// See [`Event::NoteRecorded`]; the remark is the note of the decision.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct NoteRecorded {}

/// See [`Event::KeyCreated`]. The key itself is nowhere but with its holder.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct KeyCreated {
    /// The key.
    pub key_id: KeyId,
    /// Who acts with it: the actor of every decision that is made with this key.
    pub name: Actor,
    /// SHA-256 of the whole token. The token has 256 random bits, so its hash tells nothing of it.
    pub secret_hash: Hash,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// The sites that it allows it at; all of the ledger, now and later, if absent.
    pub sites: Option<Vec<SiteId>>,
    /// From when on it is of no use; never, if absent.
    pub expires_at: Option<Timestamp>,
}

/// See [`Event::KeyRevoked`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct KeyRevoked {
    /// The key.
    pub key_id: KeyId,
}

/// See [`Event::StockReceived`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct StockReceived {
    /// One per SKU, in the order given.
    pub lines: Vec<ReceivedLine>,
}

/// One SKU of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ReceivedLine {
    /// What.
    pub sku: Sku,
    /// How much came in.
    pub quantity: Quantity,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::StockAdjusted`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct StockAdjusted {
    /// One per SKU, in the order given.
    pub lines: Vec<AdjustedLine>,
}

/// One SKU of an adjustment.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct AdjustedLine {
    /// What.
    pub sku: Sku,
    /// By how much.
    pub delta: Delta,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::StockCounted`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct StockCounted {
    /// One per SKU, in the order given.
    pub lines: Vec<CountedLine>,
}

/// One SKU of a count.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct CountedLine {
    /// What.
    pub sku: Sku,
    /// What the person found.
    pub counted: Level,
    /// The decision up to which the person's count holds; absent when it is the one before this.
    pub counted_at_seq: Option<u64>,
    /// The difference that was booked.
    pub delta: Delta,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::StockHeld`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct StockHeld {
    /// The hold.
    pub hold_id: HoldId,
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
    /// Why it is not for sale.
    pub reason: HoldReason,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::HoldReleased`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct HoldReleased {
    /// The hold.
    pub hold_id: HoldId,
    /// What.
    pub sku: Sku,
    /// How much was given free.
    pub quantity: Quantity,
    /// Why it was not for sale.
    pub reason: HoldReason,
    /// How much was held at first.
    pub held_at_first: Quantity,
    /// How much is still held.
    pub remaining: Level,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::OrderPlaced`]. `placed_at` is the decision's `recorded_at`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderPlaced {
    /// The caller's id.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    pub currency: Option<Currency>,
    /// One per SKU, in the order given.
    pub lines: Vec<PlacedLine>,
}

/// One SKU of a new order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct PlacedLine {
    /// What.
    pub sku: Sku,
    /// How much was ordered and is reserved now.
    pub quantity: Quantity,
    /// The price of one, in minor units.
    pub unit_price_minor: Option<Level>,
    /// What is there now.
    pub after: Balances,
}

/// See [`Event::OutOfStock`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OutOfStock {
    /// The caller's id; it may be placed again under a new key.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    pub currency: Option<Currency>,
    /// One per SKU, in the order given, short or not.
    pub lines: Vec<RefusedLine>,
}

/// One SKU of a refused order, as the decision saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct RefusedLine {
    /// What.
    pub sku: Sku,
    /// How much was ordered.
    pub requested: Quantity,
    /// How much was available.
    pub available: Level,
    /// The price of one, in minor units.
    pub unit_price_minor: Option<Level>,
}

impl RefusedLine {
    /// Whether this line is why the order was refused.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.requested.get() > self.available.get()
    }
}

/// See [`Event::OrderShipped`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderShipped {
    /// The whole order after this step.
    pub order: Order,
    /// What left, by line.
    pub moves: Vec<LineMove>,
}

/// See [`Event::OrderCancelled`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderCancelled {
    /// The whole order after this step.
    pub order: Order,
    /// What was given up, by line.
    pub moves: Vec<LineMove>,
}

/// What a step did to one line of an order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct LineMove {
    /// Which line of the order, from 0.
    pub line: u16,
    /// How much.
    pub quantity: Quantity,
    /// What is there of the line's SKU now.
    pub after: Balances,
}

/// See [`Event::OrderReturned`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderReturned {
    /// The whole order after this step.
    pub order: Order,
    /// What came back.
    pub moves: Vec<ReturnMove>,
}

/// What came back of one line of an order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ReturnMove {
    /// Which line of the order, from 0.
    pub line: u16,
    /// How much.
    pub quantity: Quantity,
    /// What happens to it.
    pub disposition: Disposition,
    /// The hold that keeps damaged goods from being sold; absent for restocked ones.
    pub hold_id: Option<HoldId>,
    /// What is there of the line's SKU now.
    pub after: Balances,
}

/// See [`Event::CommandRefused`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct CommandRefused {
    /// What was asked for.
    pub command: CommandKind,
    /// The order that it was about.
    pub order_id: Option<OrderId>,
    /// The hold that it was about.
    pub hold_id: Option<HoldId>,
    /// Why not.
    pub refusal: Refusal,
}

impl Event {
    /// The order that it is about, accepted or not.
    #[must_use]
    pub const fn order_id(&self) -> Option<&OrderId> {
        match self {
            Self::OrderPlaced(placed) => Some(&placed.order_id),
            Self::OutOfStock(refused) => Some(&refused.order_id),
            Self::OrderShipped(shipped) => Some(&shipped.order.order_id),
            Self::OrderCancelled(cancelled) => Some(&cancelled.order.order_id),
            Self::OrderReturned(returned) => Some(&returned.order.order_id),
            Self::CommandRefused(refused) => refused.order_id.as_ref(),
            Self::SiteRegistered(_)
            | Self::SiteRenamed(_)
            | Self::SiteOpened(_)
            | Self::ItemRegistered(_)
            | Self::ItemUpdated(_)
            | Self::NoteRecorded(_)
            | Self::KeyCreated(_)
            | Self::KeyRevoked(_)
            | Self::StockReceived(_)
            | Self::StockAdjusted(_)
            | Self::StockCounted(_)
            | Self::StockHeld(_)
            | Self::HoldReleased(_) => None,
        }
    }
}

/// When the thing that a decision is about happened: what the caller said, or else when it was recorded.
#[must_use]
pub fn occurred_at(said: Option<Timestamp>, recorded_at: Timestamp) -> Timestamp {
    said.unwrap_or(recorded_at)
}
