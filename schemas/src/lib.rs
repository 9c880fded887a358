//! The vocabulary of Stockledger and its stored bytes.
//!
//! Everything that is ever written to a log is defined here and only here: ids and quantities as checked types, the
//! events, the three kinds of record, and the envelope around them. Released events are frozen: a change is a new
//! version, an upcaster and a golden file in one commit (`CONTRIBUTING.md`, "Add an event").
//!
//! What is absent on purpose: no IO, no clock, no rule of business. The byte layout is written down in
//! `schemas/FORMAT.md`; the only module that knows bincode is [`codec`].
//!
//! Start reading at [`record`], then [`event`].

pub mod code;
pub mod codec;
mod count;
pub mod envelope;
pub mod event;
pub mod hash;
pub mod headers;
pub mod limits;
pub mod order;
pub mod position;
pub mod quantity;
pub mod record;
pub mod refusal;
pub mod snapshot;
mod tagged;
pub mod text;

pub use code::{CommandKind, Disposition, HoldReason, KeyScope, OrderStatus, Reason};
pub use event::Event;
pub use hash::Hash;
pub use order::{Order, OrderLine};
pub use position::{PartitionId, Position, Timestamp};
pub use quantity::{Balances, Delta, Level, Quantity};
pub use record::{Claim, Context, Decision, Genesis, LedgerId, Nonce, Record, Reference, Request, Scope};
pub use refusal::Refusal;
pub use text::{
    Actor, CorrelationId, Currency, CustomerId, HoldId, IdempotencyKey, KeyId, Name, Note, OrderId,
    ReferenceId, ReferenceType, SiteId, Sku, Unit,
};
