//! What a decision needs and memory no longer holds is read from the log before it, never in it.
//!
//! The reading is done beside the writer, which goes on with other commands; what was read comes back to it, and only
//! then is the command decided.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stockledger_domain::command::{Checked, Command, CountLine, Invalid};
use stockledger_log::Log;
use stockledger_schemas::{
    Decision, Event, Hash, Level, Order, PartitionId, Position, Record, Scope, SiteId, Sku, envelope,
};

use super::intake::Caller;
use super::{Asked, OffsetIndex, Pending, Writer};
use crate::reply::{CommandError, Outcome, Reply};

/// A count may name a position at most this many decisions back; reading more would keep the caller waiting too long.
pub(crate) const COUNT_DECISIONS_BACK_MAX: u64 = 200_000;
const SCAN_RECORDS: usize = 1_024;
const SCAN_PATIENCE: Duration = Duration::from_secs(5);

/// A command that was prepared, or why it could not be.
pub(super) struct PreparedCommand {
    pending: Pending,
    failed: Option<CommandError>,
}

/// Work that begins when the confirmed state has come to a seq.
pub(super) struct Awaiting {
    seq: u64,
    pub(super) pending: Pending,
    work: AwaitingWork,
}

enum AwaitingWork {
    /// Answer with the decision at the seq.
    Answer,
    /// Answer with what is in no record: a dry run, or that nothing was written because of the decision at the seq.
    Tell(Result<Reply, CommandError>),
    /// Sum up what moved up to the seq.
    Count(CountScan),
}

/// What was on hand at some positions: what is on hand after `up_to`, less what moved in between.
struct CountScan {
    site: SiteId,
    up_to: u64,
    from: u64,
    /// Per SKU: the seq that the count names, and what was on hand after `up_to`.
    bases: HashMap<Sku, (u64, i64)>,
    /// Where the decisions stand; filled in when they are all certain.
    offsets: OffsetIndex,
}

impl Writer {
    /// Gives the command back if everything it needs is there, else sends for it.
    pub(super) fn with_what_it_needs(&mut self, pending: Pending) -> Option<Pending> {
        let pending = self.with_its_order(pending)?;
        self.with_its_count_bases(pending)
    }

    /// A closed order is read again from the decision that touched it last.
    fn with_its_order(&mut self, mut pending: Pending) -> Option<Pending> {
        let Some(asked) = pending.work.asked() else { return Some(pending) };
        let (Scope::Site(site), Some(order_id)) = (asked.scope(), asked.order_id()) else {
            return Some(pending);
        };
        let Some(orders) = self.ahead.domain.sites.get_mut(site) else { return Some(pending) };
        if orders.orders.contains_key(order_id) {
            return Some(pending);
        }
        let Some(seq) = self.confirmed.closed_order(site, order_id) else { return Some(pending) };
        if let Some((order, read_at)) = pending.prepared.order.take()
            && read_at == seq
        {
            orders.make_resident(order, seq);
            return Some(pending);
        }
        self.fetch_order(pending, seq);
        None
    }

    fn fetch_order(&mut self, mut pending: Pending, seq: u64) {
        let (log, partition, done) = (self.log.clone(), self.partition, self.prepared_tx.clone());
        let offset = self.confirmed.offsets.offset_of(seq);
        self.preparing += 1;
        tokio::spawn(async move {
            let position = Position::new(partition, seq);
            let reading = async move { read_decision(log.as_ref(), position, offset).await };
            let failed = match sheltered(reading).await {
                Ok(decision) => {
                    pending.prepared.order = order_after(&decision).map(|order| (order, seq));
                    None
                }
                Err(error) => Some(error),
            };
            drop(done.send(PreparedCommand { pending, failed }).await);
        });
    }

    /// Drops the closed order that was read again for a command that comes to no decision, which would do it. One that a
    /// decision in flight has touched stays until that is confirmed.
    pub(super) fn forget_its_order(&mut self, pending: &Pending) {
        let Some(asked) = pending.work.asked() else { return };
        if let (Scope::Site(site), Some(order_id)) = (asked.scope(), asked.order_id())
            && let Some(orders) = self.ahead.domain.sites.get_mut(site)
        {
            orders.evict_closed(order_id, self.confirmed.chain.seq);
        }
    }

    fn with_its_count_bases(&mut self, pending: Pending) -> Option<Pending> {
        // No bundle counts.
        let Some(Asked::One(command)) = pending.work.asked() else { return Some(pending) };
        if pending.prepared.counted.is_some() || command.command().count_bases().next().is_none() {
            return Some(pending);
        }
        match self.count_scan(command) {
            Ok(scan) => {
                self.preparing += 1;
                self.awaiting.push(Awaiting { seq: scan.up_to, pending, work: AwaitingWork::Count(scan) });
                self.start_awaiting();
            }
            Err(invalid) => self.open_keys.answer(pending, Err(CommandError::Invalid(invalid))),
        }
        None
    }

