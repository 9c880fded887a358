//! Identifiers and short texts as checked types.
//!
//! A value of one of these types is valid by construction: it was parsed once, at the edge or while decoding, and
//! nothing inside looks at it again. Ids are opaque and compared byte for byte. Up to 23 bytes they live without a heap
//! allocation, which is what makes replay fast.

use smol_str::SmolStr;

use crate::codec::{self, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};

/// Why a text is not a valid value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidText {
    what: &'static str,
    rule: &'static str,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $check:expr, $rule:literal) => {
        $(#[$doc])*
        #[doc = concat!("\n\nMust be ", $rule, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "SmolStr")]
        pub struct $name(SmolStr);

        impl $name {
            /// Longest value in bytes.
            pub const BYTES_MAX: usize = $max;

            const INVALID: InvalidText = InvalidText { what: $what, rule: $rule };

            /// Checks and takes a text.
            ///
            /// # Errors
            /// [`InvalidText`] with the rule that the text breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
                let text = text.as_ref();
                Self::check(text)?;
                Ok(Self(SmolStr::new(text)))
            }

            fn check(text: &str) -> Result<(), InvalidText> {
                let check: fn(&str) -> bool = $check;
                let length_ok = (1..=Self::BYTES_MAX).contains(&text.len());
                if length_ok && check(text) { Ok(()) } else { Err(Self::INVALID) }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<SmolStr> for $name {
            type Error = InvalidText;

            fn try_from(text: SmolStr) -> Result<Self, InvalidText> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Encode for $name {
            fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
                self.0.as_str().encode(encoder)
            }
        }

        impl<Context> Decode<Context> for $name {
            fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
                let text = codec::decode_text::<$max, D>(decoder, &Self::INVALID)?;
                Self::try_from(text).map_err(|error| codec::invalid(&error))
            }
        }

        crate::codec::impl_borrow_decode!($name);
    };
}

fn is_code(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_lower(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !text.starts_with(' ') && !text.ends_with(' ')
}

fn is_prose(text: &str) -> bool {
    !text.chars().any(char::is_control) && !text.trim().is_empty()
}

text!(
    /// A place that holds stock: a warehouse, a shop.
    SiteId, "a site", 64, is_code, "1 to 64 characters of A-Z a-z 0-9 . _ -"
);
text!(
    /// The stock keeping unit: what is counted.
    Sku, "a sku", 64, is_printable, "1 to 64 printable ASCII characters without a space at either end"
);
text!(
    /// The caller's id of an order, unique in its site for ever once accepted.
    OrderId, "an order_id", 64, is_printable, "1 to 64 printable ASCII characters without a space at either end"
);
text!(
    /// The id of a hold, unique in its site.
    HoldId, "a hold_id", 64, is_printable, "1 to 64 printable ASCII characters without a space at either end"
);
text!(
    /// An opaque id of a customer. Personal data stays out of the log.
    CustomerId, "a customer", 64, is_printable, "1 to 64 printable ASCII characters without a space at either end"
);
text!(
    /// Who did it: taken from the credential, never from a body.
    Actor, "an actor", 64, is_printable, "1 to 64 printable ASCII characters without a space at either end"
);
text!(
    /// The id of an API key, which stands in its token and is no secret. Unique in its ledger.
    KeyId, "a key_id", 32, |text| text.len() >= 8 && is_lower(text), "8 to 32 characters of a-z 0-9"
);
text!(
    /// The caller's key that makes a command idempotent; its scope is the site.
    IdempotencyKey, "an idempotency key", 255, is_printable,
    "1 to 255 printable ASCII characters without a space at either end"
);
text!(
    /// Ties the decisions of one piece of work together across systems.
    CorrelationId, "a correlation_id", 128, is_printable,
    "1 to 128 printable ASCII characters without a space at either end"
);
text!(
    /// Free text of a person.
    Note, "a note", 500, is_prose, "1 to 500 bytes of text without control characters"
);
text!(
    /// What a site or an item is called.
    Name, "a name", 200, is_prose, "1 to 200 bytes of text without control characters"
);
text!(
    /// What a quantity of an item counts, `each` by default.
    Unit, "a unit", 32, is_code, "1 to 32 characters of A-Z a-z 0-9 . _ -"
);
text!(
    /// An ISO 4217 currency code.
    Currency, "a currency", 3, |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
    "three capital letters"
);
text!(
    /// The kind of the document that caused a decision, such as `purchase_order`.
    ReferenceType, "a reference type", 64, is_code, "1 to 64 characters of A-Z a-z 0-9 . _ -"
);
text!(
    /// The id of the document that caused a decision.
    ReferenceId, "a reference id", 128, is_printable,
    "1 to 128 printable ASCII characters without a space at either end"
);
