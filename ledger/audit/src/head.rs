//! Where a partition's log stood at some moment, in the form in which it is kept outside the log.

use serde::{Deserialize, Serialize};
use stockledger_chain::State;
use stockledger_schemas::Hash;

/// A reader's state behind some record: enough to tell whether a log is still the same, and to go on reading there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last decision that counts; 0 before the first.
    pub seq: u64,
    /// The chain up to the last record that counts.
    pub hash: Hash,
    /// The offset of the next record.
    pub next_offset: u64,
    /// The current term; 0 before the first claim.
    pub term: u64,
    /// The chain before the last record that counts.
    pub before: Hash,
    /// The offset of the last record that counts.
    pub last_valid_offset: u64,
    /// How far ahead of the next seq a decision may stand and still be merely void.
    pub reach: u64,
}

impl Head {
    /// The head of a reader's state.
    #[must_use]
    pub const fn of(state: &State) -> Self {
        Self {
            seq: state.seq,
            hash: state.hash,
            next_offset: state.next_offset,
            term: state.term,
            before: state.before,
            last_valid_offset: state.last_valid_offset,
            reach: state.reach,
        }
    }

    /// The reader's state at this head. `begin` is the state behind the genesis record, which says the rest.
    #[must_use]
    pub const fn state(&self, begin: &State) -> State {
        State {
            seq: self.seq,
            hash: self.hash,
            next_offset: self.next_offset,
            term: self.term,
            before: self.before,
            last_valid_offset: self.last_valid_offset,
            reach: self.reach,
            ..*begin
        }
    }
}
