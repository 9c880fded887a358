//! Placeholder: see `command`.
pub mod command;
