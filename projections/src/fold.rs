//! The one fold: decisions become rows. Live projector and rebuild both call [`fold`] and nothing else.
//!
//! It never refuses for a business reason: what was decided happened. It computes every balance itself and compares it
//! with the one that the event carries; a difference, or a row that cannot be, means that history is corrupt or that one
//! of two programs is wrong, and the partition stops there.
//!
//! What is absent on purpose: no IO, no clock. The caller has loaded every row that [`View::missing`] names.

mod order;
mod stock;
mod trail;

use stockledger_schemas::{Decision, Event, OrderId, Scope, SiteId, Sku, event};

use crate::rows::{ItemRow, SiteRow};
use crate::view::View;

/// A decision that cannot have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("decision {seq} is impossible: {reason}")]
pub struct Impossible {
    /// The decision.
    pub seq: u64,
    /// Why.
    pub reason: Reason,
}

/// Why a decision cannot have happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The event says another balance than the events before it add up to.
    #[error("{sku} has {computed} {balance} by all events so far, but the event says {recorded}")]
    Balance {
        /// The item.
        sku: Sku,
        /// Which balance.
        balance: &'static str,
        /// What the fold computes.
        computed: i64,
        /// What the event says.
        recorded: i64,
    },
    /// A balance leaves its bounds.
    #[error("{sku} would have {computed} {balance}")]
    OutOfBounds {
        /// The item.
        sku: Sku,
        /// Which balance.
        balance: &'static str,
        /// What the fold computes.
        computed: i64,
    },
    /// More is reserved and held than is there.
    #[error("{sku} would have {available} available")]
    Oversold {
        /// The item.
        sku: Sku,
        /// What the fold computes.
        available: i64,
    },
    /// A directory event in a site's decision, or the reverse.
    #[error("{event} does not belong to this scope")]
    WrongScope {
        /// The event.
        event: &'static str,
    },
    /// A step of an order that was never accepted.
    #[error("order {order_id} was never accepted")]
    OrderUnknown {
        /// The order.
        order_id: OrderId,
    },
    /// An order that was accepted already.
    #[error("order {order_id} was accepted before")]
    OrderExists {
        /// The order.
        order_id: OrderId,
    },
    /// The order in the event is not the order that was placed, or contradicts itself.
    #[error("order {order_id} contradicts itself in its {what}")]
    OrderContradicts {
        /// The order.
        order_id: OrderId,
        /// In what.
        what: &'static str,
    },
    /// More decisions than a table can count.
    #[error("its number is too large")]
    SeqTooLarge,
    /// What the tables hold besides movements could not be written down.
    #[error("its detail cannot be written down")]
    Detail,
}

/// Takes one decision into the view.
///
/// # Errors
/// [`Impossible`]; the view is then to be dropped, because part of the decision may be in it.
pub fn fold(view: &mut View, decision: &Decision) -> Result<(), Impossible> {
    fold_scope(view, decision).map_err(|reason| Impossible { seq: decision.seq, reason })
}

fn fold_scope(view: &mut View, decision: &Decision) -> Result<(), Reason> {
    let seq = i64::try_from(decision.seq).map_err(|_| Reason::SeqTooLarge)?;
    match &decision.scope {
        Scope::Directory => {
            decision.events.iter().try_for_each(|event| fold_directory(view, decision, seq, event))
        }
        Scope::Site(site) => {
            let mut step = Step { view, decision, site, seq, line: 0 };
            decision.events.iter().try_for_each(|event| fold_site(&mut step, event))?;
            trail::add(&mut step)
        }
    }
}

/// One decision of a site on its way into the view.
struct Step<'a> {
    view: &'a mut View,
    decision: &'a Decision,
    site: &'a SiteId,
    seq: i64,
    /// The number of the next movement of this decision.
    line: i64,
}

fn fold_directory(view: &mut View, decision: &Decision, seq: i64, event: &Event) -> Result<(), Reason> {
    let recorded_at = decision.recorded_at;
    match event {
        Event::SiteRegistered(event::SiteRegistered { site, name, partition })
        | Event::SiteRenamed(event::SiteRenamed { site, name, partition }) => {
            let (site, name) = (site.clone(), name.clone());
            view.set_site(SiteRow { site, name, partition: *partition, seq, recorded_at });
        }
        Event::ItemRegistered(event::ItemRegistered { sku, name, unit })
        | Event::ItemUpdated(event::ItemUpdated { sku, name, unit }) => {
            let (sku, name, unit) = (sku.clone(), name.clone(), unit.clone());
            view.set_item(ItemRow { sku, name, unit, seq, recorded_at });
        }
        // Keys are read from the log by every node itself; no table has them.
        Event::KeyCreated(_) | Event::KeyRevoked(_) => {}
        Event::NoteRecorded(_) | Event::CommandRefused(_) => {}
        _ => return Err(Reason::WrongScope { event: event.type_name() }),
    }
    Ok(())
}

fn fold_site(step: &mut Step<'_>, event: &Event) -> Result<(), Reason> {
    match event {
        Event::SiteOpened(_) => {
            step.view.add_home(step.site.clone(), step.seq);
            Ok(())
        }
        Event::NoteRecorded(_) | Event::CommandRefused(_) => Ok(()),
        Event::StockReceived(received) => stock::received(step, received),
        Event::StockAdjusted(adjusted) => stock::adjusted(step, adjusted),
        Event::StockCounted(counted) => stock::counted(step, counted),
        Event::StockHeld(held) => stock::held(step, held),
        Event::HoldReleased(released) => stock::released(step, released),
        Event::OrderPlaced(placed) => order::placed(step, placed),
        Event::OutOfStock(refused) => order::refused(step, refused),
        Event::OrderShipped(shipped) => order::shipped(step, shipped),
        Event::OrderCancelled(cancelled) => order::cancelled(step, cancelled),
        Event::OrderReturned(returned) => order::returned(step, returned),
        Event::SiteRegistered(_)
        | Event::SiteRenamed(_)
        | Event::ItemRegistered(_)
        | Event::ItemUpdated(_)
        | Event::KeyCreated(_)
        | Event::KeyRevoked(_) => Err(Reason::WrongScope { event: event.type_name() }),
    }
}
