//! What `apply` does not believe: every decision here is one that an honest writer made, with one thing changed.

use stockledger_domain::{Breach, Impossible, Partition, apply};
use stockledger_schemas::event::{
    CommandRefused, HoldReleased, KeyCreated, NoteRecorded, OrderReturned, OrderShipped, OutOfStock,
    SiteOpened, SiteRegistered, SiteRenamed, StockCounted, StockHeld, StockReceived,
};
use stockledger_schemas::refusal::{ExpectedQuantityStale, FirstKeyNotAdmin, InsufficientStock, KeyExists};
use stockledger_schemas::{
    CommandKind, Decision, Delta, Event, KeyId, KeyScope, Level, PartitionId, Quantity, Refusal, Scope,
};

use crate::table::check;
use crate::world::{World, by_somebody, main_site, site_id, sku};

const HISTORY: &str = "
    0.3 | receive apple 9, pear 9               | stock_received apple +9 = 9/0/0, pear +9 = 9/0/0
    0.4 | adjust apple -1                       | stock_adjusted apple -1 = 8/0/0
    0.5 | count apple 7, pear 9                 | stock_counted apple -1 = 7/0/0, pear +0 = 9/0/0
    0.6 | hold h1 apple 2 other                 | stock_held h1 apple 2 other = 7/0/2
    0.7 | release h1 1                          | hold_released h1 apple 1, 1 left = 7/0/1
    0.8 | place o1 apple 5, pear 5              | order_placed o1: apple 5 = 7/5/1, pear 5 = 9/5/0
    0.9 | place o2 apple 2                      | out_of_stock o2: apple 2 of 1
    0.10 | ship o1 apple 3, pear 3              | order_shipped o1 partially_shipped: apple 3 = 4/2/1, pear 3 = 6/2/0
    0.11 | cancel o1                            | order_cancelled o1 shipped: apple 2 = 4/0/1, pear 2 = 6/0/0
    0.12 | return o1 apple 1 damaged, pear 1 restock | order_returned o1 shipped: apple 1 = 5/0/2 (return:0.12:0), pear 1 = 7/0/0
    0.13 | adjust apple -9                      | insufficient_stock apple 9 of 3
    0.14 | adjust apple 1 if 9                  | expected_quantity_stale apple 9, is 5
    0.15 | item apple Apple each                | item_registered apple Apple each
    0.16 | item apple Apple kg                  | item_updated apple Apple kg
    0.17 | open main Hauptlager                 | site_renamed main Hauptlager on 0
    0.18 | open far Far                         | site_registered far Far on 1
    0.19 | revoke key00001                      | unknown_key
    0.20 | key key00001 till stock:read         | first_key_not_admin
    0.21 | key key00001 boss admin              | key_created key00001 boss admin at all sites
    0.22 | key key00002 till stock:read         | key_created key00002 till stock:read at all sites
    0.23 | key key00001 thief admin             | key_exists
    0.24 | revoke key00002                      | key_revoked key00002
";

fn history() -> World {
    let mut world = World::with_main_site();
    check(&mut world, HISTORY);
    world
}

/// What is impossible about decision `seq` of the history once `tamper` has changed it.
fn tampered(seq: u64, tamper: impl FnOnce(&mut Decision)) -> Impossible {
    let world = history();
    let mut state = world.replayed(seq - 1).state;
    let mut decision = world.log.into_iter().find(|decision| decision.seq == seq).unwrap();
    apply(&mut state.clone(), seq, &decision).expect("as it was made it is possible");
    tamper(&mut decision);
    apply(&mut state, seq, &decision).unwrap_err()
}

/// The same for a change of the decision's only event.
fn breach<E>(seq: u64, event: fn(&mut Event) -> Option<&mut E>, tamper: impl FnOnce(&mut E)) -> Breach {
    tampered(seq, |decision| tamper(event(&mut decision.events[0]).expect("the event of the table"))).breach
}

/// The body of an event, if it is of that kind.
macro_rules! body {
    ($variant:ident) => {
        |event| match event {
            Event::$variant(body) => Some(body),
            _ => None,
        }
    };
}

fn level(number: i64) -> Level {
    Level::new(number).unwrap()
}

fn quantity(number: i64) -> Quantity {
    Quantity::new(number).unwrap()
}

#[test]
fn it_says_what_and_where() {
    let impossible = tampered(4, |decision| decision.scope = Scope::Site(site_id("far")));
    assert_eq!(impossible.to_string(), "decision 0.4, event 0 (stock_adjusted): site far is not there");
}

