//! The tail verifier: reads back what this writer was told is durable, and raises an alarm if it does not come back. It also
//! reads what others append: a writer that has nothing to append learns from it that another one claimed the partition.
//!
//! It guards against a log or a client library that acknowledges what it then loses. It reads with the same admission
//! rule as everybody else; one equal hash proves that everything before it is equal too.

use std::collections::VecDeque;
use std::time::Duration;

use stockledger_chain::{State, Verdict, admit};
use stockledger_log::{Error, Log, Reader, StoredRecord};
use stockledger_schemas::Hash;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{Ended, Writer};

/// Longest time between an acknowledgement and the record being readable.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);
const READ_RECORDS: usize = 256;

/// The last decision that was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Confirmed {
    seq: u64,
    hash: Hash,
    /// Whether nothing of ours is in flight: then whatever comes is somebody else's. What is in flight is read after it
    /// was acknowledged, and not before.
    is_all: bool,
}

/// What ends a term.
pub(super) enum Found {
    /// An acknowledged record did not come back as it was written.
    Alarm(String),
    /// Another writer claimed the partition.
    Superseded { url: Option<String> },
}

impl From<Found> for Ended {
    fn from(found: Found) -> Self {
        match found {
            Found::Alarm(text) => Self::Halted(text),
            Found::Superseded { url } => Self::Superseded { url },
        }
    }
}

/// Watches over one term; does nothing where the options say so.
pub(super) struct Tail {
    confirmed: watch::Sender<Confirmed>,
    found: oneshot::Receiver<Found>,
    /// What was found and not yet told.
    seen: Option<Found>,
    task: Option<JoinHandle<()>>,
}

impl Tail {
    pub(super) fn start(writer: &Writer) -> Self {
        let state = writer.confirmed.chain;
        let first = Confirmed { seq: state.seq, hash: state.hash, is_all: true };
        let (confirmed, seen) = watch::channel(first);
        let (tell, found) = oneshot::channel();
        let task = writer.options.verify_tail.then(|| {
            let (log, again_after) = (writer.log.clone(), writer.options.log_retry_after);
            tokio::spawn(async move {
                if let Some(found) = verify(log.as_ref(), state, seen, again_after).await {
                    drop(tell.send(found));
                }
            })
        });
        Self { confirmed, found, seen: None, task }
    }

    /// Everything up to this state was acknowledged.
    pub(super) fn confirmed(&self, state: &State) {
        self.confirmed.send_modify(|last| (last.seq, last.hash) = (state.seq, state.hash));
    }

    /// Whether everything that was appended was acknowledged.
    pub(super) fn note_idle(&self, is_idle: bool) {
        self.confirmed.send_if_modified(|last| std::mem::replace(&mut last.is_all, is_idle) != is_idle);
    }

    /// Resolves when the term is at its end; pends for ever otherwise. A writer that is not idle is told of an alarm only:
    /// its acknowledgements tell it what became of each record, and that it was superseded. Cancel-safe.
    pub(super) async fn found(&mut self, is_idle: bool) -> Found {
        if self.task.is_some() {
            self.seen = (&mut self.found).await.ok();
            self.task = None; // It has ended.
        }
        match self.seen.take_if(|seen| is_idle || matches!(seen, Found::Alarm(_))) {
            Some(found) => found,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Follows the log behind the writer; what ends its term, or nothing if the term is over.
async fn verify(
    log: &dyn Log,
    state: State,
    mut confirmed: watch::Receiver<Confirmed>,
    again_after: Duration,
) -> Option<Found> {
    let mut reader = None;
    let mut read = Read::of(state);
    loop {
        let Confirmed { seq, hash, is_all } = *confirmed.borrow_and_update();
        while read.state.seq < seq {
            match read_on(log, &read.state, &mut reader).await {
                Ok(records) if records.is_empty() => {
                    let text = format!("decision {seq} was acknowledged but cannot be read back");
                    return Some(Found::Alarm(text));
                }
                Ok(records) => {
                    if let Some(found) = read.take(&records) {
                        return Some(found);
                    }
                }
                Err(Error::Unavailable { .. }) => {
                    reader = None;
                    tokio::time::sleep(again_after).await;
                }
                Err(error) => return Some(Found::Alarm(error.to_string())),
            }
        }
        if !read.agrees(seq, &hash) {
            let text = format!("decision {seq} was acknowledged but another one stands in the log");
            return Some(Found::Alarm(text));
        }
        // Both branches are cancel-safe: a read that was dropped took nothing.
        let records = tokio::select! {
            biased;
            changed = confirmed.changed() => {
                changed.ok()?;
                continue;
            }
            records = read_on(log, &read.state, &mut reader), if is_all => records,
        };
        match records {
            Ok(records) => {
                if let Some(found) = read.take(&records) {
                    return Some(found);
                }
            }
            Err(Error::Unavailable { .. }) => {
                reader = None;
                tokio::time::sleep(again_after).await;
            }
            Err(error) => return Some(Found::Alarm(error.to_string())),
        }
    }
}

/// What was read of the log since the term began.
struct Read {
    state: State,
    term: u64,
    /// The last decisions, with the hash behind each: more than may be in flight.
    last: VecDeque<(u64, Hash)>,
    keep: usize,
}

impl Read {
    fn of(state: State) -> Self {
        let keep = usize::try_from(state.window).unwrap_or(usize::MAX).saturating_add(1);
        Self { state, term: state.term, last: VecDeque::from([(state.seq, state.hash)]), keep }
    }

    /// Takes records that were read; what ends the term, if they do.
    fn take(&mut self, records: &[StoredRecord]) -> Option<Found> {
        for record in records {
            let admission = match admit(&self.state, record.offset, &record.value) {
                Ok(admission) => admission,
                Err(halt) => return Some(Found::Alarm(halt.to_string())),
            };
            self.state = admission.next;
            if let Verdict::Claim(claim) = admission.verdict
                && claim.term > self.term
            {
                return Some(Found::Superseded { url: claim.url.map(|url| url.to_string()) });
            }
            let last = (self.state.seq, self.state.hash);
            if self.last.back() == Some(&last) {
                continue; // It does not count.
            }
            if self.last.len() >= self.keep {
                self.last.pop_front();
            }
            self.last.push_back(last);
        }
        None
    }

    /// Whether this decision, which was acknowledged, is the one that was read, as far as is known.
    fn agrees(&self, seq: u64, hash: &Hash) -> bool {
        self.last.contains(&(seq, *hash)) || self.last.front().is_none_or(|(oldest, _)| *oldest > seq)
    }
}

async fn read_on(
    log: &dyn Log,
    state: &State,
    reader: &mut Option<Box<dyn Reader>>,
) -> Result<Vec<StoredRecord>, Error> {
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(log.reader(state.partition.0, state.next_offset).await?),
    };
    reader.next(READ_RECORDS, COMES_BACK_WITHIN).await
}
