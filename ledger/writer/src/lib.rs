//! The single writer: turns commands into decisions in the log, one partition at a time.
//!
//! One task per partition owns that partition's state ([`Ledger`] starts them and routes commands). It decides against a
//! speculative state that runs ahead with the records in flight, and answers only from the confirmed one. Whether it is
//! the writer at all is settled by the log, never by a clock or a lock service: `docs/protocol.md`.
//!
//! What is absent on purpose: undo. After any failure the speculative state is dropped and made again from the
//! confirmed one and the log.
//!
//! Start reading at [`ledger`], then `partition/mod.rs`.

mod catch_up;
pub mod entry;
pub mod environment;
pub mod genesis;
pub mod ledger;
pub mod observer;
mod options;
mod partition;
pub mod reply;
mod routes;
pub mod snapshot;

pub use environment::{Environment, SystemEnvironment};
pub use ledger::{Ledger, PendingReply};
pub use observer::Observer;
pub use options::Options;
pub use partition::OpenError;
pub use partition::status::{PartitionStatus, WriterState};
pub use reply::{CommandError, Reply};
