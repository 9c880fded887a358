//! Why an archive cannot be made, read or restored.

use std::io;
use std::path::{Path, PathBuf};

use stockledger_log as log;
use stockledger_schemas::{LedgerId, PartitionId, Position, envelope};
use tokio::task::JoinError;

use crate::verify::{self, Failure};

/// Why an archive cannot be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{operation} {path}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// There is no archive.
    #[error("{0} is not an archive: it has no manifest.json; make one with `stockledger export --to DIR`")]
    NoArchive(PathBuf),
    /// The directory holds something else.
    #[error("{0} is not empty and not an archive: name an empty directory, or one that an export made")]
    Occupied(PathBuf),
    /// The manifest cannot be read, or contradicts itself.
    #[error("the manifest {path} cannot be used: {what}")]
    Manifest {
        /// Which manifest.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A newer program wrote it.
    #[error(
        "the manifest {path} has format {found}, this program reads format {expected}: upgrade this program"
    )]
    NewerFormat {
        /// Which manifest.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The archive belongs to another ledger.
    #[error("the archive is of ledger {archive}, the log of ledger {log}: name another directory")]
    OtherLedger {
        /// The ledger of the archive.
        archive: LedgerId,
        /// The ledger of the log.
        log: LedgerId,
    },
    /// The log is not the one that was archived.
    #[error(
        "partition {partition} of the log contradicts the archive: {what}. One of them was changed; \
         `stockledger verify --manifest FILE` shows where"
    )]
    Contradicts {
        /// Which partition.
        partition: PartitionId,
        /// In what.
        what: String,
    },
    /// The log cannot be exported or restored into.
    #[error("partition {partition} of the log")]
    Log {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong.
        #[source]
        source: log::Error,
    },
    /// A partition does not begin as a ledger does.
    #[error("partition {partition} of the log cannot be exported: {what}")]
    NotALedger {
        /// Which partition.
        partition: PartitionId,
        /// What is wrong with it.
        what: String,
    },
    /// The archive lacks partitions of its ledger.
    #[error("the archive lacks partition {0}: only an archive of all partitions can be restored")]
    Incomplete(PartitionId),
    /// What is asked for is not in the archive.
    #[error("the archive does not come to {wanted}: partition {} ends at {last}", wanted.partition)]
    Beyond {
        /// What was asked for.
        wanted: Position,
        /// The last decision that there is.
        last: Position,
    },
    /// The archive is damaged or impossible.
    #[error("the archive cannot be restored: {0}")]
    Bad(Box<Failure>),
    /// What was restored is not what was archived.
    #[error("the restored log is not what was archived: {0}; restore into another log")]
    NotAsArchived(Box<Failure>),
    /// A site would be open without being known.
    #[error(
        "cut off like this, the ledger would be impossible: {0}; choose a later instant, or name positions that keep the \
         registration of the site"
    )]
    BadCut(Box<Failure>),
    /// The log to restore into has another number of partitions.
    #[error(
        "the archive has {archive} partitions, the log {log}: restore into a log that does not exist yet"
    )]
    PartitionCount {
        /// How many the archive has.
        archive: u16,
        /// How many the log has.
        log: u16,
    },
    /// The log to restore into holds something else.
    #[error(
        "partition {partition} of the log is not empty, and what stands at offset {offset} is not what the archive has \
         there: restore into a log that does not exist yet"
    )]
    NotEmpty {
        /// Which partition.
        partition: PartitionId,
        /// The first offset with something else.
        offset: u64,
    },
    /// Somebody else writes to the log.
    #[error(
        "a record of partition {partition} was to stand at offset {expected} and stands at {found}: somebody else writes \
         to this log; restore into another one"
    )]
    Interfered {
        /// Which partition.
        partition: PartitionId,
        /// Where it was to stand.
        expected: u64,
        /// Where it stands.
        found: u64,
    },
    /// Whether a record was appended is not known.
    #[error(
        "partition {partition} of the log did not confirm what was appended; run the restore again, it goes on"
    )]
    Append {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong, if the log said.
        #[source]
        source: Option<log::Error>,
    },
    /// A record does not decode, although it was verified.
    #[error("a record of the archive changed while it was restored")]
    Changed(#[from] envelope::Error),
    /// A readable twin cannot be written.
    #[error("writing {path}")]
    Twin {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Verifying did not come to an end.
    #[error(transparent)]
    Verify(#[from] verify::Error),
    /// It was told to stop.
    #[error("stopped before the end; run it again, it goes on")]
    Cancelled,
    /// This program has a bug.
    #[error("working on a partition failed")]
    Panicked(#[from] JoinError),
}

impl Error {
    /// What is to be done about a file that cannot be read or written.
    pub(super) fn file(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { operation, path, source }
    }

    /// Whether records or files are not what they were.
    #[must_use]
    pub const fn is_verification(&self) -> bool {
        matches!(
            self,
            Self::Manifest { .. }
                | Self::Contradicts { .. }
                | Self::Bad(_)
                | Self::NotAsArchived(_)
                | Self::Changed(_)
                | Self::NotALedger { .. }
        )
    }

    /// Whether the set-up must be mended before it makes sense to try again.
    #[must_use]
    pub const fn is_unsafe_setup(&self) -> bool {
        matches!(
            self,
            Self::Occupied(_)
                | Self::NewerFormat { .. }
                | Self::OtherLedger { .. }
                | Self::Incomplete(_)
                | Self::BadCut(_)
                | Self::PartitionCount { .. }
                | Self::NotEmpty { .. }
                | Self::Interfered { .. }
        )
    }

    /// Whether something is not there or does not answer: trying again may help.
    #[must_use]
    pub const fn is_not_ready(&self) -> bool {
        match self {
            Self::Log { source, .. } | Self::Verify(verify::Error::Log { source, .. }) => {
                matches!(source, log::Error::Unavailable { .. })
            }
            Self::NoArchive(_) | Self::Append { .. } => true,
            _ => false,
        }
    }
}
