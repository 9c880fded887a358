//! What came of a verification, kept in a file so that it is known after a restart, and so that the next one is held
//! against it.
//!
//! Without the file nothing is wrong with the ledger: only nobody knows when it was looked at last, and what was true then.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stockledger_schemas::{LedgerId, PartitionId, Timestamp};

use super::finding::Finding;
use super::remembered::Remembered;
use super::report::Report;
use crate::files;
use crate::head::Head;

/// The file in the directory of trees and checkpoints.
pub const FILE: &str = "verification.json";

const FORMAT: u32 = 1;
/// As the checkpoints beside it: whoever may read the log may know that it is good.
const MODE: u32 = 0o644;
const WITNESS: &str = "the verification before";

/// A verification that came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When it began.
    pub begun_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What it found.
    pub report: Report<Finding>,
    /// Where each partition stood when it was last found good.
    good: Vec<GoodHead>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct GoodHead {
    partition: PartitionId,
    head: Head,
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct Kept<O> {
    format: u32,
    ledger_id: LedgerId,
    #[serde(flatten)]
    outcome: O,
}

/// The beginning of it, which every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Why the file says nothing. Somebody should look why; the next verification writes it anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the file {path} with the last verification cannot be used")]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error("the file {path} with the last verification is damaged")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A newer program wrote it.
    #[error("the file {path} with the last verification has format {found}, this program reads {FORMAT}")]
    OtherFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It is about another ledger.
    #[error("the file {path} with the last verification is of ledger {found}, not of this one")]
    OtherLedger {
        /// Which file.
        path: PathBuf,
        /// Which ledger.
        found: LedgerId,
    },
}

impl Outcome {
    /// The outcome of a verification after an earlier one: what that one found good of a partition which is wrong now stays
    /// remembered, so that the next one finds the same.
    #[must_use]
    pub fn new(begun_at: Timestamp, ended_at: Timestamp, report: Report, before: Option<&Self>) -> Self {
        let report = report.in_words();
        let is_good = report.partitions.iter().filter(|one| one.failure.is_none());
        let mut good: Vec<GoodHead> =
            is_good.filter_map(|one| Some(GoodHead { partition: one.partition, head: one.head? })).collect();
        let before = before.map_or(&[][..], |before| &before.good);
        let found_again = |one: &GoodHead| good.iter().any(|good| good.partition == one.partition);
        let kept: Vec<GoodHead> = before.iter().filter(|one| !found_again(one)).copied().collect();
        good.extend(kept);
        Self { begun_at, ended_at, report, good }
    }

    /// What it remembers of the log.
    pub fn remembered(&self) -> impl Iterator<Item = Remembered> {
        self.good.iter().map(|good| Remembered::head(WITNESS, good.partition, &good.head))
    }

    /// The last outcome that was kept of a ledger; nothing if there was none.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load(path: &Path, ledger_id: LedgerId) -> Result<Option<Self>, Error> {
        let read = files::read(path).map_err(|source| Error::File { path: path.to_path_buf(), source })?;
        let Some(bytes) = read else { return Ok(None) };
        let damaged = |source| Error::Damaged { path: path.to_path_buf(), source };
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(Error::OtherFormat { path: path.to_path_buf(), found: format });
        }
        let kept: Kept<Self> = serde_json::from_slice(&bytes).map_err(damaged)?;
        if kept.ledger_id != ledger_id {
            return Err(Error::OtherLedger { path: path.to_path_buf(), found: kept.ledger_id });
        }
        Ok(Some(kept.outcome))
    }

    /// Keeps the outcome in the place of the one before. It is durable when this returns.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn keep(&self, path: &Path, ledger_id: LedgerId) -> Result<(), Error> {
        let failed = |source| Error::File { path: path.to_path_buf(), source };
        let kept = Kept { format: FORMAT, ledger_id, outcome: self };
        let bytes = serde_json::to_vec(&kept).map_err(|error| failed(error.into()))?;
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        files::replace(path, &bytes, MODE).map_err(failed)
    }
}
