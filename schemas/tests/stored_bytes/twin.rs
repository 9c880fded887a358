//! The records once more, as plain types that know neither our checked types nor bincode.
//!
//! Field by field these are the tables of `FORMAT.md`. wincode reads them, serde writes their JSON.

use serde::{Serialize, Serializer};
use wincode::SchemaRead;

use crate::twin_events::Event;

#[derive(SchemaRead, Serialize)]
#[serde(tag = "kind", rename = "genesis")]
pub(crate) struct Genesis {
    #[serde(serialize_with = "uuid")]
    ledger_id: [u8; 16],
    partition: u16,
    partitions: u16,
    window: u32,
}

#[derive(SchemaRead, Serialize)]
#[serde(tag = "kind", rename = "claim")]
pub(crate) struct Claim {
    #[serde(serialize_with = "uuid")]
    ledger_id: [u8; 16],
    partition: u16,
    term: u64,
    node: String,
    url: Option<String>,
    #[serde(serialize_with = "uuid")]
    nonce: [u8; 16],
    recorded_at: Time,
}

#[derive(SchemaRead, Serialize)]
#[serde(tag = "kind", rename = "decision")]
pub(crate) struct Decision {
    term: u64,
    seq: u64,
    prev_hash: Hash,
    recorded_at: Time,
    scope: Scope,
    request: Option<Request>,
    context: Context,
    events: Vec<Event>,
}

#[derive(SchemaRead, Serialize)]
#[serde(rename_all = "snake_case")]
#[wincode(tag_encoding = "u8")]
pub(crate) enum Scope {
    #[wincode(tag = 0)]
    Directory,
    #[wincode(tag = 1)]
    Site(String),
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Request {
    key: String,
    fingerprint: Hash,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Context {
    actor: String,
    occurred_at: Option<Time>,
    reason: Option<Reason>,
    note: Option<String>,
    reference: Option<Reference>,
    correlation_id: Option<String>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Reference {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// A closed set of words: one byte stands for each.
macro_rules! words {
    ($name:ident { $($code:literal $word:literal,)+ }) => {
        #[derive(SchemaRead)]
        pub(crate) struct $name(u8);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    $($code => serializer.serialize_str($word),)+
                    other => Err(serde::ser::Error::custom(format!("no {} has code {other}", stringify!($name)))),
                }
            }
        }
    };
}

words!(Reason {
    1 "opening_balance",
    2 "purchase",
    3 "production",
    4 "customer_return",
    5 "damaged",
    6 "shrinkage",
    7 "found",
    8 "correction",
    9 "quality_control",
    10 "promotion",
    11 "safety_stock",
    12 "cycle_count",
    13 "customer_request",
    14 "unpaid",
    15 "wrong_item",
    255 "other",
});

words!(Disposition {
    1 "restock",
    2 "damaged",
});

words!(Status {
    1 "placed",
    2 "partially_shipped",
    3 "shipped",
    4 "cancelled",
    5 "refused",
});

words!(Command {
    1 "open_site",
    2 "register_item",
    3 "receive_stock",
    4 "adjust_stock",
    5 "count_stock",
    6 "hold_stock",
    7 "release_hold",
    8 "place_order",
    9 "ship_order",
    10 "cancel_order",
    11 "return_order",
    12 "record_note",
    13 "create_key",
    14 "revoke_key",
});

words!(KeyScope {
    1 "stock:read",
    2 "stock:write",
    3 "order:place",
    4 "order:manage",
    5 "audit:read",
    6 "admin",
});

#[derive(SchemaRead)]
pub(crate) struct Time(i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.6}"))
    }
}

#[derive(SchemaRead)]
pub(crate) struct Hash([u8; 32]);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

fn uuid<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    let digits = hex(bytes);
    let groups = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    serializer.serialize_str(&groups.join("-"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
