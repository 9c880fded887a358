//! The history of one partition in the making: each command is decided, encoded, admitted and applied as a writer and a
//! reader would, then appended in batches. Nothing goes into the log that could not be read back and carried out.
//!
//! It is not the writer: it alone writes, into a log that was empty, and it must be the same again for the same seed. So it
//! claims the first term and never another, answers nobody, and gives up at the first append that is not as expected.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use stockledger_chain::{State, Verdict, admit};
use stockledger_domain::{Change, Checked, Moment, Partition, apply, decide, open_here};
use stockledger_log::{Acknowledgement, Delivery, Entry, Log};
use stockledger_schemas::headers::Detail;
use stockledger_schemas::{
    Actor, Claim, Context, Decision, Event, Genesis, Hash, IdempotencyKey, LedgerId, Name, Nonce, OrderId,
    Position, Record, Request, Scope, SiteId, Timestamp, envelope,
};
use stockledger_writer::entry;

use super::Error;
use super::intent::Intent;

/// Records that are handed to the log at a time.
const BATCH_RECORDS: usize = 1_024;
/// Batches that may wait to be durable. Together they stay below the window of the log protocol.
const BATCHES_IN_FLIGHT_MAX: usize = 3;
/// Who claims the partitions.
const NODE: &str = "bench-generate";
const TERM: u64 = 1;

/// What a history came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) decisions: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// By [`Event::count`].
    pub(super) events: u64,
    /// Stored events of each type.
    pub(super) types: HashMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.records += other.records;
        self.bytes += other.bytes;
        self.events += other.events;
        for (kind, count) in &other.types {
            *self.types.entry(kind).or_default() += count;
        }
    }
}

pub(super) struct History {
    state: Partition,
    chain: State,
    recorded_at: Timestamp,
    producer: Box<dyn stockledger_log::Producer>,
    batch: Vec<Entry>,
    in_flight: VecDeque<(u64, Acknowledgement)>,
    tally: Tally,
}

impl History {
    /// Claims a partition that has nothing but its genesis, of which `chain` is the state.
    pub(super) fn begin(log: &dyn Log, chain: State, now: Timestamp) -> Result<Self, Error> {
        let mut history = Self {
            state: Partition::new(chain.partition, chain.partitions),
            chain,
            recorded_at: now,
            producer: log.producer(chain.partition.0)?,
            batch: Vec::with_capacity(BATCH_RECORDS),
            in_flight: VecDeque::new(),
            tally: Tally { records: 1, bytes: genesis_bytes(&chain)?, ..Tally::default() },
        };
        let claim = Claim {
            ledger_id: chain.ledger_id,
            partition: chain.partition,
            term: TERM,
            node: Name::new(NODE)?,
            url: None,
            nonce: nonce(chain.ledger_id, chain.partition.0),
            recorded_at: now,
        };
        let claim = entry::of_claim(claim)?;
        history.chain = admit(&history.chain, history.chain.next_offset, &claim.value)?.next;
        history.push(claim)?;
        Ok(history)
    }

    /// What has come of it so far.
    pub(super) const fn state(&self) -> &Partition {
        &self.state
    }

    /// How many events it has so far, by [`Event::count`].
    pub(super) const fn events(&self) -> u64 {
        self.tally.events
    }

    /// The position of the last decision.
    pub(super) const fn position(&self) -> Position {
        self.chain.position()
    }

    /// Decides a command; says what happened, a refusal included, or nothing if all was so already.
    pub(super) fn decide(
        &mut self,
        scope: Scope,
        intent: Intent,
        now: Timestamp,
    ) -> Result<Option<Event>, Error> {
        let Intent { command, context, key, counted } = intent;
        let checked = Checked::new(scope, command, context).map_err(Error::Invalid)?;
        let position = Position::new(self.chain.partition, self.chain.seq + 1);
        let moment = Moment { now, position, counted: &counted };
        let event = match decide(&self.state, &checked, &moment) {
            Ok(Change::Event(event)) => event,
            Ok(Change::Nothing { .. }) => return Ok(None),
            Err(rejection) => rejection.into_event(checked.command())?,
        };
        let request = key.map(|key: IdempotencyKey| Request { key, fingerprint: checked.fingerprint() });
        self.record(checked.scope().clone(), request, checked.context().clone(), event, now).map(Some)
    }

