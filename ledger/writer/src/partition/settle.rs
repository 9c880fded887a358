//! From acknowledgements to answers.

use stockledger_chain::State;
use stockledger_log::{Causes, Delivery, Reader};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{Decision, Event, Position, Scope};

use super::confirmed::order_of;
use super::flight::{InFlight, Settled};
use super::tail::Tail;
use super::{Ended, Writer};
use crate::reply::Reply;

/// How the records of one append are read back: all by one reader, which on some logs is dear to make.
struct Reading {
    /// Stands at the next offset of the confirmed state.
    reader: Box<dyn Reader>,
    /// The end of the log since the append was acknowledged: all of its records stand before.
    end: u64,
}

impl Writer {
    /// Takes what became of one append. Only a record that stands exactly where it was expected is confirmed by its
    /// acknowledgement; everything else is for the log to say.
    pub(super) async fn settle(&mut self, settled: Settled, tail: &mut Tail) -> Result<(), Ended> {
        if let Some(observer) = self.options.observer.as_deref().filter(|_| settled.is_acknowledged()) {
            observer.committed(settled.records.len(), settled.took);
        }
        let mut reading = None;
        for (seq, delivery) in settled.records {
            let expected = self.confirmed.chain.next_offset;
            match delivery {
                Some(Delivery::Appended { offset: Some(offset) })
                    if offset == expected || !keeps(Rule::ConfirmedInOrder) =>
                {
                    self.confirm_oldest(tail)?;
                    reading = None; // It stands before the record now.
                }
                Some(Delivery::Appended { offset: Some(offset) }) if offset < expected => {
                    return Err(Ended::Halted(format!(
                        "the log acknowledged offset {offset} for decision {seq}, but offset {expected} comes next: \
                         another log, or one that lost records"
                    )));
                }
                Some(Delivery::Appended { offset }) => self.read_back(seq, offset, &mut reading).await?,
                Some(Delivery::Unknown(error)) => {
                    tracing::warn!(partition = %self.partition, seq, error = %Causes(&error), "an append failed");
                    return Err(Ended::OutcomeUnknown);
                }
                None => return Err(Ended::OutcomeUnknown),
            }
        }
        self.publish_position();
        Ok(())
    }

    /// The acknowledged offset is the expected one: nothing slid in between, so no higher claim precedes the record, and
    /// it counts.
    fn confirm_oldest(&mut self, tail: &mut Tail) -> Result<(), Ended> {
        let Some(hash) = self.flight.oldest().map(|oldest| oldest.hash) else { return Ok(()) };
        let Some(own) = self.flight.take_if(&hash) else { return Ok(()) };
        let offset = self.confirmed.chain.next_offset;
        let after = State { next_offset: offset + 1, last_valid_offset: offset, ..own.after };
        let decision = own.decision.clone();
        self.confirmed.take_decision(after, &decision)?;
        tail.confirmed(&after);
        self.after_confirmed(&decision, Some(own));
        Ok(())
    }

    /// Something stands between our records, or the log did not say where ours stands: read on until it came back, and
    /// no further. What stands behind it has its own acknowledgement, which is still to be looked at: it may not be
    /// durable, and a record of ours among it may have landed although its outcome is unknown.
    async fn read_back(
        &mut self,
        seq: u64,
        offset: Option<u64>,
        reading: &mut Option<Reading>,
    ) -> Result<(), Ended> {
        let term = self.confirmed.chain.term;
        let reading = match reading {
            Some(reading) => reading,
            None => reading.insert(self.start_reading().await?),
        };
        let up_to = offset.map_or(reading.end, |offset| offset + 1);
        let deadline = tokio::time::Instant::now() + self.options.append_patience;
        while self.confirmed.chain.next_offset < up_to && self.confirmed.chain.seq < seq {
            if tokio::time::Instant::now() >= deadline {
                return Err(Ended::OutcomeUnknown);
            }
            self.read_some(reading.reader.as_mut(), 1).await?;
            if self.confirmed.chain.term != term {
                if !keeps(Rule::StepDown) {
                    return Ok(());
                }
                return Err(Ended::Superseded { url: self.leader_url.clone() });
            }
        }
        // Read past it and it did not count: something of ours before it was lost.
        if self.confirmed.chain.seq < seq { Err(Ended::OutcomeUnknown) } else { Ok(()) }
    }

    async fn start_reading(&self) -> Result<Reading, Ended> {
        let end = self.log.bounds(self.partition.0).await?.end;
        let reader = self.log.reader(self.partition.0, self.confirmed.chain.next_offset).await?;
        Ok(Reading { reader, end })
    }

    /// Everything that follows from a decision being certain: indexes elsewhere, and the answers.
    pub(super) fn after_confirmed(&mut self, decision: &Decision, own: Option<InFlight>) {
        self.publish_new_sites(decision);
        if let Some((site, order_id)) = order_of(decision)
            && let Some(site) = self.ahead.domain.sites.get_mut(site)
        {
            site.evict_closed(order_id, decision.seq);
        }
        if let Some(InFlight { decision, pending, .. }) = own {
            // Of a bundle that was refused the decision need not name its order.
            self.forget_its_order(&pending);
            let position = Position::new(self.partition, decision.seq);
            if let Some(observer) = &self.options.observer {
                observer.confirmed(&decision);
            }
            self.withheld.push((pending, Ok(Reply { position, decision, replayed: false })));
        }
        if self.is_durable || !keeps(Rule::AnswersAreDurable) {
            self.release_answers();
            self.start_awaiting();
        }
    }

    /// Gives the answers that rest on the confirmed state, which is known to be durable now. Whoever has one and then looks
    /// at the status finds it there.
    pub(super) fn release_answers(&mut self) {
        if self.withheld.is_empty() {
            return;
        }
        self.publish_position();
        for (pending, outcome) in self.withheld.drain(..) {
            self.open_keys.answer(pending, outcome);
        }
    }

    pub(super) fn publish_position(&self) {
        let confirmed = &self.confirmed;
        self.status.update(|status| {
            status.term = confirmed.chain.term;
            status.position = confirmed.chain.position();
            status.keys = confirmed.keys.len();
            status.void_records = confirmed.void_records;
        });
    }

    /// Lets commands find the sites that live here, and the directory's sites be completed.
    pub(super) fn publish_sites(&self) {
        for site in self.confirmed.domain.sites.keys() {
            self.routes.add_open(site.clone(), self.partition);
        }
        for (site, entry) in &self.confirmed.domain.directory.sites {
            self.routes.add_registered(site.clone(), entry.partition);
        }
    }

    fn publish_new_sites(&self, decision: &Decision) {
        for event in &decision.events {
            match (event, &decision.scope) {
                (Event::SiteOpened(_), Scope::Site(site)) => {
                    self.routes.add_open(site.clone(), self.partition);
                }
                (Event::SiteRegistered(new), _) => {
                    self.routes.add_registered(new.site.clone(), new.partition);
                }
                _ => {}
            }
        }
    }
}
