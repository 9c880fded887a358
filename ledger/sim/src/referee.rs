//! The referee of one partition: judges every record as it lands, with all rules kept, and keeps what is true.

use std::collections::BTreeMap;
use std::sync::Arc;

use stockledger_chain::{State, Verdict, Void, admit};
use stockledger_rules::keeping_all;
use stockledger_schemas::{Decision, IdempotencyKey, PartitionId, Scope, Timestamp};

use crate::books::Books;
use crate::mark::Mark;

/// What is true of one partition.
#[derive(Debug)]
pub struct Referee {
    partition: PartitionId,
    state: Option<State>,
    decisions: Vec<Arc<Decision>>,
    /// Where each of them stands.
    offsets: Vec<u64>,
    by_key: BTreeMap<(String, IdempotencyKey), u64>,
    books: Books,
    recorded_at: Timestamp,
}

impl Referee {
    /// The referee of an empty partition.
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            state: None,
            decisions: Vec::new(),
            offsets: Vec::new(),
            by_key: BTreeMap::new(),
            books: Books::default(),
            recorded_at: Timestamp::MIN,
        }
    }

    /// Judges the record that landed at `offset`; says what it was come across.
    ///
    /// # Errors
    /// What must never happen.
    pub fn judge(&mut self, offset: u64, bytes: &[u8]) -> Result<Option<Mark>, String> {
        keeping_all(|| self.judged(offset, bytes))
            .map_err(|wrong| format!("partition {}, offset {offset}: {wrong}", self.partition))
    }

    fn judged(&mut self, offset: u64, bytes: &[u8]) -> Result<Option<Mark>, String> {
        let Some(state) = &self.state else {
            self.state = Some(State::begin(bytes, self.partition).map_err(|halt| halt.to_string())?);
            return Ok(None);
        };
        let admission = admit(state, offset, bytes)
            .map_err(|halt| format!("an honest log makes its readers stop: {halt}"))?;
        self.state = Some(admission.next);
        match admission.verdict {
            Verdict::Decision(decision) => {
                self.offsets.push(offset);
                self.take(*decision).map(|()| None)
            }
            Verdict::Claim(_) => Ok(None),
            Verdict::Void(void) => Ok(match void {
                Void::SupersededWriter => Some(Mark::VoidSuperseded),
                Void::SecondCopy => Some(Mark::VoidSecondCopy),
                Void::AfterLostRecord => Some(Mark::VoidAfterLost),
                Void::LateClaim => Some(Mark::VoidClaim),
                Void::LateGenesis => None,
            }),
        }
    }

    fn take(&mut self, decision: Decision) -> Result<(), String> {
        if decision.recorded_at < self.recorded_at {
            return Err(format!("decision {}: time went back", decision.seq));
        }
        self.recorded_at = decision.recorded_at;
        if let Some(request) = &decision.request {
            let key = (key_scope(&decision.scope), request.key.clone());
            if let Some(first) = self.by_key.insert(key, decision.seq) {
                return Err(format!("key {} was decided twice: {first} and {}", request.key, decision.seq));
            }
        }
        self.books.book(&decision)?;
        self.decisions.push(Arc::new(decision));
        Ok(())
    }

    /// Which partition it judges.
    #[must_use]
    pub const fn partition(&self) -> PartitionId {
        self.partition
    }

    /// The state after the last record.
    #[must_use]
    pub const fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The decision of this seq that counts.
    #[must_use]
    pub fn decision(&self, seq: u64) -> Option<&Arc<Decision>> {
        self.decisions.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// Where the decisions stand that count.
    #[must_use]
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// All decisions that count.
    #[must_use]
    pub fn decisions(&self) -> &[Arc<Decision>] {
        &self.decisions
    }

    /// The decision that was made under a key.
    #[must_use]
    pub fn by_key(&self, scope: &Scope, key: &IdempotencyKey) -> Option<u64> {
        self.by_key.get(&(key_scope(scope), key.clone())).copied()
    }

    /// The books.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }
}

fn key_scope(scope: &Scope) -> String {
    scope.record_key().to_owned()
}
