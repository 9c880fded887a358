//! Why a well-formed command was refused: the state of the ledger at that moment, as a stored fact.
//!
//! A refusal is answered the same way for ever to the same idempotency key, also when stock has come since.

use crate::code::OrderStatus;
use crate::codec::{Decode, Encode};
use crate::quantity::{Level, Quantity};
use crate::tagged::tagged;
use crate::text::Sku;

tagged!(
    /// Why a command was refused.
    "refusal" Refusal {
        /// Some SKU has less available than the command needs.
        InsufficientStock = 1 v 1 "insufficient_stock",
        /// An order with this id was accepted before.
        OrderExists = 2 v 1 "order_exists",
        /// No order with this id was ever accepted at this site.
        UnknownOrder = 3 v 1 "unknown_order",
        /// Nothing of the order is left to ship, cancel or return.
        OrderFinished = 4 v 1 "order_finished",
        /// The order has no line of this SKU.
        NotInOrder = 5 v 1 "not_in_order",
        /// More than what is open of a line.
        ExceedsOpen = 6 v 1 "exceeds_open",
        /// More than what can be returned of a line.
        ExceedsReturnable = 7 v 1 "exceeds_returnable",
        /// What the caller expected on hand is not what is there.
        ExpectedQuantityStale = 8 v 1 "expected_quantity_stale",
        /// The stock was counted again since the position that this count names.
        CountSuperseded = 9 v 1 "count_superseded",
        /// A hold with this id exists.
        HoldExists = 10 v 1 "hold_exists",
        /// No hold with this id exists.
        UnknownHold = 11 v 1 "unknown_hold",
        /// More than what is left of the hold.
        ExceedsHold = 12 v 1 "exceeds_hold",
        /// A balance would go beyond the largest quantity.
        QuantityLimit = 13 v 1 "quantity_limit",
        /// An API key with this id exists.
        KeyExists = 14 v 1 "key_exists",
        /// No API key with this id exists.
        UnknownKey = 15 v 1 "unknown_key",
        /// The first API key of a ledger must allow to make others.
        FirstKeyNotAdmin = 16 v 1 "first_key_not_admin",
    }
);

/// Which SKUs are short; see [`Refusal::InsufficientStock`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct InsufficientStock {
    /// One per SKU that is short, in the order of the command's lines.
    pub shortages: Vec<Shortage>,
}

/// One SKU that is short.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Shortage {
    /// What.
    pub sku: Sku,
    /// How much the command needs of it, all lines together.
    pub requested: Quantity,
    /// How much was available when it was decided.
    pub available: Level,
}

/// See [`Refusal::OrderExists`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderExists {}

/// See [`Refusal::UnknownOrder`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct UnknownOrder {}

/// See [`Refusal::OrderFinished`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct OrderFinished {
    /// Where the order stood.
    pub status: OrderStatus,
}

/// See [`Refusal::NotInOrder`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct NotInOrder {
    /// The SKU that the order has not.
    pub sku: Sku,
}

/// See [`Refusal::ExceedsOpen`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ExceedsOpen {
    /// Of which line.
    pub sku: Sku,
    /// How much the command asks for.
    pub requested: Quantity,
    /// How much was open.
    pub open: Level,
}

/// See [`Refusal::ExceedsReturnable`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ExceedsReturnable {
    /// Of which line.
    pub sku: Sku,
    /// How much the command brings back.
    pub requested: Quantity,
    /// How much was shipped and not returned before.
    pub returnable: Level,
}

/// See [`Refusal::ExpectedQuantityStale`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ExpectedQuantityStale {
    /// Of which SKU.
    pub sku: Sku,
    /// What the caller expected on hand.
    pub expected: Level,
    /// What was on hand.
    pub on_hand: Level,
}

/// See [`Refusal::CountSuperseded`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct CountSuperseded {
    /// Of which SKU.
    pub sku: Sku,
    /// The decision that counted it last.
    pub counted_seq: u64,
}

/// See [`Refusal::HoldExists`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct HoldExists {}

/// See [`Refusal::UnknownHold`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct UnknownHold {}

/// See [`Refusal::ExceedsHold`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct ExceedsHold {
    /// How much the command releases; absent when it asked for all that is left and nothing was.
    pub requested: Option<Quantity>,
    /// How much was left.
    pub remaining: Level,
}

/// See [`Refusal::QuantityLimit`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct QuantityLimit {
    /// Of which SKU.
    pub sku: Sku,
}

/// See [`Refusal::KeyExists`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct KeyExists {}

/// See [`Refusal::UnknownKey`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct UnknownKey {}

/// See [`Refusal::FirstKeyNotAdmin`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct FirstKeyNotAdmin {}
