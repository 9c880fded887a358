//! The read side as a whole: real decisions, a real log, real tables.

#![allow(clippy::unwrap_used, reason = "what must not fail here is a failed test")]

mod common;
mod digested;
mod explained;
mod filtered;
mod fold;
mod gate;
mod halted;
mod live;
mod past;
mod queried;
mod random;
mod rebuilt;
mod resumed;
mod switched;
mod travel;
