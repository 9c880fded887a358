//! Lines of bulk that are done together or not at all.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, Service};

const PATH: &str = "/v1/bulk?atomic=true";

fn line(command: &str, body: &Value) -> Value {
    json!({ "command": command, "site": "uk", "body": body })
}

fn receive(sku: &str, quantity: i64) -> Value {
    line("receive_stock", &json!({ "lines": [{ "sku": sku, "quantity": quantity }], "reason": "other" }))
}

fn adjust(sku: &str, delta: i64) -> Value {
    line("adjust_stock", &json!({ "lines": [{ "sku": sku, "delta": delta }], "reason": "other" }))
}

fn hold(hold_id: &str, sku: &str, quantity: i64) -> Value {
    line("hold_stock", &json!({ "hold_id": hold_id, "sku": sku, "quantity": quantity, "reason": "other" }))
}

fn order(order_id: &str, sku: &str, quantity: i64) -> Value {
    let lines = json!([{ "sku": sku, "quantity": quantity }]);
    line("place_order", &json!({ "order_id": order_id, "lines": lines, "reason": "other" }))
}

async fn post(service: &Service, path: &str, key: &str, lines: &[Value]) -> Answer {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let request = Request::post(path).header("content-type", "application/x-ndjson");
    let request = request.header("idempotency-key", key);
    service.send(request.body(Body::from(body)).expect("a request")).await
}

fn answers(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

async fn together(service: &Service, key: &str, lines: &[Value]) -> Vec<Value> {
    answers(&post(service, PATH, key, lines).await.expect(200))
}

/// Status and code of each answer.
fn told(answers: &[Value]) -> Vec<(u64, &str)> {
    answers
        .iter()
        .map(|answer| {
            let code = answer["problem"]["code"].as_str().unwrap_or_default();
            (answer["status"].as_u64().unwrap_or_default(), code)
        })
        .collect()
}

#[tokio::test]
async fn lines_are_one_decision_and_a_repetition_is_answered_line_by_line_as_before() {
    let service = Service::start().await;
    service.receive("PART", 10).await;
    let lines = [receive("KIT", 3), adjust("PART", -3), hold("h", "SPARE", 1)];
    let short = together(&service, "k-1", &lines).await;
    assert_eq!(
        told(&short),
        [(424, "another-line-refused"), (424, "another-line-refused"), (409, "insufficient-stock")]
    );

    service.receive("SPARE", 5).await;
    let done = together(&service, "k-2", &lines).await;
    assert_eq!(told(&done), [(201, ""), (201, ""), (201, "")]);
    for answer in &done {
        assert_eq!(answer["position"], done[0]["position"], "one decision");
        assert_eq!(answer["body"]["position"], answer["position"]);
    }
    assert_eq!(done[0]["body"]["lines"][0]["after"]["on_hand"], 3);
    assert_eq!(done[1]["body"]["lines"][0]["after"]["on_hand"], 7);
    assert_eq!(done[2]["body"]["after"]["held"], 1);

    let again = together(&service, "k-2", &lines).await;
    for (again, first) in again.iter().zip(&done) {
        assert_eq!((&again["status"], &again["replayed"]), (&json!(200), &json!(true)));
        assert_eq!(again["body"], first["body"]);
    }
    let refused_again = together(&service, "k-1", &lines).await;
    assert_eq!(told(&refused_again), told(&short), "for ever, also when stock has come");
    for (again, first) in refused_again.iter().zip(&short) {
        assert_eq!((&again["replayed"], &again["position"]), (&json!(true), &first["position"]));
        assert_eq!(again["problem"]["detail"], first["problem"]["detail"]);
    }
    let other = together(&service, "k-2", &lines[..2]).await;
    assert_eq!(told(&other), [(422, "idempotency-key-reused"), (422, "idempotency-key-reused")]);
}

#[tokio::test]
async fn one_refused_line_leaves_everything_as_it_was() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let before = service.get("/v1/sites/uk/stock/A").await.json;
    let lines = [hold("h", "A", 2), receive("B", 4), order("o", "C", 1)];
    let refused = together(&service, "k", &lines).await;
    assert_eq!(
        told(&refused),
        [(424, "another-line-refused"), (424, "another-line-refused"), (409, "insufficient-stock")]
    );
    assert_eq!(refused[0]["position"], refused[2]["position"], "the refusal is on record");
    let after = service.get("/v1/sites/uk/stock/A").await.json;
    assert_eq!((&after["held"], &after["on_hand"]), (&before["held"], &before["on_hand"]));
    assert_eq!(service.get("/v1/sites/uk/stock/B").await.status, 404);
    let trail = service.get("/v1/sites/uk/orders/o/trail").await.expect(200);
    assert_eq!(trail.json["data"][0]["type"], "out_of_stock");
}

