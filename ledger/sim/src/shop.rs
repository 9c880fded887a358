//! What clients ask for: a small shop with few items and little stock, so that everybody is in everybody's way.

use fastrand::Rng;
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, Checked, Command, CountLine, CountStock, HoldStock, OpenSite,
    OrderedLine, PlaceOrder, ReceiptLine, ReceiveStock, RecordNote, RegisterItem, ReleaseHold, ReturnLine,
    ReturnOrder, ShipOrder, ShipmentLine,
};
use stockledger_schemas::{
    Actor, Context, Delta, Disposition, HoldId, HoldReason, Level, Name, Note, OrderId, Position, Quantity,
    Reason, Scope, SiteId, Sku,
};

const SKUS: [&str; 3] = ["LAMP", "CUP", "MAT"];
/// Order and hold ids are drawn from so many, so that steps of orders find their orders.
const IDS: u32 = 40;

/// The sites of every run, and the partition that the directory gives each of them.
pub const SITES: [&str; 2] = ["north", "south"];

/// A site.
#[must_use]
pub fn site(name: &str) -> SiteId {
    SiteId::new(name).expect("a site")
}

/// The command that opens a site.
#[must_use]
pub fn open(name: &str) -> Checked {
    let open = OpenSite { site: site(name), name: Name::new("A site").expect("a name") };
    checked(Scope::Directory, Command::OpenSite(open), None)
}

/// A command at random; `seen` is a position that the client knows of at the site.
pub fn command(rng: &mut Rng, seen: Option<Position>) -> Checked {
    if rng.u32(..40) == 0 {
        return register(rng);
    }
    let scope = Scope::Site(site(SITES[rng.usize(..SITES.len())]));
    let (command, reason) = match rng.u32(..100) {
        0..=19 => (Command::ReceiveStock(ReceiveStock { lines: receipt(rng) }), None),
        20..=49 => (place(rng), None),
        50..=64 => (ship(rng), None),
        65..=72 => (Command::CancelOrder(CancelOrder { order_id: order_id(rng) }), None),
        73..=79 => (take_back(rng), None),
        80..=85 => (adjust(rng), Some(Reason::Shrinkage)),
        86..=90 => (count(rng, seen), Some(Reason::CycleCount)),
        91..=94 => (hold(rng), Some(Reason::Damaged)),
        95..=97 => (Command::ReleaseHold(ReleaseHold { hold_id: hold_id(rng), quantity: None }), None),
        _ => (Command::RecordNote(RecordNote {}), None),
    };
    checked(scope, command, reason)
}

/// The lines of an order, if it is one.
#[must_use]
pub fn ordered(command: &Checked) -> Option<Vec<(Sku, i64)>> {
    let Command::PlaceOrder(order) = command.command() else { return None };
    let mut lines: Vec<(Sku, i64)> = Vec::new();
    for line in &order.lines {
        match lines.iter_mut().find(|(sku, _)| *sku == line.sku) {
            Some((_, quantity)) => *quantity += line.quantity.get(),
            None => lines.push((line.sku.clone(), line.quantity.get())),
        }
    }
    Some(lines)
}

fn checked(scope: Scope, command: Command, reason: Option<Reason>) -> Checked {
    let note = matches!(command, Command::RecordNote(_)).then(|| Note::new("seen").expect("a note"));
    let context = Context { reason, note, ..Context::by(Actor::new("sim").expect("an actor")) };
    Checked::new(scope, command, context).expect("a well-formed command")
}

fn register(rng: &mut Rng) -> Checked {
    let name = Name::new(format!("An item, as of {}", rng.u32(..3))).expect("a name");
    let item = RegisterItem { sku: sku(rng), name, unit: "each".parse().expect("a unit") };
    checked(Scope::Directory, Command::RegisterItem(item), None)
}

fn sku(rng: &mut Rng) -> Sku {
    Sku::new(SKUS[rng.usize(..SKUS.len())]).expect("a SKU")
}

fn order_id(rng: &mut Rng) -> OrderId {
    OrderId::new(format!("O{}", rng.u32(..IDS))).expect("an order id")
}

fn hold_id(rng: &mut Rng) -> HoldId {
    HoldId::new(format!("H{}", rng.u32(..IDS / 4))).expect("a hold id")
}

fn quantity(rng: &mut Rng, up_to: i64) -> Quantity {
    Quantity::new(rng.i64(1..=up_to)).expect("a quantity")
}

fn receipt(rng: &mut Rng) -> Vec<ReceiptLine> {
    (0..rng.usize(1..4)).map(|_| ReceiptLine { sku: sku(rng), quantity: quantity(rng, 8) }).collect()
}

fn place(rng: &mut Rng) -> Command {
    let line =
        |rng: &mut Rng| OrderedLine { sku: sku(rng), quantity: quantity(rng, 5), unit_price_minor: None };
    let lines = (0..rng.usize(1..4)).map(|_| line(rng)).collect();
    Command::PlaceOrder(PlaceOrder { order_id: order_id(rng), customer: None, currency: None, lines })
}

fn ship(rng: &mut Rng) -> Command {
    let lines = rng.bool().then(|| vec![ShipmentLine { sku: sku(rng), quantity: quantity(rng, 3) }]);
    Command::ShipOrder(ShipOrder { order_id: order_id(rng), lines })
}

fn take_back(rng: &mut Rng) -> Command {
    let disposition = if rng.bool() { Disposition::Restock } else { Disposition::Damaged };
    let lines = vec![ReturnLine { sku: sku(rng), quantity: quantity(rng, 2), disposition }];
    Command::ReturnOrder(ReturnOrder { order_id: order_id(rng), lines })
}

fn adjust(rng: &mut Rng) -> Command {
    let delta = Delta::new(if rng.bool() { -rng.i64(1..4) } else { rng.i64(1..4) }).expect("a difference");
    let expected_on_hand = rng.bool().then(|| Level::new(rng.i64(0..12)).expect("a level"));
    Command::AdjustStock(AdjustStock {
        lines: vec![AdjustmentLine { sku: sku(rng), delta, expected_on_hand }],
    })
}

fn count(rng: &mut Rng, at_position: Option<Position>) -> Command {
    let counted = Level::new(rng.i64(0..20)).expect("a level");
    Command::CountStock(CountStock {
        lines: vec![CountLine { sku: sku(rng), counted, at_position, expected_on_hand: None }],
    })
}

fn hold(rng: &mut Rng) -> Command {
    let reason = HoldReason::Damaged;
    Command::HoldStock(HoldStock { hold_id: hold_id(rng), sku: sku(rng), quantity: quantity(rng, 3), reason })
}
