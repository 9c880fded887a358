//! The confirmed state of a partition: what the log says, up to the last record that was read or acknowledged in order.

use stockledger_chain::{Admission, State, Verdict};
use stockledger_domain::{Impossible, Partition, apply};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{Decision, Event, OrderId, Scope, SiteId, Timestamp};

use crate::partition::index::{OffsetIndex, SeqIndex, key_hash, order_hash};

/// Everything that a writer knows for certain.
#[derive(Debug, Clone)]
pub(crate) struct Confirmed {
    /// The chain so far.
    pub(crate) chain: State,
    /// Sites, stock and open orders.
    pub(crate) domain: Partition,
    /// The time of the last decision.
    pub(crate) last_recorded_at: Timestamp,
    /// Every idempotency key ever decided, to its decision.
    pub(crate) keys: SeqIndex,
    /// Every closed order, to the decision that touched it last.
    pub(crate) closed_orders: SeqIndex,
    /// Where decisions stand.
    pub(crate) offsets: OffsetIndex,
    /// How many records did not count, since this process began to read.
    pub(crate) void_records: u64,
}

impl Confirmed {
    pub(crate) fn new(chain: State) -> Self {
        Self {
            chain,
            domain: Partition::new(chain.partition, chain.partitions),
            last_recorded_at: Timestamp::MIN,
            keys: SeqIndex::new(),
            closed_orders: SeqIndex::new(),
            offsets: OffsetIndex::default(),
            void_records: 0,
        }
    }

    /// Takes a record that was read and admitted.
    ///
    /// # Errors
    /// [`Impossible`] if history is corrupt; this state is then to be thrown away.
    pub(crate) fn take_admitted(&mut self, admission: &Admission) -> Result<(), Impossible> {
        match &admission.verdict {
            Verdict::Decision(decision) => return self.take_decision(admission.next, decision),
            Verdict::Claim(_) => {}
            Verdict::Void(_) => self.void_records += 1,
        }
        self.chain = admission.next;
        Ok(())
    }

    /// Takes a decision behind which the chain stands at `next`.
    ///
    /// # Errors
    /// [`Impossible`] if history is corrupt; this state is then to be thrown away.
    pub(crate) fn take_decision(&mut self, next: State, decision: &Decision) -> Result<(), Impossible> {
        apply(&mut self.domain, decision.seq, decision)?;
        self.chain = next;
        self.last_recorded_at = decision.recorded_at;
        self.offsets.note(decision.seq, next.last_valid_offset);
        let is_remembered = keeps(Rule::RefusalsAreRemembered) || !is_refusal(decision);
        if let Some(request) = decision.request.as_ref().filter(|_| is_remembered) {
            self.keys.insert(key_hash(&decision.scope, &request.key), decision.seq);
        }
        if let Some((site, order_id)) = order_of(decision) {
            self.forget_if_closed(site, order_id, decision.seq);
        }
        Ok(())
    }

    /// A closed order leaves memory; only where to read it again is kept.
    fn forget_if_closed(&mut self, site: &SiteId, order_id: &OrderId, seq: u64) {
        let Some(orders) = self.domain.sites.get_mut(site) else { return };
        let Some(resident) = orders.orders.get(order_id) else { return };
        if resident.order.is_open() {
            return;
        }
        let touched = resident.seq;
        orders.evict_closed(order_id, seq);
        self.closed_orders.insert(order_hash(site, order_id), touched);
    }

    /// Where a closed order can be read, if there is one.
    pub(crate) fn closed_order(&self, site: &SiteId, order_id: &OrderId) -> Option<u64> {
        self.closed_orders.get(&order_hash(site, order_id))
    }
}

/// Whether nothing happened but that a command was refused.
fn is_refusal(decision: &Decision) -> bool {
    decision.events.iter().all(|event| matches!(event, Event::OutOfStock(_) | Event::CommandRefused(_)))
}

/// The order that a decision is about.
pub(crate) fn order_of(decision: &Decision) -> Option<(&SiteId, &OrderId)> {
    let Scope::Site(site) = &decision.scope else { return None };
    let order_id = decision.events.iter().find_map(|event| match event {
        // Of an order that was never accepted nothing is resident.
        Event::OutOfStock(_) => None,
        event => event.order_id(),
    })?;
    Some((site, order_id))
}
