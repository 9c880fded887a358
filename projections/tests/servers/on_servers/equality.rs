//! That nobody can tell from rows or answers which database is below.

use std::sync::Arc;

use serde_json::{Value, json};
use stockledger_projections::compare::compare;
use stockledger_projections::projector::ensure_active;
use stockledger_projections::rebuild::replay_into;
use stockledger_projections::views::{AsOf, KnownSite, Page};
use stockledger_projections::{
    Axis, Balance, Direction, LevelQuery, MovementFilter, MovementKey, OrderFilter, Period, Queries, Store,
};
use stockledger_schemas::{Disposition, HoldReason, Position, SiteId, Timestamp};

use super::database::{Database, MARIADB, MYSQL};
use crate::common::{
    Ledger, Running, TestStore, adjust, cancel, count, hold, id, note, now, order, place, rebuild, receive,
    release, replay, ship, take_back,
};

const SITES: [&str; 3] = ["East", "east", "north-1"];
const SKUS: [&str; 4] = ["A", "a", "a ~", "b'\"\\%_"];

/// Something of everything, at sites and of items that differ in case only.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(3);
    for site in SITES {
        ledger.open_site(site);
        ledger.run(site, receive(&SKUS.map(|sku| (sku, 10_000))));
    }
    for sku in SKUS {
        ledger.register_item(sku, &format!("Größe {sku} 北京 🦀"));
    }
    add_orders(&mut ledger, 0, 60);
    ledger.run("East", hold("h", "A", 12, HoldReason::SafetyStock));
    ledger.run("East", release("h", 5));
    ledger.run("East", adjust(&[("A", -3), ("a", 4)]));
    ledger.run("East", count("a ~", 7_777));
    ledger.run("east", note());
    ledger
}

fn add_orders(ledger: &mut Ledger, from: u32, to: u32) {
    for number in from..to {
        let site = SITES[number as usize % SITES.len()];
        let order_id = format!("o {number}");
        let more = if number % 10 == 9 { 1_000_000 } else { 2 };
        ledger.run(site, place(&order_id, &[("A", 1), ("b'\"\\%_", more)]));
        match number % 4 {
            0 => drop(ledger.run(site, ship(&order_id, None))),
            1 => drop(ledger.run(site, ship(&order_id, Some(&[("A", 1)])))),
            2 => drop(ledger.run(site, cancel(&order_id))),
            _ => {}
        }
        if number % 8 == 0 {
            ledger.run(site, take_back(&order_id, "A", 1, Disposition::Damaged));
        }
    }
}

