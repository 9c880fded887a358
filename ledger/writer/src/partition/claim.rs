//! Becoming the writer: read to the end, append a claim, read on until it comes back.

use stockledger_chain::{Verdict, Void, admit};
use stockledger_log::{Acknowledgement, Causes, Delivery, Producer, Reader, StoredRecord};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{Claim, Nonce, PartitionId, Record, envelope};

use super::status::WriterState;
use super::{Ended, Pending, Writer};
use crate::catch_up::end_of;
use crate::entry;
use crate::reply::CommandError;

/// Records read at a time; small enough that reading a long log leaves the other tasks their turn.
const READ_RECORDS: usize = 256;
/// A node whose clock is further from the log's than this must not write: its times would mislead every reader.
const CLOCK_SKEW_MS_MAX: i64 = 60_000;

impl Writer {
    /// Reads the log to its end and makes the partition our own. Afterwards the confirmed state is complete and durable,
    /// and every command that was in flight is answered or stands in `again`.
    pub(super) async fn claim(&mut self) -> Result<Box<dyn Producer>, Ended> {
        if !keeps(Rule::NewTermAfterUnknown) && self.is_durable {
            self.take_flight_again();
            return Ok(self.log.producer(self.partition.0)?);
        }
        if !keeps(Rule::NotAppliedIsCertain) {
            for left in self.flight.take_all() {
                self.open_keys.answer(left, Err(CommandError::NotApplied("its outcome is not known")));
            }
        }
        self.is_durable = false;
        self.flight.forget_acknowledgements();
        let mut reader = self.log.reader(self.partition.0, self.confirmed.chain.next_offset).await?;
        self.read_to_end(reader.as_mut()).await?;

        let claim = self.next_claim();
        let (term, nonce) = (claim.term, claim.nonce);
        let claimed_at_ms = claim.recorded_at.micros() / 1_000;
        let entry = entry::of_claim(claim).map_err(|error| Ended::Halted(error.to_string()))?;
        let mut producer = self.log.producer(self.partition.0)?;
        let delivered = delivered(self.partition, producer.append(vec![entry]));
        let patience = self.options.claim_patience;
        let back = self.read_until_back(reader.as_mut(), nonce);
        let both = tokio::time::timeout(patience, async { tokio::try_join!(back, delivered) }).await;
        let (own, ()) = both.unwrap_or(Err(Ended::OutcomeUnknown))?;
        if !own.valid || self.confirmed.chain.term != term {
            return Err(Ended::Superseded { url: self.leader_url.clone() });
        }
        check_clock(claimed_at_ms, own.appended_at_ms)?;
        self.is_durable = true;
        self.release_answers();
        Ok(producer)
    }

    fn next_claim(&mut self) -> Claim {
        let term = 1 + self.confirmed.chain.term.max(self.term_claimed_max);
        self.term_claimed_max = term;
        Claim {
            ledger_id: self.confirmed.chain.ledger_id,
            partition: self.partition,
            term,
            node: self.options.node.clone(),
            url: self.options.url.clone(),
            nonce: self.environment.nonce(),
            recorded_at: self.environment.now(),
        }
    }

    async fn read_to_end(&mut self, reader: &mut dyn Reader) -> Result<(), Ended> {
        let read = self.confirmed.chain.next_offset;
        let end = end_of(self.log.as_ref(), self.partition, read, self.options.log_shorter_patience).await?;
        if std::mem::take(&mut self.is_stalled) {
            self.status.set(WriterState::Recovering);
        }
        if end < read {
            let message = format!(
                "the log of partition {} ends at offset {end} but this program has read up to {read}: the log lost records",
                self.partition
            );
            return Err(Ended::Halted(message));
        }
        while self.confirmed.chain.next_offset < end {
            self.read_some(reader, READ_RECORDS).await?;
        }
        Ok(())
    }

    /// Reads on until the claim with our nonce comes back. Dropping this future loses nothing: what was read is taken.
    async fn read_until_back(&mut self, reader: &mut dyn Reader, nonce: Nonce) -> Result<ClaimBack, Ended> {
        self.claim_awaited = Some(nonce);
        self.claim_back = None;
        loop {
            self.read_some(reader, READ_RECORDS).await?;
            if let Some(own) = self.claim_back.take() {
                return Ok(own);
            }
        }
    }

