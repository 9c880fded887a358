//! A warehouse: what it asks of the ledger, step by step. What follows from what has happened stands in
//! [`reactions`]; here is what begins by itself, and how a task becomes a command.
//!
//! It knows nothing of the ledger but the state of its site, and decides nothing: the ledger does.

mod reactions;

use stockledger_domain::Site;
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, Command, CountLine, CountStock, HoldStock, OrderedLine,
    PlaceOrder, ReceiptLine, ReceiveStock, RecordNote, ReleaseHold, ReturnLine, ReturnOrder, ShipOrder,
    ShipmentLine,
};
use stockledger_schemas::{
    Currency, CustomerId, Delta, Disposition, HoldId, HoldReason, IdempotencyKey, Level, OrderId, Position,
    Reason, SiteId, Sku,
};

use super::Error;
use super::agenda::{Agenda, Task};
use super::catalog::{Catalog, quantity, units};
use super::clock::Clock;
use super::intent::Intent;
use super::random::{Random, mixed};

/// Lines of the receipts that open a site.
const OPENING_LINES: usize = 50;
/// Steps between a person's walk through the shelves and its booking.
const WALK_STEPS: u32 = 30;
const CUSTOMERS: u64 = 40_000;

const CHANNELS: &[&str] = &["web-shop", "web-shop", "marketplace", "till-1", "till-2", "sales-desk"];
const PACKERS: &[&str] = &["packer-anna", "packer-ben", "packer-chen", "packer-dora"];
const GOODS_IN: &[&str] = &["goods-in-1", "goods-in-2"];
const CONTROL: &[&str] = &["stock-control", "night-shift"];
const REMARKS: &[&str] = &[
    "box was open, contents complete",
    "found behind the shelf",
    "customer called twice",
    "label came off, matched by hand",
    "forklift damage, photos in the folder",
];

/// What a command is made with.
pub(super) struct Today<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) clock: &'a Clock,
    pub(super) random: &'a mut Random,
}

pub(super) struct Warehouse {
    id: SiteId,
    /// How far its favourites are from those of the first site, in the catalog.
    shift: usize,
    agenda: Agenda,
    /// Decisions so far.
    steps: u64,
    /// Ranks whose opening stock was received.
    opened: usize,
    orders: u64,
    deliveries: u64,
    holds: u64,
    /// Ranks that run low and for which no delivery is on its way yet.
    wanted: Vec<usize>,
    /// Of each rank, whether it is wanted or on its way.
    on_order: Vec<bool>,
}

impl Warehouse {
    /// The site with this number.
    pub(super) fn new(id: SiteId, number: usize, catalog: &Catalog) -> Self {
        const APART: usize = 37;
        Self {
            id,
            shift: number * APART % catalog.len(),
            agenda: Agenda::default(),
            steps: 0,
            opened: 0,
            orders: 0,
            deliveries: 0,
            holds: 0,
            wanted: vec![],
            on_order: vec![false; catalog.len()],
        }
    }

    pub(super) const fn id(&self) -> &SiteId {
        &self.id
    }

    /// What it asks for next. `last` is the last position of its partition, `site` the state there.
    pub(super) fn next(
        &mut self,
        site: &Site,
        last: Position,
        today: &mut Today<'_>,
    ) -> Result<Intent, Error> {
        self.steps += 1;
        let mut intent = match self.agenda.take_due(self.steps) {
            _ if self.opened < self.on_order.len() => self.open(today)?,
            Some(task) => self.carry_out(task, site, today)?,
            None => self.begin_something(site, last, today)?,
        };
        intent.key = Some(IdempotencyKey::new(format!("{:016x}", mixed(self.steps)))?);
        Ok(intent)
    }

    fn open(&mut self, today: &Today<'_>) -> Result<Intent, Error> {
        let ranks = self.opened..self.on_order.len().min(self.opened + OPENING_LINES);
        self.opened = ranks.end;
        let intent = Intent::by(GOODS_IN[0], self.receipt(ranks, today)?)?;
        intent.because(Reason::OpeningBalance).with_document("inventory", format!("{}-opening", self.id))
    }

    fn begin_something(
        &mut self,
        site: &Site,
        last: Position,
        today: &mut Today<'_>,
    ) -> Result<Intent, Error> {
        match today.random.below(1_000) {
            0..10 => self.adjust(site, today),
            10..18 => self.count(site, last, today),
            18..26 => self.hold(site, today),
            26..28 => {
                Intent::by(CONTROL[0], Command::RecordNote(RecordNote {}))?.saying(today.random.pick(REMARKS))
            }
            28..30 => self.ask_for_what_cannot_be(today),
            _ => self.place(today),
        }
    }

