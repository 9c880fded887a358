//! What a caller has seen: reads that are not sent again, and commands that are done only if it is still so.

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use serde_json::{Value, json};
use stockledger_schemas::Position;

use crate::support::{Answer, Service, get};

/// Reads what is level with every answer that was given before, unless the caller has it.
async fn read(service: &Service, path: &str, seen: Option<&str>) -> Answer {
    let positions: Vec<String> =
        service.ledger.status().iter().map(|status| status.position.to_string()).collect();
    let mut request = get(path).header("ledger-min-position", positions.join(","));
    if let Some(seen) = seen {
        request = request.header("if-none-match", seen);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

async fn tag_of(service: &Service, path: &str) -> String {
    let tag = read(service, path, None).await.expect(200).header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 3, "{path}: {tag}");
    tag
}

/// Posts a command that is based on what was seen.
async fn post_if(service: &Service, key: &str, path: &str, seen: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .header("if-match", seen);
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn positions(service: &Service) -> Vec<Position> {
    service.ledger.status().iter().map(|status| status.position).collect()
}

async fn shop() -> Service {
    let service = Service::start().await;
    service.put("/v1/items/A", r#"{"name":"Apple"}"#).await.expect(201);
    service.receive("A", 100).await;
    service.receive("B", 100).await;
    let order = r#"{"order_id":"o-1","lines":[{"sku":"A","quantity":4}]}"#;
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    service
}

const READS: [&str; 12] = [
    "/v1/sites",
    "/v1/sites/uk",
    "/v1/items",
    "/v1/items/A",
    "/v1/stock/A",
    "/v1/sites/uk/stock",
    "/v1/sites/uk/stock?sort=-available&below=500",
    "/v1/sites/uk/stock/A",
    "/v1/sites/uk/stock/A/movements",
    "/v1/sites/uk/stock/A/explain",
    "/v1/sites/uk/orders",
    "/v1/sites/uk/orders/o-1",
];

#[tokio::test]
async fn what_is_kept_is_not_sent_again_until_it_changes() {
    let service = shop().await;
    let mut tags = Vec::new();
    for path in READS {
        let tag = tag_of(&service, path).await;
        for seen in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let answer = read(&service, path, Some(&seen)).await.expect(304);
            assert_eq!((answer.text.as_str(), answer.header("etag")), ("", tag.as_str()), "{path}");
            assert_eq!(answer.header("content-type"), "", "{path}");
        }
        let head = Request::head(path).header("if-none-match", &tag).body(Body::empty()).unwrap();
        let head = service.send(head).await.expect(304);
        assert_eq!(head.header("etag"), tag, "{path}");
        let full = read(&service, path, Some("\"other\"")).await.expect(200);
        assert_eq!((full.header("etag"), full.header("cache-control")), (tag.as_str(), "private, no-cache"));
        tags.push(tag);
    }
    service.receive("A", 1).await;
    service.put("/v1/items/A", r#"{"name":"Red apple"}"#).await.expect(200);
    service.put("/v1/sites/uk", r#"{"name":"Great Britain"}"#).await.expect(200);
    service
        .post("/v1/sites/uk/orders/o-1/shipments", r#"{"lines":[{"sku":"A","quantity":1}]}"#)
        .await
        .expect(201);
    for (path, tag) in READS.iter().zip(&tags) {
        let answer = read(&service, path, Some(tag)).await.expect(200);
        assert_ne!(answer.header("etag"), tag, "{path}");
    }
}

#[tokio::test]
async fn a_level_and_an_order_keep_their_tag_while_other_things_change() {
    let service = shop().await;
    let paths = ["/v1/sites/uk/stock/A", "/v1/sites/uk/orders/o-1"];
    let before = [tag_of(&service, paths[0]).await, tag_of(&service, paths[1]).await];
    service.receive("B", 5).await;
    service.post("/v1/sites/uk/notes", r#"{"note":"n"}"#).await.expect(201);
    service
        .post("/v1/sites/uk/orders/o-1/shipments", r#"{"lines":[{"sku":"Z","quantity":1}]}"#)
        .await
        .expect(409);
    for (path, tag) in paths.iter().zip(&before) {
        read(&service, path, Some(tag)).await.expect(304);
    }
    // Another answer about the same thing is another answer.
    let past = tag_of(&service, "/v1/sites/uk/stock/A?as_of=2100-01-01T00:00:00Z").await;
    assert_ne!(past, before[0]);
}

#[tokio::test]
async fn problems_and_rows_have_no_tag() {
    let service = shop().await;
    let missing = read(&service, "/v1/sites/uk/stock/none", Some("*")).await.expect(404);
    assert_eq!(missing.header("etag"), "");
    let request = get("/v1/sites/uk/stock").header("accept", "text/csv").header("if-none-match", "*");
    let rows = service.send(request.body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(rows.header("etag"), "");
}

const ADJUSTMENTS: &str = "/v1/sites/uk/adjustments";
const COUNTS: &str = "/v1/sites/uk/counts";

fn adjustment(delta: i64) -> Value {
    json!({ "lines": [{ "sku": "A", "delta": delta }], "reason": "found" })
}

#[tokio::test]
async fn a_command_that_is_based_on_what_is_gone_is_not_done_and_leaves_nothing() {
    let service = shop().await;
    let level = "/v1/sites/uk/stock/A";
    let order = "/v1/sites/uk/orders/o-1";
    let (old_level, old_order) = (tag_of(&service, level).await, tag_of(&service, order).await);
    let ship = json!({ "lines": [{ "sku": "A", "quantity": 1 }] });
    service.post(&format!("{order}/shipments"), ship.to_string()).await.expect(201);
    let before = positions(&service);
    let commands = [
        (ADJUSTMENTS.to_owned(), &old_level, adjustment(3)),
        (COUNTS.to_owned(), &old_level, json!({ "lines": [{ "sku": "A", "counted": 99 }] })),
        (format!("{order}/shipments"), &old_order, ship),
        (format!("{order}/cancellation"), &old_order, json!({})),
        (
            format!("{order}/returns"),
            &old_order,
            json!({ "lines": [{ "sku": "A", "quantity": 1, "disposition": "damaged" }] }),
        ),
    ];
    for (number, (path, seen, body)) in commands.iter().enumerate() {
        for seen in [seen.as_str(), "\"0.999999\"", "\"00ff\"", &format!("W/{seen}")] {
            let refused = post_if(&service, &format!("k-{number}"), path, seen, body).await.expect(412);
            assert_eq!(refused.code(), "precondition-failed", "{path}");
            assert_eq!(refused.header("ledger-position"), "", "nothing stands anywhere");
        }
    }
    assert_eq!(positions(&service), before, "nothing was written");
    // The keys are as new, and what was read anew is as it was read.
    for (number, (path, _, body)) in commands.iter().enumerate() {
        let seen = tag_of(&service, if path.starts_with(order) { order } else { level }).await;
        let done = post_if(&service, &format!("k-{number}"), path, &seen, body).await.expect(201);
        // A retry has the answer of then, whatever it is based on.
        let again = post_if(&service, &format!("k-{number}"), path, &old_level, body).await.expect(200);
        assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &done.text), "{path}");
    }
}

#[tokio::test]
async fn a_command_is_based_on_one_thing_that_is_there() {
    let service = shop().await;
    let two = json!({ "lines": [{ "sku": "A", "delta": 1 }, { "sku": "B", "delta": 1 }], "reason": "found" });
    let one = json!({ "lines": [{ "sku": "A", "delta": 1 }, { "sku": "A", "delta": 2 }], "reason": "found" });
    let receipt = json!({ "lines": [{ "sku": "A", "quantity": 1 }] });
    for (path, seen, body) in [
        (ADJUSTMENTS, "\"0.1\"", &two),
        ("/v1/sites/uk/receipts", "*", &receipt),
        (ADJUSTMENTS, "0.1", &one),
        (ADJUSTMENTS, "", &one),
    ] {
        let refused = post_if(&service, "k-1", path, seen, body).await.expect(400);
        assert_eq!(refused.code(), "malformed-request", "{path} {seen}");
        assert!(refused.json["detail"].as_str().unwrap().contains("If-Match"), "{}", refused.text);
    }
    post_if(&service, "k-1", ADJUSTMENTS, "*", &one).await.expect(201);
    let unseen = json!({ "lines": [{ "sku": "NEW", "counted": 3 }] });
    post_if(&service, "k-2", COUNTS, "*", &unseen).await.expect(412);
    let unknown = post_if(&service, "k-3", "/v1/sites/uk/orders/none/cancellation", "*", &json!({})).await;
    assert_eq!((unknown.status, unknown.code()), (412, "precondition-failed"));
}

#[tokio::test]
async fn a_count_that_expects_another_quantity_is_refused_with_what_is_there() {
    let service = shop().await;
    let stale = json!({ "lines": [{ "sku": "A", "counted": 90, "expected_on_hand": 99 }] }).to_string();
    let refused = service.post_as("k-1", COUNTS, stale.clone()).await.expect(409);
    assert_eq!(refused.code(), "expected-quantity-stale");
    assert!(refused.json["detail"].as_str().unwrap().contains("but 100 is there"), "{}", refused.text);
    let level = json!({ "lines": [{ "sku": "A", "counted": 90, "expected_on_hand": 100 }] });
    service.post(COUNTS, level.to_string()).await.expect(201);
    let again = service.post_as("k-1", COUNTS, stale).await.expect(409);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn of_many_that_are_based_on_the_same_one_is_done() {
    let service = shop().await;
    let seen = tag_of(&service, "/v1/sites/uk/stock/A").await;
    let (service, seen) = (&service, &seen);
    let commands = (0..50).map(|number| async move {
        post_if(service, &format!("k-{number}"), ADJUSTMENTS, seen, &adjustment(1)).await.status
    });
    let mut statuses = join_all(commands).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[412; 49][..]));
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.expect(200).json["on_hand"], 101);
}

#[tokio::test]
async fn whatever_changes_a_thing_its_tag_is_what_the_writer_knows() {
    let service = shop().await;
    let level = "/v1/sites/uk/stock/A";
    let order = "/v1/sites/uk/orders/o-1";
    let steps = [
        ("/v1/sites/uk/receipts", json!({ "lines": [{ "sku": "A", "quantity": 9 }] })),
        ("/v1/sites/uk/holds", json!({ "hold_id": "h", "sku": "A", "quantity": 2 })),
        ("/v1/sites/uk/holds/h/release", json!({ "quantity": 1 })),
        ("/v1/sites/uk/orders", json!({ "order_id": "o-2", "lines": [{ "sku": "A", "quantity": 1 }] })),
        (COUNTS, json!({ "lines": [{ "sku": "A", "counted": 60 }] })),
        ("/v1/sites/uk/orders/o-1/shipments", json!({ "lines": [{ "sku": "A", "quantity": 2 }] })),
        ("/v1/sites/uk/orders/o-1/cancellation", json!({})),
        (
            "/v1/sites/uk/orders/o-1/returns",
            json!({ "lines": [
                { "sku": "A", "quantity": 1, "disposition": "damaged" },
                { "sku": "A", "quantity": 1, "disposition": "restock" },
            ] }),
        ),
    ];
    for (number, (path, body)) in steps.into_iter().enumerate() {
        service.post(path, body.to_string()).await.expect(201);
        let seen = tag_of(&service, level).await;
        let counted = read(&service, level, None).await.json["on_hand"].clone();
        let same = json!({ "lines": [{ "sku": "A", "counted": counted }] });
        post_if(&service, &format!("level-{number}"), COUNTS, &seen, &same).await.expect(201);
        // A step that cannot be taken is refused for what it is, since the order is as it was seen.
        let seen = tag_of(&service, order).await;
        let none = json!({ "lines": [{ "sku": "none", "quantity": 1 }] });
        let (key, path) = (format!("order-{number}"), format!("{order}/shipments"));
        let refused = post_if(&service, &key, &path, &seen, &none).await.expect(409);
        assert_eq!(refused.code(), "order-state", "{path}");
    }
}
