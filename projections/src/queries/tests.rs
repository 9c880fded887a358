//! That pages of history are read through their indexes, however much history there is.

use stockledger_schemas::Timestamp;

use super::explain;
use super::movements::{Direction, Listed, MovementFilter};
use super::occurred;
use super::orders::{TRAIL_LINES, TRAIL_PAGE};
use super::past::{LAST_AT_INSTANT, LAST_AT_SEQ, LAST_MOVEMENT, last_movements_sql};
use super::past_orders::STEPS_THEN;
use super::period::Span;
use crate::SqliteStore;
use crate::store::{Select, Store};
use crate::table::{Version, at_version};
use crate::value::{Fields, Value};

/// How SQLite goes about a query.
async fn plan(sql: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("projections.sqlite")).await.unwrap();
    store.create_version(Version::FIRST, Timestamp::from_micros(0).unwrap()).await.unwrap();
    store.create_indexes(Version::FIRST).await.unwrap();
    let sql = at_version(&format!("EXPLAIN QUERY PLAN {sql}"), Version::FIRST);
    let parameters = vec![Value::Int(1); sql.matches('?').count()];
    let rows = store.snapshot().await.unwrap().select(Select { sql, parameters }).await.unwrap();
    let detail = |fields: Fields| match fields.rest().pop() {
        Some(Value::Text(detail)) => detail,
        other => panic!("{other:?}"),
    };
    rows.into_iter().map(detail).collect()
}

fn movements_page(direction: Direction) -> String {
    let (site, sku) = ("uk".parse().unwrap(), "A".parse().unwrap());
    let filter = MovementFilter { kind: Some("order_placed".to_owned()), ..MovementFilter::default() };
    let span = Span { after: 0, up_to: u64::MAX };
    let listed = Listed { site: &site, sku: &sku, filter: &filter, direction, span, after: None };
    listed.page(10).sql
}

#[tokio::test]
async fn pages_of_history_are_entered_by_their_index() {
    let (newest, oldest) = (movements_page(Direction::NewestFirst), movements_page(Direction::OldestFirst));
    let keys = "COVERING INDEX movements__v1_0 (site=? AND sku=? AND seq>? AND seq<?)";
    let cases = [
        (newest.as_str(), keys),
        (oldest.as_str(), keys),
        (TRAIL_PAGE, "COVERING INDEX trail__v1_0 (site=? AND order_id=? AND seq>?)"),
        (TRAIL_LINES, "COVERING INDEX trail__v1_0 (site=? AND order_id=? AND seq>? AND seq<?)"),
    ];
    for (sql, index) in cases {
        let plan = plan(sql).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
        let by_key = |step: &&String| step.contains("USING PRIMARY KEY");
        assert!(plan.iter().filter(by_key).all(|step| step.contains("(site=? AND seq=?")), "{plan:?}");
    }
}

#[tokio::test]
async fn the_past_is_entered_by_its_index_however_long_it_is() {
    let last_movement = "COVERING INDEX movements__v1_0 (site=? AND sku=? AND seq<?)";
    let at_instant = "COVERING INDEX trail__v1_1 (site=? AND recorded_at<?)";
    let last_movements = last_movements_sql(2);
    let (occurred, occurred_page) = (occurred::level_sql(), occurred::levels_sql());
    let (x_of_item, y_of_item) = (
        "x USING COVERING INDEX movements__v1_0 (site=? AND sku=? AND seq<?)",
        "y USING COVERING INDEX movements__v1_0 (site=? AND sku=? AND seq<?)",
    );
    let cases = [
        (LAST_MOVEMENT, &[last_movement][..]),
        (last_movements.as_str(), &[last_movement]),
        (LAST_AT_INSTANT, &[at_instant]),
        (LAST_AT_SEQ, &["t USING PRIMARY KEY (site=? AND seq<?)"]),
        (STEPS_THEN, &["COVERING INDEX trail__v1_0 (site=? AND order_id=? AND seq>? AND seq<?)"]),
        (occurred.as_str(), &["s USING PRIMARY KEY (site=? AND sku=?)", x_of_item]),
        (occurred_page.as_str(), &["s USING PRIMARY KEY (site=? AND sku>? AND sku<?)", x_of_item, y_of_item]),
    ];
    for (sql, steps) in cases {
        let plan = plan(sql).await;
        for step in steps {
            assert!(plan.iter().any(|found| found.contains(step)), "{step}: {plan:#?}");
        }
        let mut searched = plan.iter().filter(|step| step.contains("USING PRIMARY KEY (site=?)"));
        assert_eq!(searched.next(), None, "{plan:#?}");
        // What is scanned is what the inner query found.
        let mut scanned = plan.iter().filter(|step| step.starts_with("SCAN"));
        assert!(scanned.all(|step| step == "SCAN k"), "{plan:#?}");
    }
}

#[tokio::test]
async fn an_explanation_reads_the_movements_of_its_item_alone() {
    let sqls = [
        explain::parts_sql(),
        explain::newest_sql(),
        explain::reserved_sql(),
        explain::reservations_sql(),
        explain::holds_sql(),
    ];
    for sql in sqls {
        let plan = plan(&sql).await;
        let keys = "COVERING INDEX movements__v1_0 (site=? AND sku=? AND seq<?)";
        assert!(plan.iter().any(|step| step.contains(keys)), "{plan:#?}");
        let mut searched = plan.iter().filter(|step| step.starts_with("SEARCH") && !step.contains(keys));
        assert!(searched.all(|step| step.contains("USING PRIMARY KEY (site=? AND seq=?")), "{plan:#?}");
        let mut scanned = plan.iter().filter(|step| step.starts_with("SCAN"));
        assert!(
            scanned.all(|step| ["SCAN k", "SCAN r", "SCAN n", "SCAN o"].contains(&step.as_str())
                || step.starts_with("SCAN (subquery")),
            "{plan:#?}"
        );
    }
}