    fn place(&mut self, today: &mut Today<'_>) -> Result<Intent, Error> {
        self.orders += 1;
        let order_id = OrderId::new(format!("{}-{:07}", self.id, self.orders))?;
        let mut ranks: Vec<usize> = Vec::with_capacity(today.catalog.lines());
        while ranks.len() < today.catalog.lines() {
            let mut rank = today.catalog.rank(today.random);
            while ranks.contains(&rank) {
                rank = (rank + 1) % today.catalog.len();
            }
            ranks.push(rank);
        }
        let mut lines = Vec::with_capacity(ranks.len());
        for rank in ranks {
            let item = self.item(rank, today);
            lines.push(OrderedLine {
                sku: today.catalog.sku(item).clone(),
                quantity: quantity(units(today.random))?,
                unit_price_minor: Some(today.catalog.price(item)),
            });
        }
        // Somebody wants more of something than there ever is.
        if today.random.per_mille(10) {
            lines[0].quantity = quantity(3 * today.catalog.cover(0))?;
        }
        let customer = CustomerId::new(format!("c-{}", today.random.below(CUSTOMERS)))?;
        let currency = Some(Currency::new("EUR")?);
        let channel = today.random.pick(CHANNELS);
        let order = PlaceOrder { order_id, customer: Some(customer), currency, lines };
        let intent = Intent::by(channel, Command::PlaceOrder(order))?;
        // Tills send their sales in at night.
        let is_late = channel.starts_with("till") && today.random.per_mille(100);
        Ok(if is_late { intent.late(today.clock.earlier(today.random)) } else { intent })
    }

    fn adjust(&self, site: &Site, today: &mut Today<'_>) -> Result<Intent, Error> {
        let sku = self.any_sku(today);
        let stock = site.stock_of(&sku);
        let loss = i64::from(today.random.between(1, 3)).min(stock.available().get());
        let (delta, reason) = match today.random.below(10) {
            0..4 if loss > 0 => (-loss, Reason::Shrinkage),
            4..7 if loss > 0 => (-loss, Reason::Damaged),
            _ => (units(today.random), Reason::Found),
        };
        let expected_on_hand = match today.random.below(10) {
            0 | 1 => Some(stock.on_hand),
            // Somebody looked at an old list.
            2 => stock.on_hand.checked_add(1),
            _ => None,
        };
        let lines = vec![AdjustmentLine { sku, delta: Delta::new(delta)?, expected_on_hand }];
        let actor = today.random.pick(CONTROL);
        let intent = Intent::by(actor, Command::AdjustStock(AdjustStock { lines }))?.because(reason);
        let intent = self.perhaps_late(intent, 100, today);
        intent.saying(today.random.pick(REMARKS))
    }

    /// A count of some shelves: booked at once, or after a walk during which things go on; then an order comes first.
    fn count(&mut self, site: &Site, last: Position, today: &mut Today<'_>) -> Result<Intent, Error> {
        let mut found: Vec<(Sku, Level, Level)> = vec![];
        for _ in 0..today.random.between(3, 8) {
            let sku = self.any_sku(today);
            if found.iter().any(|(other, ..)| *other == sku) {
                continue;
            }
            let stock = site.stock_of(&sku);
            let missing = i64::from(today.random.between(1, 2)).min(stock.available().get());
            let difference = match today.random.below(10) {
                0 => -missing,
                1 => 1,
                _ => 0,
            };
            let counted = stock.on_hand.checked_add(difference).unwrap_or(stock.on_hand);
            found.push((sku, stock.on_hand, counted));
        }
        if today.random.per_mille(500) {
            let due = self.steps + u64::from(today.random.between(2, WALK_STEPS));
            self.agenda.note(due, Task::Count { base: last, found });
            return self.place(today);
        }
        self.book_count(None, found, today)
    }

    fn book_count(
        &self,
        base: Option<Position>,
        found: Vec<(Sku, Level, Level)>,
        today: &mut Today<'_>,
    ) -> Result<Intent, Error> {
        let line = |(sku, _, counted): &(Sku, Level, Level)| CountLine {
            sku: sku.clone(),
            counted: *counted,
            at_position: base,
            expected_on_hand: None,
        };
        let lines = found.iter().map(line).collect();
        let actor = today.random.pick(CONTROL);
        let mut intent = Intent::by(actor, Command::CountStock(CountStock { lines }))?;
        intent.counted = found.into_iter().map(|(sku, on_hand, _)| (sku, on_hand)).collect();
        Ok(intent.because(Reason::CycleCount))
    }

    fn hold(&mut self, site: &Site, today: &mut Today<'_>) -> Result<Intent, Error> {
        let sku = self.any_sku(today);
        let available = site.stock_of(&sku).available().get();
        let reasons = [HoldReason::QualityControl, HoldReason::Damaged, HoldReason::SafetyStock];
        let reason = today.random.pick(&reasons);
        self.holds += 1;
        let hold_id = HoldId::new(format!("{}-hold-{}", self.id, self.holds))?;
        let quantity = quantity(i64::from(today.random.between(1, 4)).min(available))?;
        let hold = HoldStock { hold_id, sku, quantity, reason };
        Intent::by(today.random.pick(CONTROL), Command::HoldStock(hold))
    }

    /// Callers err; what they are told is on record too.
    fn ask_for_what_cannot_be(&self, today: &mut Today<'_>) -> Result<Intent, Error> {
        let order_id = OrderId::new(format!("{}-unknown-{}", self.id, self.steps))?;
        let command = Command::CancelOrder(CancelOrder { order_id });
        Intent::by(today.random.pick(CHANNELS), command)?
            .because(Reason::CustomerRequest)
            .saying("the number was read out over the phone")
    }

