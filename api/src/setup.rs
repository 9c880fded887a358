//! Set-ups that are refused, each with a stable code: what programs tell them apart by, and what `docs/setup-errors.md`
//! explains.

use stockledger_audit::{archive, key};
use stockledger_log::{self as log, Danger};
use stockledger_projections::Halted;
use stockledger_projections::store;
use stockledger_writer::{OpenError, genesis, snapshot};

use crate::{keys, storage};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// Why a set-up is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)+ }

        impl Code {
            /// Every code, as the document has them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code itself, which never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    /// Compaction is on: old records of a site would vanish.
    TopicCompacted = "topic-compacted",
    /// Retention is on: old records would be deleted.
    TopicRetention = "topic-retention",
    /// A replica that lacks records may come to lead.
    UncleanElection = "unclean-election",
    /// The times of records are those of who sent them.
    TimestampType = "timestamp-type",
    /// A message may be smaller than a record.
    MessageLimit = "message-limit",
    /// Fewer replicas than the profile demands.
    TooFewReplicas = "too-few-replicas",
    /// Fewer replicas in sync than the profile demands.
    TooFewInSync = "too-few-in-sync",
    /// Fewer brokers than the profile demands.
    TooFewBrokers = "too-few-brokers",
    /// The log has more or fewer partitions than the ledger was made with.
    PartitionCount = "partition-count",
    /// Log, read tables, data directory, key or archive are not of one ledger.
    OtherLedger = "other-ledger",
    /// The log is empty, and something remembers what was in it.
    TopicRecreated = "topic-recreated",
    /// The log is there and has no records, in one partition at least.
    LogEmpty = "log-empty",
    /// The log ends before what a snapshot remembers.
    LogShorterThanSnapshot = "log-shorter-than-snapshot",
    /// The log ends before what the read tables remember.
    LogShorterThanProjection = "log-shorter-than-projection",
    /// A record is not the one that is remembered.
    HistoryChanged = "history-changed",
    /// The log no longer has its first records.
    HistoryDeleted = "history-deleted",
    /// Something was written by a newer program.
    NewerFormat = "newer-format",
    /// A partition of the log cannot be read past some record.
    PartitionHalted = "partition-halted",
    /// The file or topic holds something else.
    NotALedger = "not-a-ledger",
    /// The log holds records where an empty one is needed.
    LogNotEmpty = "log-not-empty",
    /// Another process writes in the data directory.
    DataDirInUse = "data-dir-in-use",
    /// The read tables were made by another release.
    OtherCodeTables = "other-code-tables",
    /// The read tables were never filled to their end.
    TablesUnfinished = "tables-unfinished",
    /// The database will not do what is needed.
    DatabaseRefuses = "database-refuses",
    /// The read tables hold what this program never writes.
    TablesDamaged = "tables-damaged",
    /// The key that signs checkpoints cannot be used.
    AuditKey = "audit-key",
    /// An archive cannot be written to or restored from as asked.
    ArchiveUnusable = "archive-unusable",
    /// Others could reach a service that asks nobody who they are.
    InsecureListen = "insecure-listen",
    /// This program was built without TLS and logins for Kafka.
    NoKafkaTls = "no-kafka-tls",
    /// A certificate or a key for HTTP cannot be used.
    TlsUnusable = "tls-unusable",
}

/// Why an error is one of set-up: all its codes, or none if it is of another kind.
pub trait Refused {
    /// The codes, most important first.
    fn codes(&self) -> Vec<Code>;
}

const fn of_danger(danger: Danger) -> Code {
    match danger {
        Danger::Compacted => Code::TopicCompacted,
        Danger::Retention => Code::TopicRetention,
        Danger::UncleanElection => Code::UncleanElection,
        Danger::TimestampType => Code::TimestampType,
        Danger::MessageLimit => Code::MessageLimit,
        Danger::TooFewReplicas => Code::TooFewReplicas,
        Danger::TooFewInSync => Code::TooFewInSync,
        Danger::TooFewBrokers => Code::TooFewBrokers,
    }
}

