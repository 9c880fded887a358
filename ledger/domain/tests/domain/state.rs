//! What the state remembers beside the balances, and how orders come into memory and leave it.

use stockledger_domain::command::{OrderedLine, PlaceOrder};
use stockledger_domain::{Command, Partition, Site, apply};
use stockledger_schemas::{Context, Level, Order, OrderId, OrderLine, Quantity, Timestamp};

use crate::table::check;
use crate::world::{World, by_somebody, main_site, site_id, sku};

const SHIPPED: &str = "
    0.3 | receive apple 5               | stock_received apple +5 = 5/0/0
    0.4 | place o1 apple 3              | order_placed o1: apple 3 = 5/3/0
    0.5 | ship o1                       | order_shipped o1 shipped: apple 3 = 2/0/0
";

fn order_id() -> OrderId {
    "o1".parse().unwrap()
}

fn site(state: &mut Partition) -> &mut Site {
    state.sites.get_mut(&site_id("main")).unwrap()
}

fn with_shipped_order() -> World {
    let mut world = World::with_main_site();
    check(&mut world, SHIPPED);
    world
}

#[test]
fn an_open_order_stays_in_memory() {
    let mut world = with_shipped_order().replayed(4);
    assert!(!site(&mut world.state).evict_closed(&order_id(), 4));
    assert!(site(&mut world.state).orders.contains_key(&order_id()));
}

#[test]
fn a_closed_order_leaves_memory_once_its_last_decision_may_be_forgotten() {
    let mut world = with_shipped_order();
    assert!(!site(&mut world.state).evict_closed(&order_id(), 4));
    assert!(site(&mut world.state).evict_closed(&order_id(), 5));
    assert!(!site(&mut world.state).evict_closed(&order_id(), 5));
    assert!(site(&mut world.state).orders.is_empty());
}

#[test]
fn an_order_in_memory_is_not_replaced_by_an_older_one() {
    let mut world = with_shipped_order();
    let as_placed = site(&mut world.replayed(4).state).orders[&order_id()].clone();
    let before = world.state.clone();
    site(&mut world.state).make_resident(as_placed.order, as_placed.seq);
    assert_eq!(world.state, before);
}

#[test]
fn goods_come_back_to_an_order_that_had_left_memory() {
    let mut world = with_shipped_order();
    let mut without = world.state.clone();
    assert!(site(&mut without).evict_closed(&order_id(), 5));
    check(
        &mut world,
        "0.6 | return o1 apple 2 damaged | order_returned o1 shipped: apple 2 = 4/0/2 (return:0.6:0)",
    );
    apply(&mut without, 6, &world.log[5]).unwrap();
    assert_eq!(without, world.state);
}

#[test]
fn everything_knows_the_decision_that_touched_it_last() {
    let mut world = with_shipped_order();
    check(
        &mut world,
        "
        0.6 | receive pear 5, fig 5         | stock_received pear +5 = 5/0/0, fig +5 = 5/0/0
        0.7 | hold h1 pear 2 other          | stock_held h1 pear 2 other = 5/0/2
        0.8 | hold h2 pear 2 other          | stock_held h2 pear 2 other = 5/0/4
        0.9 | release h1 1                  | hold_released h1 pear 1, 1 left = 5/0/3
        0.10 | return o1 apple 1 damaged    | order_returned o1 shipped: apple 1 = 3/0/1 (return:0.10:0)
        0.11 | place o2 fig 9               | out_of_stock o2: fig 9 of 5
        0.12 | count fig 5                  | stock_counted fig +0 = 5/0/0
        0.13 | adjust fig -1                | stock_adjusted fig -1 = 4/0/0
        ",
    );
    let site = site(&mut world.state);
    assert_eq!(site.opened_seq, 2);
    assert_eq!(["apple", "pear", "fig"].map(|name| site.stock_of(&sku(name)).seq), [10, 9, 13]);
    assert_eq!(
        ["apple", "pear", "fig"].map(|name| site.stock_of(&sku(name)).counted_seq),
        [None, None, Some(12)]
    );
    assert_eq!(["h1", "h2", "return:0.10:0"].map(|id| site.holds[&id.parse().unwrap()].seq), [9, 8, 10]);
    assert_eq!(site.orders[&order_id()].seq, 10);
}

#[test]
fn an_order_keeps_its_first_prices_and_both_times() {
    let mut world = World::with_main_site();
    check(&mut world, "0.3 | receive apple 9, pear 9 | stock_received apple +9 = 9/0/0, pear +9 = 9/0/0");
    let price = |minor: i64| Some(Level::new(minor).unwrap());
    let line = |name: &str, quantity: i64, unit_price_minor: Option<Level>| OrderedLine {
        sku: sku(name),
        quantity: Quantity::new(quantity).unwrap(),
        unit_price_minor,
    };
    let place = PlaceOrder {
        order_id: order_id(),
        customer: Some("17850".parse().unwrap()),
        currency: Some("GBP".parse().unwrap()),
        lines: vec![line("apple", 1, price(5)), line("apple", 2, price(4)), line("pear", 1, price(7))],
    };
    let an_hour_before = Timestamp::from_micros(-3_600_000_000).unwrap();
    let context = Context { occurred_at: Some(an_hour_before), ..by_somebody() };
    world.send(main_site(), Command::PlaceOrder(place), context);
    let ordered = |name: &str, quantity: i64, price: Option<Level>| {
        OrderLine::new(sku(name), Quantity::new(quantity).unwrap(), price)
    };
    let expected = Order {
        order_id: order_id(),
        customer: Some("17850".parse().unwrap()),
        currency: Some("GBP".parse().unwrap()),
        placed_at: world.log[3].recorded_at,
        occurred_at: an_hour_before,
        lines: vec![ordered("apple", 3, price(5)), ordered("pear", 1, price(7))],
    };
    assert_eq!(site(&mut world.state).orders[&order_id()].order, expected);
}