/// All that queries answer, in pages of three.
async fn answers(store: &Arc<dyn Store>) -> Vec<Value> {
    let queries = Queries::new(Arc::clone(store), None);
    let mut answers = vec![json!(queries.positions().await.unwrap())];
    let mut after = None;
    loop {
        let page = queries.sites(after.as_ref(), 2).await.unwrap().value;
        answers.push(json!(page.data));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    let items = queries.items(Some(&id("A")), 10).await.unwrap().value;
    answers.push(json!(items.data));
    for sku in SKUS {
        answers.push(json!(queries.item(&id(sku)).await.unwrap().unwrap().value));
        answers.push(json!(queries.stock_of_item(&id(sku), None, 10).await.unwrap().data));
    }
    for site in SITES {
        answers_of_site(&queries, site, &mut answers).await;
    }
    answers
}

async fn answers_of_site(queries: &Queries, site: &str, answers: &mut Vec<Value>) {
    let site = queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap();
    answers.push(json!(queries.site_details(&site).await.unwrap().unwrap().value));
    answers.push(json!(queries.units_on_hand(&site).await.unwrap().value));
    answers.push(json!(queries.stock_levels(&site, Some(&id("A")), 2).await.unwrap().value.data));
    answers.push(json!(queries.stock_level(&site, &id("never seen")).await.unwrap()));
    filtered_answers(queries, &site, answers).await;
    for status in [None, Some("refused"), Some("placed")] {
        let status = status.map(|word| stockledger_schemas::OrderStatus::from_word(word).unwrap());
        let filter = OrderFilter { status, ..OrderFilter::default() };
        let orders = |after| queries.orders(&site, &filter, Direction::NewestFirst, after, 3);
        let Page { data, next } = orders(None).await.unwrap().value;
        answers.push(json!([data, next]));
        answers.push(json!(orders(next).await.unwrap().value.data));
    }
    for number in 0..60 {
        let order_id = order(&format!("o {number}"));
        answers.push(json!(queries.order(&site, &order_id).await.unwrap().map(|answer| answer.value)));
        let trail = queries.order_trail(&site, &order_id, None, 2).await.unwrap().value;
        answers.push(json!([trail.data, trail.next]));
        let trail = queries.order_trail(&site, &order_id, trail.next, 50).await.unwrap().value;
        answers.push(json!(trail.data));
    }
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let mut after: Option<MovementKey> = None;
        loop {
            let (sku, all) = (id("A"), MovementFilter::default());
            let page = queries.movements((&site, &sku), &all, direction, after, 7).await.unwrap().value;
            answers.push(json!(page.data));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
}

/// What is filtered and sorted, now and as it was known.
async fn filtered_answers(queries: &Queries, site: &KnownSite, answers: &mut Vec<Value>) {
    let head = queries.stock_levels(site, None, 1).await.unwrap().at;
    let earlier = AsOf { position: Position::new(head.position.partition, head.position.seq / 2), ..head };
    for sort in [None, Some(Balance::OnHand), Some(Balance::Available)] {
        for kept in [None, Some(earlier.clone())] {
            let query = LevelQuery {
                sku_prefix: None,
                on_hand_below: Some(10_001),
                available_below: sort.map(|_| 10_001),
                sort,
                is_descending: sort.is_none(),
            };
            let (mut after, before) = (None, answers.len());
            loop {
                let state = (None, kept.clone());
                let page = queries.stock_levels_like(site, &query, state, after.as_ref(), 2).await.unwrap();
                answers.push(json!(page.value.data));
                after = page.value.next;
                if after.is_none() {
                    break;
                }
            }
            assert!(answers.len() > before + 1, "there is more than one page");
        }
    }
    let prefixed = LevelQuery { sku_prefix: Some(id("A")), ..LevelQuery::default() };
    answers.push(json!(
        queries.stock_levels_like(site, &prefixed, (None, None), None, 9).await.unwrap().value.data
    ));
    for sku in SKUS {
        let query = LevelQuery {
            on_hand_below: Some(10_001),
            sort: Some(Balance::Available),
            ..LevelQuery::default()
        };
        let found = queries.stock_of_item_like(&id(sku), &query, None, None, 10).await.unwrap().0;
        answers.push(json!(found.data));
    }
    let filter = MovementFilter {
        kind: Some("order_placed".to_owned()),
        reason: None,
        actor: Some("tester".parse().unwrap()),
        period: Period { axis: Axis::Occurred, from: None, to: head.as_of },
    };
    let a_while_before = Timestamp::from_micros(head.as_of.unwrap().micros() - 100_000).unwrap();
    let found = queries.movements((site, &id("A")), &filter, Direction::OldestFirst, None, 20).await.unwrap();
    assert!(!found.value.data.is_empty(), "orders are placed everywhere");
    answers.push(json!(found.value.data));
    let filter = OrderFilter {
        status: None,
        customer: Some("c-1".parse().unwrap()),
        sku: Some(id("A")),
        period: Period { axis: Axis::Recorded, from: Some(a_while_before), to: head.as_of },
    };
    let found = queries.orders(site, &filter, Direction::OldestFirst, None, 20).await.unwrap();
    assert!(!found.value.data.is_empty(), "every order is of that customer");
    answers.push(json!(found.value.data));
}

async fn assert_equal(first: &Arc<dyn Store>, second: &Arc<dyn Store>) {
    let (one, other) =
        (ensure_active(&**first, now()).await.unwrap(), ensure_active(&**second, now()).await.unwrap());
    let compared = compare((&**first, one), (&**second, other)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows() > 500, "{}", compared.rows());
    assert_eq!(answers(first).await, answers(second).await);
}

async fn live_and_rebuilt_equal_sqlite(variable: &str) {
    let mut ledger = ledger();
    let embedded = TestStore::new().await;
    let database = Database::create(variable).await;
    let store: Arc<dyn Store> = Arc::new(database.store().await);
    let running = Running::start(ledger.log(), &store).await;
    running.until_level(&ledger).await;
    for round in 0..10 {
        add_orders(&mut ledger, 60 + round * 10, 70 + round * 10);
        running.until_level(&ledger).await;
    }
    replay_into(&replay(ledger.log(), &embedded.store), embedded.active().await).await.unwrap();
    assert_equal(&embedded.store, &store).await;
    // A rebuild beside the running projector, which does not stand still meanwhile, and then the projector in the new
    // version.
    let rebuilding = replay(ledger.log(), &store);
    let (rebuilt, ()) = futures_util::join!(rebuild(&rebuilding), async {
        for round in 0..15 {
            add_orders(&mut ledger, 160 + round * 4, 164 + round * 4);
            running.until_level(&ledger).await;
        }
    });
    let rebuilt = rebuilt.unwrap();
    assert!(rebuilt.switched.is_some_and(|switched| switched.is_compared));
    add_orders(&mut ledger, 220, 240);
    running.until_level_in(rebuilt.version, &ledger).await;
    running.stop().await;
    replay_into(&replay(ledger.log(), &embedded.store), embedded.active().await).await.unwrap();
    assert_equal(&embedded.store, &store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mysql_holds_is_what_sqlite_holds() {
    live_and_rebuilt_equal_sqlite(MYSQL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mariadb_holds_is_what_sqlite_holds() {
    live_and_rebuilt_equal_sqlite(MARIADB).await;
}
