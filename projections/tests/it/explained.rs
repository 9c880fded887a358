//! Explanations: what a level came from, and that it adds up.

use serde_json::json;
use stockledger_projections::views::{Explanation, Part};
use stockledger_projections::{Point, Queries};
use stockledger_schemas::{Disposition, HoldReason, Reason};

use crate::common::{Ledger, adjust, cancel, hold, id, place, receive, release, ship, take_back};
use crate::past::random_ledger;
use crate::queried::{known, projected};
use crate::random::{SITES, SKUS};

async fn explain(queries: &Queries, sku: &str, then: Option<Point>) -> Explanation {
    let known = known(queries, "shop").await;
    queries.explain(&known, &id(sku), then).await.unwrap().unwrap()
}

fn shop() -> Ledger {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.run_for("shop", receive(&[("A", 100), ("B", 7)]), Reason::OpeningBalance);
    ledger.run_for("shop", receive(&[("A", 20)]), Reason::Purchase);
    ledger.run_for("shop", receive(&[("A", 5)]), Reason::Purchase);
    ledger.run("shop", adjust(&[("A", -3)]));
    ledger.run("shop", hold("h-1", "A", 6, HoldReason::QualityControl));
    ledger.run("shop", release("h-1", 2));
    ledger.run("shop", place("o-1", &[("A", 10), ("B", 1)]));
    ledger.run("shop", place("o-2", &[("A", 7)]));
    ledger.run("shop", place("o-3", &[("A", 8)]));
    ledger.run("shop", ship("o-1", None));
    ledger.run("shop", ship("o-2", Some(&[("A", 3)])));
    ledger.run("shop", cancel("o-3"));
    ledger.run("shop", take_back("o-1", "A", 1, Disposition::Damaged));
    ledger.run("shop", take_back("o-1", "A", 2, Disposition::Restock));
    ledger
}

fn summary(part: &Part) -> (String, Option<&str>, [i64; 3], u64, u64) {
    let delta = [part.delta.on_hand, part.delta.reserved, part.delta.held];
    (part.kind.clone(), part.reason.map(|reason| reason.as_str()), delta, part.movements, part.orders)
}

