//! The domain: what may happen to stock and orders, and what it does to them.
//!
//! Everything here is a function of values. A [`Checked`] command meets the state of its partition in
//! [`decide`](decide()), which returns what happened or why nothing did. [`apply`](apply()) carries a decision out on the
//! state and finds any decision that contradicts the history before it. The writer calls both, the verifier only the
//! latter.
//!
//! What is absent on purpose: IO, clocks, randomness, threads, stored bytes, HTTP. Time and positions arrive as
//! arguments, and what memory does not hold (a closed order, what was on hand in the past) is fetched before.
//!
//! Start reading at [`command`], then [`decide`](mod@decide).

pub mod apply;
pub mod command;
pub mod decide;
mod lines;
mod movement;
mod progress;
pub mod state;
pub mod stock;

pub use apply::{Breach, Impossible, apply, before_return};
pub use command::{Bundle, Checked, Command, Invalid, Misfit};
pub use decide::{Change, Moment, Rejection, Unbundled, Undecidable, decide, decide_bundle, open_here};
pub use movement::on_hand_changes;
pub use state::{ApiKey, Directory, DirectorySite, Hold, Item, Partition, ResidentOrder, Site};
pub use stock::Stock;
