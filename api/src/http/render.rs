//! Answers to commands, made of the decision alone: a retry gets the same answer at any time, from any node.

use serde::Serialize;
use stockledger_schemas::event::{
    AdjustedLine, CountedLine, HoldReleased, ItemRegistered, ItemUpdated, KeyCreated, KeyRevoked,
    OrderPlaced, PlacedLine, ReceivedLine, SiteRegistered, SiteRenamed, StockHeld,
};
use stockledger_schemas::{
    Actor, Balances, Currency, CustomerId, Decision, Delta, Event, HoldId, HoldReason, KeyId, KeyScope,
    Level, Name, Note, Order, OrderId, OrderLine, OrderStatus, PartitionId, Position, Quantity, Reason,
    Reference, Scope, SiteId, Sku, Timestamp, Unit,
};
use stockledger_writer::Reply;

use crate::http::problem::{Decided, Problem, refusal};

/// What a command made.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Resource<'a> {
    Site(Site<'a>),
    Item(Item<'a>),
    Key(ApiKey<'a>),
    RevokedKey(RevokedKey<'a>),
    Received(StockChange<'a, Received<'a>>),
    Adjusted(StockChange<'a, Adjusted<'a>>),
    Counted(StockChange<'a, Counted<'a>>),
    Hold(Hold<'a>),
    Order(OrderView<'a>),
    Note(Remark<'a>),
}

/// The resource that a decision made.
///
/// # Errors
/// The problem that the decision stands for, if it is a refusal.
pub(super) fn resource(reply: &Reply) -> Result<Resource<'_>, Problem> {
    let event = reply.decision.events.first().ok_or_else(|| impossible("a decision without events"))?;
    resource_of(reply, event)
}

/// What one event of a decision made.
///
/// # Errors
/// As [`resource`].
pub(super) fn resource_of<'a>(reply: &'a Reply, event: &'a Event) -> Result<Resource<'a>, Problem> {
    let Reply { position, decision, .. } = reply;
    let site = match &decision.scope {
        Scope::Site(site) => Some(site),
        Scope::Directory => None,
    };
    if let Some(problem) = refusal(site, event) {
        return Err(problem.with_decision(decided(reply)));
    }
    match (site, event) {
        (None, event) => of_directory(decision, event, *position),
        (Some(site), event) => of_site(&Made { site, decision, position: *position }, event),
    }
}

/// Where a decision stands that is answered with.
pub(super) const fn decided(reply: &Reply) -> Decided {
    Decided { position: reply.position, replayed: reply.replayed }
}

/// Whether the decision only describes something anew that was there before.
pub(super) fn is_change_of_description(decision: &Decision) -> bool {
    matches!(decision.events.first(), Some(Event::SiteRenamed(_) | Event::ItemUpdated(_)))
}

fn impossible(what: &str) -> Problem {
    Problem::internal(format!("no answer is known for {what}"))
}

fn of_directory<'a>(
    decision: &'a Decision,
    event: &'a Event,
    position: Position,
) -> Result<Resource<'a>, Problem> {
    Ok(match event {
        Event::SiteRegistered(SiteRegistered { site, name, partition })
        | Event::SiteRenamed(SiteRenamed { site, name, partition }) => {
            Resource::Site(Site { site, name, partition: *partition, position })
        }
        Event::ItemRegistered(ItemRegistered { sku, name, unit })
        | Event::ItemUpdated(ItemUpdated { sku, name, unit }) => {
            Resource::Item(Item { sku, name, unit, position })
        }
        Event::KeyCreated(KeyCreated { key_id, name, scopes, sites, expires_at, .. }) => {
            let (sites, created_at) = (sites.as_deref(), decision.recorded_at);
            let expires_at = *expires_at;
            Resource::Key(ApiKey { key_id, name, scopes, sites, expires_at, created_at, position })
        }
        Event::KeyRevoked(KeyRevoked { key_id }) => {
            Resource::RevokedKey(RevokedKey { key_id, revoked_at: decision.recorded_at, position })
        }
        other => return Err(impossible(other.type_name())),
    })
}

/// A decision about a site.
struct Made<'a> {
    site: &'a SiteId,
    decision: &'a Decision,
    position: Position,
}

fn of_site<'a>(made: &Made<'a>, event: &'a Event) -> Result<Resource<'a>, Problem> {
    Ok(match event {
        Event::StockReceived(received) => Resource::Received(made.stock_change(&received.lines)),
        Event::StockAdjusted(adjusted) => Resource::Adjusted(made.stock_change(&adjusted.lines)),
        Event::StockCounted(counted) => Resource::Counted(made.stock_change(&counted.lines)),
        Event::StockHeld(held) => Resource::Hold(made.held(held)),
        Event::HoldReleased(released) => Resource::Hold(made.released(released)),
        Event::OrderPlaced(placed) => Resource::Order(made.placed(placed)),
        Event::OrderShipped(shipped) => Resource::Order(made.order(&shipped.order)),
        Event::OrderCancelled(cancelled) => Resource::Order(made.order(&cancelled.order)),
        Event::OrderReturned(returned) => Resource::Order(made.order(&returned.order)),
        Event::NoteRecorded(_) => Resource::Note(made.remark()),
        other => return Err(impossible(other.type_name())),
    })
}

impl<'a> Made<'a> {
    fn remark(&self) -> Remark<'a> {
        let context = &self.decision.context;
        Remark {
            site: self.site,
            position: self.position,
            reason: context.reason,
            note: context.note.as_ref(),
            reference: context.reference.as_ref(),
            occurred_at: self.decision.occurred_at(),
            recorded_at: self.decision.recorded_at,
        }
    }

    fn stock_change<L, V: From<&'a L>>(&self, lines: &'a [L]) -> StockChange<'a, V> {
        let Remark { site, position, reason, note, reference, occurred_at, recorded_at } = self.remark();
        let lines = lines.iter().map(V::from).collect();
        StockChange { site, position, lines, reason, note, reference, occurred_at, recorded_at }
    }

    fn held(&self, held: &'a StockHeld) -> Hold<'a> {
        Hold {
            site: self.site,
            hold_id: &held.hold_id,
            sku: &held.sku,
            reason: held.reason,
            quantity: held.quantity,
            released: 0,
            remaining: held.quantity.into(),
            status: "held",
            position: self.position,
            after: held.after.into(),
        }
    }

    fn released(&self, released: &'a HoldReleased) -> Hold<'a> {
        Hold {
            site: self.site,
            hold_id: &released.hold_id,
            sku: &released.sku,
            reason: released.reason,
            quantity: released.held_at_first,
            released: released.held_at_first.get() - released.remaining.get(),
            remaining: released.remaining,
            status: if released.remaining == Level::ZERO { "released" } else { "held" },
            position: self.position,
            after: released.after.into(),
        }
    }

    fn placed(&self, placed: &'a OrderPlaced) -> OrderView<'a> {
        OrderView {
            site: self.site,
            order_id: &placed.order_id,
            status: OrderStatus::Placed,
            customer: placed.customer.as_ref(),
            currency: placed.currency.as_ref(),
            lines: placed.lines.iter().map(OrderLineView::from).collect(),
            placed_at: self.decision.recorded_at,
            occurred_at: self.decision.occurred_at(),
            position: self.position,
        }
    }

    fn order(&self, order: &'a Order) -> OrderView<'a> {
        OrderView {
            site: self.site,
            order_id: &order.order_id,
            status: order.status(),
            customer: order.customer.as_ref(),
            currency: order.currency.as_ref(),
            lines: order.lines.iter().map(OrderLineView::from).collect(),
            placed_at: order.placed_at,
            occurred_at: order.occurred_at,
            position: self.position,
        }
    }
}

/// A site of the directory.
#[derive(Debug, Serialize)]
pub(super) struct Site<'a> {
    site: &'a SiteId,
    name: &'a Name,
    partition: PartitionId,
    position: Position,
}

/// An item of the directory.
#[derive(Debug, Serialize)]
pub(super) struct Item<'a> {
    sku: &'a Sku,
    name: &'a Name,
    unit: &'a Unit,
    position: Position,
}

/// An API key that was made. The token is with whoever made it.
#[derive(Debug, Serialize)]
pub(super) struct ApiKey<'a> {
    key_id: &'a KeyId,
    name: &'a Actor,
    scopes: &'a [KeyScope],
    sites: Option<&'a [SiteId]>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    position: Position,
}

