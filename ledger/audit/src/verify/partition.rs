//! One partition, record by record: whether it counts, what it does, and whether that is possible.
//!
//! Nothing here waits: records come in, a report goes out.

use std::collections::HashMap;
use std::ops::ControlFlow;

use stockledger_chain::{State, Verdict, admit};
use stockledger_domain::{Breach, Impossible, Partition, apply};
use stockledger_log::StoredRecord;
use stockledger_schemas::{Decision, LedgerId, PartitionId, Position, Scope, SiteId, Timestamp};

use super::closed::ClosedOrders;
use super::fault::{Failure, Fault};
use super::remembered::Memories;
use super::report::{Moment, PartitionReport, Tally, VOID_NAMED_MAX, VoidRecord, word_of};
use super::until::Until;
use crate::head::Head;

/// A partition that is being checked.
#[derive(Debug)]
pub(super) struct PartitionCheck {
    partition: PartitionId,
    /// How many partitions the log has.
    partitions: u16,
    until: Until,
    memories: Memories,
    known: Option<Known>,
    tally: Tally,
    void_records: Vec<VoidRecord>,
    first: Option<Moment>,
    last: Option<Moment>,
    /// Behind the last decision, where a cut before the next one goes back to.
    behind_last: Option<(State, Tally)>,
    is_cut: bool,
    failure: Option<Failure>,
}

/// What is known behind the genesis record.
#[derive(Debug)]
struct Known {
    chain: State,
    state: Partition,
    closed: ClosedOrders,
}

/// A partition that was checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) report: PartitionReport,
    pub(super) ledger_id: Option<LedgerId>,
    /// Sites that were opened here, and by which decision.
    pub(super) opened: Vec<(SiteId, u64)>,
    /// Where sites live, as far as this partition is the directory.
    pub(super) directory: HashMap<SiteId, PartitionId>,
}

impl PartitionCheck {
    pub(super) fn new(partition: PartitionId, partitions: u16, until: Until, memories: Memories) -> Self {
        Self {
            partition,
            partitions,
            until,
            memories,
            known: None,
            tally: Tally::default(),
            void_records: Vec::new(),
            first: None,
            last: None,
            behind_last: None,
            is_cut: false,
            failure: None,
        }
    }

    pub(super) const fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Takes the next record; breaks where nothing behind it can be looked at any more.
    pub(super) fn take(&mut self, record: &StoredRecord) -> ControlFlow<()> {
        let taken = if self.known.is_some() { self.go_on(record) } else { self.begin(record) };
        match taken {
            Ok(flow) => flow,
            Err(fault) => {
                self.fail(record.offset, fault);
                ControlFlow::Break(())
            }
        }
    }

    /// Something is wrong that no record shows, with what should come next.
    pub(super) fn fail_next(&mut self, fault: Fault) {
        let offset = self.known.as_ref().map_or(0, |known| known.chain.next_offset);
        self.fail(offset, fault);
    }

    fn fail(&mut self, offset: u64, fault: Fault) {
        let seq = self.known.as_ref().map_or(0, |known| known.chain.seq);
        let after = Position::new(self.partition, seq);
        self.failure.get_or_insert(Failure { partition: self.partition, offset, after, fault });
    }

    fn begin(&mut self, record: &StoredRecord) -> Result<ControlFlow<()>, Fault> {
        if record.offset != 0 {
            return Err(Fault::Deleted { begin: record.offset });
        }
        let chain = State::begin(&record.value, self.partition).map_err(|halt| Fault::Halt(halt.reason))?;
        if chain.partitions != self.partitions {
            return Err(Fault::PartitionCount { expected: chain.partitions, found: self.partitions });
        }
        let state = Partition::new(self.partition, chain.partitions);
        self.count(record);
        self.behind_last = Some((chain, self.tally));
        self.known = Some(Known { chain, state, closed: ClosedOrders::default() });
        self.memories.pass(&chain)?;
        Ok(ControlFlow::Continue(()))
    }

