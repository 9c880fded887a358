//! The behaviour of the domain through its public surface.
//!
//! `scenarios` and `precedence` are text tables that read like a specification, `properties` compares random histories
//! with a naive model, `impossible` shows what `apply` does not believe.

#![expect(clippy::unwrap_used, reason = "the texts and numbers of the tests are valid")]

mod basis;
mod bundles;
mod checks;
mod fingerprints;
mod impossible;
mod model;
mod precedence;
mod properties;
mod render;
mod scenarios;
mod state;
mod table;
mod world;
