//! How a ledger is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stockledger_schemas::Name;
use stockledger_schemas::headers::Detail;

use crate::observer::Observer;

/// How a ledger is written. There is no default for who we are; the rest has safe defaults in [`Options::new`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Who writes, for people who read claims.
    pub node: Name,
    /// Where this node answers HTTP.
    pub url: Option<Name>,
    /// Where snapshots are kept; none are made without it.
    pub snapshots: Option<PathBuf>,
    /// Decisions between two snapshots of a partition at least; the distance grows with what a snapshot holds.
    pub snapshot_every: u64,
    /// How long a log that is shorter than a snapshot is given to come back, as after a broker's fail-over.
    pub log_shorter_patience: Duration,
    /// How long a caller waits for an outcome before it is told that it is not known, or that nothing was done.
    pub answer_within: Duration,
    /// How long a command may have to wait for those before it. One that would wait longer, by what was done lately, is
    /// refused at once: by the time of its answer its caller may have gone.
    pub queue_within: Duration,
    /// Silence of the log after which commands are refused at once, so that nobody waits for what may take long.
    pub stall_after: Duration,
    /// Silence of the log after which the outcome of an append is unknown.
    pub append_patience: Duration,
    /// How long a claim may take to come back before another one is made.
    pub claim_patience: Duration,
    /// How long one read waits for records.
    pub read_patience: Duration,
    /// About how long to wait before claiming a partition again that another node took.
    pub claim_again_after: Duration,
    /// About how long to wait before trying a log again that does not answer.
    pub log_retry_after: Duration,
    /// Whether to read back everything that the log acknowledged. Costs a second reading of every record; right for a log
    /// in other machines, needless for a file of our own.
    pub verify_tail: bool,
    /// How much records say about themselves beside their bytes, where the log keeps that.
    pub headers: Detail,
    /// Who hears what the writers do; nobody, if absent.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Options {
    /// The options of a node of this name.
    #[must_use]
    pub const fn new(node: Name) -> Self {
        Self {
            node,
            url: None,
            snapshots: None,
            snapshot_every: 100_000,
            log_shorter_patience: Duration::from_secs(30),
            answer_within: Duration::from_secs(10),
            queue_within: Duration::from_secs(2),
            stall_after: Duration::from_secs(1),
            append_patience: Duration::from_secs(15),
            claim_patience: Duration::from_secs(15),
            read_patience: Duration::from_millis(200),
            claim_again_after: Duration::from_secs(2),
            log_retry_after: Duration::from_millis(500),
            verify_tail: false,
            headers: Detail::Minimal,
            observer: None,
        }
    }
}
