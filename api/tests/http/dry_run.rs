//! A dry run says what a command would come to, and nothing comes of it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stockledger_log::Log;

use crate::support::{Answer, PARTITIONS, Service};

/// What differs between two answers to one command at two times.
const OF_THE_MOMENT: [&str; 6] =
    ["recorded_at", "occurred_at", "placed_at", "created_at", "revoked_at", "request_id"];

fn without_times(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| !OF_THE_MOMENT.contains(&name.as_str()));
    }
    value
}

fn positions(service: &Service) -> Vec<String> {
    service.ledger.status().iter().map(|status| status.position.to_string()).collect()
}

/// Where the log ends, by partition.
async fn ends_now(service: &Service) -> Vec<u64> {
    let mut ends = Vec::new();
    for partition in 0..PARTITIONS {
        ends.push(service.log.bounds(partition).await.expect("a log").end);
    }
    ends
}

async fn send(service: &Service, method: &str, path: &str, key: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("idempotency-key", key);
    service.send(request.body(Body::from(body.to_owned())).expect("a request")).await
}

/// Every command, accepted and refused: method, path, body, the status of the real one.
const STORY: &[(&str, &str, &str, u16)] = &[
    ("PUT", "/v1/sites/fr", r#"{"name":"France"}"#, 201),
    ("PUT", "/v1/sites/fr", r#"{"name":"La France"}"#, 200),
    ("PUT", "/v1/sites/fr", r#"{"name":"La France"}"#, 200),
    ("PUT", "/v1/sites/fr", r#"{"name":7}"#, 422),
    ("PUT", "/v1/items/A", r#"{"name":"apple"}"#, 201),
    ("PUT", "/v1/items/A", r#"{"name":"red apple"}"#, 200),
    ("POST", "/v1/sites/uk/receipts", r#"{"lines":[{"sku":"A","quantity":10}]}"#, 201),
    ("POST", "/v1/sites/uk/receipts", r#"{"lines":[{"sku":"A","quantity":9007199254740991}]}"#, 409),
    ("POST", "/v1/sites/uk/receipts", r#"{"lines":[]}"#, 422),
    ("POST", "/v1/sites/no/receipts", r#"{"lines":[{"sku":"A","quantity":10}]}"#, 404),
    ("POST", "/v1/sites/uk/adjustments", r#"{"lines":[{"sku":"A","delta":-1}],"reason":"damaged"}"#, 201),
    ("POST", "/v1/sites/uk/adjustments", r#"{"lines":[{"sku":"A","delta":-99}],"reason":"damaged"}"#, 409),
    ("POST", "/v1/sites/uk/counts", r#"{"lines":[{"sku":"A","counted":12}]}"#, 201),
    ("POST", "/v1/sites/uk/counts", r#"{"lines":[{"sku":"A","counted":12,"at_position":"9.9"}]}"#, 422),
    ("POST", "/v1/sites/uk/holds", r#"{"hold_id":"h","sku":"A","quantity":2,"reason":"damaged"}"#, 201),
    ("POST", "/v1/sites/uk/holds", r#"{"hold_id":"h","sku":"A","quantity":2,"reason":"damaged"}"#, 409),
    ("POST", "/v1/sites/uk/holds/h/release", r#"{"quantity":1}"#, 201),
    ("POST", "/v1/sites/uk/holds/h/release", r#"{"quantity":2}"#, 409),
    ("POST", "/v1/sites/uk/holds/other/release", "", 404),
    ("POST", "/v1/sites/uk/orders", r#"{"order_id":"1","lines":[{"sku":"A","quantity":5}]}"#, 201),
    ("POST", "/v1/sites/uk/orders", r#"{"order_id":"1","lines":[{"sku":"A","quantity":1}]}"#, 409),
    ("POST", "/v1/sites/uk/orders", r#"{"order_id":"2","lines":[{"sku":"A","quantity":50}]}"#, 409),
    ("POST", "/v1/sites/uk/orders/1/shipments", r#"{"lines":[{"sku":"A","quantity":2}]}"#, 201),
    ("POST", "/v1/sites/uk/orders/1/shipments", r#"{"lines":[{"sku":"B","quantity":2}]}"#, 409),
    ("POST", "/v1/sites/uk/orders/1/cancellation", "", 201),
    ("POST", "/v1/sites/uk/orders/1/cancellation", "", 409),
    (
        "POST",
        "/v1/sites/uk/orders/1/returns",
        r#"{"lines":[{"sku":"A","quantity":1,"disposition":"damaged"}]}"#,
        201,
    ),
    (
        "POST",
        "/v1/sites/uk/orders/1/returns",
        r#"{"lines":[{"sku":"A","quantity":2,"disposition":"restock"}]}"#,
        409,
    ),
    (
        "POST",
        "/v1/sites/uk/orders/9/returns",
        r#"{"lines":[{"sku":"A","quantity":2,"disposition":"restock"}]}"#,
        404,
    ),
    ("POST", "/v1/sites/uk/notes", r#"{"note":"the roof leaks"}"#, 201),
    (
        "POST",
        "/v1/keys",
        r#"{"key_id":"3f9c0a11d2e4b567","name":"till","secret_hash":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","scopes":["stock:read"]}"#,
        409,
    ),
    (
        "POST",
        "/v1/keys",
        r#"{"key_id":"3f9c0a11d2e4b567","name":"till","secret_hash":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","scopes":["admin"]}"#,
        201,
    ),
    ("POST", "/v1/keys/3f9c0a11d2e4b567/revocation", "", 201),
    ("POST", "/v1/keys/3f9c0a11d2e4b568/revocation", "", 404),
];

#[tokio::test]
async fn a_dry_run_of_every_command_is_answered_as_the_command_and_changes_nothing() {
    let service = Service::start().await;
    for (number, (method, path, body, status)) in STORY.iter().enumerate() {
        let what = format!("{method} {path} {body}");
        let (key, before) = (format!("k-{number}"), positions(&service));
        let ends = ends_now(&service).await;
        let dry_path = format!("{path}?dry_run=true");
        let foretold = send(&service, method, &dry_path, &key, body).await.expect(*status);
        send(&service, method, &dry_path, &key, body).await.expect(*status);
        assert_eq!(positions(&service), before, "{what}");
        assert_eq!(ends_now(&service).await, ends, "{what}: nothing was appended");

        let real = send(&service, method, path, &key, body).await.expect(*status);
        assert_eq!(without_times(foretold.json.clone()), without_times(real.json.clone()), "{what}");
        assert!(!real.headers.contains_key("dry-run"));
        let position = real.header("ledger-position");
        if position.is_empty() {
            assert_eq!(foretold.header("ledger-position"), "", "{what}");
            continue;
        }
        assert_eq!(foretold.header("dry-run"), "true", "{what}");
        let replayed = real.header("idempotency-replayed");
        assert_eq!(foretold.header("idempotency-replayed"), replayed, "{what}");
        if replayed.is_empty() {
            let seen = foretold.header("ledger-position");
            assert!(before.iter().any(|before| before == seen), "{what}: {seen} is not where the ledger was");
        }
    }
}

#[tokio::test]
async fn a_dry_run_uses_no_key_and_a_used_key_is_answered_as_a_repetition() {
    let service = Service::start().await;
    let (path, dry_path) = ("/v1/sites/uk/receipts", "/v1/sites/uk/receipts?dry_run=true");
    let lines = |quantity: i64| format!(r#"{{"lines":[{{"sku":"A","quantity":{quantity}}}]}}"#);
    service.post_as("k", dry_path, lines(1)).await.expect(201);
    service.post_as("k", dry_path, lines(2)).await.expect(201);
    let real = service.post_as("k", path, lines(3)).await.expect(201);
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.json["on_hand"], 3);

    let again = service.post_as("k", dry_path, lines(3)).await.expect(200);
    assert_eq!(again.text, real.text, "the same bytes");
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("ledger-position"), real.header("ledger-position"));
    let other = service.post_as("k", dry_path, lines(4)).await.expect(422);
    assert_eq!(other.code(), "idempotency-key-reused");
}

#[tokio::test]
async fn a_dry_run_needs_what_its_command_needs() {
    let service = Service::start().await;
    let lines = r#"{"lines":[{"sku":"A","quantity":1}]}"#;
    let request =
        Request::post("/v1/sites/uk/receipts?dry_run=true").header("content-type", "application/json");
    let answer = service.send(request.body(Body::from(lines)).expect("a request")).await.expect(400);
    assert_eq!(answer.code(), "idempotency-key-missing");
    for wrong in ["dry_run=perhaps", "dry_run=1", "dryrun=true"] {
        let path = format!("/v1/sites/uk/receipts?{wrong}");
        let answer = service.post(&path, lines).await.expect(400);
        assert_eq!(answer.code(), "malformed-request", "{wrong}: nothing is written by mistake");
    }
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.status, 404);
}

#[tokio::test]
async fn lines_of_bulk_run_dry_alone_or_all_together() {
    let service = Service::start().await;
    let line = |key: &str, quantity: i64, dry_run: bool| {
        let body = json!({ "lines": [{ "sku": "A", "quantity": quantity }] });
        let (command, site) = ("receive_stock", "uk");
        json!({ "command": command, "site": site, "idempotency_key": key, "dry_run": dry_run, "body": body })
            .to_string()
    };
    let order = json!({
        "command": "place_order", "site": "uk", "idempotency_key": "o", "dry_run": true,
        "body": { "order_id": "1", "lines": [{ "sku": "A", "quantity": 7 }] },
    });
    let lines = [line("a", 3, false), line("b", 4, true), line("c", 5, false), order.to_string()];
    let answers = service.bulk(lines.join("\n")).await;
    let told = |answer: &Value| {
        let on_hand = answer["body"]["lines"][0]["after"]["on_hand"].as_i64();
        (answer["status"].as_u64(), answer["dry_run"].as_bool(), on_hand)
    };
    let expected = [
        (Some(201), None, Some(3)),
        (Some(201), Some(true), Some(7)),
        (Some(201), None, Some(8)),
        (Some(201), Some(true), None),
    ];
    assert_eq!(answers.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(answers[1]["position"], answers[0]["position"], "the last decision before it");

    let before = positions(&service);
    let too_many = order.to_string().replace(":7", ":70");
    let lines = [line("d", 1, false), too_many, line("a", 3, false), "not json".to_owned()];
    let answers = service.bulk_at("/v1/bulk?dry_run=true", lines.join("\n")).await;
    let statuses: Vec<Option<u64>> = answers.iter().map(|answer| answer["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(201), Some(409), Some(200), Some(400)]);
    assert!(answers.iter().all(|answer| answer["dry_run"] == true));
    assert_eq!(answers[1]["position"], answers[0]["position"]);
    assert_eq!(answers[2]["replayed"], true);
    assert_eq!(positions(&service), before);
}
