//! Why a stock level is what it is.

use serde::Serialize;
use stockledger_schemas::{HoldReason, OrderId, Position, Reason, Timestamp};

use super::{BalanceChange, HeldByReason, Movement, StockLevel};

/// A stock level and all that it came from. The opening balance and the parts add up to the level, and what is reserved
/// and held to its parts; if they do not, somebody changed the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What is explained.
    #[serde(flatten)]
    pub level: StockLevel,
    /// Whether all the sums are what the level says.
    pub adds_up: bool,
    /// What the opening balance and the parts add up to.
    pub sums: Sums,
    /// What was there before the ledger began; all zero if it began with nothing.
    pub opening: Part,
    /// All other movements by what happened and why, the oldest kind first.
    pub parts: Vec<Part>,
    /// What is promised, and to which orders.
    pub reservations: Reservations,
    /// What is or was held, by reason.
    pub holds: Vec<Hold>,
}

/// What all movements add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// There but not sellable.
    pub held: i64,
    /// The same by reason.
    pub held_by_reason: HeldByReason,
}

/// All movements of one kind for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// The name of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why.
    pub reason: Option<Reason>,
    /// By how much they changed each balance, together.
    pub delta: BalanceChange,
    /// How many there are.
    pub movements: u64,
    /// How many orders are behind them.
    pub orders: u64,
    /// The first of them.
    pub first: Option<Place>,
    /// The last of them.
    pub last: Option<Place>,
    /// The newest of them, newest first.
    pub newest: Vec<Movement>,
}

/// A decision, and when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The decision.
    pub position: Position,
    /// When the ledger took it.
    pub recorded_at: Timestamp,
}

/// What is promised to orders that are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservations {
    /// All of it.
    pub quantity: i64,
    /// To how many orders.
    pub orders: u64,
    /// The oldest of them, oldest first.
    pub oldest: Vec<Reservation>,
}

/// What is promised to one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// The order.
    pub order_id: OrderId,
    /// How much of it is still to be shipped.
    pub quantity: i64,
    /// The decision that promised it.
    #[serde(flatten)]
    pub placed: Place,
}

/// What is held for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Why.
    pub reason: HoldReason,
    /// What is held now.
    pub quantity: i64,
    /// How much was set aside until now.
    pub set_aside: i64,
    /// How much of it was given free again.
    pub released: i64,
    /// How many movements that took.
    pub movements: u64,
}
