//! Serving a term: take what waits, decide it, append it, confirm what was appended.

use stockledger_log::{Entry, Producer};
use stockledger_rules::{Rule, keeps};
use tokio::time::{Instant, sleep_until};

use super::flight::InFlight;
use super::status::WriterState;
use super::tail::Tail;
use super::{Ahead, Ended, Pending, Writer};
use crate::entry;

/// Decisions of one append.
const BATCH_RECORDS_MAX: usize = 256;
/// Bytes of one append, one record more or less.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Appends that may wait for their acknowledgement at once: while one is made durable the next is being filled.
const BATCHES_IN_FLIGHT_MAX: usize = 4;

impl Writer {
    /// Takes commands until the term ends.
    pub(super) async fn serve(&mut self, mut producer: Box<dyn Producer>) -> Ended {
        self.ahead = Ahead::of(&self.confirmed);
        self.ahead_is_broken = false;
        self.stop_awaiting();
        self.is_stalled = false;
        self.status.set(WriterState::Leading);
        self.publish_position();
        let mut tail = Tail::start(self);
        loop {
            let ended = self.serve_once(producer.as_mut(), &mut tail).await;
            if let Err(ended) = ended {
                return ended;
            }
        }
    }

    async fn serve_once(&mut self, producer: &mut dyn Producer, tail: &mut Tail) -> Result<(), Ended> {
        let has_room = self.room() > 0;
        if has_room && !self.again.is_empty() {
            self.append_waiting(None, producer);
            return Ok(());
        }
        let append_patience = self.options.append_patience;
        let (stalls_at, nothing_in_flight) = (self.stalls_at(), self.flight.records() == 0);
        tail.note_idle(nothing_in_flight);
        // Every branch is cancel-safe: a channel gives a message only to the branch that is taken, and an
        // acknowledgement is taken together with its batch.
        tokio::select! {
            biased;
            settled = self.flight.next_settled(append_patience) => {
                self.settle(settled, tail).await?;
                self.note_acknowledged();
            }
            found = tail.found(nothing_in_flight) => return Err(found.into()),
            () = sleep_until(stalls_at.unwrap_or_else(Instant::now)), if stalls_at.is_some() => self.stall(),
            () = self.stop.cancelled(), if !self.intake.is_closed() => self.intake.close(),
            Some(prepared) = self.prepared.recv(), if has_room => {
                if let Some(pending) = self.take_prepared(prepared) {
                    self.append_waiting(Some(pending), producer);
                }
            }
            Some(pending) = self.intake.recv(), if has_room => self.append_waiting(Some(pending), producer),
            () = std::future::ready(()), if self.intake.is_closed() && self.is_idle() => return Err(Ended::Stopped),
        }
        self.snapshots.save_if_due(&self.confirmed);
        if self.ahead_is_broken { Err(Ended::OutcomeUnknown) } else { Ok(()) }
    }

    /// When the silence of the log has lasted so long that nothing new is to be taken; never if that is so already.
    fn stalls_at(&self) -> Option<Instant> {
        let since = self.flight.waiting_since().filter(|_| !self.is_stalled)?;
        Some(since + self.options.stall_after)
    }

    /// What was taken is waited for; what comes is refused. Nobody's command can overtake another of the same caller: what
    /// waits already keeps its place.
    fn stall(&mut self) {
        tracing::warn!(partition = %self.partition, "the log does not acknowledge: refusing commands until it does");
        self.is_stalled = true;
        self.status.set(WriterState::Stalled);
    }

    fn note_acknowledged(&mut self) {
        if std::mem::take(&mut self.is_stalled) {
            self.status.set(WriterState::Leading);
        }
    }

    /// Whether nothing is in flight and nothing is being looked up.
    fn is_idle(&self) -> bool {
        self.flight.records() == 0 && self.preparing == 0 && self.again.is_empty()
    }

    /// How many records may be appended now: the window of the protocol, and one record alone while the first of a term
    /// is not confirmed.
    fn room(&self) -> usize {
        if self.flight.batches() >= BATCHES_IN_FLIGHT_MAX {
            return 0;
        }
        let first_of_term = self.confirmed.chain.reach == 0 && keeps(Rule::FirstRecordAlone);
        let window =
            if first_of_term { 1 } else { usize::try_from(self.confirmed.chain.window).unwrap_or(1) };
        let window = if keeps(Rule::Window) { window } else { usize::MAX };
        window.saturating_sub(self.flight.records()).min(BATCH_RECORDS_MAX)
    }

    /// Decides what waits, as much as there is room for, and appends it at once.
    fn append_waiting(&mut self, first: Option<Pending>, producer: &mut dyn Producer) {
        let room = self.room();
        let mut records: Vec<InFlight> = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        // Also what comes to no record, such as a dry run: others have their turn.
        let mut decided = 0;
        let mut next = first.or_else(|| self.next_waiting());
        while let Some(pending) = next {
            decided += 1;
            if let Some((record, value)) = self.decide(pending) {
                bytes += value.len();
                let detail = self.options.headers;
                entries.push(entry::of_decision(self.partition, &record.decision, value, detail));
                records.push(record);
            }
            let is_full = records.len() >= room || bytes >= BATCH_BYTES_MAX || decided >= BATCH_RECORDS_MAX;
            next = if is_full || self.ahead_is_broken { None } else { self.next_waiting() };
        }
        if !records.is_empty() {
            let acknowledgement = producer.append(entries);
            self.flight.send(records, acknowledgement);
        }
    }

    fn next_waiting(&mut self) -> Option<Pending> {
        if let Some(pending) = self.again.pop_front() {
            return Some(pending);
        }
        while let Ok(prepared) = self.prepared.try_recv() {
            if let Some(pending) = self.take_prepared(prepared) {
                return Some(pending);
            }
        }
        self.intake.try_recv().ok()
    }
}