/// An API key that was revoked.
#[derive(Debug, Serialize)]
pub(super) struct RevokedKey<'a> {
    key_id: &'a KeyId,
    revoked_at: Timestamp,
    position: Position,
}

/// A receipt, an adjustment or a count.
#[derive(Debug, Serialize)]
pub(super) struct StockChange<'a, L> {
    site: &'a SiteId,
    position: Position,
    lines: Vec<L>,
    reason: Option<Reason>,
    note: Option<&'a Note>,
    reference: Option<&'a Reference>,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
}

/// What was put on record about a site.
#[derive(Debug, Serialize)]
pub(super) struct Remark<'a> {
    site: &'a SiteId,
    position: Position,
    reason: Option<Reason>,
    note: Option<&'a Note>,
    reference: Option<&'a Reference>,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
}

/// Balances with what can still be promised.
#[derive(Debug, Serialize)]
struct After {
    on_hand: Level,
    reserved: Level,
    held: Level,
    available: i64,
}

impl From<Balances> for After {
    fn from(balances: Balances) -> Self {
        let Balances { on_hand, reserved, held } = balances;
        Self { on_hand, reserved, held, available: balances.available() }
    }
}

/// One SKU of a receipt.
#[derive(Debug, Serialize)]
pub(super) struct Received<'a> {
    sku: &'a Sku,
    quantity: Quantity,
    after: After,
}

