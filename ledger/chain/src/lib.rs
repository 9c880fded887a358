//! Which records of a log count: the admission rule of the log protocol (`docs/protocol.md`) as one pure function. And
//! [`merkle`]: how those that count are summed up in one hash, with proofs about them.
//!
//! Writer, projectors, verifier and tools all call [`admit`] and nothing else, so they cannot disagree. Validity belongs
//! to the offset: it is a function of the records before it, never of who reads or when.
//!
//! What is absent on purpose: no IO, no clock, no knowledge of what a decision decides.

mod admit;
mod halt;
pub mod merkle;
mod state;

pub use admit::{Admission, Verdict, Void, admit, claim_hash, decision_hash};
pub use halt::{Halt, HaltReason};
pub use state::{State, genesis_hash};