#[tokio::test]
async fn the_read_tables_tell_of_every_line_and_the_trail_of_the_order() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    service.receive("B", 10).await;
    let done = together(&service, "k", &[hold("h", "B", 2), order("o", "A", 4)]).await;
    let position = &done[0]["position"];
    let a = service.get("/v1/sites/uk/stock/A").await.json;
    let b = service.get("/v1/sites/uk/stock/B").await.json;
    assert_eq!((&a["reserved"], &b["held"]), (&json!(4), &json!(2)));
    for (sku, kind) in [("A", "order_placed"), ("B", "stock_held")] {
        let movements = service.get(&format!("/v1/sites/uk/stock/{sku}/movements")).await.json;
        assert_eq!(
            (&movements["data"][0]["position"], &movements["data"][0]["type"]),
            (position, &json!(kind))
        );
    }
    let trail = service.get("/v1/sites/uk/orders/o/trail").await.json;
    let row = &trail["data"][0];
    assert_eq!((&row["type"], &row["position"]), (&json!("order_placed"), position));
    assert_eq!(row["idempotency_key"], "k");

    let ship = json!({ "command": "ship_order", "site": "uk", "order_id": "o", "body": {} });
    let release = json!({ "command": "release_hold", "site": "uk", "hold_id": "h", "body": {} });
    let done = together(&service, "l", &[release, ship]).await;
    assert_eq!(told(&done), [(201, ""), (201, "")]);
    assert_eq!(done[1]["body"]["status"], "shipped");
    // The order is closed now, and is read again from the middle of its decision.
    let goods = json!({ "lines": [{ "sku": "A", "quantity": 1, "disposition": "restock" }] });
    let back = json!({ "command": "return_order", "site": "uk", "order_id": "o", "body": goods });
    let received = json!({ "command": "receive_stock", "site": "uk", "body": { "lines": [{ "sku": "B", "quantity": 1 }] } });
    let done = together(&service, "m", &[received, back]).await;
    assert_eq!(told(&done), [(201, ""), (201, "")]);
    assert_eq!(done[1]["body"]["lines"][0]["returned"], 1);

    // What was done together with a step is none of the order's.
    let trail = service.get("/v1/sites/uk/orders/o/trail").await.expect(200);
    for step in trail.json["data"].as_array().unwrap() {
        let skus: Vec<&str> =
            step["lines"].as_array().unwrap().iter().map(|line| line["sku"].as_str().unwrap()).collect();
        assert_eq!(skus, ["A"], "{step}");
    }
    let position = done[1]["position"].as_str().unwrap();
    let then = service.get(&format!("/v1/sites/uk/orders/o?as_of={position}")).await.expect(200);
    assert_eq!(then.json["lines"][0]["returned"], 1);
}

#[tokio::test]
async fn lines_are_based_on_nothing() {
    let service = Service::start().await;
    let line = json!({ "command": "receive_stock", "site": "uk", "body": { "lines": [{ "sku": "B", "quantity": 1 }] } });
    for path in ["/v1/bulk", "/v1/bulk?atomic=true"] {
        let request = Request::post(path)
            .header("idempotency-key", "k")
            .header("if-match", "\"0.1\"")
            .header("content-type", "application/x-ndjson");
        let refused = service.send(request.body(Body::from(line.to_string())).unwrap()).await.expect(400);
        assert_eq!(refused.code(), "malformed-request");
    }
    service.get("/v1/sites/uk/stock/B").await.expect(404);
}

