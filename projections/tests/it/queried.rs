//! What queries answer, against known data.

use std::sync::Arc;

use serde_json::{Value, json};
use stockledger_projections::rebuild::replay_into;
use stockledger_projections::views::KnownSite;
use stockledger_projections::{Direction, MovementFilter, MovementKey, OrderFilter, Queries};
use stockledger_schemas::{Disposition, HoldReason, OrderStatus, PartitionId, SiteId};

use crate::common::{
    Ledger, TestStore, cancel, hold, id, order, place, rebuild, receive, replay, ship, take_back,
};

/// Everything that the ledger says, in tables.
pub(crate) async fn projected(ledger: &Ledger) -> (TestStore, Queries) {
    let store = TestStore::new().await;
    replay_into(&replay(ledger.log(), &store.store), store.active().await).await.unwrap();
    let queries = Queries::new(Arc::clone(&store.store), None);
    (store, queries)
}

pub(crate) async fn known(queries: &Queries, site: &str) -> KnownSite {
    queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap()
}

fn shop() -> Ledger {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.register_item("A", "Äpfel");
    ledger.run("shop", receive(&[("A", 10), ("B", 5)]));
    ledger.run("shop", hold("h", "A", 2, HoldReason::QualityControl));
    ledger.run("shop", place("o-1", &[("B", 2), ("A", 3)]));
    ledger.run("shop", place("o-2", &[("A", 9), ("C", 1)]));
    ledger.run("shop", ship("o-1", Some(&[("A", 3)])));
    ledger.run("shop", ship("o-9", None));
    ledger
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_store_answers_as_an_empty_ledger() {
    let store = TestStore::new().await;
    let queries = Queries::new(Arc::clone(&store.store), None);
    assert_eq!(queries.site(&SiteId::new("shop").unwrap()).await.unwrap(), None);
    assert_eq!(queries.items(None, 10).await.unwrap().value.data, []);
    assert_eq!(queries.stock_of_item(&id("A"), None, 10).await.unwrap().data, []);
    assert_eq!(queries.positions().await.unwrap(), []);
    let gone = KnownSite { site: SiteId::new("shop").unwrap(), partition: PartitionId(0) };
    assert_eq!(queries.order(&gone, &order("o")).await.unwrap(), None);
    assert_eq!(queries.units_on_hand(&gone).await.unwrap().value, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stock_level_says_all_balances_and_its_position() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let level = queries.stock_level(&site, &id("A")).await.unwrap().unwrap();
    assert_eq!(level.at.position, ledger.head(PartitionId(0)));
    let as_of = level.at.as_of.unwrap().to_string();
    assert_eq!(
        as_json(&level),
        json!({
            "site": "shop", "sku": "A", "on_hand": 7, "reserved": 0, "held": 2,
            "held_by_reason": {"damaged": 0, "quality_control": 2, "safety_stock": 0, "other": 0},
            "incoming": 0, "available": 5, "position": level.at.position.to_string(), "as_of": as_of,
        })
    );
    assert_eq!(queries.stock_level(&site, &id("never seen")).await.unwrap(), None);
    assert_eq!(queries.stock_level(&site, &id("C")).await.unwrap(), None);
    assert_eq!(queries.units_on_hand(&site).await.unwrap().value, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_answered_with_its_lines_as_given() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let answer = queries.order(&site, &order("o-1")).await.unwrap().unwrap();
    let found = as_json(&answer.value);
    assert_eq!(found["status"], "partially_shipped");
    assert_eq!(
        found["lines"],
        json!([
            {"sku": "B", "ordered": 2, "shipped": 0, "cancelled": 0, "returned": 0, "unit_price_minor": 250},
            {"sku": "A", "ordered": 3, "shipped": 3, "cancelled": 0, "returned": 0, "unit_price_minor": 250},
        ])
    );
    assert_eq!((&found["customer"], &found["currency"]), (&json!("c-1"), &json!("GBP")));
    assert_eq!(answer.at.position, ledger.head(PartitionId(0)));
    assert_eq!(answer.value.position.seq, ledger.head(PartitionId(0)).seq - 1);
    let refused = queries.order(&site, &order("o-2")).await.unwrap().unwrap().value;
    assert_eq!((refused.status, refused.lines.len()), (OrderStatus::Refused, 2));
    assert_eq!(queries.order(&site, &order("o-9")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_tells_every_step_of_an_order() {
    let mut ledger = shop();
    ledger.run("shop", cancel("o-1"));
    ledger.run("shop", take_back("o-1", "A", 1, Disposition::Damaged));
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let trail = queries.order_trail(&site, &order("o-1"), None, 50).await.unwrap().value.data;
    let kinds: Vec<&str> = trail.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["order_placed", "order_shipped", "order_cancelled", "order_returned"]);
    assert_eq!(
        as_json(&trail[0].lines),
        json!([
            {"sku": "B", "quantity": 2, "delta": {"on_hand": 0, "reserved": 2, "held": 0},
             "after": {"on_hand": 5, "reserved": 2, "held": 0}},
            {"sku": "A", "quantity": 3, "delta": {"on_hand": 0, "reserved": 3, "held": 0},
             "after": {"on_hand": 10, "reserved": 3, "held": 2}},
        ])
    );
    assert_eq!(trail[3].lines.len(), 1);
    let step = as_json(&trail[1]);
    let mut members: Vec<&String> = step.as_object().unwrap().keys().collect();
    members.sort();
    let expected = [
        "actor",
        "causation",
        "correlation_id",
        "idempotency_key",
        "lines",
        "note",
        "occurred_at",
        "position",
        "reason",
        "recorded_at",
        "reference",
        "type",
    ];
    assert_eq!(members, expected);
    assert_eq!(step["actor"], "tester");
    let placed = trail[0].position;
    let causes: Vec<_> = trail.iter().map(|step| step.causation).collect();
    assert_eq!(causes, [None, Some(placed), Some(placed), Some(placed)]);
    assert!(step["idempotency_key"].as_str().unwrap().starts_with("key-"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_of_refusals_says_what_was_short_and_why() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let trail = queries.order_trail(&site, &order("o-2"), None, 50).await.unwrap().value.data;
    assert_eq!(trail[0].kind, "out_of_stock");
    assert_eq!(
        as_json(&trail[0].lines),
        json!([
            {"sku": "A", "requested": 9, "available": 5},
            {"sku": "C", "requested": 1, "available": 0},
        ])
    );
    let trail = queries.order_trail(&site, &order("o-9"), None, 50).await.unwrap().value.data;
    let refused = trail[0].refused.as_ref().unwrap();
    assert_eq!(
        (&refused["command"], &refused["refusal"]["type"]),
        (&json!("ship_order"), &json!("unknown_order"))
    );
    assert_eq!(queries.order_trail(&site, &order("nowhere"), None, 50).await.unwrap().value.data, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movements_run_both_ways_and_their_deltas_add_up() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let (sku, all) = (id("A"), MovementFilter::default());
    let movements = |direction| queries.movements((&site, &sku), &all, direction, None, 50);
    let newest = movements(Direction::NewestFirst).await.unwrap().value.data;
    let mut oldest = movements(Direction::OldestFirst).await.unwrap().value.data;
    let kinds: Vec<&str> = oldest.iter().map(|movement| movement.kind.as_str()).collect();
    assert_eq!(kinds, ["stock_received", "stock_held", "order_placed", "order_shipped"]);
    assert_eq!(oldest.iter().map(|movement| movement.delta.on_hand).sum::<i64>(), 7);
    assert_eq!(oldest[1].reason.map(|reason| reason.as_str()), Some("quality_control"));
    assert_eq!(oldest[2].order_id, Some(order("o-1")));
    oldest.reverse();
    assert_eq!(oldest, newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movements_of_one_decision_are_paged_too() {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 10)]));
    ledger.run("shop", place("o-1", &[("A", 6)]));
    ledger.run("shop", ship("o-1", None));
    let both = stockledger_domain::command::ReturnOrder {
        order_id: order("o-1"),
        lines: [Disposition::Restock, Disposition::Damaged]
            .map(|disposition| stockledger_domain::command::ReturnLine {
                sku: id("A"),
                quantity: crate::common::quantity(1),
                disposition,
            })
            .to_vec(),
    };
    ledger.run("shop", stockledger_domain::Command::ReturnOrder(both));
    let (_store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let (sku, every) = (id("A"), MovementFilter::default());
    let movements =
        |direction, after, limit| queries.movements((&site, &sku), &every, direction, after, limit);
    for direction in [Direction::NewestFirst, Direction::OldestFirst] {
        let all = movements(direction, None, 50).await.unwrap().value;
        assert_eq!((all.data.len(), all.next), (5, None));
        let mut paged = Vec::new();
        let mut after: Option<MovementKey> = None;
        loop {
            let page = movements(direction, after, 1).await.unwrap().value;
            paged.extend(page.data);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, all.data);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_paged_by_key_and_end() {
    let mut ledger = Ledger::new(2);
    for site in ["b", "a", "c"] {
        ledger.open_site(site);
        ledger.run(site, receive(&[("Z", 3), ("A", 1), ("a", 2)]));
        for number in 0..5 {
            ledger.run(site, place(&format!("o-{number}"), &[("Z", 1)]));
        }
    }
    let (_store, queries) = projected(&ledger).await;
    let sites = queries.sites(None, 2).await.unwrap().value;
    assert_eq!((sites.data.len(), sites.next.as_ref().map(SiteId::as_str)), (2, Some("b")));
    let rest = queries.sites(sites.next.as_ref(), 2).await.unwrap().value;
    assert_eq!((rest.data[0].site.as_str(), rest.next), ("c", None));

    let site = known(&queries, "b").await;
    let levels = queries.stock_levels(&site, None, 3).await.unwrap().value;
    let skus: Vec<&str> = levels.data.iter().map(|level| level.sku.as_str()).collect();
    assert_eq!((skus, levels.next), (vec!["A", "Z", "a"], None));
    let levels = queries.stock_levels(&site, Some(&id("A")), 1).await.unwrap().value;
    assert_eq!((levels.data[0].sku.as_str(), levels.next), ("Z", Some(id("Z"))));

    let everywhere = queries.stock_of_item(&id("Z"), None, 50).await.unwrap().data;
    let found: Vec<(&str, PartitionId)> =
        everywhere.iter().map(|level| (level.site.as_str(), level.at.position.partition)).collect();
    assert_eq!(found, ["a", "b", "c"].map(|site| (site, ledger.home(site))));
    assert!(everywhere.iter().all(|level| level.at.position == ledger.head(level.at.position.partition)));

    let newest = Direction::NewestFirst;
    let placed = OrderFilter { status: Some(OrderStatus::Placed), ..OrderFilter::default() };
    let first = queries.orders(&site, &placed, newest, None, 2).await.unwrap().value;
    let ids: Vec<&str> = first.data.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!(ids, ["o-2", "o-1"]);
    let rest = queries.orders(&site, &placed, newest, first.next, 2).await.unwrap().value;
    assert_eq!((rest.data[0].order_id.as_str(), rest.data.len(), rest.next), ("o-0", 1, None));
    let all = queries.orders(&site, &OrderFilter::default(), newest, None, 5).await.unwrap().value;
    let ids: Vec<&str> = all.data.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!((ids, all.next), (vec!["o-4", "o-3", "o-2", "o-1", "o-0"], None));
    assert!(all.data.iter().all(|order| order.lines.len() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_and_sites_are_described() {
    let ledger = shop();
    let (_store, queries) = projected(&ledger).await;
    let item = queries.item(&id("A")).await.unwrap().unwrap().value;
    assert_eq!((item.name.as_str(), item.unit.as_str()), ("Äpfel", "each"));
    assert_eq!(queries.item(&id("B")).await.unwrap(), None);
    let site = known(&queries, "shop").await;
    let site = queries.site_details(&site).await.unwrap().unwrap().value;
    assert_eq!((site.name.as_str(), site.position.seq), ("Site shop", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_go_on_across_a_switch() {
    let ledger = shop();
    let (store, queries) = projected(&ledger).await;
    let site = known(&queries, "shop").await;
    let before = queries.stock_level(&site, &id("A")).await.unwrap();
    rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
    assert_eq!(queries.stock_level(&site, &id("A")).await.unwrap(), before);
    assert_eq!(queries.positions().await.unwrap()[0].position, ledger.head(PartitionId(0)));
}

#[tokio::test]
async fn a_site_is_summed_up_as_its_levels_and_orders_are() {
    let (_store, queries) = projected(&shop()).await;
    let shop = known(&queries, "shop").await;
    let levels = queries.stock_levels(&shop, None, 100).await.unwrap().value.data;
    let sum =
        |number: fn(&stockledger_projections::views::StockLevel) -> i64| levels.iter().map(number).sum();
    let stock = queries.site_stock(&shop).await.unwrap();
    let expected = stockledger_projections::queries::SiteStock {
        items: i64::try_from(levels.len()).unwrap(),
        on_hand: sum(|level| level.on_hand),
        reserved: sum(|level| level.reserved),
        held: sum(|level| level.held),
        available: sum(|level| level.available),
    };
    assert_eq!(stock.value, expected);
    assert_eq!((stock.value.on_hand, stock.value.reserved, stock.value.held), (12, 2, 2));
    let open = [OrderStatus::Placed, OrderStatus::PartiallyShipped];
    let count = async |statuses: &[OrderStatus], bound| {
        queries.count_orders(&shop, statuses, bound).await.unwrap().value
    };
    assert_eq!(count(&open, 10).await, 1);
    assert_eq!(count(&[OrderStatus::Refused], 10).await, 1);
    assert_eq!(count(&[OrderStatus::PartiallyShipped, OrderStatus::Refused], 1).await, 1);
    assert_eq!(count(&[OrderStatus::Cancelled], 10).await, 0);
}

#[tokio::test]
async fn items_are_described_many_at_once() {
    let (_store, queries) = projected(&shop()).await;
    let skus = ["A", "B"].map(|sku| sku.parse().unwrap());
    let described = queries.items_described(&skus).await.unwrap();
    assert_eq!(described.len(), 1);
    assert_eq!(described[&skus[0]].name.as_str(), "Äpfel");
    assert!(queries.items_described(&[]).await.unwrap().is_empty());
}
