//! Trees, checkpoints and proofs, as those see them who sign and those who check.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forged;
mod ledger;
mod signing;
mod trouble;