    /// Reads and takes the next records, at most so many; none if none came for a while.
    pub(super) async fn read_some(&mut self, reader: &mut dyn Reader, count_max: usize) -> Result<(), Ended> {
        let records = tokio::select! {
            biased;
            // What is in flight is brought to its end first.
            () = self.stop.cancelled(), if self.flight.records() == 0 => return Err(Ended::Stopped),
            records = reader.next(count_max, self.options.read_patience) => records?,
        };
        for record in &records {
            self.absorb(record)?;
        }
        self.publish_position();
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Takes one record that was read, and answers whoever waited for it.
    fn absorb(&mut self, record: &StoredRecord) -> Result<(), Ended> {
        let admission = admit(&self.confirmed.chain, record.offset, &record.value)?;
        if keeps(Rule::ReadUpToOwnClaim) || self.claim_awaited.is_none() {
            self.confirmed.take_admitted(&admission)?;
        } else {
            self.confirmed.chain = admission.next;
        }
        match admission.verdict {
            Verdict::Decision(decision) => {
                let own = self.flight.take_if(&admission.next.hash);
                self.after_confirmed(&decision, own);
            }
            Verdict::Claim(claim) => {
                self.note_claim(&claim, record, true);
                self.leader_url = claim.url.map(|url| url.to_string());
                // Whatever is in flight has a lower term: from here on it can only be void.
                self.take_flight_again();
                // And what waited for those decisions must not take another writer's decisions for them.
                self.stop_awaiting();
            }
            Verdict::Void(void) => {
                tracing::info!(partition = %self.partition, offset = record.offset, ?void, "a record does not count");
                if void == Void::LateClaim
                    && let Ok(Record::Claim(claim)) = envelope::decode(&record.value)
                {
                    self.note_claim(&claim, record, false);
                }
            }
        }
        Ok(())
    }

    fn take_flight_again(&mut self) {
        for left in self.flight.take_all() {
            self.decide_again(left);
        }
    }

    /// A command that the log turned out not to hold is decided again, if anybody still waits for it. Whoever gave it up was
    /// told that its outcome is not known, and asks again if it matters.
    fn decide_again(&mut self, pending: Pending) {
        if pending.is_awaited() || self.open_keys.has_waiters(&pending) {
            self.again.push_back(pending);
        } else {
            self.open_keys.answer(pending, Err(CommandError::OutcomeUnknown));
        }
    }

    fn note_claim(&mut self, claim: &Claim, record: &StoredRecord, valid: bool) {
        let is_own = self.claim_awaited == Some(claim.nonce)
            || (!keeps(Rule::ClaimKnownByNonce)
                && self.claim_awaited.is_some()
                && claim.node == self.options.node);
        if is_own {
            self.claim_awaited = None;
            self.claim_back = Some(ClaimBack { valid, appended_at_ms: record.appended_at_ms });
        }
    }
}

/// Our own claim, as it came back in the log: recognised by its nonce, never by a name.
pub(super) struct ClaimBack {
    /// Whether it counts, at the place where it stands.
    valid: bool,
    appended_at_ms: i64,
}

/// Resolves when a claim is durable, or as soon as that is in doubt.
async fn delivered(partition: PartitionId, acknowledgement: Acknowledgement) -> Result<(), Ended> {
    match acknowledgement.await.ok().and_then(|deliveries| deliveries.into_iter().next()) {
        Some(Delivery::Appended { .. }) => Ok(()),
        Some(Delivery::Unknown(error)) => {
            tracing::warn!(%partition, error = %Causes(&error), "a claim failed");
            Err(Ended::OutcomeUnknown)
        }
        None => Err(Ended::OutcomeUnknown),
    }
}

fn check_clock(claimed_at_ms: i64, appended_at_ms: i64) -> Result<(), Ended> {
    let skew_ms = claimed_at_ms.saturating_sub(appended_at_ms);
    if skew_ms.saturating_abs() <= CLOCK_SKEW_MS_MAX {
        return Ok(());
    }
    let seconds = skew_ms / 1_000;
    Err(Ended::Halted(format!(
        "the clock of this node is {seconds} s off the clock of the log; set it right and start again"
    )))
}
