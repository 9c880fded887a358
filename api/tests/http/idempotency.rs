//! The same key gives the same answer and happens once.

use crate::support::Service;

const RECEIPTS: &str = "/v1/sites/uk/receipts";
const TEN: &str = r#"{"lines":[{"sku":"A","quantity":10}]}"#;

#[tokio::test]
async fn a_repeated_command_happens_once_and_gets_the_first_answer() {
    let service = Service::start().await;
    let first = service.post_as("k-1", RECEIPTS, TEN).await.expect(201);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    for key in ["k-1", "\"k-1\""] {
        let again = service.post_as(key, RECEIPTS, TEN).await.expect(200);
        assert_eq!(again.text, first.text, "the same bytes");
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("ledger-position"), first.header("ledger-position"));
    }
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.json["on_hand"], 10);
}

#[tokio::test]
async fn equal_commands_written_differently_are_one() {
    let service = Service::start().await;
    service.post_as("k", RECEIPTS, r#"{"lines":[{"sku":"A","quantity":1}],"note":null}"#).await.expect(201);
    service
        .post_as("k", RECEIPTS, r#" { "lines" : [ { "quantity":1, "sku":"\u0041" } ] } "#)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_key_is_not_reused_for_another_command_or_route() {
    let service = Service::start().await;
    service.post_as("k", RECEIPTS, TEN).await.expect(201);
    let other = service.post_as("k", RECEIPTS, r#"{"lines":[{"sku":"A","quantity":11}]}"#).await.expect(422);
    assert_eq!(other.code(), "idempotency-key-reused");
    assert!(!other.headers.contains_key("ledger-position"));
    let route = service.post_as("k", "/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(422);
    assert_eq!(route.code(), "idempotency-key-reused");
}

#[tokio::test]
async fn a_key_belongs_to_its_site() {
    let service = Service::start().await;
    service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
    service.post_as("k", RECEIPTS, TEN).await.expect(201);
    service.post_as("k", "/v1/sites/fr/receipts", TEN).await.expect(201);
}

#[tokio::test]
async fn a_refusal_is_remembered_also_when_stock_has_come() {
    let service = Service::start().await;
    let order = r#"{"order_id":"o","lines":[{"sku":"A","quantity":5}]}"#;
    let refused = service.post_as("k", "/v1/sites/uk/orders", order).await.expect(409);
    service.receive("A", 100).await;
    let again = service.post_as("k", "/v1/sites/uk/orders", order).await.expect(409);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("ledger-position"), refused.header("ledger-position"));
    assert_eq!(again.json["shortages"], refused.json["shortages"]);
    assert_eq!(again.json["detail"], refused.json["detail"]);
    service.post_as("k-2", "/v1/sites/uk/orders", order).await.expect(201);
}

#[tokio::test]
async fn an_invalid_command_does_not_use_its_key_up() {
    let service = Service::start().await;
    service.post_as("k", RECEIPTS, r#"{"lines":[]}"#).await.expect(422);
    service.post_as("k", RECEIPTS, "{").await.expect(400);
    service.post_as("k", RECEIPTS, TEN).await.expect(201);
}