#[test]
fn decisions_come_in_order() {
    let world = history();
    let mut state = world.replayed(3).state;
    let out_of_order = |state: &mut Partition, seq, decision| apply(state, seq, decision).unwrap_err().breach;
    let expected = |found| Breach::OutOfOrder { expected: 4, found };
    assert_eq!(out_of_order(&mut state, 3, &world.log[2]), expected(3));
    assert_eq!(out_of_order(&mut state, 5, &world.log[4]), expected(5));
    assert_eq!(out_of_order(&mut state, 4, &world.log[4]), expected(5));
    assert_eq!(out_of_order(&mut state, 5, &world.log[3]), expected(5));
    assert_eq!(tampered(4, |decision| decision.events.clear()).breach, Breach::NoEvents);
}

#[test]
fn events_belong_to_the_scope_of_their_decision() {
    let of_a_site = tampered(4, |decision| decision.scope = Scope::Directory);
    assert_eq!(of_a_site.breach, Breach::WrongScope);
    for seq in [15, 16, 17, 18, 21, 24] {
        let of_the_directory = tampered(seq, |decision| decision.scope = main_site());
        assert_eq!(of_the_directory.breach, Breach::WrongScope);
    }
}

#[test]
fn sites_and_items_are_registered_once_and_where_they_can_be() {
    let register = |tamper: fn(&mut SiteRegistered)| breach(18, body!(SiteRegistered), tamper);
    assert_eq!(register(|event| event.partition = PartitionId(3)), Breach::WrongPartition(PartitionId(3)));
    assert_eq!(register(|event| event.site = site_id("main")), Breach::SiteExists(site_id("main")));
    let rename = |tamper: fn(&mut SiteRenamed)| breach(17, body!(SiteRenamed), tamper);
    assert_eq!(rename(|event| event.partition = PartitionId(1)), Breach::WrongPartition(PartitionId(1)));
    assert_eq!(rename(|event| event.site = site_id("near")), Breach::UnknownSite(site_id("near")));
    let update = breach(16, body!(ItemUpdated), |event| event.sku = sku("fig"));
    assert_eq!(update, Breach::UnknownItem(sku("fig")));
    let again = tampered(16, |decision| decision.events.clone_from(&history().log[14].events));
    assert_eq!(again.breach, Breach::ItemExists(sku("apple")));
}

#[test]
fn keys_are_made_and_revoked_once_and_the_first_one_can_make_others() {
    let make = |seq, tamper: fn(&mut KeyCreated)| breach(seq, body!(KeyCreated), tamper);
    assert_eq!(make(21, |event| event.scopes = vec![KeyScope::StockRead]), Breach::FirstKeyNotAdmin);
    let first: KeyId = "key00001".parse().unwrap();
    assert_eq!(make(22, |event| event.key_id = "key00001".parse().unwrap()), Breach::KeyExists(first));
    let unknown: KeyId = "key00003".parse().unwrap();
    let revoke = breach(24, body!(KeyRevoked), |event| event.key_id = "key00003".parse().unwrap());
    assert_eq!(revoke, Breach::UnknownKey(unknown));
    let mut after = history().state;
    let again = Decision { seq: 25, ..history().log[23].clone() };
    let impossible = apply(&mut after, 25, &again).unwrap_err();
    assert_eq!(impossible.breach, Breach::UnknownKey("key00002".parse().unwrap()));
}

#[test]
fn the_directory_refuses_only_what_it_can() {
    let refuse = |seq, tamper: fn(&mut CommandRefused)| breach(seq, body!(CommandRefused), tamper);
    let exists = |event: &mut CommandRefused| event.refusal = KeyExists {}.into();
    assert_eq!(refuse(20, exists), Breach::WrongRefusal);
    let not_admin = |event: &mut CommandRefused| event.refusal = FirstKeyNotAdmin {}.into();
    assert_eq!(refuse(23, not_admin), Breach::WrongRefusal);
    let open = |event: &mut CommandRefused| event.command = CommandKind::OpenSite;
    assert_eq!(refuse(23, open), Breach::WrongScope);
    assert_eq!(refuse(19, exists), Breach::WrongScope);
}

#[test]
fn a_site_opens_once_and_where_it_lives() {
    let world = history();
    let opened = |world: &World, site: &str| {
        let decision = world.decision(Scope::Site(site_id(site)), by_somebody(), SiteOpened {}.into());
        apply(&mut world.state.clone(), decision.seq, &decision).map_err(|impossible| impossible.breach)
    };
    assert_eq!(opened(&world, "main"), Err(Breach::SiteExists(site_id("main"))));
    assert_eq!(opened(&world, "far"), Err(Breach::WrongPartition(PartitionId(0))));
    assert_eq!(opened(&world, "unheard-of"), Err(Breach::UnknownSite(site_id("unheard-of"))));
    assert_eq!(opened(&World::empty(1), "far"), Ok(()));
}

