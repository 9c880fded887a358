//! Lists by what is in them, against the same lists picked and sorted here.

use std::collections::HashSet;

use stockledger_projections::queries::{MOVEMENTS_LOOKED_AT_MAX, ORDERS_LOOKED_AT_MAX};
use stockledger_projections::views::{AsOf, KnownSite, Movement, Order, StockLevel};
use stockledger_projections::{
    Axis, Balance, Direction, LevelQuery, MovementFilter, OrderFilter, Period, Point, Queries, Then,
};
use stockledger_schemas::{HoldReason, OrderStatus, Position, Reason, Timestamp};

use crate::common::{Ledger, adjust, cancel, hold, id, order, place, receive, ship};
use crate::queried::{known, projected};

const SKUS: [&str; 6] = ["A", "A-1", "AB", "B", "B 2", "a"];

/// A shop where everything has moved more than once, some of it late.
fn shop() -> Ledger {
    let mut ledger = Ledger::new(2);
    for site in ["shop", "store"] {
        ledger.open_site(site);
        ledger.run(site, receive(&SKUS.map(|sku| (sku, 10))));
        ledger.run(site, hold("h", "AB", 4, HoldReason::SafetyStock));
        for number in 0..12_i64 {
            let sku = SKUS[usize::try_from(number).unwrap() % SKUS.len()];
            let order_id = format!("o-{number}");
            ledger.run(site, place(&order_id, &[(sku, 1 + number % 3), ("B", 1)]));
            match number % 4 {
                0 => drop(ledger.run(site, ship(&order_id, None))),
                1 => drop(ledger.run(site, cancel(&order_id))),
                _ => {}
            }
        }
        ledger.run(site, place("o-too-much", &[("A-1", 1_000)]));
        ledger.run_for(site, adjust(&[("A", -2), ("a", 5)]), Reason::Damaged);
        ledger.run_late(site, receive(&[("B 2", 7)]), Timestamp::from_micros(5_000).unwrap());
    }
    ledger
}

async fn head(queries: &Queries, site: &KnownSite) -> AsOf {
    queries.stock_levels(site, None, 1).await.unwrap().at
}

fn queries_of_levels() -> Vec<LevelQuery> {
    let mut all = Vec::new();
    for sku_prefix in [None, Some("A"), Some("B 2"), Some("zz")] {
        for (on_hand_below, available_below) in
            [(None, None), (Some(10), None), (None, Some(8)), (Some(11), Some(9))]
        {
            for sort in [None, Some(Balance::OnHand), Some(Balance::Available)] {
                for is_descending in [false, true] {
                    let sku_prefix = sku_prefix.map(id);
                    all.push(LevelQuery { sku_prefix, on_hand_below, available_below, sort, is_descending });
                }
            }
        }
    }
    all
}