impl<'a> From<&'a ReceivedLine> for Received<'a> {
    fn from(line: &'a ReceivedLine) -> Self {
        Self { sku: &line.sku, quantity: line.quantity, after: line.after.into() }
    }
}

/// One SKU of an adjustment.
#[derive(Debug, Serialize)]
pub(super) struct Adjusted<'a> {
    sku: &'a Sku,
    delta: Delta,
    after: After,
}

impl<'a> From<&'a AdjustedLine> for Adjusted<'a> {
    fn from(line: &'a AdjustedLine) -> Self {
        Self { sku: &line.sku, delta: line.delta, after: line.after.into() }
    }
}

/// One SKU of a count.
#[derive(Debug, Serialize)]
pub(super) struct Counted<'a> {
    sku: &'a Sku,
    counted: Level,
    delta: Delta,
    after: After,
}

impl<'a> From<&'a CountedLine> for Counted<'a> {
    fn from(line: &'a CountedLine) -> Self {
        Self { sku: &line.sku, counted: line.counted, delta: line.delta, after: line.after.into() }
    }
}

/// A hold after a step of it.
#[derive(Debug, Serialize)]
pub(super) struct Hold<'a> {
    site: &'a SiteId,
    hold_id: &'a HoldId,
    sku: &'a Sku,
    reason: HoldReason,
    quantity: Quantity,
    released: i64,
    remaining: Level,
    status: &'static str,
    position: Position,
    after: After,
}

/// An order after a step of it.
#[derive(Debug, Serialize)]
pub(super) struct OrderView<'a> {
    site: &'a SiteId,
    order_id: &'a OrderId,
    status: OrderStatus,
    customer: Option<&'a CustomerId>,
    currency: Option<&'a Currency>,
    lines: Vec<OrderLineView<'a>>,
    placed_at: Timestamp,
    occurred_at: Timestamp,
    position: Position,
}

/// One SKU of an order.
#[derive(Debug, Serialize)]
struct OrderLineView<'a> {
    sku: &'a Sku,
    ordered: Quantity,
    shipped: Level,
    cancelled: Level,
    returned: Level,
    unit_price_minor: Option<Level>,
}

impl<'a> From<&'a PlacedLine> for OrderLineView<'a> {
    fn from(line: &'a PlacedLine) -> Self {
        let PlacedLine { sku, quantity: ordered, unit_price_minor, .. } = line;
        let (shipped, cancelled, returned) = (Level::ZERO, Level::ZERO, Level::ZERO);
        Self { sku, ordered: *ordered, shipped, cancelled, returned, unit_price_minor: *unit_price_minor }
    }
}

impl<'a> From<&'a OrderLine> for OrderLineView<'a> {
    fn from(line: &'a OrderLine) -> Self {
        let OrderLine { sku, ordered, shipped, cancelled, returned, unit_price_minor } = line;
        Self {
            sku,
            ordered: *ordered,
            shipped: *shipped,
            cancelled: *cancelled,
            returned: *returned,
            unit_price_minor: *unit_price_minor,
        }
    }
}
