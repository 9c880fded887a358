//! What queries answer with. Every type here serializes to the JSON of the HTTP contract, member for member.

mod explanation;

use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use stockledger_schemas::{
    Actor, CorrelationId, Currency, CustomerId, IdempotencyKey, Name, Note, OrderId, OrderStatus,
    PartitionId, Position, Reason, Reference, SiteId, Sku, Timestamp, Unit,
};

pub use self::explanation::{Explanation, Hold, Part, Place, Reservation, Reservations, Sums};

/// The state of the ledger that an answer shows: all rows of one answer are as of exactly this position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AsOf {
    /// The last decision that the answer includes; seq 0 before the first.
    pub position: Position,
    /// When the last decision that it includes was recorded; absent before the first.
    pub as_of: Option<Timestamp>,
    /// Present if the tables do not follow the log at the moment, or have stopped there for good.
    #[serde(flatten)]
    pub stale: Option<Stale>,
}

impl AsOf {
    /// Before the first decision of a partition.
    #[must_use]
    pub const fn beginning(partition: PartitionId) -> Self {
        Self { position: Position::new(partition, 0), as_of: None, stale: None }
    }
}

/// That the tables of a partition do not follow the log: at the moment, or any more until somebody acts. As JSON it is the members `stale`,
/// which is true, and `stale_reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Why, and what to do.
    pub reason: Arc<str>,
    /// Whether they have stopped, as opposed to waiting for a log that does not answer.
    pub is_halted: bool,
}

impl Serialize for Stale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Stale", 2)?;
        members.serialize_field("stale", &true)?;
        members.serialize_field("stale_reason", &*self.reason)?;
        members.end()
    }
}

/// An answer about one partition, and the position that it reflects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// How far the projection was.
    pub at: AsOf,
    /// What was asked for.
    pub value: T,
}

/// One page of a list. `K` is the key to ask for the next page with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// At most as many as were asked for.
    pub data: Vec<T>,
    /// Where the next page begins; absent when nothing is left.
    pub next: Option<K>,
}

/// A site and the partition that it lives on for ever: the proof that the site exists, which other queries ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownSite {
    /// The site.
    pub site: SiteId,
    /// Where it lives.
    pub partition: PartitionId,
}

/// A site of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The site.
    pub site: SiteId,
    /// What it is called.
    pub name: Name,
    /// Where it lives for ever.
    pub partition: PartitionId,
    /// The decision that described it last.
    pub position: Position,
    /// When that was.
    pub recorded_at: Timestamp,
}

/// An item of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The item.
    pub sku: Sku,
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
    /// The decision that described it last.
    pub position: Position,
    /// When that was.
    pub recorded_at: Timestamp,
}

/// The balances of one SKU at one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StockLevel {
    /// The site.
    pub site: SiteId,
    /// The item.
    pub sku: Sku,
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// There but not sellable, all reasons together.
    pub held: i64,
    /// The same by reason.
    pub held_by_reason: HeldByReason,
    /// On the way to here.
    pub incoming: i64,
    /// What can still be promised.
    pub available: i64,
    /// How far the projection was.
    #[serde(flatten)]
    pub at: AsOf,
}

/// Why goods are not sellable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HeldByReason {
    /// Broken.
    pub damaged: i64,
    /// To be inspected.
    pub quality_control: i64,
    /// Kept back against surprises.
    pub safety_stock: i64,
    /// None of the others.
    pub other: i64,
}

/// An order, accepted or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The site.
    pub site: SiteId,
    /// The caller's id.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    pub currency: Option<Currency>,
    /// In the order given.
    pub lines: Vec<OrderLine>,
    /// When the ledger accepted it, or refused it.
    pub placed_at: Timestamp,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// The last decision that changed it.
    pub position: Position,
}

impl Order {
    /// What was ordered, what has left, and what is still to leave, of all lines together.
    #[must_use]
    pub fn totals(&self) -> [i64; 3] {
        let sum = |number: fn(&OrderLine) -> i64| self.lines.iter().map(number).fold(0, i64::saturating_add);
        let is_refused = self.status == OrderStatus::Refused;
        let open = if is_refused { 0 } else { sum(|line| line.ordered - line.shipped - line.cancelled) };
        [sum(|line| line.ordered), sum(|line| line.shipped), open]
    }
}

/// An order as of some moment of its past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PastOrder {
    /// It was there.
    There(Order),
    /// Nothing was known of it yet, though something is today.
    NotYet(NotYet),
}

/// An order before anybody heard of it: the members of an order, of which only those that name it say anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotYet {
    /// The site.
    pub site: SiteId,
    /// The caller's id.
    pub order_id: OrderId,
    /// None.
    pub status: (),
    /// None.
    pub customer: (),
    /// None.
    pub currency: (),
    /// None.
    pub lines: [(); 0],
    /// None.
    pub placed_at: (),
    /// None.
    pub occurred_at: (),
    /// None.
    pub position: (),
}

/// One SKU of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderLine {
    /// The item.
    pub sku: Sku,
    /// How much was ordered.
    pub ordered: i64,
    /// How much of it has left.
    pub shipped: i64,
    /// How much of it was given up.
    pub cancelled: i64,
    /// How much of what was shipped came back.
    pub returned: i64,
    /// The price of one, in minor units of the currency.
    pub unit_price_minor: Option<i64>,
}

/// One decision about an order: who did what, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailStep {
    /// The decision.
    pub position: Position,
    /// The name of its first event.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the ledger took it.
    pub recorded_at: Timestamp,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Why.
    pub reason: Option<Reason>,
    /// In a person's words.
    pub note: Option<Note>,
    /// The document behind it.
    pub reference: Option<Reference>,
    /// The caller's key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The piece of work that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// The decision that it follows from: of a step of an accepted order, the one that accepted it.
    pub causation: Option<Position>,
    /// What it did to stock, or what was short.
    pub lines: Vec<TrailLine>,
    /// What was asked for and why it was refused; only of `command_refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<serde_json::Value>,
}

/// One line of a step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TrailLine {
    /// Balances changed.
    Moved {
        /// The item.
        sku: Sku,
        /// How much of it the step was about.
        quantity: i64,
        /// By how much each balance changed.
        delta: BalanceChange,
        /// The balances after it.
        after: BalanceChange,
    },
    /// The order was refused; this line as the decision saw it.
    Refused {
        /// The item.
        sku: Sku,
        /// How much was ordered.
        requested: i64,
        /// How much was available.
        available: i64,
    },
}

/// Three balances, or the change of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BalanceChange {
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// There but not sellable.
    pub held: i64,
}

/// One change of the balances of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Movement {
    /// The decision.
    pub position: Position,
    /// Which change of that decision, from 0.
    pub line: i64,
    /// The name of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why.
    pub reason: Option<Reason>,
    /// By how much.
    pub delta: BalanceChange,
    /// What was there then.
    pub after: BalanceChange,
    /// The order behind it.
    pub order_id: Option<OrderId>,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// When the ledger took it.
    pub recorded_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// In a person's words.
    pub note: Option<Note>,
    /// The document behind it.
    pub reference: Option<Reference>,
}
