//! Closed sets of words, each with the number that stands for it in stored bytes.
//!
//! A number is never reused and never changes its meaning.

use crate::codec::{self, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number in stored bytes.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The word in JSON and in tables.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The value that a word of a table stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                self.code().encode(encoder)
            }
        }

        impl<Context> Decode<Context> for $name {
            fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
                match u8::decode(decoder)? {
                    $($code => Ok(Self::$variant),)+
                    other => Err(codec::unknown($what, u32::from(other))),
                }
            }
        }

        crate::codec::impl_borrow_decode!($name);
    };
}

code!(
    /// Why stock or an order changed. Each command takes only some of these.
    Reason, "reason" {
        /// Stock that was there before the ledger began.
        OpeningBalance = 1 "opening_balance",
        /// Bought.
        Purchase = 2 "purchase",
        /// Made here.
        Production = 3 "production",
        /// Brought back by a customer.
        CustomerReturn = 4 "customer_return",
        /// Broken.
        Damaged = 5 "damaged",
        /// Lost, stolen or missing.
        Shrinkage = 6 "shrinkage",
        /// Turned up.
        Found = 7 "found",
        /// An earlier entry was wrong.
        Correction = 8 "correction",
        /// Set aside to be inspected.
        QualityControl = 9 "quality_control",
        /// Given away.
        Promotion = 10 "promotion",
        /// Kept back against surprises.
        SafetyStock = 11 "safety_stock",
        /// A count on schedule.
        CycleCount = 12 "cycle_count",
        /// The customer asked for it.
        CustomerRequest = 13 "customer_request",
        /// The customer did not pay.
        Unpaid = 14 "unpaid",
        /// The wrong goods were sent.
        WrongItem = 15 "wrong_item",
        /// None of the others; say more in the note.
        Other = 255 "other",
    }
);

code!(
    /// Why goods that are on hand are not for sale.
    HoldReason, "hold reason" {
        /// Broken.
        Damaged = 5 "damaged",
        /// To be inspected.
        QualityControl = 9 "quality_control",
        /// Kept back against surprises.
        SafetyStock = 11 "safety_stock",
        /// None of the others.
        Other = 255 "other",
    }
);

impl HoldReason {
    /// The place of this reason in [`HoldReason::ALL`], for arrays of one number per reason.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Damaged => 0,
            Self::QualityControl => 1,
            Self::SafetyStock => 2,
            Self::Other => 3,
        }
    }
}

impl From<HoldReason> for Reason {
    fn from(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Damaged => Self::Damaged,
            HoldReason::QualityControl => Self::QualityControl,
            HoldReason::SafetyStock => Self::SafetyStock,
            HoldReason::Other => Self::Other,
        }
    }
}

code!(
    /// What happens to returned goods.
    Disposition, "disposition" {
        /// Back on the shelf, for sale.
        Restock = 1 "restock",
        /// Back in the building, held as damaged.
        Damaged = 2 "damaged",
    }
);

code!(
    /// Where an order stands.
    OrderStatus, "order status" {
        /// Accepted; its goods are reserved.
        Placed = 1 "placed",
        /// Some goods have left.
        PartiallyShipped = 2 "partially_shipped",
        /// All that was not cancelled has left.
        Shipped = 3 "shipped",
        /// Nothing was shipped and nothing will be.
        Cancelled = 4 "cancelled",
        /// Never accepted.
        Refused = 5 "refused",
    }
);

code!(
    /// What somebody asked for; imperative, as events are past tense.
    CommandKind, "command" {
        /// Open a site, or rename it.
        OpenSite = 1 "open_site",
        /// Register an item, or change its description.
        RegisterItem = 2 "register_item",
        /// Take goods in.
        ReceiveStock = 3 "receive_stock",
        /// Change what is on hand by a difference.
        AdjustStock = 4 "adjust_stock",
        /// State what is on hand.
        CountStock = 5 "count_stock",
        /// Set goods aside.
        HoldStock = 6 "hold_stock",
        /// Give goods that were set aside free.
        ReleaseHold = 7 "release_hold",
        /// Promise goods to a customer.
        PlaceOrder = 8 "place_order",
        /// Send goods of an order off.
        ShipOrder = 9 "ship_order",
        /// Give up what is not shipped of an order.
        CancelOrder = 10 "cancel_order",
        /// Take goods of an order back.
        ReturnOrder = 11 "return_order",
        /// Put a remark on record.
        RecordNote = 12 "record_note",
        /// Open the ledger to somebody.
        CreateKey = 13 "create_key",
        /// Close it to somebody again.
        RevokeKey = 14 "revoke_key",
    }
);

code!(
    /// What an API key allows. None of them includes another.
    KeyScope, "key scope" {
        /// Read sites, items, stock levels and orders.
        StockRead = 1 "stock:read",
        /// Receive, adjust, count, hold; describe items; put remarks on record.
        StockWrite = 2 "stock:write",
        /// Place orders.
        OrderPlace = 3 "order:place",
        /// Ship, cancel and take back.
        OrderManage = 4 "order:manage",
        /// Read who did what and why, checkpoints and proofs.
        AuditRead = 5 "audit:read",
        /// Open sites, make and revoke keys, rebuild read tables.
        Admin = 6 "admin",
    }
);
