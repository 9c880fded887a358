//! Orders through their life, as commands answer and as reads show them.

use serde_json::{Value, json};

use crate::support::Service;

fn line(sku: &str, ordered: i64, shipped: i64, cancelled: i64, returned: i64, price: Option<i64>) -> Value {
    json!({
        "sku": sku, "ordered": ordered, "shipped": shipped, "cancelled": cancelled, "returned": returned,
        "unit_price_minor": price,
    })
}

async fn with_stock() -> Service {
    let service = Service::start().await;
    service.receive("A", 10).await;
    service.receive("B", 10).await;
    service
}

const ORDER: &str = r#"{"order_id":"o 1/2","customer":"13085","currency":"GBP","occurred_at":"2009-12-01T07:45:00Z",
    "lines":[{"sku":"A","quantity":2,"unit_price_minor":695},{"sku":"B","quantity":3},{"sku":"A","quantity":1}]}"#;
const PATH: &str = "/v1/sites/uk/orders/o%201%2F2";

#[tokio::test]
async fn an_order_is_placed_with_equal_skus_merged() {
    let service = with_stock().await;
    let placed = service.post("/v1/sites/uk/orders", ORDER).await.expect(201);
    let expected = json!({
        "site": "uk", "order_id": "o 1/2", "status": "placed", "customer": "13085", "currency": "GBP",
        "lines": [line("A", 3, 0, 0, 0, Some(695)), line("B", 3, 0, 0, 0, None)],
        "placed_at": placed.json["placed_at"], "occurred_at": "2009-12-01T07:45:00.000000Z",
        "position": placed.header("ledger-position"),
    });
    assert_eq!(placed.json, expected);
    assert!(placed.json["placed_at"].as_str().unwrap() > "2020");
    let read = service.get(PATH).await.expect(200);
    assert_eq!(read.json, placed.json);
    assert_eq!(read.header("ledger-position"), placed.header("ledger-position"));
}

#[tokio::test]
async fn an_order_is_shipped_cancelled_and_returned() {
    let service = with_stock().await;
    service.post("/v1/sites/uk/orders", ORDER).await.expect(201);
    let step = async |path: &str, body: &str, status: &str, lines: [Value; 2]| {
        let answer = service.post(&format!("{PATH}/{path}"), body).await.expect(201);
        assert_eq!(answer.json["status"], status);
        assert_eq!(answer.json["lines"], json!(lines));
        assert_eq!(answer.json["position"], answer.header("ledger-position"));
        let read = service.get(PATH).await.expect(200);
        assert_eq!(read.json, answer.json, "the tables say what the answer said");
    };
    let part = r#"{"lines":[{"sku":"A","quantity":2}]}"#;
    step(
        "shipments",
        part,
        "partially_shipped",
        [line("A", 3, 2, 0, 0, Some(695)), line("B", 3, 0, 0, 0, None)],
    )
    .await;
    let cancellation = r#"{"reason":"customer_request"}"#;
    step(
        "cancellation",
        cancellation,
        "shipped",
        [line("A", 3, 2, 1, 0, Some(695)), line("B", 3, 0, 3, 0, None)],
    )
    .await;
    let back = r#"{"lines":[{"sku":"A","quantity":1,"disposition":"restock"},
        {"sku":"A","quantity":1,"disposition":"damaged"}]}"#;
    step("returns", back, "shipped", [line("A", 3, 2, 1, 2, Some(695)), line("B", 3, 0, 3, 0, None)]).await;
    let level = service.get("/v1/sites/uk/stock/A").await.expect(200);
    assert_eq!((&level.json["on_hand"], &level.json["held"]), (&json!(10), &json!(1)));
    assert_eq!(level.json["held_by_reason"]["damaged"], 1);
}

#[tokio::test]
async fn all_that_is_open_is_shipped_without_a_body() {
    let service = with_stock().await;
    service.post("/v1/sites/uk/orders", ORDER).await.expect(201);
    let shipped = service.post(&format!("{PATH}/shipments"), "").await.expect(201);
    assert_eq!(shipped.json["status"], "shipped");
}

#[tokio::test]
async fn an_order_short_of_goods_is_refused_with_what_is_short() {
    let service = with_stock().await;
    let body = r#"{"order_id":"big/1","lines":[{"sku":"A","quantity":8},{"sku":"B","quantity":1},
        {"sku":"A","quantity":4},{"sku":"C","quantity":5}]}"#;
    let refused = service.post("/v1/sites/uk/orders", body).await.expect(409);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.code(), "insufficient-stock");
    assert_eq!(refused.json["instance"], "/v1/sites/uk/orders/big%2F1");
    let expected = json!([
        { "sku": "A", "requested": 12, "available": 10 },
        { "sku": "C", "requested": 5, "available": 0 },
    ]);
    assert_eq!(refused.json["shortages"], expected);
    let detail = refused.json["detail"].as_str().unwrap();
    assert!(detail.contains("12 of A requested but 10 available"), "{detail}");
    assert!(refused.header("ledger-position").contains('.'));

    let read = service.get("/v1/sites/uk/orders/big%2F1").await.expect(200);
    assert_eq!(read.json["status"], "refused");
    let again = r#"{"order_id":"big/1","lines":[{"sku":"A","quantity":1}]}"#;
    service.post("/v1/sites/uk/orders", again).await.expect(201);
    let trail = service.get("/v1/sites/uk/orders/big%2F1/trail").await.expect(200);
    let types: Vec<&str> =
        trail.json["data"].as_array().unwrap().iter().map(|step| step["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["out_of_stock", "order_placed"]);
    let short = &trail.json["data"][0];
    assert_eq!(short["position"], refused.header("ledger-position"));
    assert_eq!(short["actor"], "local");
    assert_eq!(short["lines"][0], json!({ "sku": "A", "requested": 12, "available": 10 }));
}
