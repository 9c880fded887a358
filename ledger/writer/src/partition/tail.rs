//! The tail verifier: reads back what this writer was told is durable, and raises an alarm if it does not come back.
//!
//! It guards against a log or a client library that acknowledges what it then loses. It reads with the same admission
//! rule as everybody else; one equal hash proves that everything before it is equal too.

use std::collections::VecDeque;
use std::time::Duration;

use stockledger_chain::{State, admit};
use stockledger_log::{Error, Log, Reader, StoredRecord};
use stockledger_schemas::Hash;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Writer;

/// Longest time between an acknowledgement and the record being readable.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(30);
const READ_RECORDS: usize = 256;

/// Watches over one term; does nothing where the options say so.
pub(super) struct Tail {
    confirmed: watch::Sender<(u64, Hash)>,
    alarm: oneshot::Receiver<String>,
    task: Option<JoinHandle<()>>,
}

impl Tail {
    pub(super) fn start(writer: &Writer) -> Self {
        let state = writer.confirmed.chain;
        let (confirmed, seen) = watch::channel((state.seq, state.hash));
        let (raise, alarm) = oneshot::channel();
        let task = writer.options.verify_tail.then(|| {
            let (log, again_after) = (writer.log.clone(), writer.options.log_retry_after);
            tokio::spawn(async move {
                if let Some(text) = verify(log.as_ref(), state, seen, again_after).await {
                    drop(raise.send(text));
                }
            })
        });
        Self { confirmed, alarm, task }
    }

    /// Everything up to this state was acknowledged.
    pub(super) fn confirmed(&self, state: &State) {
        self.confirmed.send_replace((state.seq, state.hash));
    }

    /// Resolves when an acknowledged record did not come back as it was written; pends for ever otherwise. Cancel-safe.
    pub(super) async fn alarm(&mut self) -> String {
        if self.task.is_none() {
            return std::future::pending().await;
        }
        match (&mut self.alarm).await {
            Ok(text) => text,
            Err(_) => {
                self.task = None; // The term is over.
                std::future::pending().await
            }
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

/// Follows the log behind the writer; an alarm, or nothing if the term is over.
async fn verify(
    log: &dyn Log,
    mut state: State,
    mut confirmed: watch::Receiver<(u64, Hash)>,
    again_after: Duration,
) -> Option<String> {
    let mut reader = None;
    let mut read: VecDeque<(u64, Hash)> = VecDeque::from([(state.seq, state.hash)]);
    loop {
        let (seq, hash) = *confirmed.borrow_and_update();
        while state.seq < seq {
            let records = match read_on(log, &state, &mut reader).await {
                Ok(records) => records,
                Err(Error::Unavailable { .. }) => {
                    reader = None;
                    tokio::time::sleep(again_after).await;
                    continue;
                }
                Err(error) => return Some(error.to_string()),
            };
            if records.is_empty() {
                return Some(format!("decision {seq} was acknowledged but cannot be read back"));
            }
            for record in records {
                match admit(&state, record.offset, &record.value) {
                    Ok(admission) => state = admission.next,
                    Err(halt) => return Some(halt.to_string()),
                }
                if read.back() != Some(&(state.seq, state.hash)) {
                    read.push_back((state.seq, state.hash));
                }
            }
        }
        // What is confirmed only grows, so nobody asks for these again.
        while read.front().is_some_and(|(oldest, _)| *oldest < seq) {
            read.pop_front();
        }
        if !read.contains(&(seq, hash)) {
            return Some(format!("decision {seq} was acknowledged but another one stands in the log"));
        }
        confirmed.changed().await.ok()?;
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
