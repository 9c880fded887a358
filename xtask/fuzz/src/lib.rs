//! What must hold for any bytes, wherever they come from: the log, a snapshot, an archive, a caller.
//!
//! Each [`Target`] is a function of bytes that panics when something does not hold. Whoever produces the bytes calls
//! nothing else: `cargo fuzz` on nightly (`xtask/fuzz/targets`, run by `cargo xtask fuzz`) and the mutations of
//! `tests/mutations.rs` on stable. What holds everywhere: no panic, no allocation far beyond the input, and what was read
//! is written again as it was.
//!
//! Checksums are mended before bytes are read a second time, because nobody guesses a SHA-256 and an attacker need not.

mod archive;
mod commands;
mod sent;
mod stored;
mod world;

/// One kind of bytes that others can give us.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called: its corpus and its program have this name.
    pub name: &'static str,
    /// Panics if something does not hold for these bytes.
    pub check: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "envelope", check: stored::envelope },
    Target { name: "event", check: stored::event },
    Target { name: "snapshot", check: stored::snapshot },
    Target { name: "manifest", check: archive::manifest },
    Target { name: "segment", check: archive::segment },
    Target { name: "cursor", check: sent::cursor },
    Target { name: "position", check: sent::position },
    Target { name: "idempotency_key", check: sent::idempotency_key },
    Target { name: "json_command", check: commands::json_command },
];

/// Most memory that reading the bytes of a target may hold at a time.
pub const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// Checks the bytes of the target of this name.
///
/// # Panics
/// If something does not hold, or there is no such target.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    (target.check)(bytes);
}
