//! What commands are based on.

use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, Basis, CancelOrder, NoSubject, OrderedLine, PlaceOrder, ReceiptLine,
    ReceiveStock, Subject,
};
use stockledger_domain::{Checked, Command};
use stockledger_schemas::{
    Actor, Context, Delta, OrderId, PartitionId, Position, Quantity, Reason, Scope, SiteId, Sku,
};

fn sku(name: &str) -> Sku {
    Sku::new(name).unwrap()
}

fn adjust(skus: &[&str]) -> Command {
    let line = |name: &&str| AdjustmentLine {
        sku: sku(name),
        delta: Delta::new(1).unwrap(),
        expected_on_hand: None,
    };
    Command::AdjustStock(AdjustStock { lines: skus.iter().map(line).collect() })
}

fn checked(command: Command, reason: Option<Reason>) -> Checked {
    let context = Context { reason, ..Context::by(Actor::new("tester").unwrap()) };
    Checked::new(Scope::Site(SiteId::new("uk").unwrap()), command, context).unwrap()
}

#[test]
fn a_command_that_changes_one_thing_says_which() {
    let order_id = OrderId::new("o-1").unwrap();
    let place = PlaceOrder {
        order_id: order_id.clone(),
        customer: None,
        currency: None,
        lines: vec![OrderedLine {
            sku: sku("A"),
            quantity: Quantity::new(1).unwrap(),
            unit_price_minor: None,
        }],
    };
    let receive =
        ReceiveStock { lines: vec![ReceiptLine { sku: sku("A"), quantity: Quantity::new(1).unwrap() }] };
    let a = sku("A");
    for (command, subject) in [
        (adjust(&["A"]), Some(Subject::Stock(&a))),
        (adjust(&["A", "A"]), Some(Subject::Stock(&a))),
        (adjust(&["A", "B"]), None),
        (Command::CancelOrder(CancelOrder { order_id: order_id.clone() }), Some(Subject::Order(&order_id))),
        // Whoever places an order has not seen it, and goods that come are as welcome as before.
        (Command::PlaceOrder(place), None),
        (Command::ReceiveStock(receive), None),
    ] {
        assert_eq!(command.subject(), subject, "{command:?}");
    }
}

#[test]
fn a_basis_is_no_part_of_what_is_asked_for() {
    let command = || checked(adjust(&["A"]), Some(Reason::Found));
    let basis = Basis::ChangedLastBy(vec![Position::new(PartitionId(0), 7)]);
    let based = command().based_on(basis.clone()).unwrap();
    assert_eq!((based.basis(), command().basis()), (Some(&basis), None));
    assert_eq!(based.fingerprint(), command().fingerprint(), "a retry is known whatever it is based on");
    let two = checked(adjust(&["A", "B"]), Some(Reason::Found));
    assert_eq!(two.based_on(Basis::Existing), Err(NoSubject));
}