    fn count_scan(&self, command: &Checked) -> Result<CountScan, Vec<Invalid>> {
        let Scope::Site(site) = command.scope() else { return Err(Vec::new()) };
        let up_to = self.ahead.chain.seq;
        let stock = self.ahead.domain.sites.get(site).map(|site| &site.stock);
        let mut bases = HashMap::new();
        let mut invalid = Vec::new();
        let Command::CountStock(count) = command.command() else { return Err(invalid) };
        for (line, CountLine { sku, at_position, .. }) in count.lines.iter().enumerate() {
            let Some(position) = *at_position else { continue };
            if let Some(detail) = self.unfit_for_a_count(position) {
                invalid.push(Invalid { pointer: format!("/lines/{line}/at_position"), detail });
            }
            let on_hand =
                stock.and_then(|stock| stock.get(sku)).map_or(0, |stock| stock.balances().on_hand.get());
            bases.insert(sku.clone(), (position.seq, on_hand));
        }
        let from = bases.values().map(|(seq, _)| *seq).min().unwrap_or(up_to);
        let scan = CountScan { site: site.clone(), up_to, from, bases, offsets: OffsetIndex::default() };
        if invalid.is_empty() { Ok(scan) } else { Err(invalid) }
    }

    fn unfit_for_a_count(&self, position: Position) -> Option<String> {
        let now = Position::new(self.partition, self.ahead.chain.seq);
        if position.partition != now.partition {
            return Some(format!(
                "the site lives on partition {}, so a position of it begins with that",
                now.partition
            ));
        }
        if position.seq > now.seq {
            return Some(format!("there is no decision {position} yet; the last one is {now}"));
        }
        if now.seq - position.seq > COUNT_DECISIONS_BACK_MAX {
            return Some(format!(
                "more than {COUNT_DECISIONS_BACK_MAX} decisions have come since; count again"
            ));
        }
        None
    }

    /// Answers with a decision that stands in the log, as soon as it is certain that it does.
    pub(super) fn answer_from_log(&mut self, pending: Pending, seq: u64) {
        self.preparing += 1;
        self.awaiting.push(Awaiting { seq, pending, work: AwaitingWork::Answer });
        self.start_awaiting();
    }

    /// Answers with what was found and is in no record, as soon as everything up to `seq` is certain: what it rests on may
    /// still be in flight, and never happen.
    pub(super) fn tell_when_certain(
        &mut self,
        pending: Pending,
        seq: u64,
        found: Result<Reply, CommandError>,
    ) {
        self.preparing += 1;
        self.awaiting.push(Awaiting { seq, pending, work: AwaitingWork::Tell(found) });
        self.start_awaiting();
    }

    /// What waited for decisions that were in flight is decided again: those decisions may never have happened.
    pub(super) fn stop_awaiting(&mut self) {
        for awaiting in std::mem::take(&mut self.awaiting) {
            self.preparing -= 1;
            self.again.push_back(awaiting.pending);
        }
    }

    /// Begins everything that waited for what is confirmed by now.
    pub(super) fn start_awaiting(&mut self) {
        let confirmed = self.confirmed.chain.seq;
        if self.awaiting.iter().all(|awaiting| awaiting.seq > confirmed) {
            return;
        }
        let (ready, later) =
            std::mem::take(&mut self.awaiting).into_iter().partition(|one| one.seq <= confirmed);
        self.awaiting = later;
        for awaiting in ready {
            self.start(awaiting);
        }
    }

    fn start(&mut self, awaiting: Awaiting) {
        let Awaiting { seq, mut pending, work } = awaiting;
        let (log, partition) = (self.log.clone(), self.partition);
        match work {
            AwaitingWork::Answer => {
                self.preparing -= 1;
                let offset = self.confirmed.offsets.offset_of(seq);
                let fingerprint = pending.request.as_ref().map(|request| request.fingerprint);
                let mut callers: Vec<(Option<Hash>, Caller)> = Vec::new();
                for (followed_with, caller) in self.open_keys.leave(&pending) {
                    callers.push((pending.request.is_some().then_some(followed_with), caller));
                }
                callers.push((fingerprint, pending.caller));
                tokio::spawn(answer_all_from_log(log, Position::new(partition, seq), offset, callers));
            }
            AwaitingWork::Tell(found) => {
                self.preparing -= 1;
                self.open_keys.answer(pending, found);
            }
            AwaitingWork::Count(mut scan) => {
                let (done, scans) = (self.prepared_tx.clone(), self.scans.clone());
                scan.offsets.clone_from(&self.confirmed.offsets);
                tokio::spawn(async move {
                    let _turn = scans.acquire().await;
                    let failed = match sheltered(async move { scan.run(log.as_ref(), partition).await }).await
                    {
                        Ok(counted) => {
                            pending.prepared.counted = Some(counted);
                            None
                        }
                        Err(error) => Some(error),
                    };
                    drop(done.send(PreparedCommand { pending, failed }).await);
                });
            }
        }
    }

    /// Takes a prepared command back.
    pub(super) fn take_prepared(&mut self, prepared: PreparedCommand) -> Option<Pending> {
        self.preparing -= 1;
        match prepared.failed {
            None => Some(prepared.pending),
            Some(error) => {
                self.open_keys.answer(prepared.pending, Err(error));
                None
            }
        }
    }
}