    /// Opens a site that the directory has given to this partition.
    pub(super) fn open_site(&mut self, site: &SiteId, actor: Actor, now: Timestamp) -> Result<(), Error> {
        if let Change::Event(event) = open_here(&self.state, site) {
            self.record(Scope::Site(site.clone()), None, Context::by(actor), event, now)?;
        }
        Ok(())
    }

    /// Lets go of a closed order to which nothing will happen any more, as a writer would.
    pub(super) fn forget(&mut self, site: &SiteId, order_id: &OrderId) {
        let seq = self.chain.seq;
        if let Some(site) = self.state.sites.get_mut(site) {
            site.evict_closed(order_id, seq);
        }
    }

    /// Waits until all is durable; says what it came to, and where the chain stands.
    pub(super) fn finish(mut self) -> Result<(Tally, State), Error> {
        self.hand_over();
        while !self.in_flight.is_empty() {
            self.wait_for_oldest()?;
        }
        Ok((self.tally, self.chain))
    }

    fn record(
        &mut self,
        scope: Scope,
        request: Option<Request>,
        context: Context,
        event: Event,
        now: Timestamp,
    ) -> Result<Event, Error> {
        let mut decision = Decision {
            term: self.chain.term,
            seq: self.chain.seq + 1,
            prev_hash: self.chain.hash,
            recorded_at: now.max(self.recorded_at),
            scope,
            request,
            context,
            events: vec![event],
        };
        let bytes = Bytes::from(envelope::encode_decision(&decision)?);
        let admission = admit(&self.chain, self.chain.next_offset, &bytes)?;
        if !matches!(&admission.verdict, Verdict::Decision(read) if **read == decision) {
            return Err(Error::NotReadBack(self.chain.position()));
        }
        apply(&mut self.state, decision.seq, &decision)?;
        self.chain = admission.next;
        self.recorded_at = decision.recorded_at;
        self.push(entry::of_decision(self.chain.partition, &decision, bytes, Detail::Minimal))?;
        self.tally.decisions += 1;
        let event = decision.events.swap_remove(0);
        self.tally.events += event.count();
        *self.tally.types.entry(event.type_name()).or_default() += 1;
        Ok(event)
    }

    fn push(&mut self, entry: Entry) -> Result<(), Error> {
        self.tally.records += 1;
        self.tally.bytes += entry.value.len() as u64;
        self.batch.push(entry);
        if self.batch.len() >= BATCH_RECORDS {
            self.hand_over();
            if self.in_flight.len() > BATCHES_IN_FLIGHT_MAX {
                self.wait_for_oldest()?;
            }
        }
        Ok(())
    }

    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_RECORDS));
        let first = self.chain.next_offset - batch.len() as u64;
        self.in_flight.push_back((first, self.producer.append(batch)));
    }

    /// Every record must be durable, and exactly where the chain says: else somebody else writes here as well.
    fn wait_for_oldest(&mut self) -> Result<(), Error> {
        let Some((first, acknowledgement)) = self.in_flight.pop_front() else { return Ok(()) };
        let partition = self.chain.partition;
        let deliveries = acknowledgement.blocking_recv().map_err(|_| Error::Unacknowledged(partition))?;
        for (expected, delivery) in (first..).zip(deliveries) {
            match delivery {
                Delivery::Appended { offset: Some(found) } if found != expected => {
                    return Err(Error::NotAlone { partition, expected, found });
                }
                Delivery::Appended { .. } => {}
                Delivery::Unknown(source) => return Err(Error::Log(source)),
            }
        }
        Ok(())
    }
}

/// How long the record is that every partition begins with.
fn genesis_bytes(chain: &State) -> Result<u64, Error> {
    let State { ledger_id, partition, partitions, window, .. } = *chain;
    let genesis = Record::Genesis(Genesis { ledger_id, partition, partitions, window });
    Ok(envelope::encode(&genesis)?.len() as u64)
}

/// The nonce of a claim: the same for the same ledger, as all else.
fn nonce(ledger_id: LedgerId, partition: u16) -> Nonce {
    Nonce(Hash::of(&[b"nonce", &ledger_id.0, &partition.to_le_bytes()]).short())
}
