//! What others remember of a log: heads that were kept outside of it, against which it is held.
//!
//! The log alone cannot show that its last records were cut off or made void. Whoever kept a head can: an archive's
//! manifest, the checkpoint of a projection, a signed checkpoint.

use std::collections::VecDeque;

use stockledger_chain::State;
use stockledger_schemas::{Hash, PartitionId};

use super::fault::Fault;
use super::report::Vouched;
use crate::head::Head;

/// A head that somebody kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Who, for people.
    pub witness: String,
    /// The partition.
    pub partition: PartitionId,
    /// The last decision that it includes.
    pub seq: u64,
    /// The chain there.
    pub hash: Hash,
    /// The offset behind the last record that it includes, where that is remembered too. Then records that do not count
    /// may not have come between either.
    pub next_offset: Option<u64>,
}

impl Remembered {
    /// A head with its place in the log.
    #[must_use]
    pub fn head(witness: impl Into<String>, partition: PartitionId, head: &Head) -> Self {
        let Head { seq, hash, next_offset, .. } = *head;
        Self { witness: witness.into(), partition, seq, hash, next_offset: Some(next_offset) }
    }
}

/// The heads of one partition that are still to come, and the furthest that was found.
#[derive(Debug)]
pub(super) struct Memories {
    /// Those with a place, by place.
    placed: VecDeque<Remembered>,
    /// The others, by seq.
    unplaced: VecDeque<Remembered>,
    /// The chain behind the last record, for the telling.
    last_hash: Option<Hash>,
    vouched: Option<Vouched>,
}

impl Memories {
    pub(super) fn new(remembered: impl IntoIterator<Item = Remembered>) -> Self {
        let (mut placed, mut unplaced): (Vec<_>, Vec<_>) =
            remembered.into_iter().partition(|one| one.next_offset.is_some());
        placed.sort_by_key(|one| one.next_offset);
        unplaced.sort_by_key(|one| one.seq);
        Self { placed: placed.into(), unplaced: unplaced.into(), last_hash: None, vouched: None }
    }

    /// Compares the state behind a record with what is remembered of that place.
    pub(super) fn pass(&mut self, state: &State) -> Result<(), Fault> {
        while let Some(next) = self.placed.front() {
            if next.next_offset > Some(state.next_offset) {
                break;
            }
            if (next.seq, next.hash) != (state.seq, state.hash) {
                return Err(differs(next, state.seq, state.hash));
            }
            self.found(state, true);
        }
        while let Some(next) = self.unplaced.front() {
            if next.seq > state.seq || (next.seq == state.seq && next.hash != state.hash) {
                break;
            }
            if next.seq < state.seq {
                return Err(differs(next, next.seq, self.last_hash.unwrap_or(state.hash)));
            }
            self.found(state, false);
        }
        self.last_hash = Some(state.hash);
        Ok(())
    }

    fn found(&mut self, state: &State, is_placed: bool) {
        let list = if is_placed { &mut self.placed } else { &mut self.unplaced };
        let Some(found) = list.pop_front() else { return };
        if self.vouched.as_ref().is_none_or(|vouched| vouched.seq <= state.seq) {
            self.vouched =
                Some(Vouched { by: found.witness, seq: state.seq, next_offset: state.next_offset });
        }
    }

    /// What is remembered beyond the end of the log; `state` is the one there.
    pub(super) fn end(&self, state: &State) -> Result<(), Fault> {
        match self.placed.front().or(self.unplaced.front()) {
            None => Ok(()),
            Some(next) if next.next_offset.is_none() && next.seq <= state.seq => {
                Err(differs(next, state.seq, state.hash))
            }
            Some(next) => Err(Fault::CutOff {
                witness: next.witness.clone(),
                remembered_seq: next.seq,
                remembered_offset: next.next_offset,
                seq: state.seq,
                next_offset: state.next_offset,
            }),
        }
    }

    /// The furthest head that was found.
    pub(super) fn vouched(&self) -> Option<Vouched> {
        self.vouched.clone()
    }
}

fn differs(remembered: &Remembered, seq: u64, hash: Hash) -> Fault {
    Fault::Differs {
        witness: remembered.witness.clone(),
        remembered_seq: remembered.seq,
        remembered_hash: remembered.hash,
        seq,
        hash,
    }
}
