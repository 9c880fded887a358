//! Archives: a log as files that can be checked, kept elsewhere and put back.
//!
//! An archive is a directory with the raw bytes of every record in sealed segments and a manifest that remembers how far
//! it goes and what the chain was there. The format is written down in `docs/archive.md`. [`export()`] makes one or brings
//! it up to date, [`ArchiveLog`] reads it as any log is read, so whatever reads logs reads archives, and [`restore()`] puts
//! it into an empty log with the same records at the same offsets.

mod error;
mod export;
mod log;
mod manifest;
mod restore;
mod rows;
mod segment;
pub mod twin;

pub use error::Error;
pub use export::{Exported, ExportedPartition, Options, export};
pub use log::ArchiveLog;
pub use manifest::{Content, FORMAT, MANIFEST, Manifest, Segment};
pub use restore::{Plan, Restored, plan, restore};
pub use segment::{Contents, Limits, SEGMENT_BYTES_MAX, SEGMENT_RECORDS_MAX};