#[tokio::test]
async fn lines_that_do_not_fit_together_are_named_and_use_no_key() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let with = |mut line: Value, member: &str, value: Value| {
        line[member] = value;
        line
    };
    let elsewhere = with(receive("B", 1), "site", json!("fr"));
    let keyed = with(receive("B", 1), "idempotency_key", json!("mine"));
    let dry = with(receive("B", 1), "dry_run", json!(true));
    let site = json!({ "command": "open_site", "site": "fr", "body": { "name": "France" } });
    let why = line("adjust_stock", &json!({ "lines": [{ "sku": "B", "delta": 1 }], "reason": "found" }));
    for (second, pointer) in [
        (adjust("A", -1), ""),
        (elsewhere, ""),
        (keyed, "/idempotency_key"),
        (dry, "/dry_run"),
        (site, ""),
        (why, "/body/reason"),
        (receive("B", 0), "/body/lines/0/quantity"),
        (json!({ "command": "destroy" }), "/command"),
    ] {
        let refused = together(&service, "k", &[receive("A", 1), second.clone()]).await;
        assert_eq!(told(&refused), [(424, "another-line-refused"), (422, "validation-failed")], "{second}");
        assert_eq!(refused[1]["problem"]["errors"][0]["pointer"], pointer, "{second}: {}", refused[1]);
        assert!(refused[0].get("position").is_none(), "nothing is on record");
    }
    let done = together(&service, "k", &[receive("A", 1)]).await;
    assert_eq!(told(&done), [(201, "")], "the key is still there to be used");
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.json["on_hand"], 11);
}

#[tokio::test]
async fn a_request_that_cannot_be_one_decision_is_refused_as_a_whole() {
    let service = Service::start().await;
    let holds = |count: i64| (0..count).map(|number| hold(&format!("h-{number}"), &format!("S-{number}"), 1));
    let many: Vec<Value> = holds(17).collect();
    assert_eq!(post(&service, PATH, "k", &many).await.expect(422).code(), "validation-failed");
    assert_eq!(post(&service, PATH, "k", &[]).await.expect(400).code(), "malformed-request");
    let request = Request::post(PATH).header("content-type", "application/x-ndjson");
    let without_key =
        service.send(request.body(Body::from(receive("A", 1).to_string())).expect("a request")).await;
    assert_eq!(without_key.expect(400).code(), "idempotency-key-missing");
    let unknown = json!({ "command": "receive_stock", "site": "no", "body": { "lines": [{ "sku": "A", "quantity": 1 }] } });
    assert_eq!(told(&together(&service, "k", &[unknown]).await), [(404, "unknown-site")]);
}

#[tokio::test]
async fn a_dry_run_tells_what_all_lines_together_come_to() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let dry_path = format!("{PATH}&dry_run=true");
    let lines = [hold("h", "A", 2), receive("B", 4)];
    let before: Vec<_> = service.ledger.status().into_iter().map(|status| status.position).collect();
    let foretold = answers(&post(&service, &dry_path, "k", &lines).await.expect(200));
    assert_eq!(told(&foretold), [(201, ""), (201, "")]);
    assert!(foretold.iter().all(|answer| answer["dry_run"] == true));
    let short =
        answers(&post(&service, &dry_path, "k", &[hold("h", "A", 20), receive("B", 4)]).await.expect(200));
    assert_eq!(told(&short), [(409, "insufficient-stock"), (424, "another-line-refused")]);
    let after: Vec<_> = service.ledger.status().into_iter().map(|status| status.position).collect();
    assert_eq!(before, after);
    let done = together(&service, "k", &lines).await;
    assert_eq!(done[0]["body"]["after"], foretold[0]["body"]["after"]);
    assert_eq!(done[0]["body"]["position"], foretold[0]["body"]["position"]);
}
