//! A decision as feeds tell it. Its JSON is the one that `stockledger tail`, `/v1/events` and the stream show.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;
use stockledger_chain::{Admission, Halt, State, Verdict, admit};
use stockledger_log::StoredRecord;
use stockledger_schemas::{Decision, Hash, Position};

/// A decision of the log that counts.
#[derive(Debug)]
pub struct Recorded {
    /// Where it stands in the ledger.
    pub position: Position,
    /// Where its record stands in the log.
    pub offset: u64,
    /// The hash of the chain behind it.
    pub hash: Hash,
    /// What was decided.
    pub decision: Decision,
    /// Its record.
    pub raw: Bytes,
    /// Its JSON, made by whoever needs it first.
    json: OnceLock<Bytes>,
}

#[derive(Serialize)]
struct Shown<'a> {
    position: Position,
    offset: u64,
    hash: Hash,
    decision: &'a Decision,
}

impl Recorded {
    /// The decision of a record that was admitted; `state` is the one behind it.
    #[must_use]
    pub fn new(state: &State, record: StoredRecord, decision: Decision) -> Self {
        Self {
            position: state.position(),
            offset: record.offset,
            hash: state.hash,
            decision,
            raw: record.value,
            json: OnceLock::new(),
        }
    }

    /// Its JSON on one line, rendered once for all readers.
    #[must_use]
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| {
            let Self { position, offset, hash, decision, .. } = self;
            let shown = Shown { position: *position, offset: *offset, hash: *hash, decision };
            // A map with other keys than text, or a value that refuses, would be a fault; a decision has neither.
            serde_json::to_vec(&shown).unwrap_or_default().into()
        })
    }
}

impl Serialize for Recorded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { position, offset, hash, decision, .. } = self;
        Shown { position: *position, offset: *offset, hash: *hash, decision }.serialize(serializer)
    }
}

/// What became of some records in order.
pub(super) struct Admitted {
    /// The state behind them.
    pub(super) state: State,
    /// The decisions that count, each with the state behind it.
    pub(super) decisions: Vec<(State, Arc<Recorded>)>,
    /// Why the next record must not be read past.
    pub(super) halt: Option<Halt>,
}

/// Judges records in order, up to the first that must not be read past. Takes as long as there are many: it belongs on a
/// thread of its own.
pub(super) fn admit_all(mut state: State, records: Vec<StoredRecord>) -> Admitted {
    let mut decisions = Vec::new();
    for record in records {
        let Admission { next, verdict } = match admit(&state, record.offset, &record.value) {
            Ok(admission) => admission,
            Err(halt) => return Admitted { state, decisions, halt: Some(halt) },
        };
        state = next;
        if let Verdict::Decision(decision) = verdict {
            decisions.push((state, Arc::new(Recorded::new(&state, record, *decision))));
        }
    }
    Admitted { state, decisions, halt: None }
}
