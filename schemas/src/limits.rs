//! Every bound on what a ledger stores, by name. Hitting one is answered with a precise error, never a surprise.

/// Longest encoded record, envelope included. The Kafka topic allows more, so a record that we accept is never refused there.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// Most lines of one command. A line takes at most about 250 bytes of a record, so the largest command fits in one.
pub const LINES_MAX: usize = 2_000;
/// Most sites of one API key that is not for all of them.
pub const KEY_SITES_MAX: usize = 100;
/// Most events of one decision.
pub const EVENTS_MAX: usize = 16;
/// Largest quantity, balance or price: 2^53 - 1, so that a JSON number survives JavaScript.
pub const QUANTITY_MAX: i64 = (1 << 53) - 1;
/// Most partitions of a ledger.
pub const PARTITIONS_MAX: u16 = 1_024;
/// Partitions of a new ledger, unless told otherwise.
pub const PARTITIONS_DEFAULT: u16 = 8;
/// Records, not batches, that a writer may have in flight beyond the last confirmed one (W of the log protocol).
pub const WINDOW_DEFAULT: u32 = 4_096;
