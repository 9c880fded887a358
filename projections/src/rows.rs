//! The rows of the tables as types. A row that exists is one that the fold made or that a table gave back.

use stockledger_schemas::{
    Actor, CorrelationId, Currency, CustomerId, HoldReason, IdempotencyKey, Name, Note, OrderId, OrderStatus,
    PartitionId, Reason, Reference, SiteId, Sku, Timestamp, Unit,
};

use crate::store::Error;
use crate::table::{HOMES, ITEMS, MOVEMENTS, ORDERS, SITES, STOCK, TRAIL, Table};
use crate::value::{Cell, Fields, Row};

/// A row of `sites`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRow {
    /// The site.
    pub site: SiteId,
    /// What it is called.
    pub name: Name,
    /// Where it lives.
    pub partition: PartitionId,
    /// The decision that described it last.
    pub seq: i64,
    /// When that was.
    pub recorded_at: Timestamp,
}

impl SiteRow {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            site: fields.text()?,
            name: fields.text()?,
            partition: PartitionId(fields.number()?),
            seq: fields.int()?,
            recorded_at: fields.time()?,
        })
    }
}

impl Row for SiteRow {
    const TABLE: &'static Table = &SITES;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([
            Cell::from(&self.site),
            Cell::from(&self.name),
            i64::from(self.partition.0).into(),
            self.seq.into(),
            self.recorded_at.into(),
        ]);
    }
}

/// A row of `homes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeRow {
    /// The site.
    pub site: SiteId,
    /// Where it lives.
    pub partition: PartitionId,
    /// The decision that opened it.
    pub seq: i64,
}

impl Row for HomeRow {
    const TABLE: &'static Table = &HOMES;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([Cell::from(&self.site), i64::from(self.partition.0).into(), self.seq.into()]);
    }
}

/// A row of `items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRow {
    /// The item.
    pub sku: Sku,
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
    /// The decision that described it last.
    pub seq: i64,
    /// When that was.
    pub recorded_at: Timestamp,
}

impl ItemRow {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            sku: fields.text()?,
            name: fields.text()?,
            unit: fields.text()?,
            seq: fields.int()?,
            recorded_at: fields.time()?,
        })
    }
}

impl Row for ItemRow {
    const TABLE: &'static Table = &ITEMS;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([
            Cell::from(&self.sku),
            Cell::from(&self.name),
            Cell::from(&self.unit),
            self.seq.into(),
            self.recorded_at.into(),
        ]);
    }
}

/// A row of `stock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockRow {
    /// The site.
    pub site: SiteId,
    /// The item.
    pub sku: Sku,
    /// What is physically there.
    pub on_hand: i64,
    /// Promised to open orders.
    pub reserved: i64,
    /// Not sellable, by [`HoldReason::index`].
    pub held: [i64; 4],
    /// The decision by which the item was first seen at the site.
    pub first_seq: i64,
    /// When the first thing happened to it there, as callers say until now.
    pub first_occurred_at: Timestamp,
    /// The decision that changed it last.
    pub seq: i64,
}

impl StockRow {
    /// The balances of something that was never there.
    #[must_use]
    pub const fn nothing(site: SiteId, sku: Sku) -> Self {
        Self {
            site,
            sku,
            on_hand: 0,
            reserved: 0,
            held: [0; HoldReason::ALL.len()],
            first_seq: 0,
            first_occurred_at: Timestamp::MAX,
            seq: 0,
        }
    }

    /// Not sellable, all reasons together.
    #[must_use]
    pub fn held_sum(&self) -> i64 {
        self.held.iter().sum()
    }

    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            site: fields.text()?,
            sku: fields.text()?,
            on_hand: fields.int()?,
            reserved: fields.int()?,
            held: [fields.int()?, fields.int()?, fields.int()?, fields.int()?],
            first_seq: fields.int()?,
            first_occurred_at: fields.time()?,
            seq: fields.int()?,
        })
    }
}

impl Row for StockRow {
    const TABLE: &'static Table = &STOCK;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([
            Cell::from(&self.site),
            Cell::from(&self.sku),
            self.on_hand.into(),
            self.reserved.into(),
        ]);
        cells.extend(self.held.map(Cell::Int));
        cells.extend([Cell::Int(self.first_seq), self.first_occurred_at.into(), Cell::Int(self.seq)]);
    }
}

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// The site.
    pub site: SiteId,
    /// The caller's id.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    pub currency: Option<Currency>,
    /// The decision that accepted it, or refused it last.
    pub placed_seq: i64,
    /// When that was.
    pub placed_at: Timestamp,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// How many lines it has.
    pub line_count: i64,
    /// The lines as they stand, in the order given, as [`lines`](crate::lines) writes them down.
    pub lines: String,
    /// The decision that changed it last.
    pub seq: i64,
}

