//! Read tables in memory.