impl CountScan {
    /// Reads what moved and takes it off.
    async fn run(self, log: &dyn Log, partition: PartitionId) -> Result<HashMap<Sku, Level>, CommandError> {
        let mut on_hand: HashMap<Sku, i64> =
            self.bases.iter().map(|(sku, (_, now))| (sku.clone(), *now)).collect();
        let offset = self.offsets.offset_of(self.from + 1).filter(|_| self.from < self.up_to);
        if let Some(offset) = offset {
            let mut reader = log.reader(partition.0, offset).await.map_err(|_| unreadable())?;
            let mut last = self.from;
            while last < self.up_to {
                let records = reader.next(SCAN_RECORDS, SCAN_PATIENCE).await;
                let records = records.ok().filter(|records| !records.is_empty()).ok_or_else(unreadable)?;
                for record in &records {
                    let Some(decision) = decision_in(&record.value) else { continue };
                    // A void record may carry the same seq; the valid one is where the index says.
                    let counts = self.offsets.offset_of(decision.seq) == Some(record.offset);
                    if counts && decision.seq <= self.up_to {
                        last = decision.seq;
                        self.take_off(&decision, &mut on_hand);
                    }
                }
                tokio::task::yield_now().await;
            }
        }
        on_hand
            .into_iter()
            .map(|(sku, on_hand)| {
                Ok((sku, Level::new(on_hand).map_err(|error| CommandError::Internal(error.to_string()))?))
            })
            .collect()
    }

    fn take_off(&self, decision: &Decision, on_hand: &mut HashMap<Sku, i64>) {
        if !matches!(&decision.scope, Scope::Site(site) if *site == self.site) {
            return;
        }
        for event in &decision.events {
            for (sku, delta) in stockledger_domain::on_hand_changes(event) {
                let after_the_count = self.bases.get(sku).is_some_and(|(seq, _)| decision.seq > *seq);
                if let Some(on_hand) = on_hand.get_mut(sku).filter(|_| after_the_count) {
                    *on_hand -= delta;
                }
            }
        }
    }
}

/// Runs a lookup so that a fault of this program in it fails the lookup and nothing else: its command must come back to the
/// writer whatever happens.
async fn sheltered<T: Send + 'static>(
    lookup: impl Future<Output = Result<T, CommandError>> + Send + 'static,
) -> Result<T, CommandError> {
    let broke_down = |error: tokio::task::JoinError| CommandError::Internal(error.to_string());
    tokio::spawn(lookup).await.map_err(broke_down)?
}

async fn answer_all_from_log(
    log: Arc<dyn Log>,
    position: Position,
    offset: Option<u64>,
    callers: Vec<(Option<Hash>, Caller)>,
) {
    let read = read_decision(log.as_ref(), position, offset).await.map(Arc::new);
    // The decision stands, whatever it is: nobody may hear that nothing was written.
    let read = read.map_err(|error| match error {
        CommandError::NotApplied(_) => CommandError::OutcomeUnknown,
        other => other,
    });
    for (fingerprint, caller) in callers {
        let outcome: Outcome = match &read {
            Err(error) => Err(error.clone()),
            Ok(decision) => {
                let stored = decision.request.as_ref().map(|request| request.fingerprint);
                if fingerprint.is_some() && fingerprint != stored {
                    Err(CommandError::KeyReused)
                } else {
                    Ok(Reply { position, decision: Arc::clone(decision), replayed: true })
                }
            }
        };
        caller.answer(outcome);
    }
}

/// A decision where it is known to stand. Hashes of all of them would take too much memory to be kept, so a record that was
/// replaced by another of the same seq is found by whoever reads the whole log, and not here.
async fn read_decision(
    log: &dyn Log,
    position: Position,
    offset: Option<u64>,
) -> Result<Decision, CommandError> {
    let offset = offset.ok_or_else(|| CommandError::Internal("a decision has no offset".to_owned()))?;
    let record = log.fetch(position.partition.0, offset).await.ok().flatten().ok_or_else(unreadable)?;
    let changed = |found: &str| {
        CommandError::Internal(format!(
            "decision {position} stood at offset {offset}, where {found} stands now: history was changed"
        ))
    };
    match decision_in(&record.value) {
        Some(decision) if decision.seq == position.seq => Ok(decision),
        Some(other) => Err(changed(&format!("decision {}", other.seq))),
        None => Err(changed("no decision")),
    }
}

fn decision_in(bytes: &[u8]) -> Option<Decision> {
    match envelope::decode(bytes) {
        Ok(Record::Decision(decision)) => Some(decision),
        _ => None,
    }
}

/// The order as a decision left it.
fn order_after(decision: &Decision) -> Option<Order> {
    decision.events.iter().find_map(|event| match event {
        Event::OrderShipped(shipped) => Some(shipped.order.clone()),
        Event::OrderCancelled(cancelled) => Some(cancelled.order.clone()),
        Event::OrderReturned(returned) => Some(returned.order.clone()),
        _ => None,
    })
}

fn unreadable() -> CommandError {
    CommandError::NotApplied("the log could not be read")
}
