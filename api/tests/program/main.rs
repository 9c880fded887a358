//! The program as people run it: the real binary, real files, real signals.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod crash;
mod import;
mod run;
mod setup;
