//! The HTTP service as its callers see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod atomic;
mod audit;
mod bulk;
mod commands;
mod conditional;
mod connections;
mod describe;
mod dry_run;
mod errors;
mod event_streams;
mod events;
mod faults;
mod fuzz;
mod hostile;
mod idempotency;
mod key_matrix;
mod keys;
mod limits;
mod lists;
mod metrics;
mod operation;
mod orders;
mod past;
mod reads;
mod rows;
mod slow;
mod ui;
mod verification;
mod versions;