/// What a query should find among levels by SKU.
fn picked(query: &LevelQuery, levels: &[StockLevel]) -> Vec<StockLevel> {
    let is_wanted = |level: &&StockLevel| {
        query.sku_prefix.as_ref().is_none_or(|prefix| level.sku.as_str().starts_with(prefix.as_str()))
            && query.on_hand_below.is_none_or(|below| level.on_hand < below)
            && query.available_below.is_none_or(|below| level.available < below)
    };
    let mut picked: Vec<StockLevel> = levels.iter().filter(is_wanted).cloned().collect();
    picked.sort_by_key(|level| match query.sort {
        None => 0,
        Some(Balance::OnHand) => level.on_hand,
        Some(Balance::Available) => level.available,
    });
    if query.is_descending {
        // Equal balances come by SKU, from the last to the first too.
        picked.sort_by(|one, other| other.sku.cmp(&one.sku));
        picked.sort_by_key(|level| match query.sort {
            None => 0,
            Some(Balance::OnHand) => -level.on_hand,
            Some(Balance::Available) => -level.available,
        });
    }
    picked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_are_filtered_and_sorted_as_they_were_in_one_state() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let head = head(&queries, &site).await;
    for seq in [head.position.seq, head.position.seq - 3, 14, 5, 3, 0] {
        let then = Then::Recorded(Point::Seq(seq));
        let mut levels = Vec::new();
        for sku in SKUS {
            levels.extend(queries.stock_level_then(&site, &id(sku), then).await.unwrap());
        }
        // What was not seen by then is all zero, and not in a list.
        levels.retain(|level| level.on_hand > 0);
        let kept = AsOf { position: Position::new(site.partition, seq), ..head.clone() };
        for query in queries_of_levels() {
            let expected = picked(&query, &levels);
            for limit in [1, 4, 50] {
                let mut found = Vec::new();
                let mut after = None;
                loop {
                    let state = (None, Some(kept.clone()));
                    let page = queries.stock_levels_like(&site, &query, state, after.as_ref(), limit);
                    let page = page.await.unwrap();
                    assert_eq!(page.at.position, kept.position);
                    found.extend(page.value.data);
                    after = page.value.next;
                    if after.is_none() {
                        break;
                    }
                }
                let names = |levels: &[StockLevel]| {
                    let row = |level: &StockLevel| (level.sku.to_string(), level.on_hand, level.available);
                    levels.iter().map(row).collect::<Vec<_>>()
                };
                assert_eq!(names(&found), names(&expected), "{seq} {query:?} by {limit}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_of_an_item_are_filtered_and_sorted_over_all_sites() {
    let mut ledger = Ledger::new(3);
    let stock = [("e", 5), ("d", 9), ("c", 5), ("b", 1), ("a", 7)];
    for (site, quantity) in stock {
        ledger.open_site(site);
        ledger.run(site, receive(&[("A", quantity), ("B", 1)]));
    }
    ledger.open_site("empty");
    ledger.run("d", place("o-1", &[("A", 8)]));
    let (_store, queries) = projected(&ledger).await;
    let walk = async |query: LevelQuery| {
        let (mut sites, mut after, mut kept) = (String::new(), None, None);
        loop {
            let found = queries.stock_of_item_like(&id("A"), &query, kept, after.as_ref(), 2).await.unwrap();
            let (page, states) = found;
            kept = Some(states);
            sites.extend(page.data.iter().map(|level| level.site.as_str().to_owned()));
            after = page.next;
            if after.is_none() {
                return sites;
            }
        }
    };
    let by = |sort, is_descending| LevelQuery { sort, is_descending, ..LevelQuery::default() };
    assert_eq!(walk(by(None, true)).await, "edcba");
    assert_eq!(walk(by(Some(Balance::OnHand), false)).await, "bcead");
    assert_eq!(walk(by(Some(Balance::OnHand), true)).await, "daecb");
    assert_eq!(walk(by(Some(Balance::Available), false)).await, "bdcea");
    let below = LevelQuery { available_below: Some(6), on_hand_below: Some(9), ..by(None, false) };
    assert_eq!(walk(below).await, "bce");
    // States that were kept are those that are shown, whatever has come since.
    let (_, states) = queries
        .stock_of_item_like(&id("A"), &by(Some(Balance::Available), true), None, None, 1)
        .await
        .unwrap();
    let earlier: Vec<AsOf> = states
        .into_iter()
        .map(|at| match at.position.partition {
            home if home == ledger.home("d") => {
                AsOf { position: Position::new(home, at.position.seq - 1), ..at }
            }
            _ => at,
        })
        .collect();
    let query = by(Some(Balance::Available), true);
    let (page, _) = queries.stock_of_item_like(&id("A"), &query, Some(earlier), None, 1).await.unwrap();
    assert_eq!((page.data[0].site.as_str(), page.data[0].available), ("d", 9));
}

async fn walk_orders(
    queries: &Queries,
    site: &KnownSite,
    filter: &OrderFilter,
    direction: Direction,
) -> Vec<Order> {
    let (mut orders, mut after) = (Vec::new(), None);
    loop {
        let page = queries.orders(site, filter, direction, after, 3).await.unwrap().value;
        orders.extend(page.data);
        after = page.next;
        if after.is_none() {
            return orders;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_found_by_what_is_known_of_them() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "store").await;
    let all = walk_orders(&queries, &site, &OrderFilter::default(), Direction::OldestFirst).await;
    assert_eq!(all.len(), 13);
    let (from, to) = (Some(all[2].placed_at), Some(all[9].placed_at));
    let recorded = |from, to| Period { axis: Axis::Recorded, from, to };
    let occurred = |from, to| Period { axis: Axis::Occurred, from, to };
    let anyone = OrderFilter::default();
    let filters = [
        OrderFilter { status: Some(OrderStatus::Placed), ..anyone.clone() },
        OrderFilter { status: Some(OrderStatus::Refused), ..anyone.clone() },
        OrderFilter { customer: Some("c-1".parse().unwrap()), ..anyone.clone() },
        OrderFilter { customer: Some("c-2".parse().unwrap()), ..anyone.clone() },
        OrderFilter { sku: Some(id("A")), ..anyone.clone() },
        OrderFilter { sku: Some(id("A-1")), ..anyone.clone() },
        OrderFilter { sku: Some(id("A\",1")), ..anyone.clone() },
        OrderFilter { period: recorded(from, None), ..anyone.clone() },
        OrderFilter { period: recorded(None, to), ..anyone.clone() },
        OrderFilter { period: recorded(from, to), ..anyone.clone() },
        OrderFilter { period: occurred(from, to), ..anyone.clone() },
        OrderFilter {
            status: Some(OrderStatus::Shipped),
            customer: Some("c-1".parse().unwrap()),
            sku: Some(id("B")),
            period: recorded(from, to),
        },
    ];
    let mut counts = HashSet::new();
    for filter in filters {
        let Period { axis, from, to } = filter.period;
        let is_wanted = |found: &&Order| {
            let time = if axis == Axis::Recorded { found.placed_at } else { found.occurred_at };
            filter.status.is_none_or(|status| found.status == status)
                && filter.customer.as_ref().is_none_or(|customer| found.customer.as_ref() == Some(customer))
                && filter.sku.as_ref().is_none_or(|sku| found.lines.iter().any(|line| line.sku == *sku))
                && from.is_none_or(|from| time >= from)
                && to.is_none_or(|to| time < to)
        };
        let mut expected: Vec<Order> = all.iter().filter(is_wanted).cloned().collect();
        counts.insert(expected.len());
        assert_eq!(
            walk_orders(&queries, &site, &filter, Direction::OldestFirst).await,
            expected,
            "{filter:?}"
        );
        expected.reverse();
        assert_eq!(
            walk_orders(&queries, &site, &filter, Direction::NewestFirst).await,
            expected,
            "{filter:?}"
        );
    }
    assert!(counts.len() > 4, "the filters tell orders apart: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movements_are_found_by_who_did_what_when_and_why() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let walk = async |sku: &str, filter: &MovementFilter, direction| -> Vec<Movement> {
        let (mut movements, mut after) = (Vec::new(), None);
        loop {
            let page = queries.movements((&site, &id(sku)), filter, direction, after, 2).await.unwrap().value;
            movements.extend(page.data);
            after = page.next;
            if after.is_none() {
                return movements;
            }
        }
    };
    let everything = MovementFilter::default();
    for sku in ["A", "B", "B 2"] {
        let all = walk(sku, &everything, Direction::OldestFirst).await;
        let (from, to) = (Some(all[1].recorded_at), Some(all[all.len() - 1].recorded_at));
        let period = |axis, from, to| Period { axis, from, to };
        let filters = [
            MovementFilter { kind: Some("order_placed".to_owned()), ..everything.clone() },
            MovementFilter { reason: Some(Reason::Damaged), ..everything.clone() },
            MovementFilter { actor: Some("tester".parse().unwrap()), ..everything.clone() },
            MovementFilter { actor: Some("nobody".parse().unwrap()), ..everything.clone() },
            MovementFilter { period: period(Axis::Recorded, from, None), ..everything.clone() },
            MovementFilter { period: period(Axis::Recorded, None, to), ..everything.clone() },
            MovementFilter { period: period(Axis::Occurred, None, from), ..everything.clone() },
            MovementFilter {
                kind: Some("order_placed".to_owned()),
                reason: None,
                actor: Some("tester".parse().unwrap()),
                period: period(Axis::Recorded, from, to),
            },
        ];
        for filter in filters {
            let Period { axis, from, to } = filter.period;
            let is_wanted = |found: &&Movement| {
                let time = if axis == Axis::Recorded { found.recorded_at } else { found.occurred_at };
                filter.kind.as_ref().is_none_or(|kind| found.kind == *kind)
                    && filter.reason.is_none_or(|reason| found.reason == Some(reason))
                    && filter.actor.as_ref().is_none_or(|actor| found.actor == *actor)
                    && from.is_none_or(|from| time >= from)
                    && to.is_none_or(|to| time < to)
            };
            let mut expected: Vec<Movement> = all.iter().filter(is_wanted).cloned().collect();
            assert_eq!(walk(sku, &filter, Direction::OldestFirst).await, expected, "{sku} {filter:?}");
            expected.reverse();
            assert_eq!(walk(sku, &filter, Direction::NewestFirst).await, expected, "{sku} {filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rare_is_found_though_a_page_looks_at_so_much_only() {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 1_000_000), ("B", 1)]));
    ledger.run("shop", place("first", &[("B", 1), ("A", 1)]));
    for number in 0..ORDERS_LOOKED_AT_MAX.max(MOVEMENTS_LOOKED_AT_MAX) {
        ledger.run("shop", place(&format!("o-{number}"), &[("A", 1)]));
    }
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let filter = OrderFilter { sku: Some(id("B")), ..OrderFilter::default() };
    let newest = Direction::NewestFirst;
    let first = queries.orders(&site, &filter, newest, None, 5).await.unwrap().value;
    assert!(first.data.is_empty() && first.next.is_some(), "{first:?}");
    let second = queries.orders(&site, &filter, newest, first.next, 5).await.unwrap().value;
    assert_eq!((second.data.len(), second.next), (1, None));
    assert_eq!(second.data[0].order_id, order("first"));
    let filter = MovementFilter { kind: Some("stock_received".to_owned()), ..MovementFilter::default() };
    let first = queries.movements((&site, &id("A")), &filter, newest, None, 5).await.unwrap().value;
    assert!(first.data.is_empty() && first.next.is_some(), "{first:?}");
    let second = queries.movements((&site, &id("A")), &filter, newest, first.next, 5).await.unwrap().value;
    assert_eq!((second.data.len(), second.next), (1, None));
}
