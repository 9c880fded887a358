//! What bodies look like, on the way in and out.

pub(super) mod answers;
pub(super) mod audit;
pub(super) mod bulk;
pub(super) mod commands;
pub(super) mod events;
pub(super) mod node;
pub(super) mod problem;
pub(super) mod views;
pub(super) mod words;