#[test]
fn only_one_partition_has_the_directory() {
    let mut elsewhere = Partition::new(PartitionId(1), 3);
    let impossible = apply(&mut elsewhere, 1, &history().log[0]).unwrap_err();
    assert_eq!(impossible.breach, Breach::WrongPartition(PartitionId(1)));
}

#[test]
fn nothing_happens_at_a_site_that_is_not_open() {
    let mut world = World::empty(1);
    let note = world.decision(main_site(), by_somebody(), NoteRecorded {}.into());
    let impossible = apply(&mut world.state, 1, &note).unwrap_err();
    assert_eq!(impossible.breach, Breach::UnknownSite(site_id("main")));
}

#[test]
fn lines_are_there_and_name_a_sku_once() {
    let receipt = |tamper: fn(&mut StockReceived)| breach(3, body!(StockReceived), tamper);
    assert_eq!(receipt(|event| event.lines.clear()), Breach::NoLines);
    assert_eq!(receipt(|event| event.lines[1].sku = sku("apple")), Breach::RepeatedSku(sku("apple")));
    assert_eq!(breach(4, body!(StockAdjusted), |event| event.lines.clear()), Breach::NoLines);
    assert_eq!(breach(5, body!(StockCounted), |event| event.lines.clear()), Breach::NoLines);
    assert_eq!(breach(8, body!(OrderPlaced), |event| event.lines.clear()), Breach::NoLines);
    assert_eq!(breach(9, body!(OutOfStock), |event| event.lines.clear()), Breach::NoLines);
    assert_eq!(breach(10, body!(OrderShipped), |event| event.moves.clear()), Breach::NoLines);
    assert_eq!(breach(11, body!(OrderCancelled), |event| event.moves.clear()), Breach::NoLines);
    assert_eq!(breach(12, body!(OrderReturned), |event| event.moves.clear()), Breach::NoLines);
}

#[test]
fn balances_stay_in_their_range() {
    let below = breach(4, body!(StockAdjusted), |event| event.lines[0].delta = Delta::new(-10).unwrap());
    assert_eq!(below, Breach::Unbalanced(sku("apple")));
    let oversold = breach(8, body!(OrderPlaced), |event| event.lines[0].quantity = quantity(7));
    assert_eq!(oversold, Breach::Unbalanced(sku("apple")));
    let overheld = breach(6, body!(StockHeld), |event| event.quantity = quantity(8));
    assert_eq!(overheld, Breach::Unbalanced(sku("apple")));
    let beyond = breach(3, body!(StockReceived), |event| event.lines[0].quantity = quantity(1));
    assert!(matches!(beyond, Breach::WrongBalances { .. }));
}

#[test]
fn a_count_fits_its_difference_and_its_position() {
    let count = |tamper: fn(&mut StockCounted)| breach(5, body!(StockCounted), tamper);
    let wrong = Breach::WrongCount(sku("apple"));
    assert_eq!(count(|event| event.lines[0].counted = level(6)), wrong);
    assert_eq!(count(|event| event.lines[0].counted_at_seq = Some(5)), wrong);
    let mut world = history();
    check(&mut world, "0.25 | count apple 5 at 0.18 | stock_counted apple +0 = 5/0/2");
    let mut decision = world.log.pop().unwrap();
    let Event::StockCounted(counted) = &mut decision.events[0] else { panic!("a count") };
    counted.lines[0].counted_at_seq = Some(4);
    let impossible = apply(&mut history().state, 25, &decision).unwrap_err();
    assert_eq!(impossible.breach, wrong);
}

#[test]
fn holds_are_made_once_and_released_as_they_were_made() {
    let twice = tampered(7, |decision| decision.events.clone_from(&history().log[5].events));
    assert!(matches!(twice.breach, Breach::WrongBalances { .. }));
    let again = tampered(7, |decision| {
        decision.events.clone_from(&history().log[5].events);
        let Event::StockHeld(StockHeld { after, .. }) = &mut decision.events[0] else { panic!("a hold") };
        after.held = level(4);
    });
    assert_eq!(again.breach, Breach::HoldExists("h1".parse().unwrap()));
    let release = |tamper: fn(&mut HoldReleased)| breach(7, body!(HoldReleased), tamper);
    assert_eq!(
        release(|event| event.hold_id = "h2".parse().unwrap()),
        Breach::UnknownHold("h2".parse().unwrap())
    );
    let changes: [fn(&mut HoldReleased); 5] = [
        |event| event.sku = sku("pear"),
        |event| event.reason = stockledger_schemas::HoldReason::Damaged,
        |event| event.held_at_first = quantity(3),
        |event| event.remaining = level(2),
        |event| event.quantity = quantity(3),
    ];
    for change in changes {
        assert_eq!(release(change), Breach::WrongHold);
    }
}

