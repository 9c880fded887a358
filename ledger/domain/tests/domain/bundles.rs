//! Bundles: which commands fit together, and that they happen together or not at all.

use std::collections::HashMap;

use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, CountLine, CountStock, HoldStock, OrderedLine, PlaceOrder,
    ReceiptLine, ReceiveStock, RecordNote, ReleaseHold, ShipOrder,
};
use stockledger_domain::{Bundle, Checked, Command, Misfit, Moment, Unbundled, apply, decide_bundle};
use stockledger_schemas::{
    Context, Decision, Delta, Event, HoldReason, Level, Quantity, Reason, Scope, Timestamp,
};

use crate::world::{World, by_somebody, main_site, site_id, sku};

fn quantity(quantity: i64) -> Quantity {
    Quantity::new(quantity).unwrap()
}

fn receive(name: &str, how_many: i64) -> Command {
    let line = ReceiptLine { sku: sku(name), quantity: quantity(how_many) };
    Command::ReceiveStock(ReceiveStock { lines: vec![line] })
}

fn adjust(name: &str, delta: i64) -> Command {
    let line = AdjustmentLine { sku: sku(name), delta: Delta::new(delta).unwrap(), expected_on_hand: None };
    Command::AdjustStock(AdjustStock { lines: vec![line] })
}

fn hold(id: &str, name: &str, how_many: i64) -> Command {
    let (hold_id, sku) = (id.parse().unwrap(), sku(name));
    Command::HoldStock(HoldStock { hold_id, sku, quantity: quantity(how_many), reason: HoldReason::Other })
}

fn release(id: &str) -> Command {
    Command::ReleaseHold(ReleaseHold { hold_id: id.parse().unwrap(), quantity: None })
}

fn order(id: &str, name: &str, how_many: i64) -> Command {
    let line = OrderedLine { sku: sku(name), quantity: quantity(how_many), unit_price_minor: None };
    let order_id = id.parse().unwrap();
    Command::PlaceOrder(PlaceOrder { order_id, customer: None, currency: None, lines: vec![line] })
}

fn ship(id: &str) -> Command {
    Command::ShipOrder(ShipOrder { order_id: id.parse().unwrap(), lines: None })
}

fn cancel(id: &str) -> Command {
    Command::CancelOrder(CancelOrder { order_id: id.parse().unwrap() })
}

/// In the one context that all of them allow.
fn other() -> Context {
    Context { reason: Some(Reason::Other), ..by_somebody() }
}

fn checked(command: Command) -> Checked {
    Checked::new(main_site(), command, other()).unwrap()
}

fn bundle(commands: Vec<Command>) -> Result<Bundle, Vec<Misfit>> {
    Bundle::new(commands.into_iter().map(checked).collect())
}

/// Twenty each of A and B, of which order `o` wants two A and hold `h` keeps one B.
fn shop() -> World {
    let mut world = World::with_main_site();
    for command in [receive("A", 20), receive("B", 20), order("o", "A", 2), hold("h", "B", 1)] {
        world.send(main_site(), command, other());
    }
    world
}

fn decided(world: &World, bundle: &Bundle) -> Result<Vec<Event>, Unbundled> {
    let counted = HashMap::new();
    let moment = Moment { now: Timestamp::MIN, position: world.next_position(), counted: &counted };
    decide_bundle(&world.state, bundle, &moment)
}

fn decision_of(world: &World, bundle: &Bundle, events: Vec<Event>) -> Decision {
    let first = events[0].clone();
    Decision { events, ..world.decision(bundle.scope().clone(), bundle.context().clone(), first) }
}

#[test]
fn what_fits_together_happens_as_if_it_came_one_by_one() {
    for commands in [
        vec![receive("KIT", 3), adjust("A", -3), hold("x", "B", 2)],
        vec![order("new", "A", 4), hold("x", "B", 2), hold("y", "C", 1), receive("D", 1)],
        vec![ship("o"), release("h"), receive("C", 1)],
        vec![cancel("o"), adjust("B", -1)],
        vec![receive("A", 1)],
    ] {
        let mut together = shop();
        let together_as = bundle(commands.clone()).unwrap();
        let events = decided(&together, &together_as);
        let mut apart = shop();
        let refused = commands.iter().any(|command| {
            let before = apart.log.len();
            apart.send(main_site(), command.clone(), other());
            let event = &apart.log[before].events[0];
            matches!(event, Event::CommandRefused(_) | Event::OutOfStock(_))
        });
        assert_eq!(events.is_err(), refused, "{commands:?}");
        let Ok(events) = events else { continue };
        assert_eq!(events.len(), commands.len());
        let decision = decision_of(&together, &together_as, events);
        apply(&mut together.state, decision.seq, &decision).unwrap();
        let levels = |world: &World| {
            let stock = world.state.sites[&site_id("main")].stock.iter();
            let mut levels: Vec<_> = stock.map(|(sku, stock)| (sku.clone(), stock.balances())).collect();
            levels.sort_by(|one, other| one.0.cmp(&other.0));
            levels
        };
        assert_eq!(levels(&together), levels(&apart), "{commands:?}");
    }
}

