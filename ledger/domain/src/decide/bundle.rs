//! Decisions about bundles: every command is decided, and all of them happen or none.
//!
//! No two commands of a bundle move one SKU, make one hold or step one order, so each is decided against the state as if it
//! came alone, and what one of them does changes nothing for the others.

use std::collections::HashSet;

use stockledger_schemas::{Event, Sku};

use super::{Change, Moment, Rejection, Undecidable, decide, site_of};
use crate::command::{Bundle, Command, Invalid, Misfit, overlap, skus};
use crate::state::{Partition, Site};

/// Why nothing of a bundle happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unbundled {
    /// One of its commands is refused, by this event. A fact; it is logged.
    Refused(Box<Event>),
    /// One of its commands moves by its order or hold what another one moves. It is answered and never logged: no order and
    /// no hold ever moves other SKUs.
    Misfit(Misfit),
    /// The bundle cannot be decided here. It is answered and never logged.
    Undecidable(Undecidable),
}

/// Decides a bundle: the events of its commands, in order. The same arguments always give the same answer, and the state
/// is not touched. What must be in memory is as with [`decide`].
///
/// # Errors
/// [`Unbundled`]; of several commands that are refused the first one is told.
pub fn decide_bundle(
    state: &Partition,
    bundle: &Bundle,
    moment: &Moment<'_>,
) -> Result<Vec<Event>, Unbundled> {
    let site = site_of(state, bundle.scope()).map_err(Unbundled::Undecidable)?;
    if let Some(misfit) = misfit(site, bundle) {
        return Err(Unbundled::Misfit(misfit));
    }
    let mut events = Vec::new();
    for command in bundle.commands() {
        match decide(state, command, moment) {
            Ok(Change::Event(event)) => events.push(event),
            // Only the directory's commands find all as they want it, and none of them is in a bundle.
            Ok(Change::Nothing { .. }) => return Err(Unbundled::Undecidable(Undecidable::NotDirectory)),
            Err(rejection) => return Err(refused(rejection, command.command())),
        }
    }
    Ok(events)
}

fn refused(rejection: Rejection, command: &Command) -> Unbundled {
    match rejection.into_event(command) {
        Ok(event) => Unbundled::Refused(Box::new(event)),
        Err(undecidable) => Unbundled::Undecidable(undecidable),
    }
}

fn misfit(site: &Site, bundle: &Bundle) -> Option<Misfit> {
    let mut moved: HashSet<&Sku> = HashSet::new();
    for (index, command) in bundle.commands().enumerate() {
        let moves = moved_by(site, command.command());
        if let Some(sku) = moves.iter().find(|sku| moved.contains(*sku)) {
            let invalid = Invalid { pointer: String::new(), detail: overlap(sku) };
            return Some(Misfit { index, invalid });
        }
        moved.extend(moves);
    }
    None
}

/// The SKUs that a command may move: those that it says, and those of its order or hold.
fn moved_by<'a>(site: &'a Site, command: &'a Command) -> Vec<&'a Sku> {
    match command {
        Command::ReleaseHold(command) => {
            site.holds.get(&command.hold_id).map(|hold| &hold.sku).into_iter().collect()
        }
        Command::ShipOrder(_) | Command::CancelOrder(_) | Command::ReturnOrder(_) => {
            let order = command.order_id().and_then(|order_id| site.orders.get(order_id));
            order.into_iter().flat_map(|resident| &resident.order.lines).map(|line| &line.sku).collect()
        }
        other => skus(other),
    }
}
