//! What holds for every history: random commands, compared with a naive model after each of them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, CountLine, CountStock, HoldStock, OrderedLine, PlaceOrder,
    ReceiptLine, ReceiveStock, ReleaseHold, ReturnLine, ReturnOrder, ShipOrder, ShipmentLine,
};
use stockledger_domain::{Checked, Command, Site, apply, on_hand_changes};
use stockledger_schemas::{
    Balances, Context, Delta, Disposition, Event, HoldReason, Level, OrderId, Position, Quantity, Reason, Sku,
};

use crate::model::{Held, Line, Model};
use crate::render;
use crate::world::{Outcome, World, by_somebody, main_site, site_id, sku};

const SKUS: [&str; 3] = ["apple", "pear", "fig"];
const STEPS_MAX: usize = 40;

fn any_sku() -> impl Strategy<Value = Sku> {
    prop::sample::select(&SKUS[..]).prop_map(sku)
}

fn any_quantity(max: i64) -> impl Strategy<Value = Quantity> {
    (1..=max).prop_map(|number| Quantity::new(number).unwrap())
}

fn any_order_id() -> impl Strategy<Value = OrderId> {
    prop::sample::select(&["o1", "o2", "o3", "o4"][..]).prop_map(|id| id.parse().unwrap())
}

fn any_receipt() -> impl Strategy<Value = Command> {
    let line = (any_sku(), any_quantity(12)).prop_map(|(sku, quantity)| ReceiptLine { sku, quantity });
    vec(line, 1..4).prop_map(|lines| Command::ReceiveStock(ReceiveStock { lines }))
}

fn any_adjustment() -> impl Strategy<Value = Command> {
    let expected = option::weighted(0.2, (0..12_i64).prop_map(|level| Level::new(level).unwrap()));
    let line = (any_sku(), -6..6_i64, expected).prop_map(|(sku, delta, expected_on_hand)| AdjustmentLine {
        sku,
        delta: Delta::new(delta).unwrap(),
        expected_on_hand,
    });
    vec(line, 1..4).prop_map(|lines| Command::AdjustStock(AdjustStock { lines }))
}

/// The positions are brought into the past when the command is sent.
fn any_count() -> impl Strategy<Value = Command> {
    let base = (0..=64_u64).prop_map(|seq| Position::new(stockledger_schemas::PartitionId(0), seq));
    let expected = option::weighted(0.2, (0..12_i64).prop_map(|level| Level::new(level).unwrap()));
    let line = (any_sku(), 0..16_i64, option::of(base), expected);
    let line = line.prop_map(|(sku, counted, at_position, expected_on_hand)| CountLine {
        sku,
        counted: Level::new(counted).unwrap(),
        at_position,
        expected_on_hand,
    });
    vec(line, 1..3).prop_map(|lines| Command::CountStock(CountStock { lines }))
}

fn any_hold() -> impl Strategy<Value = Command> {
    let hold_id = prop::sample::select(&["h1", "h2", "h3"][..]).prop_map(|id| id.parse().unwrap());
    let reason = prop::sample::select(HoldReason::ALL);
    (hold_id, any_sku(), any_quantity(5), reason).prop_map(|(hold_id, sku, quantity, reason)| {
        Command::HoldStock(HoldStock { hold_id, sku, quantity, reason })
    })
}

fn any_release() -> impl Strategy<Value = Command> {
    let hold_id = prop::sample::select(&["h1", "h2", "h3"][..]).prop_map(|id| id.parse().unwrap());
    (hold_id, option::of(any_quantity(4)))
        .prop_map(|(hold_id, quantity)| Command::ReleaseHold(ReleaseHold { hold_id, quantity }))
}

fn any_order() -> impl Strategy<Value = Command> {
    let line = (any_sku(), any_quantity(5)).prop_map(|(sku, quantity)| OrderedLine {
        sku,
        quantity,
        unit_price_minor: None,
    });
    (any_order_id(), vec(line, 1..4)).prop_map(|(order_id, lines)| {
        Command::PlaceOrder(PlaceOrder { order_id, customer: None, currency: None, lines })
    })
}

fn any_shipment() -> impl Strategy<Value = Command> {
    let line = (any_sku(), any_quantity(4)).prop_map(|(sku, quantity)| ShipmentLine { sku, quantity });
    (any_order_id(), option::of(vec(line, 1..3)))
        .prop_map(|(order_id, lines)| Command::ShipOrder(ShipOrder { order_id, lines }))
}

