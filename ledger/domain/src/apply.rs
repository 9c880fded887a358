//! Carries decisions out on the state, and checks every number in them on the way.
//!
//! A decision was made once, by a writer that may have been a different program on a different machine. Here nothing is
//! believed: what the decision says is there afterwards must be what this arithmetic gives, and no invariant may break.
//! So this never refuses for a reason of business; what it finds is a corrupt history or a bug of ours, and the partition
//! stops. The projections have a fold of their own.

mod directory;
mod order;
mod stock;

use stockledger_schemas::{
    Balances, Decision, Event, HoldId, KeyId, Level, PartitionId, Position, Scope, SiteId, Sku,
};

use crate::state::{Partition, Site};

pub use self::order::before_return;

/// A decision that contradicts the history before it: where, and in what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("decision {position}, event {event} ({event_type}): {breach}")]
pub struct Impossible {
    /// Where the decision stands.
    pub position: Position,
    /// Which event of it, from 0.
    pub event: usize,
    /// What kind of event that is.
    pub event_type: &'static str,
    /// What is impossible about it.
    pub breach: Breach,
}

/// What is impossible about an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// Not the decision that comes next.
    #[error("decision {expected} comes next, not {found}")]
    OutOfOrder {
        /// What comes next.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A decision in which nothing happened.
    #[error("the decision has no events")]
    NoEvents,
    /// An event of the directory in a decision about a site, or the other way round.
    #[error("the event does not belong to the scope of its decision")]
    WrongScope,
    /// An event of the directory on another partition, or a site on a partition where it cannot be.
    #[error("this cannot be on partition {0}")]
    WrongPartition(PartitionId),
    /// A site that is registered twice or opened twice.
    #[error("site {0} is there already")]
    SiteExists(SiteId),
    /// A site that was never registered or never opened.
    #[error("site {0} is not there")]
    UnknownSite(SiteId),
    /// An item that is registered twice.
    #[error("item {0} is there already")]
    ItemExists(Sku),
    /// An item that was never registered.
    #[error("item {0} is not there")]
    UnknownItem(Sku),
    /// An API key that is made twice.
    #[error("key {0} is there already")]
    KeyExists(KeyId),
    /// An API key that is revoked and was never made, or was revoked before.
    #[error("key {0} is not there to be revoked")]
    UnknownKey(KeyId),
    /// The first API key, which does not allow to make others.
    #[error("the first key does not have the scope admin")]
    FirstKeyNotAdmin,
    /// A refusal that the state does not give.
    #[error("the refusal is not one that this state gives")]
    WrongRefusal,
    /// An event that must have lines and has none.
    #[error("the event has no lines")]
    NoLines,
    /// A SKU that stands in two lines of an event that has one line per SKU.
    #[error("sku {0} stands in two lines")]
    RepeatedSku(Sku),
    /// A balance would leave its range, or more would be promised and held than there is.
    #[error("sku {0}: the balances would leave their range, or more be reserved and held than is on hand")]
    Unbalanced(Sku),
    /// The event says that other balances are there afterwards than its own change gives.
    #[error("sku {sku}: the event says {found:?} is there afterwards, but its change gives {expected:?}")]
    WrongBalances {
        /// Of which SKU.
        sku: Sku,
        /// What the change gives.
        expected: Balances,
        /// What the event says.
        found: Balances,
    },
    /// The event says that something else was there before than what was there.
    #[error("sku {sku}: the event says {found} was there, but it was {expected}")]
    WrongLevel {
        /// Of which SKU.
        sku: Sku,
        /// What was there.
        expected: Level,
        /// What the event says.
        found: Level,
    },
    /// A count that does not fit what was on hand, or names a position that it cannot name.
    #[error("sku {0}: the count does not fit its difference or its position")]
    WrongCount(Sku),
    /// Goods that were short, by an event in which nothing is short.
    #[error("nothing is short")]
    NothingShort,
    /// An order that is placed or refused although it was accepted before.
    #[error("the order was accepted before")]
    OrderExists,
    /// A step of an order that was never accepted.
    #[error("the order was never accepted")]
    UnknownOrder,
    /// A step of a line that the order has not, or of more than what the step can happen to.
    #[error("line {0} of the order does not exist, or cannot go so far")]
    WrongStep(u16),
    /// The order after the step is not the order before it with the step done.
    #[error("the order is not what its history and this step give")]
    WrongOrder,
    /// A hold that is made twice.
    #[error("hold {0} is there already")]
    HoldExists(HoldId),
    /// A hold that was never made.
    #[error("hold {0} is not there")]
    UnknownHold(HoldId),
    /// A hold that is not what its history gives.
    #[error("the hold is not what its history and this step give")]
    WrongHold,
}