    fn carry_out(&mut self, task: Task, site: &Site, today: &mut Today<'_>) -> Result<Intent, Error> {
        match task {
            Task::Ship(order_id) => self.ship(ShipOrder { order_id, lines: None }, today),
            Task::ShipSome(order_id) => {
                let lines = Some(part_of(site, &order_id)?);
                self.ship(ShipOrder { order_id, lines }, today)
            }
            Task::Cancel(order_id) => {
                let reason = today.random.pick(&[Reason::CustomerRequest, Reason::Unpaid]);
                let command = Command::CancelOrder(CancelOrder { order_id });
                Ok(Intent::by(today.random.pick(CHANNELS), command)?.because(reason))
            }
            Task::Return(order_id) => self.take_back(order_id, site, today),
            Task::Deliver(ranks) => self.take_delivery(ranks, today),
            Task::Release(hold_id, quantity) => {
                let command = Command::ReleaseHold(ReleaseHold { hold_id, quantity });
                Intent::by(today.random.pick(CONTROL), command)?.saying("inspected, nothing wrong")
            }
            Task::Count { base, found } => self.book_count(Some(base), found, today),
        }
    }

    fn ship(&self, command: ShipOrder, today: &mut Today<'_>) -> Result<Intent, Error> {
        let parcel = format!("1Z{:012}", today.random.below(1_000_000_000_000));
        let work = command.order_id.to_string();
        let intent = Intent::by(today.random.pick(PACKERS), Command::ShipOrder(command))?;
        self.perhaps_late(intent, 40, today).with_document("parcel", parcel)?.belonging_to(work)
    }

    fn take_back(&self, order_id: OrderId, site: &Site, today: &mut Today<'_>) -> Result<Intent, Error> {
        let work = order_id.to_string();
        let order = site.orders.get(&order_id).ok_or_else(|| Error::Lost(order_id.clone()))?;
        let shipped = order.order.lines.iter().filter(|line| line.returnable() > 0);
        let mut lines = vec![];
        for line in shipped.take(2) {
            let is_damaged = today.random.per_mille(250);
            lines.push(ReturnLine {
                sku: line.sku.clone(),
                quantity: quantity(i64::from(today.random.between(1, 2)).min(line.returnable()))?,
                disposition: if is_damaged { Disposition::Damaged } else { Disposition::Restock },
            });
        }
        let reason = today.random.pick(&[Reason::Damaged, Reason::WrongItem, Reason::CustomerRequest]);
        let command = Command::ReturnOrder(ReturnOrder { order_id, lines });
        let intent = Intent::by(today.random.pick(GOODS_IN), command)?.because(reason);
        self.perhaps_late(intent, 150, today).saying(today.random.pick(REMARKS))?.belonging_to(work)
    }

    fn take_delivery(&mut self, ranks: Vec<usize>, today: &mut Today<'_>) -> Result<Intent, Error> {
        self.deliveries += 1;
        let document = format!("PO-{}-{:05}", self.id, self.deliveries);
        let receipt = self.receipt(ranks, today)?;
        let intent = Intent::by(today.random.pick(GOODS_IN), receipt)?.because(Reason::Purchase);
        self.perhaps_late(intent, 80, today).with_document("purchase_order", document)
    }

    fn receipt(&self, ranks: impl IntoIterator<Item = usize>, today: &Today<'_>) -> Result<Command, Error> {
        let line = |rank: usize| {
            let sku = today.catalog.sku(self.item(rank, today)).clone();
            Ok(ReceiptLine { sku, quantity: quantity(today.catalog.cover(rank))? })
        };
        let lines = ranks.into_iter().map(line).collect::<Result<_, Error>>()?;
        Ok(Command::ReceiveStock(ReceiveStock { lines }))
    }

    fn perhaps_late(&self, intent: Intent, per_mille: u64, today: &mut Today<'_>) -> Intent {
        let is_late = today.random.per_mille(per_mille);
        if is_late { intent.late(today.clock.earlier(today.random)) } else { intent }
    }

    /// The number of the item that has this rank here.
    fn item(&self, rank: usize, today: &Today<'_>) -> usize {
        (rank + self.shift) % today.catalog.len()
    }

    fn any_sku(&self, today: &mut Today<'_>) -> Sku {
        let rank = today.catalog.rank(today.random);
        today.catalog.sku(self.item(rank, today)).clone()
    }
}

/// The first line of an open order.
fn part_of(site: &Site, order_id: &OrderId) -> Result<Vec<ShipmentLine>, Error> {
    let resident = site.orders.get(order_id).ok_or_else(|| Error::Lost(order_id.clone()))?;
    let open = resident.order.lines.iter().filter(|line| line.open() > 0).take(1);
    let line = |line: &stockledger_schemas::OrderLine| {
        Ok(ShipmentLine { sku: line.sku.clone(), quantity: quantity((line.open() + 1) / 2)? })
    };
    open.map(line).collect()
}
