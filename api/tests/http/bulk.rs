//! Many commands in one request.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use stockledger_log::Entry;

use crate::support::Service;

fn receipt(key: &str, sku: &str, quantity: i64) -> String {
    json!({
        "command": "receive_stock", "site": "uk", "idempotency_key": key,
        "body": { "lines": [{ "sku": sku, "quantity": quantity }] },
    })
    .to_string()
}

fn order(key: &str, order_id: &str, sku: &str, quantity: i64) -> String {
    json!({
        "command": "place_order", "site": "uk", "idempotency_key": key,
        "body": { "order_id": order_id, "lines": [{ "sku": sku, "quantity": quantity }] },
    })
    .to_string()
}

fn statuses(lines: &[Value]) -> Vec<(u64, u64)> {
    lines
        .iter()
        .map(|line| (line["line"].as_u64().expect("a number"), line["status"].as_u64().expect("a number")))
        .collect()
}

#[tokio::test]
async fn each_line_is_answered_in_order_and_bad_ones_stop_nobody() {
    let service = Service::start().await;
    let lines = [
        json!({ "command": "open_site", "site": "fr", "body": { "name": "France" } }).to_string(),
        json!({ "command": "register_item", "sku": "A", "body": { "name": "An item" } }).to_string(),
        json!({ "command": "record_note", "site": "fr", "idempotency_key": "n", "body": { "note": "open" } }).to_string(),
        receipt("r", "A", 10),
        String::new(),
        "not json".to_owned(),
        order("o", "1", "A", 4),
        order("p", "2", "A", 7),
        json!({ "command": "ship_order", "site": "uk", "order_id": "1", "idempotency_key": "s" }).to_string(),
        json!({ "command": "ship_order", "site": "uk", "idempotency_key": "s-2" }).to_string(),
        receipt("r", "A", 11),
        receipt("q", "A", 0),
        json!({ "command": "cancel_order", "site": "uk", "order_id": "1", "idempotency_key": "c", "body": {} }).to_string(),
        receipt("r", "A", 10),
    ];
    let answers = service.bulk(lines.join("\n")).await;
    let expected = [
        (1, 201),
        (2, 201),
        (3, 201),
        (4, 201),
        (6, 400),
        (7, 201),
        (8, 409),
        (9, 201),
        (10, 422),
        (11, 422),
        (12, 422),
        (13, 409),
        (14, 200),
    ];
    assert_eq!(statuses(&answers), expected);

    let placed = &answers[5];
    assert_eq!(placed["replayed"], false);
    assert_eq!(placed["position"], placed["body"]["position"]);
    assert_eq!(placed["body"]["status"], "placed");
    let refused = &answers[6];
    assert_eq!(refused["problem"]["code"], "insufficient-stock");
    assert_eq!(refused["problem"]["instance"], "/v1/sites/uk/orders/2");
    assert_eq!(refused["problem"]["shortages"], json!([{ "sku": "A", "requested": 7, "available": 6 }]));
    assert!(refused["position"].is_string());
    assert_eq!(answers[8]["problem"]["errors"][0]["pointer"], "/order_id");
    assert_eq!(answers[9]["problem"]["code"], "idempotency-key-reused");
    assert_eq!(answers[10]["problem"]["errors"][0]["pointer"], "/body/lines/0/quantity");
    assert!(answers[10].get("position").is_none());
    assert_eq!((&answers[12]["replayed"], &answers[12]["position"]), (&json!(true), &answers[3]["position"]));
}

#[tokio::test]
async fn a_line_and_its_route_are_the_same_command() {
    let service = Service::start().await;
    let body = r#"{"lines":[{"sku":"A","quantity":10}]}"#;
    let posted = service.post_as("k", "/v1/sites/uk/receipts", body).await.expect(201);
    let answers = service.bulk(receipt("k", "A", 10)).await;
    assert_eq!((&answers[0]["status"], &answers[0]["replayed"]), (&json!(200), &json!(true)));
    assert_eq!(answers[0]["body"], posted.json);
}

#[tokio::test]
async fn an_empty_body_has_an_empty_answer() {
    let service = Service::start().await;
    assert!(service.bulk("").await.is_empty());
    assert!(service.bulk("\n\r\n  \n").await.is_empty());
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_alone() {
    let service = Service::start().await;
    let body = format!("{}\n{}\n", "x".repeat(2 * 1024 * 1024 + 1), receipt("k", "A", 1));
    let answers = service.bulk(body).await;
    assert_eq!(statuses(&answers), [(1, 413), (2, 201)]);
    assert_eq!(answers[0]["problem"]["code"], "body-too-large");
}

#[tokio::test]
async fn a_body_that_breaks_off_says_so_and_runs_no_half_line() {
    let service = Service::start().await;
    let pieces = vec![
        Ok(format!("{}\n{}", receipt("k", "A", 1), &receipt("l", "A", 2)[..40])),
        Err(std::io::Error::other("the caller is gone")),
    ];
    let answers = service.bulk(Body::from_stream(stream::iter(pieces))).await;
    assert_eq!(statuses(&answers), [(1, 201), (2, 400)]);
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.json["on_hand"], 1);
}

#[tokio::test]
async fn twenty_thousand_lines_go_through_and_again_change_nothing() {
    const LINES: u64 = 20_000;
    let service = Service::start().await;
    let lines = || {
        stream::iter(
            (0..LINES).map(|number| Ok::<_, std::io::Error>(receipt(&format!("k-{number}"), "A", 1) + "\n")),
        )
    };
    let first = service.bulk(Body::from_stream(lines())).await;
    let numbers: Vec<u64> = first.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=LINES).collect::<Vec<_>>());
    for (quantity, line) in (1..).zip(&first) {
        assert_eq!(
            line["body"]["lines"][0]["after"]["on_hand"], quantity,
            "decided in the order of the lines"
        );
    }
    let again = service.bulk(Body::from_stream(lines())).await;
    for (then, now) in first.iter().zip(&again) {
        assert_eq!((&now["status"], &now["replayed"]), (&json!(200), &json!(true)));
        assert_eq!(now["body"], then["body"]);
    }
}

#[tokio::test]
async fn no_line_is_taken_behind_a_failure_where_the_caller_asks_for_that() {
    let service = Service::start().await;
    let fr = service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
    assert_eq!(fr.json["partition"], 1);
    // The partition of one site stops; the other goes on.
    let nonsense = Entry::new(Bytes::new(), Bytes::from_static(b"nonsense"));
    service.log.faults().land(1, nonsense);
    let to_fr = |key: &str| receipt(key, "A", 1).replace("\"uk\"", "\"fr\"");
    assert_eq!(statuses(&service.bulk(to_fr("a")).await), [(1, 504)]);

    let lines = [to_fr("b"), receipt("c", "A", 1)].join("\n");
    let stopped = service.bulk_at("/v1/bulk?stop_at_failure=true", lines.clone()).await;
    assert_eq!(statuses(&stopped), [(1, 503), (2, 503)]);
    assert_eq!(stopped[1]["problem"]["code"], "not-applied");
    assert_eq!(statuses(&service.bulk(lines).await), [(1, 503), (2, 201)]);
}
