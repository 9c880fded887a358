//! Reading what the tail keeps no longer, from the log itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::{Halt, State};
use stockledger_log::{self as log, Log};
use tokio::sync::{AcquireError, Semaphore};

use super::recorded::{Recorded, admit_all};
use crate::following::READ_RECORDS_MAX;

/// How long to wait for records that the log is known to have.
const READ_PATIENCE: Duration = Duration::from_secs(5);

/// Why history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log does not answer.
    #[error("reading older decisions from the log")]
    Log(#[from] log::Error),
    /// The log does not give what it is known to have.
    #[error("the log gave no record at offset {0}, which it has")]
    Silent(u64),
    /// What was read before is not there any more.
    #[error("the log has changed behind what was read of it")]
    Changed(#[from] Halt),
    /// A thread broke down.
    #[error("reading the log broke down, which is a fault of this program")]
    Panicked(#[from] tokio::task::JoinError),
    /// The service ends.
    #[error("the service is ending")]
    Ending(#[from] AcquireError),
}

/// What one reader has read of a partition and not gone past.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Behind what was read.
    state: Option<State>,
    waiting: VecDeque<Arc<Recorded>>,
}

impl History {
    /// At most so many decisions behind the one of this number; at least one, since the log has more. `from` is a state at
    /// or before it, to begin with.
    pub(super) async fn next(
        &mut self,
        log: &dyn Log,
        turns: &Semaphore,
        from: State,
        after: u64,
        max: usize,
    ) -> Result<Vec<Arc<Recorded>>, Error> {
        while self.waiting.front().is_some_and(|first| first.position.seq <= after) {
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            self.read(log, turns, from, after).await?;
        }
        Ok(self.waiting.iter().take(max).cloned().collect())
    }

    /// Forgets what it read.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    async fn read(&mut self, log: &dyn Log, turns: &Semaphore, from: State, after: u64) -> Result<(), Error> {
        let _turn = turns.acquire().await?;
        let mut state = self.state.filter(|state| state.seq == after).unwrap_or(from);
        let mut reader = log.reader(state.partition.0, state.next_offset).await?;
        while self.waiting.is_empty() {
            let records = reader.next(READ_RECORDS_MAX, READ_PATIENCE).await?;
            if records.is_empty() {
                return Err(Error::Silent(state.next_offset));
            }
            let admitted = tokio::task::spawn_blocking(move || admit_all(state, records)).await?;
            state = admitted.state;
            let decisions = admitted.decisions.into_iter().map(|(_, decision)| decision);
            self.waiting.extend(decisions.filter(|decision| decision.position.seq > after));
            if let Some(halt) = admitted.halt.filter(|_| self.waiting.is_empty()) {
                return Err(halt.into());
            }
        }
        self.state = Some(state);
        Ok(())
    }
}
