//! A naive model of one site: whole tables, no stored sums. It does what a command says and then looks whether the
//! result may be; if not, nothing has happened. What is reserved and held is added up anew whenever somebody asks.

use std::collections::BTreeMap;

use stockledger_domain::Command;
use stockledger_domain::command::{
    AdjustStock, CountStock, HoldStock, PlaceOrder, ReleaseHold, ReturnOrder, ShipOrder,
};
use stockledger_schemas::Disposition;

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) on_hand: BTreeMap<String, i64>,
    pub(crate) orders: BTreeMap<String, Vec<Line>>,
    pub(crate) holds: BTreeMap<String, Held>,
    counted: BTreeMap<String, u64>,
    /// What was on hand after each decision, from the beginning of the ledger.
    history: BTreeMap<u64, BTreeMap<String, i64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) ordered: i64,
    pub(crate) shipped: i64,
    pub(crate) cancelled: i64,
    pub(crate) returned: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) sku: String,
    pub(crate) left: i64,
}

type Refused = &'static str;

impl Line {
    fn open(&self) -> i64 {
        self.ordered - self.shipped - self.cancelled
    }

    fn returnable(&self) -> i64 {
        self.shipped - self.returned
    }
}

impl Model {
    pub(crate) fn reserved(&self, sku: &str) -> i64 {
        self.orders.values().flatten().filter(|line| line.sku == sku).map(Line::open).sum()
    }

    pub(crate) fn held(&self, sku: &str) -> i64 {
        self.holds.values().filter(|hold| hold.sku == sku).map(|hold| hold.left).sum()
    }

    pub(crate) fn on_hand(&self, sku: &str) -> i64 {
        self.on_hand.get(sku).copied().unwrap_or(0)
    }

    /// Does what decision `seq` is asked to do, or nothing.
    pub(crate) fn take(&mut self, seq: u64, command: &Command) -> Result<(), Refused> {
        let mut next = self.clone();
        let taken = next.attempt(seq, command);
        if taken.is_ok() {
            *self = next;
        }
        self.history.insert(seq, self.on_hand.clone());
        taken
    }

    fn attempt(&mut self, seq: u64, command: &Command) -> Result<(), Refused> {
        match command {
            Command::ReceiveStock(receipt) => {
                receipt.lines.iter().for_each(|line| self.add(line.sku.as_str(), line.quantity.get()));
                Ok(())
            }
            Command::AdjustStock(adjustment) => self.adjust(adjustment),
            Command::CountStock(count) => self.count(seq, count),
            Command::HoldStock(hold) => self.hold(hold),
            Command::ReleaseHold(release) => self.release(release),
            Command::PlaceOrder(order) => self.place(order),
            Command::ShipOrder(shipment) => self.ship(shipment),
            Command::CancelOrder(cancellation) => self.cancel(cancellation.order_id.as_str()),
            Command::ReturnOrder(goods) => self.take_back(seq, goods),
            Command::RecordNote(_) => Ok(()),
            Command::OpenSite(_)
            | Command::RegisterItem(_)
            | Command::CreateKey(_)
            | Command::RevokeKey(_) => panic!("not a command of a site"),
        }
    }

    fn add(&mut self, sku: &str, delta: i64) {
        *self.on_hand.entry(sku.to_owned()).or_default() += delta;
    }

    fn nothing_is_short(&self, refused: Refused) -> Result<(), Refused> {
        let is_short = |sku: &String| self.on_hand(sku) < self.reserved(sku) + self.held(sku);
        let reserved = self.orders.values().flatten().map(|line| &line.sku);
        let held = self.holds.values().map(|hold| &hold.sku);
        if self.on_hand.keys().chain(reserved).chain(held).any(is_short) { Err(refused) } else { Ok(()) }
    }

    fn adjust(&mut self, adjustment: &AdjustStock) -> Result<(), Refused> {
        let is_stale = |line: &&stockledger_domain::command::AdjustmentLine| {
            line.expected_on_hand.is_some_and(|expected| expected.get() != self.on_hand(line.sku.as_str()))
        };
        if adjustment.lines.iter().any(|line| is_stale(&line)) {
            return Err("expected_quantity_stale");
        }
        adjustment.lines.iter().for_each(|line| self.add(line.sku.as_str(), line.delta.get()));
        self.nothing_is_short("insufficient_stock")
    }