fn any_return() -> impl Strategy<Value = Command> {
    let disposition = prop::sample::select(Disposition::ALL);
    let line = (any_sku(), any_quantity(2), disposition)
        .prop_map(|(sku, quantity, disposition)| ReturnLine { sku, quantity, disposition });
    (any_order_id(), vec(line, 1..3))
        .prop_map(|(order_id, lines)| Command::ReturnOrder(ReturnOrder { order_id, lines }))
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => any_receipt(),
        2 => any_adjustment(),
        2 => any_count(),
        1 => any_hold(),
        1 => any_release(),
        4 => any_order(),
        3 => any_shipment(),
        1 => any_order_id().prop_map(|order_id| Command::CancelOrder(CancelOrder { order_id })),
        2 => any_return(),
    ]
}

fn any_history() -> impl Strategy<Value = Vec<Command>> {
    vec(any_command(), 1..STEPS_MAX)
}

/// The command as it can be sent now: a count names decisions that were made.
fn sendable(world: &World, mut command: Command) -> Command {
    if let Command::CountStock(count) = &mut command {
        for base in count.lines.iter_mut().filter_map(|line| line.at_position.as_mut()) {
            base.seq %= world.next_position().seq;
        }
    }
    command
}

fn context_of(command: &Command) -> Context {
    let reason = matches!(command, Command::AdjustStock(_)).then_some(Reason::Other);
    Context { reason, ..by_somebody() }
}

fn send(world: &mut World, command: Command) -> Outcome {
    let command = sendable(world, command);
    let context = context_of(&command);
    world.send(main_site(), command, context)
}

fn after(history: Vec<Command>) -> World {
    let mut world = World::with_main_site();
    for command in history {
        send(&mut world, command);
    }
    world
}

fn site(world: &World) -> &Site {
    &world.state.sites[&site_id("main")]
}

fn site_mut(world: &mut World) -> &mut Site {
    world.state.sites.get_mut(&site_id("main")).unwrap()
}

fn agrees(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let site = site(world);
    for name in SKUS {
        let balances = site.stock_of(&sku(name)).balances();
        prop_assert!(balances.is_possible());
        let ours = (balances.on_hand.get(), balances.reserved.get(), balances.held.get());
        prop_assert_eq!(ours, (model.on_hand(name), model.reserved(name), model.held(name)), "{}", name);
    }
    for (id, resident) in &site.orders {
        let line = |line: &stockledger_schemas::OrderLine| Line {
            sku: line.sku.to_string(),
            ordered: line.ordered.get(),
            shipped: line.shipped.get(),
            cancelled: line.cancelled.get(),
            returned: line.returned.get(),
        };
        let lines: Vec<Line> = resident.order.lines.iter().map(line).collect();
        prop_assert_eq!(Some(&lines), model.orders.get(id.as_str()));
    }
    for (id, hold) in &site.holds {
        let held = Held { sku: hold.sku.to_string(), left: hold.remaining.get() };
        prop_assert_eq!(Some(&held), model.holds.get(id.as_str()));
    }
    prop_assert_eq!((site.orders.len(), site.holds.len()), (model.orders.len(), model.holds.len()));
    Ok(())
}

/// Every `after` of an event.
fn afters(event: &mut Event) -> Vec<&mut Balances> {
    match event {
        Event::StockReceived(event) => event.lines.iter_mut().map(|line| &mut line.after).collect(),
        Event::StockAdjusted(event) => event.lines.iter_mut().map(|line| &mut line.after).collect(),
        Event::StockCounted(event) => event.lines.iter_mut().map(|line| &mut line.after).collect(),
        Event::StockHeld(event) => vec![&mut event.after],
        Event::HoldReleased(event) => vec![&mut event.after],
        Event::OrderPlaced(event) => event.lines.iter_mut().map(|line| &mut line.after).collect(),
        Event::OrderShipped(event) => event.moves.iter_mut().map(|line| &mut line.after).collect(),
        Event::OrderCancelled(event) => event.moves.iter_mut().map(|line| &mut line.after).collect(),
        Event::OrderReturned(event) => event.moves.iter_mut().map(|line| &mut line.after).collect(),
        _ => Vec::new(),
    }
}

