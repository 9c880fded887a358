//! The records in flight: appended, not yet confirmed. In order of their seq, which is the order of the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::State;
use stockledger_log::{Acknowledgement, Delivery};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{Decision, Hash};
use tokio::time::Instant;

use crate::partition::intake::Pending;

/// A decision that was appended and waits to be confirmed.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) decision: Arc<Decision>,
    /// The hash of its bytes, by which it is known again in the log.
    pub(super) hash: Hash,
    /// The chain behind it, if it lands where it is expected.
    pub(super) after: State,
    pub(super) pending: Pending,
}

/// One append.
#[derive(Debug)]
struct Batch {
    seqs: Vec<u64>,
    acknowledgement: Acknowledgement,
    sent: Instant,
}

/// What became of one append.
#[derive(Debug)]
pub(super) struct Settled {
    /// What became of each record; nothing of those whose outcome is unknown.
    pub(super) records: Vec<(u64, Option<Delivery>)>,
    /// How long that took from sending on.
    pub(super) took: Duration,
}

impl Settled {
    /// Whether the log has acknowledged all of it.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.records.iter().all(|(_, delivery)| matches!(delivery, Some(Delivery::Appended { .. })))
    }
}

/// Everything in flight, of this term and of one whose end is not known yet.
#[derive(Debug, Default)]
pub(super) struct Flight {
    records: VecDeque<InFlight>,
    batches: VecDeque<Batch>,
}

impl Flight {
    /// How many records are in flight.
    pub(super) fn records(&self) -> usize {
        self.records.len()
    }

    /// How many appends wait for their acknowledgement.
    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn send(&mut self, records: Vec<InFlight>, acknowledgement: Acknowledgement) {
        let seqs = records.iter().map(|record| record.decision.seq).collect();
        self.records.extend(records);
        self.batches.push_back(Batch { seqs, acknowledgement, sent: Instant::now() });
    }

    /// Since when the oldest append waits for its acknowledgement.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.sent)
    }

    /// What became of the oldest append. Acknowledgements are looked at in the order of sending, whatever order they come
    /// in; silence beyond `patience` is an unknown outcome. Pends for ever when nothing is in flight.
    ///
    /// Cancel-safe: an acknowledgement is taken together with its batch.
    pub(super) async fn next_settled(&mut self, patience: Duration) -> Settled {
        let Some(batch) = self.batches.front_mut() else { return std::future::pending().await };
        if !keeps(Rule::AcknowledgedBeforeAnswer) {
            return self.settled_as_expected();
        }
        let answer = tokio::time::timeout_at(batch.sent + patience, &mut batch.acknowledgement).await;
        let deliveries = answer.ok().and_then(Result::ok).unwrap_or_default();
        let (seqs, took) = self.pop_batch();
        let deliveries = deliveries.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        Settled { records: seqs.into_iter().zip(deliveries).collect(), took }
    }

    /// What became of the oldest append, if all goes well.
    fn settled_as_expected(&mut self) -> Settled {
        let (seqs, took) = self.pop_batch();
        let expected = self.records.iter().filter(|record| seqs.contains(&record.decision.seq));
        let landed = |record: &InFlight| Delivery::Appended { offset: Some(record.after.last_valid_offset) };
        let records = expected.map(|record| (record.decision.seq, Some(landed(record)))).collect();
        Settled { records, took }
    }

    fn pop_batch(&mut self) -> (Vec<u64>, Duration) {
        self.batches.pop_front().map(|batch| (batch.seqs, batch.sent.elapsed())).unwrap_or_default()
    }

    /// Takes the oldest record out, if it is the one with this hash.
    pub(super) fn take_if(&mut self, hash: &Hash) -> Option<InFlight> {
        if self.records.front()?.hash == *hash { self.records.pop_front() } else { None }
    }

    /// The oldest record.
    pub(super) fn oldest(&self) -> Option<&InFlight> {
        self.records.front()
    }

    /// No acknowledgement is waited for any more; the records stay until the log has told what became of them.
    pub(super) fn forget_acknowledgements(&mut self) {
        self.batches.clear();
    }

    /// Takes the commands of all records that are left, oldest first.
    pub(super) fn take_all(&mut self) -> Vec<Pending> {
        self.batches.clear();
        self.records.drain(..).map(|record| record.pending).collect()
    }
}
