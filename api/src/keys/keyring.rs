//! The keys of the ledger as a running node knows them: a task follows the directory's partition of the log.

use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::{Causes, Log, StoredRecord};
use stockledger_schemas::{Decision, KeyId, PartitionId, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::following::{self, READ_PATIENCE, READ_RECORDS_MAX, RETRY_AFTER, Stop};
use crate::keys::{Identified, Key, Known, Token};

/// A cheap handle to what this node knows. The task ends when the last handle is dropped or it is cancelled.
#[derive(Debug, Clone)]
pub struct Keyring {
    seen: watch::Receiver<Seen>,
}

/// How far the log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Not yet to where it ended when this node began: keys may be missing.
    Begun,
    /// To its end, and on as it grows.
    Following,
    /// The log does not answer at the moment; what was read before holds.
    Retrying {
        /// Why.
        reason: String,
    },
    /// To a record that must not be read past; what was read before it holds.
    Halted {
        /// Why.
        reason: String,
    },
}

#[derive(Debug)]
struct Seen {
    known: Known,
    /// The last decision of the partition that was read.
    seq: u64,
    reading: Reading,
    /// Whether the end was reached once, or there is none to be reached.
    is_read: bool,
}

impl Keyring {
    /// Begins to follow the log.
    #[must_use]
    pub fn follow(log: Arc<dyn Log>, cancel: CancellationToken) -> Self {
        let begun = Seen { known: Known::default(), seq: 0, reading: Reading::Begun, is_read: false };
        let (publish, seen) = watch::channel(begun);
        let follower = Follower { log, publish, state: None };
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = follower.run() => {}
            }
        });
        Self { seen }
    }

    /// How far the log was read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.seen.borrow().reading.clone()
    }

    /// Whether all is known that the log said when this node began; before that nobody can be told from anybody.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.seen.borrow().is_read
    }

    /// Whether a key was ever made, so that nobody comes in without one.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.seen.borrow().known.is_any()
    }

    /// Whose token it is.
    #[must_use]
    pub fn identify(&self, token: &Token, now: Timestamp) -> Identified {
        self.seen.borrow().known.identify(token, now)
    }

    /// Whether a key opens anything now.
    #[must_use]
    pub fn is_live(&self, key_id: &KeyId, now: Timestamp) -> bool {
        self.seen.borrow().known.is_live(key_id, now)
    }

    /// The key of this id, if it opens anything now.
    #[must_use]
    pub fn live(&self, key_id: &KeyId, now: Timestamp) -> Option<Arc<Key>> {
        self.seen.borrow().known.live(key_id, now)
    }

    /// At most `limit` keys by id, beginning after one.
    #[must_use]
    pub fn list(&self, after: Option<&KeyId>, limit: usize) -> Vec<Arc<Key>> {
        self.seen.borrow().known.after(after).take(limit).cloned().collect()
    }

    /// Waits until decision `seq` of the directory's partition was read; says whether it was within that time.
    pub async fn reached(&self, seq: u64, within: Duration) -> bool {
        let mut seen = self.seen.clone();
        let reached = seen.wait_for(|seen| seen.seq >= seq);
        tokio::time::timeout(within, reached).await.is_ok_and(|seen| seen.is_ok())
    }
}

struct Follower {
    log: Arc<dyn Log>,
    publish: watch::Sender<Seen>,
    /// Where it is; nothing before genesis was read.
    state: Option<State>,
}

impl Follower {
    async fn run(mut self) {
        while let Err(stop) = self.follow().await {
            let reason = Causes(&stop).to_string();
            if !stop.is_passing() {
                tracing::error!(
                    reason,
                    "API keys are no longer read from the log: those known stay as they are"
                );
                return self.publish.send_modify(|seen| {
                    seen.reading = Reading::Halted { reason };
                    seen.is_read = true;
                });
            }
            tracing::debug!(reason, "API keys cannot be read from the log at the moment");
            self.publish.send_modify(|seen| {
                if seen.is_read {
                    seen.reading = Reading::Retrying { reason };
                }
            });
            tokio::select! {
                () = self.publish.closed() => return,
                () = tokio::time::sleep(RETRY_AFTER) => {}
            }
        }
    }

    /// Reads until nobody looks any more, or the log does not go on.
    async fn follow(&mut self) -> Result<(), Stop> {
        let partition = PartitionId::DIRECTORY;
        let end = self.log.bounds(partition.0).await?.end;
        let mut state = match self.state {
            Some(state) => state,
            None => following::genesis(self.log.as_ref(), partition).await?,
        };
        let mut reader = self.log.reader(partition.0, state.next_offset).await?;
        loop {
            self.state = Some(state);
            if state.next_offset >= end {
                self.level();
            }
            // A read that is dropped took nothing.
            let records = tokio::select! {
                () = self.publish.closed() => return Ok(()),
                records = reader.next(READ_RECORDS_MAX, READ_PATIENCE) => records?,
            };
            if records.is_empty() {
                continue;
            }
            let admitted = tokio::task::spawn_blocking(move || admit_all(state, &records)).await?;
            state = admitted.state;
            self.take(&admitted);
            if let Some(halt) = admitted.halt {
                return Err(halt.into());
            }
        }
    }

    fn level(&self) {
        self.publish.send_if_modified(|seen| {
            let is_news = seen.reading != Reading::Following;
            (seen.reading, seen.is_read) = (Reading::Following, true);
            is_news
        });
    }

    fn take(&self, admitted: &Admitted) {
        self.publish.send_modify(|seen| {
            for decision in &admitted.decisions {
                seen.known.take(decision);
            }
            seen.seq = admitted.state.seq;
        });
    }
}

struct Admitted {
    state: State,
    /// Those that say something about keys.
    decisions: Vec<Decision>,
    halt: Option<Halt>,
}

/// Judges records in order, up to the first that must not be read past.
fn admit_all(mut state: State, records: &[StoredRecord]) -> Admitted {
    let mut decisions = Vec::new();
    for record in records {
        match admit(&state, record.offset, &record.value) {
            Ok(admission) => {
                state = admission.next;
                if let Verdict::Decision(decision) = admission.verdict
                    && Known::concerns(&decision)
                {
                    decisions.push(*decision);
                }
            }
            Err(halt) => return Admitted { state, decisions, halt: Some(halt) },
        }
    }
    Admitted { state, decisions, halt: None }
}
