//! The store on real servers: MySQL and MariaDB, whose addresses are in the environment.

#![allow(clippy::unwrap_used, reason = "what must not fail here is a failed test")]

#[allow(dead_code, reason = "shared with the tests that need no servers, which use more of it")]
#[path = "../it/common.rs"]
mod common;
#[allow(dead_code, reason = "shared with the tests that need no servers, which use more of it")]
#[path = "../it/gate.rs"]
mod gate;
mod on_servers;
#[allow(dead_code, reason = "shared with the tests that need no servers, which use more of it")]
#[path = "../it/past.rs"]
mod past;
#[path = "../it/random.rs"]
mod random;
