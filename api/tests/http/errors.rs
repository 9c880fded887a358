//! Every problem that a request can meet on a healthy node, provoked once.

use axum::body::Body;
use axum::http::{Method, Request};
use stockledger::http::Code;

use crate::support::{Answer, Service, get};

/// Asserts what every problem document has.
#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.json["type"], format!("/problems/{code}"));
    assert_eq!(answer.json["status"], status);
    assert_eq!(answer.json["request_id"], answer.header("x-request-id"));
    let known = Code::from_name(code).expect("a code of the table");
    assert_eq!(answer.json["title"], known.title());
    assert_eq!(answer.json["retryable"], known.is_retryable());
    assert!(answer.json["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    assert!(answer.json["instance"].as_str().is_some_and(|path| path.starts_with('/')));
    assert_eq!(answer.headers.contains_key("retry-after"), matches!(status, 429 | 503));
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).expect("a request")
}

const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("idempotency-key", "k");
const RECEIPTS: &str = "/v1/sites/uk/receipts";

#[tokio::test]
async fn requests_that_cannot_be_read_say_what_is_wrong() {
    let service = Service::start().await;
    let too_long = "x".repeat(2 * 1024 * 1024 + 1);
    let many_keys = &[JSON, KEY, KEY][..];
    let cases = [
        (request(Method::POST, RECEIPTS, &[JSON, KEY], "{\"lines\":\n[}"), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, &[JSON, KEY], ""), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, &[KEY], ""), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, &[JSON, KEY], vec![b'"', 0xff, b'"']), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, many_keys, "{}"), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, &[JSON, ("idempotency-key", "\"")], "{}"), 400, "malformed-request"),
        (request(Method::POST, RECEIPTS, &[JSON], "{}"), 400, "idempotency-key-missing"),
        (
            request(Method::POST, RECEIPTS, &[JSON, ("idempotency-key", "")], "{}"),
            400,
            "idempotency-key-missing",
        ),
        (request(Method::POST, RECEIPTS, &[KEY], "{}"), 415, "unsupported-media-type"),
        (
            request(Method::POST, RECEIPTS, &[("content-type", "text/json"), KEY], "{}"),
            415,
            "unsupported-media-type",
        ),
        (request(Method::POST, "/v1/bulk", &[JSON], "{}"), 415, "unsupported-media-type"),
        (request(Method::POST, RECEIPTS, &[JSON, KEY], too_long.clone()), 413, "body-too-large"),
        (request(Method::POST, RECEIPTS, &[JSON, KEY], in_pieces(too_long)), 413, "body-too-large"),
        (request(Method::GET, "/v1/sites", &[("ledger-min-position", "17")], ""), 400, "malformed-request"),
        (request(Method::GET, "/v1/sites", &[("ledger-min-position", "4.1")], ""), 400, "malformed-request"),
        (request(Method::GET, "/v1/nothing", &[], ""), 404, "not-found"),
        (request(Method::GET, "/v1/sites/", &[], ""), 404, "not-found"),
        (request(Method::GET, "/problems/none", &[], ""), 404, "not-found"),
        (request(Method::DELETE, "/v1/sites/uk", &[], ""), 405, "method-not-allowed"),
        (request(Method::GET, RECEIPTS, &[], ""), 405, "method-not-allowed"),
        (request(Method::PUT, "/v1/sites/u%20k", &[JSON], r#"{"name":"n"}"#), 422, "validation-failed"),
        (request(Method::GET, "/v1/sites/u%20k", &[], ""), 422, "validation-failed"),
        (request(Method::GET, "/v1/sites/uk/stock/%C3%A4", &[], ""), 422, "validation-failed"),
        (request(Method::GET, "/v1/sites/uk/stock/%FF", &[], ""), 422, "validation-failed"),
        (request(Method::GET, "/problems/%FF", &[], ""), 422, "validation-failed"),
        (request(Method::GET, "/v1/sites/uk/orders/%20x", &[], ""), 422, "validation-failed"),
    ];
    for (request, status, code) in cases {
        let answer = service.send(request).await;
        assert_problem(&answer, status, code);
    }
}

/// A body whose length is not told in advance.
fn in_pieces(text: String) -> Body {
    let pieces: Vec<Result<_, std::io::Error>> =
        text.into_bytes().chunks(65_536).map(|piece| Ok(piece.to_vec())).collect();
    Body::from_stream(futures_util::stream::iter(pieces))
}

#[tokio::test]
async fn bad_json_is_named_with_line_and_column() {
    let service = Service::start().await;
    let answer = service.post(RECEIPTS, "{\"lines\":\n[}").await;
    assert!(answer.json["detail"].as_str().unwrap().contains("line 2 column 2"), "{}", answer.text);
}

