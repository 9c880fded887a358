//! Deterministic simulation of the whole stack: the real writer, projector and rebuild over a simulated log, store, clock
//! and network, on one thread. One seed is one run; the same seed is the same run again.
//!
//! ```text
//! clients -- network -- process: Ledger, Projector, rebuild     (all real)
//!                         |  gate: killed, paused
//!                       SimLog     SimStore     SimEnvironment
//!                         |           |            |
//!                       Topic      MemoryStore   Machine: clock, files
//!                       Referee: judges every record as it lands
//! ```
//!
//! [`run`](run()) is where to start reading. What may go wrong stands in [`faults`], what must be come across in [`mark`],
//! what must be true in [`referee`] and [`history`]; the rules that a sample must notice the breaking of are
//! [`stockledger_rules::Rule`].

pub mod books;
pub mod client;
pub mod environment;
pub mod faults;
pub mod gate;
pub mod history;
pub mod mark;
pub mod nemesis;
pub mod node;
pub mod referee;
pub mod run;
pub mod sample;
pub mod shop;
pub mod shorten;
pub mod store;
pub mod tables;
pub mod topic;
pub mod wire;
pub mod world;

pub use run::{Outcome, Plan, run};
