//! The events and refusals once more, as plain types; see `twin`.

use serde::{Serialize, Serializer};
use wincode::SchemaRead;

use crate::twin::{Command, Disposition, Hash, KeyScope, Reason, Status, Time};

/// The version byte behind a tag, and the body. Any other version than 1 is refused, not read as this one.
#[derive(SchemaRead)]
pub(crate) struct V1<T> {
    version: Version,
    body: T,
}

#[derive(SchemaRead)]
#[wincode(tag_encoding = "u8")]
pub(crate) enum Version {
    #[wincode(tag = 1)]
    One,
}

impl<T: Serialize> Serialize for V1<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.version {
            Version::One => self.body.serialize(serializer),
        }
    }
}

#[derive(SchemaRead, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[wincode(tag_encoding = "u16")]
pub(crate) enum Event {
    #[wincode(tag = 1)]
    SiteRegistered(V1<Site>),
    #[wincode(tag = 2)]
    SiteRenamed(V1<Site>),
    #[wincode(tag = 3)]
    SiteOpened(V1<Nothing>),
    #[wincode(tag = 4)]
    ItemRegistered(V1<Item>),
    #[wincode(tag = 5)]
    ItemUpdated(V1<Item>),
    #[wincode(tag = 6)]
    NoteRecorded(V1<Nothing>),
    #[wincode(tag = 7)]
    KeyCreated(V1<KeyCreated>),
    #[wincode(tag = 8)]
    KeyRevoked(V1<KeyRevoked>),
    #[wincode(tag = 10)]
    StockReceived(V1<Lines<ReceivedLine>>),
    #[wincode(tag = 11)]
    StockAdjusted(V1<Lines<AdjustedLine>>),
    #[wincode(tag = 12)]
    StockCounted(V1<Lines<CountedLine>>),
    #[wincode(tag = 13)]
    StockHeld(V1<StockHeld>),
    #[wincode(tag = 14)]
    HoldReleased(V1<HoldReleased>),
    #[wincode(tag = 20)]
    OrderPlaced(V1<NewOrder<PlacedLine>>),
    #[wincode(tag = 21)]
    OutOfStock(V1<NewOrder<RefusedLine>>),
    #[wincode(tag = 22)]
    OrderShipped(V1<OrderStep<LineMove>>),
    #[wincode(tag = 23)]
    OrderCancelled(V1<OrderStep<LineMove>>),
    #[wincode(tag = 24)]
    OrderReturned(V1<OrderStep<ReturnMove>>),
    #[wincode(tag = 30)]
    CommandRefused(V1<CommandRefused>),
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Nothing {}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Site {
    site: String,
    name: String,
    partition: u16,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Item {
    sku: String,
    name: String,
    unit: String,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct KeyCreated {
    key_id: String,
    name: String,
    secret_hash: Hash,
    scopes: Vec<KeyScope>,
    sites: Option<Vec<String>>,
    expires_at: Option<Time>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct KeyRevoked {
    key_id: String,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Lines<L> {
    lines: Vec<L>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Balances {
    on_hand: u64,
    reserved: u64,
    held: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ReceivedLine {
    sku: String,
    quantity: u64,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct AdjustedLine {
    sku: String,
    delta: i64,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct CountedLine {
    sku: String,
    counted: u64,
    counted_at_seq: Option<u64>,
    delta: i64,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct StockHeld {
    hold_id: String,
    sku: String,
    quantity: u64,
    reason: Reason,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct HoldReleased {
    hold_id: String,
    sku: String,
    quantity: u64,
    reason: Reason,
    held_at_first: u64,
    remaining: u64,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct NewOrder<L> {
    order_id: String,
    customer: Option<String>,
    currency: Option<String>,
    lines: Vec<L>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct PlacedLine {
    sku: String,
    quantity: u64,
    unit_price_minor: Option<u64>,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct RefusedLine {
    sku: String,
    requested: u64,
    available: u64,
    unit_price_minor: Option<u64>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct OrderStep<M> {
    order: Order,
    moves: Vec<M>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Order {
    order_id: String,
    customer: Option<String>,
    currency: Option<String>,
    placed_at: Time,
    occurred_at: Time,
    lines: Vec<OrderLine>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct OrderLine {
    sku: String,
    ordered: u64,
    shipped: u64,
    cancelled: u64,
    returned: u64,
    unit_price_minor: Option<u64>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct LineMove {
    line: u16,
    quantity: u64,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ReturnMove {
    line: u16,
    quantity: u64,
    disposition: Disposition,
    hold_id: Option<String>,
    after: Balances,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct CommandRefused {
    command: Command,
    order_id: Option<String>,
    hold_id: Option<String>,
    refusal: Refusal,
}

#[derive(SchemaRead, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[wincode(tag_encoding = "u16")]
pub(crate) enum Refusal {
    #[wincode(tag = 1)]
    InsufficientStock(V1<InsufficientStock>),
    #[wincode(tag = 2)]
    OrderExists(V1<Nothing>),
    #[wincode(tag = 3)]
    UnknownOrder(V1<Nothing>),
    #[wincode(tag = 4)]
    OrderFinished(V1<OrderFinished>),
    #[wincode(tag = 5)]
    NotInOrder(V1<AboutSku>),
    #[wincode(tag = 6)]
    ExceedsOpen(V1<ExceedsOpen>),
    #[wincode(tag = 7)]
    ExceedsReturnable(V1<ExceedsReturnable>),
    #[wincode(tag = 8)]
    ExpectedQuantityStale(V1<ExpectedQuantityStale>),
    #[wincode(tag = 9)]
    CountSuperseded(V1<CountSuperseded>),
    #[wincode(tag = 10)]
    HoldExists(V1<Nothing>),
    #[wincode(tag = 11)]
    UnknownHold(V1<Nothing>),
    #[wincode(tag = 12)]
    ExceedsHold(V1<ExceedsHold>),
    #[wincode(tag = 13)]
    QuantityLimit(V1<AboutSku>),
    #[wincode(tag = 14)]
    KeyExists(V1<Nothing>),
    #[wincode(tag = 15)]
    UnknownKey(V1<Nothing>),
    #[wincode(tag = 16)]
    FirstKeyNotAdmin(V1<Nothing>),
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct InsufficientStock {
    shortages: Vec<Shortage>,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct Shortage {
    sku: String,
    requested: u64,
    available: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct OrderFinished {
    status: Status,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct AboutSku {
    sku: String,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ExceedsOpen {
    sku: String,
    requested: u64,
    open: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ExceedsReturnable {
    sku: String,
    requested: u64,
    returnable: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ExpectedQuantityStale {
    sku: String,
    expected: u64,
    on_hand: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct CountSuperseded {
    sku: String,
    counted_seq: u64,
}

#[derive(SchemaRead, Serialize)]
pub(crate) struct ExceedsHold {
    requested: Option<u64>,
    remaining: u64,
}
