//! Decisions: what a command does to the state that it meets, or why it does nothing.
//!
//! Each command is one function that reads as a ladder: one early return for each refusal, the most general first, the
//! effect last. Which refusal a caller gets when several apply is part of the interface, and this is the order:
//!
//! | command         | refused, in this order                                                                     |
//! |-----------------|--------------------------------------------------------------------------------------------|
//! | `open_site`     | never; nothing happens if the site has that name                                           |
//! | `register_item` | never; nothing happens if the item has that description                                    |
//! | `receive_stock` | `quantity_limit`                                                                           |
//! | `adjust_stock`  | `expected_quantity_stale`, `insufficient_stock`, `quantity_limit`                          |
//! | `count_stock`   | `expected_quantity_stale`, `count_superseded`, `insufficient_stock`, `quantity_limit`      |
//! | `hold_stock`    | `hold_exists`, `insufficient_stock`                                                        |
//! | `release_hold`  | `unknown_hold`, `exceeds_hold`                                                             |
//! | `place_order`   | `order_exists`, `out_of_stock`                                                             |
//! | `ship_order`    | `unknown_order`, `order_finished` (nothing open), `not_in_order`, `exceeds_open`           |
//! | `cancel_order`  | `unknown_order`, `order_finished` (nothing open)                                           |
//! | `return_order`  | `unknown_order`, `order_finished` (nothing returnable), `not_in_order`, `exceeds_returnable`, `quantity_limit` |
//! | `record_note`   | never                                                                                      |
//! | `create_key`    | `first_key_not_admin`, `key_exists`                                                        |
//! | `revoke_key`    | `unknown_key`; nothing happens if the key is revoked                                       |
//!
//! Before all of these stands what cannot be decided at all and is never logged: [`Undecidable`], of which a basis that is
//! gone comes after an unknown site and before all else. Of several lines the
//! first one that breaks a rule is named; `insufficient_stock` and `out_of_stock` name every line that is short.
//! Idempotency comes before any decision and is the writer's.

mod bundle;
mod directory;
mod order;
mod stock;

use std::collections::HashMap;
use std::hash::Hash;

use stockledger_schemas::event::{CommandRefused, NoteRecorded, OutOfStock, SiteOpened};
use stockledger_schemas::refusal::QuantityLimit;
use stockledger_schemas::{
    Disposition, Event, Level, PartitionId, Position, Refusal, Scope, SiteId, Sku, Timestamp,
};

pub use self::bundle::{Unbundled, decide_bundle};
use crate::command::{Basis, Checked, Command, Invalid, Subject};
use crate::lines::{Sum, sum_by};
use crate::state::{Directory, Partition, Site};
use crate::stock::{Step, Stock};

/// What a decision knows beside the state and the command.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The writer's clock: what will be `recorded_at`. No rule of today depends on it.
    pub now: Timestamp,
    /// Where the decision will stand.
    pub position: Position,
    /// What was on hand at the position that a count line names ([`Command::count_bases`]). A SKU that had not been seen
    /// by then may be absent, which means that nothing was on hand.
    pub counted: &'a HashMap<Sku, Level>,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This happens.
    Event(Event),
    /// All is as the command wants it, since that decision; nothing is logged.
    Nothing {
        /// The decision that made it so.
        since: u64,
    },
}

/// Why a command does nothing: the caller's situation, not a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// An order is short of goods. A fact; it is logged.
    OutOfStock(OutOfStock),
    /// Any other refusal that rests on the state. A fact; it is logged.
    Refused(Refusal),
    /// The command cannot be decided here. It is answered and never logged.
    Undecidable(Undecidable),
}

/// Why a command cannot be decided here. Nothing of this is logged: it is no fact of the site's history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecidable {
    /// The site is not open on this partition.
    #[error("the site is not open on this partition")]
    UnknownSite,
    /// Only one partition decides about sites and items, and this is another.
    #[error("only partition {} decides about sites and items", PartitionId::DIRECTORY)]
    NotDirectory,
    /// A count names positions that are not of this partition or not yet reached.
    #[error("the count names positions that this partition does not have")]
    CountBases(Vec<Invalid>),
    /// Something has changed what the command is based on.
    #[error("what the command is based on has changed since")]
    Changed {
        /// The decision that changed it last; absent if there is no such thing.
        last: Option<u64>,
    },
}

impl Rejection {
    /// The event that records this rejection of `command`.
    ///
    /// # Errors
    /// [`Undecidable`] if it is never recorded.
    pub fn into_event(self, command: &Command) -> Result<Event, Undecidable> {
        match self {
            Self::OutOfStock(out_of_stock) => Ok(out_of_stock.into()),
            Self::Refused(refusal) => Ok(CommandRefused {
                command: command.kind(),
                order_id: command.order_id().cloned(),
                hold_id: command.hold_id().cloned(),
                refusal,
            }
            .into()),
            Self::Undecidable(undecidable) => Err(undecidable),
        }
    }
}

impl From<Undecidable> for Rejection {
    fn from(undecidable: Undecidable) -> Self {
        Self::Undecidable(undecidable)
    }
}

