//! The program as people run it: the real binary, real files, real signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod act;
mod archive;
mod audit;
mod commands;
mod crash;
mod generate;
mod import;
mod keys;
#[allow(dead_code, reason = "shared with the tests on real servers")]
mod load;
mod rebuild;
mod refused;
mod run;
mod secrets;
mod setup;
mod tail;
mod tls;
mod transcripts;
mod verify;