#[test]
fn an_order_is_accepted_once() {
    let again = tampered(9, |decision| decision.events.clone_from(&history().log[7].events));
    assert_eq!(again.breach, Breach::OrderExists);
    let refused = |tamper: fn(&mut OutOfStock)| breach(9, body!(OutOfStock), tamper);
    assert_eq!(refused(|event| event.order_id = "o1".parse().unwrap()), Breach::OrderExists);
    assert_eq!(refused(|event| event.lines[0].requested = quantity(1)), Breach::NothingShort);
    let wrong_level = Breach::WrongLevel { sku: sku("apple"), expected: level(1), found: level(0) };
    assert_eq!(refused(|event| event.lines[0].available = level(0)), wrong_level);
}

#[test]
fn an_order_takes_only_steps_that_it_can_take() {
    let ship = |tamper: fn(&mut OrderShipped)| breach(10, body!(OrderShipped), tamper);
    assert_eq!(ship(|event| event.order.order_id = "o2".parse().unwrap()), Breach::UnknownOrder);
    assert_eq!(ship(|event| event.moves[0].line = 2), Breach::WrongStep(2));
    assert_eq!(ship(|event| event.moves[0].quantity = quantity(6)), Breach::WrongStep(0));
    assert_eq!(ship(|event| event.order.lines[0].shipped = level(4)), Breach::WrongOrder);
    assert_eq!(ship(|event| event.order.lines[1].unit_price_minor = Some(level(1))), Breach::WrongOrder);
    assert_eq!(ship(|event| event.order.customer = Some("c".parse().unwrap())), Breach::WrongOrder);
    let cancel = breach(11, body!(OrderCancelled), |event| event.order.lines[0].cancelled = level(1));
    assert_eq!(cancel, Breach::WrongOrder);
}

#[test]
fn goods_come_back_as_they_left() {
    let take_back = |tamper: fn(&mut OrderReturned)| breach(12, body!(OrderReturned), tamper);
    assert_eq!(take_back(|event| event.moves[0].quantity = quantity(4)), Breach::WrongStep(0));
    assert_eq!(take_back(|event| event.order.lines[0].returned = level(2)), Breach::WrongOrder);
    assert_eq!(take_back(|event| event.moves[0].hold_id = None), Breach::WrongHold);
    assert_eq!(take_back(|event| event.moves[0].hold_id = Some("h2".parse().unwrap())), Breach::WrongHold);
    assert_eq!(take_back(|event| event.moves[1].hold_id = Some("h2".parse().unwrap())), Breach::WrongHold);
}

#[test]
fn goods_come_back_only_to_a_closed_order_if_it_has_left_memory() {
    let world = history();
    let returned = |tamper: fn(&mut OrderReturned)| {
        let mut state = world.replayed(11).state;
        let site = state.sites.get_mut(&site_id("main")).unwrap();
        assert!(site.evict_closed(&"o1".parse().unwrap(), 11));
        let mut decision = world.log[11].clone();
        let Event::OrderReturned(event) = &mut decision.events[0] else { panic!("a return") };
        tamper(event);
        apply(&mut state, 12, &decision).map_err(|impossible| impossible.breach)
    };
    assert_eq!(returned(|_| {}), Ok(()));
    assert_eq!(returned(|event| event.order.lines[0].cancelled = level(1)), Err(Breach::UnknownOrder));
    assert_eq!(returned(|event| event.order.lines[0].shipped = level(9)), Err(Breach::UnknownOrder));
    assert_eq!(returned(|event| event.order.lines[0].returned = level(4)), Err(Breach::WrongStep(0)));
    assert_eq!(returned(|event| event.order.lines[0].returned = level(0)), Err(Breach::WrongStep(0)));
    assert_eq!(returned(|event| event.moves[0].line = 7), Err(Breach::WrongStep(7)));
    assert_eq!(
        returned(|event| event.order.lines[1].sku = sku("apple")),
        Err(Breach::RepeatedSku(sku("apple")))
    );
}

#[test]
fn a_refusal_says_what_was_there() {
    let wrong = |expected, found| Breach::WrongLevel {
        sku: sku("apple"),
        expected: level(expected),
        found: level(found),
    };
    let short = breach(13, body!(CommandRefused), |event| {
        let Refusal::InsufficientStock(InsufficientStock { shortages }) = &mut event.refusal else {
            panic!("short")
        };
        shortages[0].available = level(4);
    });
    assert_eq!(short, wrong(3, 4));
    let stale = breach(14, body!(CommandRefused), |event| {
        let Refusal::ExpectedQuantityStale(ExpectedQuantityStale { on_hand, .. }) = &mut event.refusal else {
            panic!("stale")
        };
        *on_hand = level(6);
    });
    assert_eq!(stale, wrong(5, 6));
}
