//! Deterministic simulation of the whole stack: the real writer, projector and rebuild over a simulated log, store, clock
//! and network, on one thread. One seed is one run; the same seed is the same run again.

pub mod store;
