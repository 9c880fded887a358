//! The stored bytes, seen from outside: frozen in golden files, readable without our decoder, safe against bad input.
//!
//! `samples` builds every value that has a golden file; the other modules are the tests and their helpers. After a new
//! event or version, `UPDATE_GOLDEN=1 cargo test -p stockledger-schemas every_sample` writes the golden files anew; one
//! that was released never changes.

mod arbitrary;
mod beside;
mod differential;
mod documented;
mod forge;
mod golden;
mod hostile;
mod limits;
mod python;
mod random;
mod refused;
mod samples;
mod snapshots;
mod twin;
mod twin_events;
mod values;