    fn go_on(&mut self, record: &StoredRecord) -> Result<ControlFlow<()>, Fault> {
        let Some(known) = &mut self.known else { return Err(Fault::Empty) };
        let admission =
            admit(&known.chain, record.offset, &record.value).map_err(|halt| Fault::Halt(halt.reason))?;
        match &admission.verdict {
            Verdict::Decision(decision) => {
                if !self.until.includes(self.partition, decision) {
                    self.cut();
                    return Ok(ControlFlow::Break(()));
                }
                time_goes_on(self.last, decision)?;
                known.carry_out(decision)?;
                self.note(decision);
            }
            Verdict::Claim(_) => self.tally.terms += 1,
            Verdict::Void(void) => {
                self.tally.void += 1;
                if self.void_records.len() < VOID_NAMED_MAX {
                    self.void_records.push(VoidRecord { offset: record.offset, why: word_of(*void).into() });
                }
            }
        }
        self.count(record);
        let is_decision = matches!(admission.verdict, Verdict::Decision(_));
        if let Some(known) = &mut self.known {
            known.chain = admission.next;
        }
        if is_decision {
            self.behind_last = Some((admission.next, self.tally));
        }
        self.memories.pass(&admission.next)?;
        Ok(ControlFlow::Continue(()))
    }

    fn count(&mut self, record: &StoredRecord) {
        self.tally.records += 1;
        self.tally.bytes += record.value.len() as u64;
    }

    fn note(&mut self, decision: &Decision) {
        self.tally.decisions += 1;
        self.tally.events += decision.event_count();
        let position = Position::new(self.partition, decision.seq);
        let moment = Moment { position, recorded_at: decision.recorded_at };
        self.first.get_or_insert(moment);
        self.last = Some(moment);
    }

    /// Ends before a decision that is not wanted any more: also without the claims and void records that stand directly
    /// before it, which belong to what came later.
    fn cut(&mut self) {
        self.is_cut = true;
        let (Some(known), Some((chain, tally))) = (&mut self.known, self.behind_last) else { return };
        known.chain = chain;
        self.tally = tally;
        self.void_records.retain(|record| record.offset < chain.next_offset);
    }

    /// The report, once nothing more comes.
    pub(super) fn finish(mut self) -> Checked {
        if self.failure.is_none() {
            match &self.known {
                None => self.fail_next(Fault::Empty),
                Some(_) if self.is_cut => {}
                Some(known) => {
                    if let Err(fault) = self.memories.end(&known.chain) {
                        self.fail_next(fault);
                    }
                }
            }
        }
        let chain = self.known.as_ref().map(|known| known.chain);
        let report = PartitionReport {
            partition: self.partition,
            tally: self.tally,
            void_records: self.void_records,
            first: self.first,
            last: self.last,
            genesis: chain.map(|chain| chain.genesis),
            head: chain.map(|chain| Head::of(&chain)),
            vouched: self.memories.vouched(),
            failure: self.failure,
        };
        let (opened, directory) = self.known.map(|known| sites_of(known.state)).unwrap_or_default();
        Checked { report, ledger_id: chain.map(|chain| chain.ledger_id), opened, directory }
    }
}

impl Checked {
    /// Something is wrong that this partition alone does not show, with the whole of it.
    pub(super) fn fail(&mut self, fault: Fault) {
        let partition = self.report.partition;
        let offset = match &fault {
            Fault::OtherLedger { .. } => 0,
            _ => self.report.head.map_or(0, |head| head.next_offset),
        };
        let after = Position::new(partition, self.report.head.map_or(0, |head| head.seq));
        self.report.failure.get_or_insert(Failure { partition, offset, after, fault });
    }
}

impl Known {
    /// Carries a decision out and takes the orders that it closed out of memory.
    fn carry_out(&mut self, decision: &Decision) -> Result<(), Fault> {
        let Self { state, closed, .. } = self;
        if let Scope::Site(site) = &decision.scope {
            let position = Position::new(state.id, decision.seq);
            for (index, event) in decision.events.iter().enumerate() {
                let impossible = |breach: Breach| {
                    Fault::Impossible(Impossible {
                        position,
                        event: index,
                        event_type: event.type_name(),
                        breach,
                    })
                };
                closed.prepare(state, site, event).map_err(impossible)?;
            }
        }
        apply(state, decision.seq, decision).map_err(Fault::Impossible)?;
        if let Scope::Site(site) = &decision.scope {
            for event in &decision.events {
                closed.settle(state, site, event);
            }
        }
        Ok(())
    }
}

fn time_goes_on(last: Option<Moment>, decision: &Decision) -> Result<(), Fault> {
    let before: Timestamp = last.map_or(decision.recorded_at, |last| last.recorded_at);
    let found = decision.recorded_at;
    if found < before { Err(Fault::TimeFell { before, found }) } else { Ok(()) }
}

fn sites_of(state: Partition) -> (Vec<(SiteId, u64)>, HashMap<SiteId, PartitionId>) {
    let opened = state.sites.into_iter().map(|(id, site)| (id, site.opened_seq)).collect();
    let directory = state.directory.sites.into_iter().map(|(id, site)| (id, site.partition)).collect();
    (opened, directory)
}
