//! Verifying and archiving, over logs that the real writer made.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod damage;
mod outcomes;
mod python;
mod restoring;
mod support;
mod verifying;