#[tokio::test]
async fn a_media_type_may_have_parameters() {
    let service = Service::start().await;
    let headers = [("content-type", "Application/JSON; charset=utf-8"), KEY];
    let body = r#"{"lines":[{"sku":"A","quantity":1}]}"#;
    service.send(request(Method::POST, RECEIPTS, &headers, body)).await.expect(201);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let service = Service::start().await;
    let answer = service.send(request(Method::DELETE, "/v1/sites/uk", &[], "")).await;
    let mut allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
}

#[tokio::test]
async fn everything_wrong_with_a_command_is_told_at_once() {
    let service = Service::start().await;
    let body = r#"{"lines":[{"sku":"A","delta":0},{"sku":"B","delta":1,"expected_on_hand":1},
        {"sku":"B","delta":1,"expected_on_hand":2}],"reason":"purchase"}"#;
    let answer = service.post("/v1/sites/uk/adjustments", body).await;
    assert_problem(&answer, 422, "validation-failed");
    let pointers: Vec<&str> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/lines/0/delta", "/lines/2/expected_on_hand", "/reason"]);
}

#[tokio::test]
async fn each_command_refuses_what_its_body_may_not_hold() {
    let service = Service::start().await;
    let cases = [
        ("receipts", r#"{"lines":[],"extra":1}"#, "/extra"),
        ("receipts", r#"{"lines":[{"sku":"A","quantity":1,"delta":1}]}"#, "/lines/0/delta"),
        ("receipts", r#"{"lines":[{"sku":"A","quantity":1}],"reason":"damaged"}"#, "/reason"),
        ("receipts", r#"{"lines":[{"sku":"A","quantity":1}],"note":""}"#, "/note"),
        ("adjustments", r#"{"lines":[{"sku":"A","delta":1}]}"#, "/reason"),
        ("counts", r#"{"lines":[{"sku":"A","counted":-1}]}"#, "/lines/0/counted"),
        ("counts", r#"{"lines":[{"sku":"A","counted":1},{"sku":"A","counted":1}]}"#, "/lines/1/sku"),
        ("counts", r#"{"lines":[{"sku":"A","counted":1,"at_position":"3.999"}]}"#, "/lines/0/at_position"),
        ("holds", r#"{"hold_id":"h","sku":"A","quantity":1,"reason":"purchase"}"#, "/reason"),
        ("holds", r#"{"hold_id":"return:1","sku":"A","quantity":1}"#, "/hold_id"),
        ("holds/h/release", r#"{"quantity":0}"#, "/quantity"),
        ("orders", r#"{"lines":[{"sku":"A","quantity":1}]}"#, ""),
        ("orders", r#"{"order_id":"o","lines":[{"sku":"A","quantity":1}],"currency":"gbp"}"#, "/currency"),
        ("orders/o/shipments", r#"{"lines":[]}"#, "/lines"),
        ("orders/o/cancellation", r#"{"lines":[]}"#, "/lines"),
        (
            "orders/o/returns",
            r#"{"lines":[{"sku":"A","quantity":1,"disposition":"burn"}]}"#,
            "/lines/0/disposition",
        ),
        ("notes", r"{}", "/note"),
    ];
    for (route, body, pointer) in cases {
        let answer = service.post(&format!("/v1/sites/uk/{route}"), body).await;
        assert_problem(&answer, 422, "validation-failed");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{}", answer.text);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let service = Service::start().await;
    let order = r#"{"order_id":"o","lines":[{"sku":"A","quantity":1}]}"#;
    let reads = [
        ("/v1/sites/fr", "unknown-site"),
        ("/v1/sites/fr/stock", "unknown-site"),
        ("/v1/sites/fr/orders", "unknown-site"),
        ("/v1/sites/uk/stock/A", "unknown-stock"),
        ("/v1/sites/uk/stock/A/movements", "unknown-stock"),
        ("/v1/sites/uk/orders/o", "unknown-order"),
        ("/v1/sites/uk/orders/o/trail", "unknown-order"),
        ("/v1/items/A", "unknown-item"),
    ];
    for (path, code) in reads {
        assert_problem(&service.get(path).await, 404, code);
    }
    assert_problem(&service.post("/v1/sites/fr/orders", order).await, 404, "unknown-site");
    for route in ["shipments", "cancellation"] {
        let answer = service.post(&format!("/v1/sites/uk/orders/o/{route}"), "").await;
        assert_problem(&answer, 404, "unknown-order");
        assert!(answer.headers.contains_key("ledger-position"), "the refusal is on record");
    }
    assert_problem(&service.post("/v1/sites/uk/holds/h/release", "{}").await, 404, "unknown-hold");
}

#[tokio::test]
async fn what_the_state_does_not_allow_is_a_conflict() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    service
        .post("/v1/sites/uk/orders", r#"{"order_id":"o","lines":[{"sku":"A","quantity":4}]}"#)
        .await
        .expect(201);
    service.post("/v1/sites/uk/holds", r#"{"hold_id":"h","sku":"A","quantity":2}"#).await.expect(201);
    let counted =
        service.post("/v1/sites/uk/counts", r#"{"lines":[{"sku":"B","counted":1}]}"#).await.expect(201);
    let position = counted.header("ledger-position");
    service.post("/v1/sites/uk/counts", r#"{"lines":[{"sku":"B","counted":1}]}"#).await.expect(201);
    let superseded = format!(r#"{{"lines":[{{"sku":"B","counted":1,"at_position":"{position}"}}]}}"#);
    let cases = [
        ("orders", r#"{"order_id":"p","lines":[{"sku":"A","quantity":5}]}"#, "insufficient-stock"),
        ("adjustments", r#"{"lines":[{"sku":"A","delta":-5}],"reason":"damaged"}"#, "insufficient-stock"),
        ("counts", r#"{"lines":[{"sku":"A","counted":5}]}"#, "insufficient-stock"),
        ("holds", r#"{"hold_id":"i","sku":"A","quantity":5}"#, "insufficient-stock"),
        ("orders", r#"{"order_id":"o","lines":[{"sku":"A","quantity":1}]}"#, "order-exists"),
        ("orders/o/shipments", r#"{"lines":[{"sku":"B","quantity":1}]}"#, "order-state"),
        ("orders/o/shipments", r#"{"lines":[{"sku":"A","quantity":5}]}"#, "order-state"),
        (
            "orders/o/returns",
            r#"{"lines":[{"sku":"A","quantity":1,"disposition":"restock"}]}"#,
            "order-state",
        ),
        (
            "adjustments",
            r#"{"lines":[{"sku":"A","delta":1,"expected_on_hand":9}],"reason":"found"}"#,
            "expected-quantity-stale",
        ),
        ("counts", superseded.as_str(), "expected-quantity-stale"),
        ("holds", r#"{"hold_id":"h","sku":"A","quantity":1}"#, "hold-exists"),
        ("holds/h/release", r#"{"quantity":3}"#, "hold-state"),
        ("receipts", r#"{"lines":[{"sku":"A","quantity":9007199254740991}]}"#, "quantity-limit"),
    ];
    for (route, body, code) in cases {
        let answer = service.post(&format!("/v1/sites/uk/{route}"), body).await;
        assert_problem(&answer, 409, code);
        assert!(answer.headers.contains_key("ledger-position"), "the refusal is on record");
        let shortages = &answer.json["shortages"];
        assert_eq!(!shortages.is_null(), code == "insufficient-stock", "{}", answer.text);
    }
    service.post("/v1/sites/uk/orders/o/cancellation", "").await.expect(201);
    assert_problem(&service.post("/v1/sites/uk/orders/o/cancellation", "{}").await, 409, "order-state");
}

#[tokio::test]
async fn a_command_of_too_many_lines_is_not_valid() {
    let service = Service::start().await;
    let line = r#"{"sku":"A","quantity":1}"#;
    let body = |count: usize| format!(r#"{{"lines":[{}]}}"#, vec![line; count].join(","));
    service.post(RECEIPTS, body(2_000)).await.expect(201);
    let answer = service.post(RECEIPTS, body(2_001)).await;
    assert_problem(&answer, 422, "validation-failed");
    assert_eq!(answer.json["errors"][0]["pointer"], "/lines");
}

#[tokio::test]
async fn a_sane_request_id_is_taken_over() {
    let service = Service::start().await;
    let mine = service.send(get("/livez").header("x-request-id", "mine").body(Body::empty()).unwrap()).await;
    assert_eq!(mine.header("x-request-id"), "mine");
    let first = service.get("/livez").await;
    let second = service.get("/livez").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let forged = get("/nothing").header("x-request-id", "a b").body(Body::empty()).unwrap();
    let forged = service.send(forged).await;
    assert_problem(&forged, 404, "not-found");
    assert_ne!(forged.header("x-request-id"), "a b");
}

#[tokio::test]
async fn every_code_has_a_page_for_people() {
    let service = Service::start().await;
    let index = service.get("/problems").await.expect(200);
    for code in Code::ALL {
        let path = format!("/problems/{}", code.as_str());
        assert!(index.text.contains(&path));
        let plain = service.get(&path).await.expect(200);
        assert_eq!(plain.header("content-type"), "text/plain; charset=utf-8");
        assert!(plain.text.contains(code.explanation()));
        let html = service
            .send(get(&path).header("accept", "text/html,*/*;q=0.8").body(Body::empty()).unwrap())
            .await;
        assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
        assert!(html.text.contains(code.as_str()));
    }
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let service = Service::start().await;
    let read = service.get("/v1/sites/uk").await.expect(200);
    let head = service.send(request(Method::HEAD, "/v1/sites/uk", &[], "")).await.expect(200);
    assert_eq!(head.text, "");
    assert_eq!(head.header("ledger-position"), read.header("ledger-position"));
}