impl OrderRow {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            site: fields.text()?,
            order_id: fields.text()?,
            status: fields.word("an order status", OrderStatus::from_word)?,
            customer: fields.optional_text()?,
            currency: fields.optional_text()?,
            placed_seq: fields.int()?,
            placed_at: fields.time()?,
            occurred_at: fields.time()?,
            line_count: fields.int()?,
            lines: fields.text()?,
            seq: fields.int()?,
        })
    }
}

impl Row for OrderRow {
    const TABLE: &'static Table = &ORDERS;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([
            Cell::from(&self.site),
            Cell::from(&self.order_id),
            Cell::Text(self.status.as_str()),
            Cell::optional(self.customer.as_ref()),
            Cell::optional(self.currency.as_ref()),
            self.placed_seq.into(),
            self.placed_at.into(),
            self.occurred_at.into(),
            self.line_count.into(),
            Cell::from(&self.lines),
            self.seq.into(),
        ]);
    }
}

/// A row of `trail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailRow {
    /// The site.
    pub site: SiteId,
    /// The decision.
    pub seq: i64,
    /// The name of its first event.
    pub kind: &'static str,
    /// The order that it is about.
    pub order_id: Option<OrderId>,
    /// When the ledger took it.
    pub recorded_at: Timestamp,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Why.
    pub reason: Option<Reason>,
    /// In a person's words.
    pub note: Option<Note>,
    /// The document behind it.
    pub reference: Option<Reference>,
    /// The caller's key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The piece of work that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// Compact JSON of what the movements do not say.
    pub detail: Option<String>,
}

impl Row for TrailRow {
    const TABLE: &'static Table = &TRAIL;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        let (reference_type, reference_id) = match &self.reference {
            Some(reference) => (Cell::from(&reference.kind), Cell::from(&reference.id)),
            None => (Cell::Null, Cell::Null),
        };
        cells.extend([
            Cell::from(&self.site),
            self.seq.into(),
            Cell::Text(self.kind),
            Cell::optional(self.order_id.as_ref()),
            self.recorded_at.into(),
            self.occurred_at.into(),
            Cell::from(&self.actor),
            self.reason.map_or(Cell::Null, |reason| Cell::Text(reason.as_str())),
            Cell::optional(self.note.as_ref()),
            reference_type,
            reference_id,
            Cell::optional(self.idempotency_key.as_ref()),
            Cell::optional(self.correlation_id.as_ref()),
            Cell::optional(self.detail.as_ref()),
        ]);
    }
}

/// A row of `movements`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementRow {
    /// The site.
    pub site: SiteId,
    /// The decision.
    pub seq: i64,
    /// Which change of that decision, from 0.
    pub line: i64,
    /// The item.
    pub sku: Sku,
    /// The name of the event.
    pub kind: &'static str,
    /// By how much on hand, reserved and held changed.
    pub delta: [i64; 3],
    /// On hand, reserved and held after it.
    pub after: [i64; 3],
    /// What is held after it by reason, as [`held`](crate::held) writes it down; absent if that is nothing.
    pub held_by_reason: Option<String>,
    /// Why goods are held of which this changes how many; absent if it changes none.
    pub held_reason: Option<HoldReason>,
    /// When it happened, as the caller says.
    pub occurred_at: Timestamp,
    /// The order behind it.
    pub order_id: Option<OrderId>,
}

impl Row for MovementRow {
    const TABLE: &'static Table = &MOVEMENTS;

    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>) {
        cells.extend([
            Cell::from(&self.site),
            self.seq.into(),
            self.line.into(),
            Cell::from(&self.sku),
            Cell::Text(self.kind),
        ]);
        cells.extend(self.delta.map(Cell::Int));
        cells.extend(self.after.map(Cell::Int));
        cells.extend([
            Cell::optional(self.held_by_reason.as_ref()),
            self.held_reason.map_or(Cell::Null, |reason| Cell::Text(reason.as_str())),
            self.occurred_at.into(),
            Cell::optional(self.order_id.as_ref()),
        ]);
    }
}