impl Refused for log::Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::Unsafe(found) => {
                let mut codes: Vec<Code> =
                    found.findings.iter().map(|finding| of_danger(finding.danger)).collect();
                codes.dedup();
                codes
            }
            Self::OtherFormat(_) => vec![Code::NewerFormat],
            Self::Mismatch(_) => vec![Code::NotALedger],
            Self::Truncated { .. } => vec![Code::HistoryDeleted],
            Self::NoSuchPartition { .. } | Self::ReadOnly | Self::Unavailable { .. } | Self::NoSuchLog(_) => {
                Vec::new()
            }
        }
    }
}

impl Refused for store::Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::Unavailable { .. } => Vec::new(),
            Self::OtherCode { .. } => vec![Code::OtherCodeTables],
            Self::NotFilled(_) => vec![Code::TablesUnfinished],
            Self::Refused { .. } | Self::ReadOnly => vec![Code::DatabaseRefuses],
            Self::DuplicateRow { .. } | Self::Unreadable { .. } | Self::NoSuchVersion(_) | Self::InUse(_) => {
                vec![Code::TablesDamaged]
            }
        }
    }
}

impl Refused for storage::Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::NoLedger { .. } => Vec::new(),
            Self::Log { source, .. } => source.codes(),
            Self::Store { source, .. } => source.codes(),
        }
    }
}

impl Refused for genesis::Error {
    fn codes(&self) -> Vec<Code> {
        vec![match self {
            Self::Log { source, .. } => return source.codes(),
            Self::Append { .. } => return Vec::new(),
            Self::Halt(halt) if halt.reason.is_newer() => Code::NewerFormat,
            Self::Newer { .. } => Code::NewerFormat,
            Self::Halt(_) | Self::Encode(_) => Code::NotALedger,
            Self::Empty(_) => Code::LogEmpty,
            Self::Deleted { .. } => Code::HistoryDeleted,
            Self::Mixed { .. } => Code::OtherLedger,
            Self::PartitionCount { .. } => Code::PartitionCount,
        }]
    }
}

impl Refused for snapshot::Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::OtherLedger { .. } => vec![Code::OtherLedger],
            Self::Shorter { .. } => vec![Code::LogShorterThanSnapshot],
            Self::Changed { .. } => vec![Code::HistoryChanged],
            Self::Log { source, .. } => source.codes(),
        }
    }
}

impl Refused for OpenError {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::Genesis(error) => error.codes(),
            Self::Snapshot(error) => error.codes(),
        }
    }
}

impl Refused for Halted {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::ForeignLog { .. } => vec![Code::OtherLedger],
            Self::LogShorter { .. } => vec![Code::LogShorterThanProjection],
            Self::Rewritten { .. } => vec![Code::HistoryChanged],
            Self::Store(error) => error.codes(),
            Self::Log(error) => error.codes(),
            Self::Broken(halt) if halt.reason.is_newer() => vec![Code::NewerFormat],
            Self::Broken(_) => vec![Code::NotALedger],
            Self::NotLoaded(_) => vec![Code::TablesUnfinished],
            Self::Impossible { .. } | Self::VersionGone(_) | Self::Panicked(_) => Vec::new(),
        }
    }
}

impl Refused for key::Error {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::File { .. } | Self::Random(_) => Vec::new(),
            Self::Exposed(_) | Self::Malformed(_) => vec![Code::AuditKey],
            Self::ForeignLedger { .. } => vec![Code::OtherLedger],
        }
    }
}

impl Refused for keys::ScanError {
    fn codes(&self) -> Vec<Code> {
        match self {
            Self::Log(error) => error.codes(),
            Self::Silent(_) => Vec::new(),
            Self::Halted(halt) if halt.reason.is_newer() => vec![Code::NewerFormat],
            Self::Halted(_) => vec![Code::PartitionHalted],
        }
    }
}

impl Refused for archive::Error {
    fn codes(&self) -> Vec<Code> {
        if !self.is_unsafe_setup() {
            return Vec::new();
        }
        vec![match self {
            Self::NewerFormat { .. } => Code::NewerFormat,
            Self::OtherLedger { .. } => Code::OtherLedger,
            Self::PartitionCount { .. } => Code::PartitionCount,
            Self::NotEmpty { .. } => Code::LogNotEmpty,
            _ => Code::ArchiveUnusable,
        }]
    }
}