#[test]
fn one_refusal_is_that_of_all_and_can_be_recorded() {
    for (commands, refused) in [
        (vec![receive("C", 5), adjust("A", -50), hold("x", "B", 99)], 1),
        (vec![hold("x", "B", 2), order("new", "A", 99)], 1),
        (vec![receive("C", 1), hold("h", "B", 1)], 1),
        (vec![release("none"), receive("A", 1)], 0),
        (vec![receive("C", 1), ship("none")], 1),
    ] {
        let mut world = shop();
        let bundle = bundle(commands.clone()).unwrap();
        let Err(Unbundled::Refused(event)) = decided(&world, &bundle) else { panic!("{commands:?}") };
        assert_eq!(bundle.refused_by(&event), Some(refused), "{commands:?}");
        let sites = world.state.sites.clone();
        let decision = decision_of(&world, &bundle, vec![*event]);
        apply(&mut world.state, decision.seq, &decision).unwrap();
        assert_eq!(world.state.sites, sites, "nothing moved");
    }
}

#[test]
fn what_one_decision_cannot_say_does_not_fit() {
    let many = |count: usize| {
        (0..count).map(|number| hold(&format!("x-{number}"), &format!("S-{number}"), 1)).collect()
    };
    assert!(bundle(many(16)).is_ok());
    let note = Checked::new(main_site(), Command::RecordNote(RecordNote {}), {
        Context { note: Some("a remark".parse().unwrap()), ..by_somebody() }
    });
    let elsewhere = Checked::new(Scope::Site(site_id("other")), receive("B", 1), other());
    let without_reason = Checked::new(main_site(), receive("B", 1), by_somebody());
    let counted = CountLine {
        sku: sku("B"),
        counted: Level::new(1).unwrap(),
        at_position: None,
        expected_on_hand: None,
    };
    let count = Command::CountStock(CountStock { lines: vec![counted] });
    let count = Checked::new(main_site(), count, by_somebody());
    let first = || checked(receive("A", 1));
    for (commands, index, pointer, words) in [
        (many(17).into_iter().map(checked).collect(), 16, "", "at most 16 commands"),
        (vec![first(), note.unwrap()], 1, "", "record_note is not done together"),
        (vec![count.unwrap()], 0, "", "count_stock is not done together"),
        (vec![first(), elsewhere.unwrap()], 1, "", "of one site"),
        (vec![first(), without_reason.unwrap()], 1, "", "receive_stock stands there twice"),
        (vec![first(), checked(adjust("A", -1))], 1, "", "A is moved by another command"),
        (vec![checked(order("1", "A", 1)), checked(ship("o"))], 1, "", "about one order"),
        (
            vec![checked(hold("x", "B", 1)), Checked::new(main_site(), release("h"), by_somebody()).unwrap()],
            1,
            "/reason",
            "its reason once",
        ),
    ] {
        let misfits = Bundle::new(commands).unwrap_err();
        let [Misfit { index: found, invalid }] = misfits.as_slice() else { panic!("{misfits:?}") };
        assert_eq!((*found, invalid.pointer.as_str()), (index, pointer), "{words}");
        assert!(invalid.detail.contains(words), "{}", invalid.detail);
    }
    assert_eq!(Bundle::new(Vec::new()), Err(Vec::new()));
}

#[test]
fn what_an_order_or_a_hold_moves_is_looked_up() {
    for commands in [vec![adjust("A", -1), ship("o")], vec![receive("B", 1), release("h")]] {
        let world = shop();
        let Err(Unbundled::Misfit(misfit)) = decided(&world, &bundle(commands).unwrap()) else {
            panic!("it fits")
        };
        assert_eq!(misfit.index, 1);
    }
}

#[test]
fn the_fingerprint_of_a_bundle_is_its_own_and_never_changes() {
    let one = bundle(vec![receive("A", 1)]).unwrap();
    assert_ne!(one.fingerprint(), checked(receive("A", 1)).fingerprint());
    let json = concat!(
        r#"{"commands":[{"scope":{"site":"main"},"command":{"command":"receive_stock","lines":[{"sku":"A","quantity":1}]},"#,
        r#""reason":"other"}]}"#
    );
    assert_eq!(
        one.fingerprint(),
        stockledger_schemas::Hash::of(&[b"stockledger-bundle-v1", json.as_bytes()])
    );
    let two = bundle(vec![receive("A", 1), adjust("B", -1)]).unwrap();
    let turned = bundle(vec![adjust("B", -1), receive("A", 1)]).unwrap();
    assert_ne!(two.fingerprint(), turned.fingerprint(), "the order of the lines is part of it");
}
