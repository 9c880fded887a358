//! Whether a log is whole and possible: each record as it was written, each in its place, and every decision one that
//! could be made there.
//!
//! Per partition, in one pass over the records: genesis, checksums and canonical encoding, admission (chain, dense seq,
//! terms), and then every decision is carried out on the state of the domain, which checks that stock is conserved and
//! that no invariant breaks at any position. Partitions go side by side, each with a thread for the checking while the
//! next records are read; beside other work one goes after the other, and rests ([`Pace`]).
//!
//! ```text
//! log --batches, a bounded number--> thread: admit, apply, compare with what is remembered --> report
//! ```
//!
//! A log cannot show by itself that its end was cut off or that its last records were changed. That is for heads that
//! were kept outside of it: [`Remembered`].

mod closed;
mod fault;
mod finding;
pub mod outcome;
mod pace;
mod partition;
mod remembered;
mod report;
mod until;

use std::sync::Arc;

use stockledger_log::{self as log, Log};
use stockledger_schemas::PartitionId;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use self::fault::{Failure, Fault};
pub use self::finding::Finding;
pub use self::outcome::Outcome;
pub use self::pace::Pace;
use self::pace::Pacer;
use self::partition::{Checked, PartitionCheck};
use self::remembered::Memories;
pub use self::remembered::Remembered;
pub use self::report::{
    Moment, PartitionReport, Report, Tally, VOID_NAMED_MAX, VoidRecord, Vouched, word_of,
};
pub use self::until::Until;
use crate::reading::{self, Batches, Range, Stop};

/// How far a partition is; told after every batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The partition.
    pub partition: PartitionId,
    /// Records that are done.
    pub done: u64,
    /// Records that there are to do.
    pub total: u64,
}

/// Who is told how far it is.
pub type OnProgress = dyn Fn(Progress) + Send + Sync;

/// How to verify.
#[derive(Clone)]
pub struct Options {
    /// The partitions to look at; all without it.
    pub partitions: Option<Vec<PartitionId>>,
    /// Up to where.
    pub until: Until,
    /// What the log is held against. Gather it before the log is read, so that the log has all of it.
    pub remembered: Vec<Remembered>,
    /// Who is told how far it is.
    pub on_progress: Arc<OnProgress>,
    /// How fast.
    pub pace: Pace,
    /// Ends it early.
    pub cancel: CancellationToken,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: None,
            until: Until::End,
            remembered: Vec::new(),
            on_progress: Arc::new(|_| {}),
            pace: Pace::default(),
            cancel: CancellationToken::new(),
        }
    }
}

/// Why a log could not be verified. What is wrong with it stands in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log does not answer.
    #[error("reading partition {partition} of the log")]
    Log {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong.
        #[source]
        source: log::Error,
    },
    /// It was told to stop.
    #[error("stopped before the end")]
    Cancelled,
    /// This program has a bug.
    #[error("checking a partition failed")]
    Panicked(#[from] JoinError),
}

/// Looks at every record of a log, as long as it is now.
///
/// # Errors
/// [`Error`] if the log cannot be read. What is wrong with it is no error: see [`Report::failures`].
pub async fn verify(log: Arc<dyn Log>, options: &Options) -> Result<Report, Error> {
    let ends = match reading::ends(&*log, options.partitions.as_deref()).await {
        Ok(ends) => ends,
        // Where it ends cannot even be asked: that is all that can be said.
        Err((partition, log::Error::Mismatch(what))) => {
            let memories = Memories::new([]);
            let mut check = PartitionCheck::new(partition, log.partitions(), Until::End, memories);
            check.fail_next(Fault::Damaged(what));
            return Ok(together(vec![check.finish()]));
        }
        Err((partition, source)) => return Err(Error::Log { partition, source }),
    };
    let (permits, mut running) = (Arc::new(Semaphore::new(options.pace.at_once())), JoinSet::new());
    for (partition, bounds) in ends {
        // So that the whole is known from the beginning.
        (options.on_progress)(Progress { partition, done: 0, total: bounds.end });
        let (log, options, permits) = (log.clone(), options.clone(), permits.clone());
        running.spawn(async move {
            // The semaphore is never closed; without a permit only the bound would be lost.
            let _permit = permits.acquire_owned().await;
            check(log, partition, bounds, options).await
        });
    }
    let mut checked = Vec::new();
    while let Some(one) = running.join_next().await {
        checked.push(one??);
    }
    checked.sort_by_key(|checked| checked.report.partition);
    Ok(together(checked))
}