fn part(
    kind: &str,
    reason: Option<&'static str>,
    delta: [i64; 3],
    movements: u64,
    orders: u64,
) -> (String, Option<&'static str>, [i64; 3], u64, u64) {
    (kind.to_owned(), reason, delta, movements, orders)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_is_the_sum_of_its_parts() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let found = explain(&queries, "A", None).await;
    assert!(found.adds_up);
    assert_eq!(summary(&found.opening), part("stock_received", Some("opening_balance"), [100, 0, 0], 1, 0));
    let parts: Vec<_> = found.parts.iter().map(summary).collect();
    let expected = [
        part("stock_received", Some("purchase"), [25, 0, 0], 2, 0),
        part("stock_adjusted", Some("correction"), [-3, 0, 0], 1, 0),
        part("stock_held", Some("quality_control"), [0, 0, 6], 1, 0),
        part("hold_released", Some("quality_control"), [0, 0, -2], 1, 0),
        part("order_placed", None, [0, 25, 0], 3, 3),
        part("order_shipped", None, [-13, -13, 0], 2, 2),
        part("order_cancelled", None, [0, -8, 0], 1, 1),
        part("order_returned", None, [3, 0, 1], 2, 1),
    ];
    assert_eq!(parts, expected);
    assert_eq!((found.level.on_hand, found.level.reserved, found.level.held), (112, 4, 5));
    assert_eq!((found.sums.on_hand, found.sums.reserved, found.sums.held), (112, 4, 5));
    assert_eq!(found.sums.held_by_reason, found.level.held_by_reason);
    let reservations = json!(found.reservations);
    let placed = json!({
        "order_id": "o-2", "quantity": 4, "position": "0.10",
        "recorded_at": found.parts[4].newest[1].recorded_at,
    });
    assert_eq!(reservations, json!({"quantity": 4, "orders": 1, "oldest": [placed]}));
    let holds = json!(found.holds);
    let expected = json!([
        {"reason": "damaged", "quantity": 1, "set_aside": 1, "released": 0, "movements": 1},
        {"reason": "quality_control", "quantity": 4, "set_aside": 6, "released": 2, "movements": 2},
    ]);
    assert_eq!(holds, expected);
    let orders: Vec<_> = found.parts[4].newest.iter().map(|movement| movement.order_id.as_ref()).collect();
    assert_eq!(orders.into_iter().flatten().map(|id| id.as_str()).collect::<Vec<_>>(), ["o-3", "o-2", "o-1"]);
    assert_eq!(found.parts[4].first.map(|place| place.position.seq), Some(9));
    assert_eq!(found.parts[4].last.map(|place| place.position.seq), Some(11));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_of_then_is_explained_by_what_was_before() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let found = explain(&queries, "A", Some(Point::Seq(11))).await;
    assert!(found.adds_up);
    assert_eq!((found.level.on_hand, found.level.reserved, found.level.at.position.seq), (122, 25, 11));
    assert_eq!((found.reservations.orders, found.reservations.quantity), (3, 25));
    assert!(found.parts.iter().all(|part| part.kind != "order_shipped"));
    let nothing = explain(&queries, "A", Some(Point::Seq(1))).await;
    assert!(nothing.adds_up && nothing.parts.is_empty() && nothing.opening.newest.is_empty());
    assert_eq!((nothing.opening.movements, nothing.level.on_hand), (0, 0));
    let known = known(&queries, "shop").await;
    assert_eq!(queries.explain(&known, &id("never seen"), None).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_parts_are_cut_and_still_add_up() {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 10_000)]));
    for number in 0..60 {
        ledger.run("shop", place(&format!("o-{number}"), &[("A", 1 + number)]));
    }
    let (_store, queries) = projected(&ledger).await;
    let found = explain(&queries, "A", None).await;
    assert!(found.adds_up);
    assert_eq!((found.parts[1].movements, found.parts[1].newest.len()), (60, 5));
    assert_eq!(found.parts[1].newest[0].order_id.as_ref().map(|id| id.as_str()), Some("o-59"));
    assert_eq!((found.reservations.orders, found.reservations.quantity), (60, 1_830));
    assert_eq!((found.reservations.oldest.len(), found.reservations.oldest[0].quantity), (50, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_level_of_a_random_ledger_adds_up_at_every_time() {
    let (ledger, decided) = random_ledger(600, true);
    let (_store, queries) = projected(&ledger).await;
    for site in SITES {
        let known = known(&queries, site).await;
        for sku in SKUS {
            let points = decided.iter().step_by(97).map(|decision| Some(Point::Seq(decision.seq)));
            for point in points.chain([None]) {
                let found = queries.explain(&known, &id(sku), point).await.unwrap().unwrap();
                assert!(found.adds_up, "{site} {sku} {point:?}: {found:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_level_that_somebody_changed_does_not_add_up() {
    for change in [
        "UPDATE stock__v1 SET on_hand = on_hand + 1 WHERE sku = 'A'",
        "UPDATE stock__v1 SET held_damaged = 0, held_other = 1 WHERE sku = 'A'",
        "UPDATE movements__v1 SET d_reserved = 5 WHERE sku = 'A' AND d_reserved = 7",
        "DELETE FROM movements__v1 WHERE sku = 'A' AND type = 'stock_adjusted'",
    ] {
        let ledger = shop();
        let (store, queries) = projected(&ledger).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&store.path);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let done = sqlx::query(change).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{change}");
        assert!(!explain(&queries, "A", None).await.adds_up, "{change}");
        assert!(explain(&queries, "B", None).await.adds_up, "{change}");
    }
}
