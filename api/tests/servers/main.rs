//! The whole program on real Kafka, MySQL and MariaDB.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/hammer.rs"]
mod hammer;
#[path = "../program/load.rs"]
mod load;
mod on_servers;
#[path = "../program/run.rs"]
#[allow(dead_code, reason = "shared with the tests of the program without servers")]
mod run;
#[path = "../support/switches.rs"]
mod switches;