/// Every way to change one number of the balances by one.
fn changed_by_one(balances: Balances) -> Vec<Balances> {
    let mut changed = Vec::new();
    for delta in [-1, 1] {
        changed.extend(balances.on_hand.checked_add(delta).map(|on_hand| Balances { on_hand, ..balances }));
        changed
            .extend(balances.reserved.checked_add(delta).map(|reserved| Balances { reserved, ..balances }));
        changed.extend(balances.held.checked_add(delta).map(|held| Balances { held, ..balances }));
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_command_does_what_the_naive_model_does(history in any_history()) {
        let (mut world, mut model) = (World::with_main_site(), Model::default());
        for command in history {
            let command = sendable(&world, command);
            let context = context_of(&command);
            let before = world.clone();
            let outcome = world.send(main_site(), command.clone(), context);
            if let Outcome::Invalid(_) = outcome {
                prop_assert_eq!(&world.state, &before.state);
                continue;
            }
            let modelled = model.take(world.state.seq, &command);
            prop_assert_eq!(render::refusal_name(&outcome), modelled.err(), "{:?}", command);
            agrees(&world, &model)?;
        }
    }

    #[test]
    fn a_refused_command_changes_nothing_but_the_position(history in any_history(), last in any_command()) {
        let mut world = after(history);
        let mut before = world.state.clone();
        let outcome = send(&mut world, last);
        if render::refusal_name(&outcome).is_some() {
            before.seq += 1;
        }
        let changed = matches!(outcome, Outcome::Logged(_)) && render::refusal_name(&outcome).is_none();
        prop_assert_eq!(world.state != before, changed);
    }

    #[test]
    fn an_order_reserves_all_of_its_lines_or_nothing(history in any_history(), order in any_order()) {
        let mut world = after(history);
        let before = world.clone();
        let Command::PlaceOrder(placed) = &order else { panic!("an order") };
        let outcome = send(&mut world, order.clone());
        let is_accepted = matches!(outcome, Outcome::Logged(Event::OrderPlaced(_)));
        for name in SKUS.map(sku) {
            let lines = placed.lines.iter().filter(|line| line.sku == name);
            let ordered: i64 = lines.map(|line| line.quantity.get()).sum();
            let reserved = |world: &World| site(world).stock_of(&name).reserved.get();
            prop_assert_eq!(reserved(&world) - reserved(&before), if is_accepted { ordered } else { 0 });
        }
    }

    #[test]
    fn the_replay_of_a_log_is_the_live_state(history in any_history()) {
        let world = after(history);
        prop_assert_eq!(&world.replayed(u64::MAX).state, &world.state);
    }

    #[test]
    fn what_is_on_hand_is_the_sum_of_what_changed_it(history in any_history()) {
        let world = after(history);
        for name in SKUS.map(sku) {
            let events = world.log.iter().flat_map(|decision| &decision.events);
            let changes = events.flat_map(on_hand_changes).filter(|(sku, _)| **sku == name);
            let sum: i64 = changes.map(|(_, delta)| delta).sum();
            prop_assert_eq!(sum, site(&world).stock_of(&name).on_hand.get());
        }
    }

    #[test]
    fn equal_states_decide_equally(history in any_history(), last in any_command()) {
        let world = after(history);
        let last = sendable(&world, last);
        let context = context_of(&last);
        if let Ok(command) = Checked::new(main_site(), last, context) {
            let decided = world.decide(&command);
            prop_assert_eq!(&world.decide(&command), &decided);
            // A state built anew has its hash maps in another order.
            prop_assert_eq!(&world.replayed(u64::MAX).decide(&command), &decided);
        }
    }

    #[test]
    fn a_closed_order_may_leave_memory_between_decisions(history in any_history()) {
        let (mut remembering, mut forgetting) = (World::with_main_site(), World::with_main_site());
        for command in history {
            let seq = forgetting.state.seq;
            if let Some(order_id) = command.order_id() {
                // What a writer does before it decides: the order is read from the log.
                if let Some(resident) = site(&remembering).orders.get(order_id).cloned() {
                    site_mut(&mut forgetting).make_resident(resident.order, resident.seq);
                }
            }
            let outcome = send(&mut remembering, command.clone());
            prop_assert_eq!(&send(&mut forgetting, command.clone()), &outcome);
            if let Some(order_id) = command.order_id() {
                site_mut(&mut forgetting).evict_closed(order_id, seq + 1);
            }
        }
        prop_assert!(site(&forgetting).orders.values().all(|resident| resident.order.is_open()));
        prop_assert_eq!(&site(&forgetting).stock, &site(&remembering).stock);
        prop_assert_eq!(&site(&forgetting).holds, &site(&remembering).holds);
    }

    #[test]
    fn one_wrong_number_after_a_change_is_found(history in any_history(), which in any::<prop::sample::Index>()) {
        let world = after(history);
        let decision = &world.log[which.index(world.log.len())];
        let before = world.replayed(decision.seq - 1).state;
        for place in 0..afters(&mut decision.clone().events[0]).len() {
            let honest = *afters(&mut decision.clone().events[0])[place];
            for wrong in changed_by_one(honest) {
                let mut tampered = decision.clone();
                *afters(&mut tampered.events[0])[place] = wrong;
                prop_assert!(apply(&mut before.clone(), tampered.seq, &tampered).is_err());
            }
        }
    }
}