/// Checks one partition.
async fn check(
    log: Arc<dyn Log>,
    partition: PartitionId,
    bounds: log::Bounds,
    options: Options,
) -> Result<Checked, Error> {
    let remembered = options.remembered.iter().filter(|one| one.partition == partition).cloned();
    let memories = Memories::new(remembered);
    let mut check = PartitionCheck::new(partition, log.partitions(), options.until.clone(), memories);
    if bounds.begin > 0 {
        check.fail_next(Fault::Deleted { begin: bounds.begin });
        return Ok(check.finish());
    }
    let range = Range { partition, from: 0, end: bounds.end };
    let (on_progress, pacer) =
        (options.on_progress.clone(), Pacer::new(options.pace, options.cancel.clone()));
    let work = move |batches| check_all(check, batches, bounds.end, &*on_progress, pacer);
    let (mut check, read) = reading::work_on(&*log, range, &options.cancel, work).await?;
    // What was read before it was told to stop was not all looked at.
    let read = if options.cancel.is_cancelled() { Err(Stop::Cancelled) } else { read };
    // Taking the state of a large ledger apart is work as well.
    let finished = tokio::task::spawn_blocking(move || {
        match read {
            Ok(()) => {}
            Err(Stop::Log(log::Error::Truncated { begin, .. })) => check.fail_next(Fault::Deleted { begin }),
            Err(Stop::Log(log::Error::Mismatch(what))) => check.fail_next(Fault::Damaged(what)),
            Err(Stop::Log(source)) => return Err(Error::Log { partition, source }),
            Err(Stop::Cancelled) => return Err(Error::Cancelled),
        }
        Ok(check.finish())
    });
    finished.await?
}

fn check_all(
    mut check: PartitionCheck,
    mut batches: Batches,
    total: u64,
    on_progress: &OnProgress,
    mut pacer: Pacer,
) -> PartitionCheck {
    while let Some(batch) = batches.blocking_recv() {
        pacer.begin();
        for record in &batch {
            if check.take(record).is_break() || pacer.is_cancelled() {
                return check;
            }
            pacer.rest();
        }
        if let Some(last) = batch.last() {
            on_progress(Progress { partition: check.partition(), done: last.offset + 1, total });
        }
    }
    check
}

/// Puts the partitions together, with what can only be seen of all of them.
fn together(mut checked: Vec<Checked>) -> Report {
    let ledger_id = checked.iter().find_map(|checked| checked.ledger_id);
    let directory = checked
        .iter()
        .find(|checked| {
            checked.report.partition == PartitionId::DIRECTORY && checked.report.failure.is_none()
        })
        .map(|checked| checked.directory.clone());
    for one in &mut checked {
        if let (Some(expected), Some(found)) = (ledger_id, one.ledger_id)
            && expected != found
        {
            one.fail(Fault::OtherLedger { expected, found });
        }
        let Some(directory) = &directory else { continue };
        let partition = one.report.partition;
        let mut strangers: Vec<_> =
            one.opened.iter().filter(|(site, _)| directory.get(site) != Some(&partition)).collect();
        strangers.sort_by_key(|(_, opened_seq)| *opened_seq);
        if let Some((site, opened_seq)) = strangers.first() {
            let registered = directory.get(site).copied();
            let fault = Fault::Unregistered { site: site.clone(), opened_seq: *opened_seq, registered };
            one.fail(fault);
        }
    }
    Report { ledger_id, partitions: checked.into_iter().map(|checked| checked.report).collect() }
}