    fn count(&mut self, seq: u64, count: &CountStock) -> Result<(), Refused> {
        let is_stale = |line: &stockledger_domain::command::CountLine| {
            line.expected_on_hand.is_some_and(|expected| expected.get() != self.on_hand(line.sku.as_str()))
        };
        if count.lines.iter().any(is_stale) {
            return Err("expected_quantity_stale");
        }
        for line in &count.lines {
            let base = line.at_position.map_or(seq, |base| base.seq);
            if self.counted.get(line.sku.as_str()).is_some_and(|last| *last > base) {
                return Err("count_superseded");
            }
        }
        for line in &count.lines {
            let sku = line.sku.as_str();
            let expected = match line.at_position {
                Some(base) => {
                    self.history.get(&base.seq).and_then(|then| then.get(sku)).copied().unwrap_or(0)
                }
                None => self.on_hand(sku),
            };
            self.add(sku, line.counted.get() - expected);
            self.counted.insert(sku.to_owned(), seq);
        }
        self.nothing_is_short("insufficient_stock")
    }

    fn hold(&mut self, hold: &HoldStock) -> Result<(), Refused> {
        let held = Held { sku: hold.sku.to_string(), left: hold.quantity.get() };
        if self.holds.insert(hold.hold_id.to_string(), held).is_some() {
            return Err("hold_exists");
        }
        self.nothing_is_short("insufficient_stock")
    }

    fn release(&mut self, release: &ReleaseHold) -> Result<(), Refused> {
        let hold = self.holds.get_mut(release.hold_id.as_str()).ok_or("unknown_hold")?;
        let quantity = release.quantity.map_or(hold.left, |quantity| quantity.get());
        hold.left -= quantity;
        if quantity == 0 || hold.left < 0 { Err("exceeds_hold") } else { Ok(()) }
    }

    fn place(&mut self, order: &PlaceOrder) -> Result<(), Refused> {
        let mut lines: Vec<Line> = Vec::new();
        for line in &order.lines {
            let (sku, quantity) = (line.sku.to_string(), line.quantity.get());
            match lines.iter_mut().find(|known| known.sku == sku) {
                Some(known) => known.ordered += quantity,
                None => lines.push(Line { sku, ordered: quantity, shipped: 0, cancelled: 0, returned: 0 }),
            }
        }
        if self.orders.insert(order.order_id.to_string(), lines).is_some() {
            return Err("order_exists");
        }
        self.nothing_is_short("out_of_stock")
    }

    fn lines_of(&mut self, order_id: &str) -> Result<&mut Vec<Line>, Refused> {
        self.orders.get_mut(order_id).ok_or("unknown_order")
    }

    fn ship(&mut self, shipment: &ShipOrder) -> Result<(), Refused> {
        let lines = self.lines_of(shipment.order_id.as_str())?;
        if lines.iter().all(|line| line.open() == 0) {
            return Err("order_finished");
        }
        let shipped: Vec<(String, i64)> = match &shipment.lines {
            Some(named) => named.iter().map(|line| (line.sku.to_string(), line.quantity.get())).collect(),
            None => lines.iter().map(|line| (line.sku.clone(), line.open())).collect(),
        };
        for (sku, quantity) in &shipped {
            let line = lines.iter_mut().find(|line| line.sku == *sku).ok_or("not_in_order")?;
            line.shipped += quantity;
        }
        if lines.iter().any(|line| line.open() < 0) {
            return Err("exceeds_open");
        }
        shipped.iter().for_each(|(sku, quantity)| self.add(sku, -quantity));
        Ok(())
    }

    fn cancel(&mut self, order_id: &str) -> Result<(), Refused> {
        let lines = self.lines_of(order_id)?;
        if lines.iter().all(|line| line.open() == 0) {
            return Err("order_finished");
        }
        lines.iter_mut().for_each(|line| line.cancelled += line.open());
        Ok(())
    }

    fn take_back(&mut self, seq: u64, goods: &ReturnOrder) -> Result<(), Refused> {
        let lines = self.lines_of(goods.order_id.as_str())?;
        if lines.iter().all(|line| line.returnable() == 0) {
            return Err("order_finished");
        }
        let mut damaged = Vec::new();
        for back in &goods.lines {
            let place = lines.iter().position(|line| line.sku == back.sku.as_str()).ok_or("not_in_order")?;
            lines[place].returned += back.quantity.get();
            if back.disposition == Disposition::Damaged {
                damaged.push((format!("return:0.{seq}:{place}"), back.sku.to_string(), back.quantity.get()));
            }
        }
        if lines.iter().any(|line| line.returnable() < 0) {
            return Err("exceeds_returnable");
        }
        goods.lines.iter().for_each(|back| self.add(back.sku.as_str(), back.quantity.get()));
        for (hold_id, sku, quantity) in damaged {
            self.holds.entry(hold_id).or_insert(Held { sku, left: 0 }).left += quantity;
        }
        Ok(())
    }
}
