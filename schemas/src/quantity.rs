//! Whole numbers of goods, in base units, as checked types. Never a float, never beyond 2^53 - 1, never wrapping.

use crate::codec::{self, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use crate::limits::QUANTITY_MAX;

/// Why a number is not a valid value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be a whole number from {min} to {max}, not {found}")]
pub struct OutOfRange {
    what: &'static str,
    min: i64,
    max: i64,
    found: i64,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:expr, $stored:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// Smallest value.
            pub const MIN: i64 = $min;
            /// Largest value.
            pub const MAX: i64 = QUANTITY_MAX;

            /// Checks and takes a number.
            ///
            /// # Errors
            /// [`OutOfRange`] with the bounds.
            pub fn new(number: i64) -> Result<Self, OutOfRange> {
                if (Self::MIN..=Self::MAX).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(OutOfRange { what: $what, min: Self::MIN, max: Self::MAX, found: number })
                }
            }

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;

            fn try_from(number: i64) -> Result<Self, OutOfRange> {
                Self::new(number)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                <$stored>::try_from(self.0).map_err(|_| EncodeError::Other("number out of range"))?.encode(encoder)
            }
        }

        impl<Context> Decode<Context> for $name {
            fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
                let number = i64::try_from(<$stored>::decode(decoder)?).unwrap_or(i64::MAX);
                Self::new(number).map_err(|error| codec::invalid(&error))
            }
        }

        crate::codec::impl_borrow_decode!($name);
    };
}

number!(
    /// How much of something is received, ordered, shipped: at least one.
    Quantity, "a quantity", 1, u64
);
number!(
    /// How much of something there is: at least zero. Also a price in minor units.
    Level, "a level", 0, u64
);
number!(
    /// By how much something changes.
    Delta, "a delta", -QUANTITY_MAX, i64
);

impl Level {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This level changed by `delta`, or nothing if that is below zero or beyond the largest level.
    #[must_use]
    pub fn checked_add(self, delta: i64) -> Option<Self> {
        self.0.checked_add(delta).and_then(|sum| Self::new(sum).ok())
    }
}

impl From<Quantity> for Level {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.0)
    }
}

impl From<Quantity> for Delta {
    fn from(quantity: Quantity) -> Self {
        Self(quantity.0)
    }
}

/// The balances of one SKU at one site: what is there, and how much of it is promised or not for sale.
///
/// `reserved + held <= on_hand` at every position of a ledger. All in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, Encode, Decode)]
pub struct Balances {
    /// What is physically there.
    pub on_hand: Level,
    /// Promised to open orders.
    pub reserved: Level,
    /// There but not sellable, all reasons together.
    pub held: Level,
}

impl Balances {
    /// Nothing there.
    pub const ZERO: Self = Self { on_hand: Level::ZERO, reserved: Level::ZERO, held: Level::ZERO };

    /// What can still be promised; negative only in a corrupt record, which [`Balances::is_possible`] tells.
    #[must_use]
    pub const fn available(self) -> i64 {
        self.on_hand.get() - self.reserved.get() - self.held.get()
    }

    /// Whether these balances keep the invariant `reserved + held <= on_hand`.
    #[must_use]
    pub const fn is_possible(self) -> bool {
        self.available() >= 0
    }
}
