//! Commands about sites, items and stock: status, body and headers of each.

use serde_json::{Value, json};

use crate::support::{Answer, Service};

/// Takes the members out that differ from run to run, after looking at them.
#[track_caller]
fn without_times(answer: &Answer) -> Value {
    let mut body = answer.json.clone();
    let members = body.as_object_mut().expect("an object");
    assert_eq!(members["position"], answer.header("ledger-position"));
    for member in ["occurred_at", "recorded_at"] {
        let time = members.remove(member).expect("a time");
        let time = time.as_str().expect("a text");
        assert!(time.len() == 27 && time.ends_with('Z'), "{time} has microseconds and is UTC");
    }
    members.remove("position");
    body
}

fn after(on_hand: i64, reserved: i64, held: i64) -> Value {
    json!({ "on_hand": on_hand, "reserved": reserved, "held": held, "available": on_hand - reserved - held })
}

#[tokio::test]
async fn a_site_is_opened_renamed_and_left_alone() {
    let service = Service::start().await;
    let opened = service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
    let partition = opened.json["partition"].as_u64().unwrap();
    let position = opened.header("ledger-position").to_owned();
    assert!(position.starts_with("0."));
    assert_eq!(
        opened.json,
        json!({ "site": "fr", "name": "France", "partition": partition, "position": position })
    );
    assert!(!opened.headers.contains_key("idempotency-replayed"));

    let same = service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(200);
    assert_eq!(same.json, opened.json);
    assert_eq!(same.header("ledger-position"), position);

    let renamed = service.put("/v1/sites/fr", r#"{"name":"La France"}"#).await.expect(200);
    assert_eq!(renamed.json["name"], "La France");
    assert_eq!(renamed.json["partition"], partition);
    assert_ne!(renamed.header("ledger-position"), position);
}

#[tokio::test]
async fn an_item_is_registered_in_each_unless_said_otherwise() {
    let service = Service::start().await;
    let first = service.put("/v1/items/85123A", r#"{"name":"Heart holder"}"#).await.expect(201);
    let position = first.header("ledger-position");
    assert_eq!(
        first.json,
        json!({ "sku": "85123A", "name": "Heart holder", "unit": "each", "position": position })
    );
    service.put("/v1/items/85123A", r#"{"name":"Heart holder"}"#).await.expect(200);
    let changed =
        service.put("/v1/items/85123A", r#"{"name":"Heart holder","unit":"box"}"#).await.expect(200);
    assert_eq!(changed.json["unit"], "box");
}

#[tokio::test]
async fn a_receipt_answers_with_the_balances_after_it() {
    let service = Service::start().await;
    let body = r#"{"lines":[{"sku":"A","quantity":3},{"sku":"B","quantity":1},{"sku":"A","quantity":2}],
        "reason":"purchase","note":"first pallet","reference":{"type":"purchase_order","id":"PO 7"},
        "occurred_at":"2009-12-01T07:45:00+01:00","correlation_id":"c-1"}"#;
    let answer = service.post("/v1/sites/uk/receipts", body).await.expect(201);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["occurred_at"], "2009-12-01T06:45:00.000000Z");
    let expected = json!({
        "site": "uk",
        "lines": [
            { "sku": "A", "quantity": 5, "after": after(5, 0, 0) },
            { "sku": "B", "quantity": 1, "after": after(1, 0, 0) },
        ],
        "reason": "purchase",
        "note": "first pallet",
        "reference": { "type": "purchase_order", "id": "PO 7" },
    });
    assert_eq!(without_times(&answer), expected);
}

#[tokio::test]
async fn an_adjustment_answers_with_its_deltas() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let body = r#"{"lines":[{"sku":"A","delta":-4,"expected_on_hand":10}],"reason":"damaged"}"#;
    let answer = service.post("/v1/sites/uk/adjustments", body).await.expect(201);
    let expected = json!({
        "site": "uk",
        "lines": [{ "sku": "A", "delta": -4, "after": after(6, 0, 0) }],
        "reason": "damaged", "note": null, "reference": null,
    });
    assert_eq!(without_times(&answer), expected);
}

#[tokio::test]
async fn a_count_books_the_difference_to_the_position_that_it_names() {
    let service = Service::start().await;
    let base = service.receive("A", 10).await;
    service.receive("A", 5).await;
    let body = format!(
        r#"{{"lines":[{{"sku":"A","counted":9,"at_position":"{}"}},{{"sku":"B","counted":2}}],"reason":"cycle_count"}}"#,
        base.header("ledger-position")
    );
    let answer = service.post("/v1/sites/uk/counts", body).await.expect(201);
    let expected = json!({
        "site": "uk",
        "lines": [
            { "sku": "A", "counted": 9, "delta": -1, "after": after(14, 0, 0) },
            { "sku": "B", "counted": 2, "delta": 2, "after": after(2, 0, 0) },
        ],
        "reason": "cycle_count", "note": null, "reference": null,
    });
    assert_eq!(without_times(&answer), expected);
}

#[tokio::test]
async fn a_hold_is_made_and_released_in_parts() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let body = r#"{"hold_id":"h/1","sku":"A","quantity":6,"reason":"quality_control"}"#;
    let held = service.post("/v1/sites/uk/holds", body).await.expect(201);
    let expected = |released: i64, status: &str, position: &str, held: i64| {
        json!({
            "site": "uk", "hold_id": "h/1", "sku": "A", "reason": "quality_control", "quantity": 6,
            "released": released, "remaining": 6 - released, "status": status, "position": position,
            "after": after(10, 0, held),
        })
    };
    assert_eq!(held.json, expected(0, "held", held.header("ledger-position"), 6));

    let path = "/v1/sites/uk/holds/h%2F1/release";
    let part = service.post(path, r#"{"quantity":2}"#).await.expect(201);
    assert_eq!(part.json, expected(2, "held", part.header("ledger-position"), 4));
    let rest = service.post(path, "").await.expect(201);
    assert_eq!(rest.json, expected(6, "released", rest.header("ledger-position"), 0));
}

#[tokio::test]
async fn a_hold_without_a_reason_is_for_another_one() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let held =
        service.post("/v1/sites/uk/holds", r#"{"hold_id":"h","sku":"A","quantity":6}"#).await.expect(201);
    assert_eq!(held.json["reason"], "other");
}

#[tokio::test]
async fn a_note_is_put_on_record() {
    let service = Service::start().await;
    let body = r#"{"note":"the roof leaks","reference":{"type":"ticket","id":"4"}}"#;
    let answer = service.post("/v1/sites/uk/notes", body).await.expect(201);
    let expected = json!({
        "site": "uk", "reason": null, "note": "the roof leaks", "reference": { "type": "ticket", "id": "4" },
    });
    assert_eq!(without_times(&answer), expected);
}
