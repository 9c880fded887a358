//! The import of real input: a file of invoices becomes commands, and the ledger decides about each.
//!
//! A file is read and checked whole before the first command is sent, so a bad file changes nothing. What it says is a
//! function of its lines alone ([`online_retail`], [`opening`]); the commands that follow are a lazy sequence ([`plan`]);
//! where they go is a [`Target`], this process or a server, and [`run()`] gives the same positions on both. The rules for
//! people are in `docs/import.md`.
//!
//! What is absent on purpose: state of our own. That an import goes on where it was killed, and that a second run changes
//! nothing, rests on the idempotency keys of its commands and on nothing else.
//!
//! Start reading at [`run()`], then [`online_retail::Input`].

pub mod lines;
pub mod online_retail;
pub mod opening;
mod patience;
pub mod plan;
pub mod report;
mod run;
pub mod source;
pub mod target;
#[cfg(test)]
mod tests;

pub use opening::OpeningStock;
pub use report::Report;
pub use run::{CHUNK_COMMANDS_MAX, CHUNK_LINES_MAX, Error, Options, Progress, run};
pub use source::Source;
pub use target::{Local, Remote, Target};
