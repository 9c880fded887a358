//! Reads: what each shows, and what they wait for.

use axum::body::Body;
use serde_json::json;

use crate::support::{Service, get};

#[tokio::test]
async fn a_read_sees_what_was_written_before_it() {
    let service = Service::start().await;
    for round in 1..=20 {
        let written = service.receive("A", 1).await;
        let read = get("/v1/sites/uk/stock/A")
            .header("ledger-min-position", written.header("ledger-position"))
            .body(Body::empty())
            .unwrap();
        let level = service.send(read).await.expect(200);
        assert_eq!(level.json["on_hand"], round);
        assert_eq!(level.header("ledger-position"), level.json["position"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_behind() {
    let service = Service::start().await;
    let read = get("/v1/sites/uk").header("ledger-min-position", "0.1,1.999").header("prefer", "wait=0");
    let answer = service.send(read.body(Body::empty()).unwrap()).await.expect(503);
    assert_eq!(answer.code(), "projection-behind");
    assert_eq!(answer.json["retryable"], true);
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_stock_level_has_every_balance() {
    let service = Service::start().await;
    service.receive("A/1", 10).await;
    service
        .post("/v1/sites/uk/holds", r#"{"hold_id":"h","sku":"A/1","quantity":3,"reason":"safety_stock"}"#)
        .await
        .expect(201);
    let order = r#"{"order_id":"o","lines":[{"sku":"A/1","quantity":2}]}"#;
    let placed = service.post("/v1/sites/uk/orders", order).await.expect(201);
    let level = service.get("/v1/sites/uk/stock/A%2F1").await.expect(200);
    let expected = json!({
        "site": "uk", "sku": "A/1", "on_hand": 10, "reserved": 2, "held": 3,
        "held_by_reason": { "damaged": 0, "quality_control": 0, "safety_stock": 3, "other": 0 },
        "incoming": 0, "available": 5, "position": placed.header("ledger-position"), "as_of": level.json["as_of"],
    });
    assert_eq!(level.json, expected);
    let at_all_sites = service.get("/v1/stock/A%2F1").await.expect(200);
    assert_eq!(at_all_sites.json["data"], json!([expected]));
    assert!(!at_all_sites.headers.contains_key("ledger-position"));
    let at_site = service.get("/v1/sites/uk/stock").await.expect(200);
    assert_eq!(at_site.json, json!({ "data": [expected], "has_more": false, "next_cursor": null }));
}

#[tokio::test]
async fn the_directory_shows_sites_and_items() {
    let service = Service::start().await;
    let opened = service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
    let site = service.get("/v1/sites/fr").await.expect(200);
    for member in ["site", "name", "partition", "position"] {
        assert_eq!(site.json[member], opened.json[member]);
    }
    let sites = service.get("/v1/sites").await.expect(200);
    assert_eq!(sites.json["data"][0], site.json);
    assert_eq!(sites.json["data"][1]["site"], "uk");

    let invalid = service.put("/v1/items/%20A%20", r#"{"name":"n"}"#).await.expect(422);
    assert_eq!(invalid.code(), "validation-failed");
    let registered = service.put("/v1/items/A%20%22%25", r#"{"name":"n","unit":"kg"}"#).await.expect(201);
    let item = service.get("/v1/items/A%20%22%25").await.expect(200);
    for member in ["sku", "name", "unit", "position"] {
        assert_eq!(item.json[member], registered.json[member]);
    }
    let items = service.get("/v1/items").await.expect(200);
    assert_eq!(items.json["data"], json!([item.json]));
    assert_eq!(item.json["sku"], "A \"%");
}

#[tokio::test]
async fn movements_carry_delta_and_balance_newest_first() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let body = r#"{"lines":[{"sku":"A","delta":-4}],"reason":"shrinkage","note":"gone"}"#;
    let adjusted = service.post("/v1/sites/uk/adjustments", body).await.expect(201);
    let newest = service.get("/v1/sites/uk/stock/A/movements").await.expect(200);
    let movement = &newest.json["data"][0];
    let expected = json!({
        "position": adjusted.header("ledger-position"), "line": 0, "type": "stock_adjusted", "reason": "shrinkage",
        "delta": { "on_hand": -4, "reserved": 0, "held": 0 }, "after": { "on_hand": 6, "reserved": 0, "held": 0 },
        "order_id": null, "occurred_at": movement["occurred_at"], "recorded_at": movement["recorded_at"],
        "actor": "local", "note": "gone", "reference": null,
    });
    assert_eq!(movement, &expected);
    let oldest = service.get("/v1/sites/uk/stock/A/movements?first=oldest").await.expect(200);
    assert_eq!(oldest.json["data"][1], expected);
    assert_eq!(oldest.header("ledger-position"), adjusted.header("ledger-position"));
}