/// Carries decision `seq` out.
///
/// # Errors
/// [`Impossible`] if the decision contradicts the history before it. The state may then be half changed, and the caller
/// must throw it away.
pub fn apply(state: &mut Partition, seq: u64, decision: &Decision) -> Result<(), Impossible> {
    let position = Position::new(state.id, seq);
    let impossible = |event: usize, breach: Breach| {
        let event_type = decision.events.get(event).map_or("no event", Event::type_name);
        Impossible { position, event, event_type, breach }
    };
    in_order(state, seq, decision).map_err(|breach| impossible(0, breach))?;
    for (index, event) in decision.events.iter().enumerate() {
        apply_event(state, decision, event).map_err(|breach| impossible(index, breach))?;
    }
    state.seq = seq;
    Ok(())
}

fn in_order(state: &Partition, seq: u64, decision: &Decision) -> Result<(), Breach> {
    let expected = state.seq.saturating_add(1);
    if let Some(found) = [seq, decision.seq].into_iter().find(|found| *found != expected) {
        return Err(Breach::OutOfOrder { expected, found });
    }
    if decision.events.is_empty() { Err(Breach::NoEvents) } else { Ok(()) }
}

fn apply_event(state: &mut Partition, decision: &Decision, event: &Event) -> Result<(), Breach> {
    let seq = decision.seq;
    match (&decision.scope, event) {
        (Scope::Directory, event) => directory::apply(state, seq, event),
        (Scope::Site(site), Event::SiteOpened(_)) => directory::open(state, seq, site),
        (Scope::Site(site), event) => {
            let open = state.sites.get_mut(site).ok_or_else(|| Breach::UnknownSite(site.clone()))?;
            let position = Position::new(state.id, seq);
            apply_at_site(open, position, decision, event)
        }
    }
}

fn apply_at_site(
    site: &mut Site,
    position: Position,
    decision: &Decision,
    event: &Event,
) -> Result<(), Breach> {
    let seq = position.seq;
    match event {
        Event::NoteRecorded(_) => Ok(()),
        Event::StockReceived(event) => stock::received(site, seq, event),
        Event::StockAdjusted(event) => stock::adjusted(site, seq, event),
        Event::StockCounted(event) => stock::counted(site, seq, event),
        Event::StockHeld(event) => stock::held(site, seq, event),
        Event::HoldReleased(event) => stock::released(site, seq, event),
        Event::OrderPlaced(event) => order::placed(site, decision, event),
        Event::OutOfStock(event) => order::out_of_stock(site, event),
        Event::OrderShipped(event) => order::shipped(site, seq, event),
        Event::OrderCancelled(event) => order::cancelled(site, seq, event),
        Event::OrderReturned(event) => order::returned(site, position, event),
        Event::CommandRefused(event) => stock::refused(site, event),
        Event::SiteRegistered(_)
        | Event::SiteRenamed(_)
        | Event::SiteOpened(_)
        | Event::ItemRegistered(_)
        | Event::ItemUpdated(_)
        | Event::KeyCreated(_)
        | Event::KeyRevoked(_) => Err(Breach::WrongScope),
    }
}