/// Decides a command. The same arguments always give the same answer, and the state is not touched.
///
/// An order that the command is about and that memory no longer holds must have been made resident before, and what was
/// on hand at the positions that a count names must stand in `moment`.
///
/// # Errors
/// [`Rejection`], by the order of precedence in the table above.
pub fn decide(state: &Partition, command: &Checked, moment: &Moment<'_>) -> Result<Change, Rejection> {
    let directory = || directory_of(state);
    let site = || site_of(state, command.scope());
    if let (Some(basis), Some(subject)) = (command.basis(), command.command().subject()) {
        check_basis(site()?, subject, basis, moment.position.partition)?;
    }
    let event = match command.command() {
        Command::OpenSite(command) => {
            return Ok(directory::open_site(directory()?, state.partitions, command));
        }
        Command::RegisterItem(command) => return Ok(directory::register_item(directory()?, command)),
        Command::CreateKey(command) => directory::create_key(directory()?, command),
        Command::RevokeKey(command) => return directory::revoke_key(directory()?, command),
        Command::ReceiveStock(command) => stock::receive(site()?, command),
        Command::AdjustStock(command) => stock::adjust(site()?, command),
        Command::CountStock(command) => stock::count(site()?, command, moment),
        Command::HoldStock(command) => stock::hold(site()?, command),
        Command::ReleaseHold(command) => stock::release(site()?, command),
        Command::PlaceOrder(command) => order::place(site()?, command),
        Command::ShipOrder(command) => order::ship(site()?, command),
        Command::CancelOrder(command) => order::cancel(site()?, command),
        Command::ReturnOrder(command) => order::take_back(site()?, command, moment.position),
        Command::RecordNote(_) => site().map(|_| NoteRecorded {}.into()).map_err(Rejection::from),
    };
    event.map(Change::Event)
}

/// Decides that a site, which the directory has given to this partition, takes commands from here on; nothing happens if
/// it does so already. Not a command: the writer logs it by itself after the directory's decision, and any later owner
/// of the directory may ask for it again.
#[must_use]
pub fn open_here(state: &Partition, site: &SiteId) -> Change {
    match state.sites.get(site) {
        Some(open) => Change::Nothing { since: open.opened_seq },
        None => Change::Event(SiteOpened {}.into()),
    }
}

fn directory_of(state: &Partition) -> Result<&Directory, Undecidable> {
    if state.id == PartitionId::DIRECTORY { Ok(&state.directory) } else { Err(Undecidable::NotDirectory) }
}

fn site_of<'a>(state: &'a Partition, scope: &Scope) -> Result<&'a Site, Undecidable> {
    match scope {
        Scope::Site(site) => state.sites.get(site).ok_or(Undecidable::UnknownSite),
        Scope::Directory => Err(Undecidable::UnknownSite),
    }
}

/// An order that nobody accepted is not there.
fn check_basis(
    site: &Site,
    subject: Subject<'_>,
    basis: &Basis,
    partition: PartitionId,
) -> Result<(), Undecidable> {
    let last = match subject {
        Subject::Stock(sku) => site.stock.get(sku).map(|stock| stock.seq),
        Subject::Order(order_id) => site.orders.get(order_id).map(|resident| resident.seq),
    };
    let is_as_seen = match (basis, last) {
        (_, None) => false,
        (Basis::Existing, Some(_)) => true,
        (Basis::ChangedLastBy(seen), Some(last)) => seen.contains(&Position::new(partition, last)),
    };
    if is_as_seen { Ok(()) } else { Err(Undecidable::Changed { last }) }
}

/// What tells the lines of a command apart.
trait LineKey: Copy + Eq + Hash {
    fn sku(&self) -> &Sku;
}

impl LineKey for &Sku {
    fn sku(&self) -> &Sku {
        self
    }
}

impl LineKey for (&Sku, Disposition) {
    fn sku(&self) -> &Sku {
        self.0
    }
}

/// What the lines of each key add up to. A checked command keeps within the limit, so this refuses nobody's command; it
/// stands here so that no decision rests on that.
fn totals<K: LineKey, N: TryFrom<i64>>(
    lines: impl Iterator<Item = (K, i64)>,
) -> Result<Vec<Sum<K, N>>, Rejection> {
    let total = |sum: Sum<K>| match sum.total_as() {
        Some(total) => Ok(Sum { key: sum.key, first: sum.first, total }),
        None => refuse(QuantityLimit { sku: sum.key.sku().clone() }),
    };
    sum_by(lines).into_iter().map(total).collect()
}

/// A SKU after a step whose rungs have passed; what is left to go wrong is the largest quantity.
fn stock_after(stock: Stock, sku: &Sku, step: Step) -> Result<Stock, Rejection> {
    stock.after(step).map_or_else(|| refuse(QuantityLimit { sku: sku.clone() }), Ok)
}

/// One rung of a ladder.
fn refuse<T>(refusal: impl Into<Refusal>) -> Result<T, Rejection> {
    Err(Rejection::Refused(refusal.into()))
}
