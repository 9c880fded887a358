//! `/v1/events`: pages of what was decided, one decision, and waiting for the next.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stockledger::http::{self, App, Gate, Roles};
use stockledger_log::Entry;
use stockledger_schemas::{KeyScope, Record, envelope};
use tokio::time::Instant;

use crate::errors::assert_problem;
use crate::keys::Guarded;
use crate::support::{Answer, PATIENCE, Service, get, send};

/// Positions of the decisions of a page.
pub(crate) fn positions(answer: &Answer) -> Vec<String> {
    let data = answer.json["data"].as_array().expect("a list").iter();
    data.map(|decision| decision["position"].as_str().expect("a position").to_owned()).collect()
}

fn types(answer: &Answer) -> Vec<String> {
    let data = answer.json["data"].as_array().expect("a list").iter();
    data.map(|decision| decision["decision"]["events"][0]["type"].as_str().expect("a type").to_owned())
        .collect()
}

/// A site with stock, an order that is shipped, one that is refused; and another site.
pub(crate) async fn shop() -> Service {
    let service = Service::start().await;
    service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
    service.receive("A", 10).await;
    service.receive("B", 5).await;
    let order = r#"{"order_id":"o-1","lines":[{"sku":"A","quantity":2},{"sku":"B","quantity":1}]}"#;
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    service
        .post("/v1/sites/uk/orders/o-1/shipments", r#"{"lines":[{"sku":"A","quantity":1}]}"#)
        .await
        .expect(201);
    let too_much = r#"{"order_id":"o-2","lines":[{"sku":"B","quantity":50}]}"#;
    service.post("/v1/sites/uk/orders", too_much).await.expect(409);
    service.post("/v1/sites/fr/notes", r#"{"note":"seen"}"#).await.expect(201);
    service
}

/// Waits until the feed has read all that was decided: an answer tells what was read so far.
async fn until_read(service: &Service) {
    for status in service.ledger.status() {
        assert!(service.feed.reached(status.position, Instant::now() + PATIENCE).await);
    }
}

#[tokio::test]
async fn pages_tell_every_decision_once_and_in_order() {
    let service = shop().await;
    until_read(&service).await;
    let whole = service.get("/v1/events?limit=500").await.expect(200);
    assert_eq!(whole.json["has_more"], json!(false));
    let all = positions(&whole);
    let mut expected: Vec<String> = Vec::new();
    for status in service.ledger.status() {
        expected.extend((1..=status.position.seq).map(|seq| format!("{}.{seq}", status.position.partition)));
    }
    let mut sorted = all.clone();
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    let (mut paged, mut path) = (Vec::new(), "/v1/events?limit=2".to_owned());
    loop {
        let page = service.get(&path).await.expect(200);
        let found = positions(&page);
        assert!(found.len() <= 2, "{}", page.text);
        paged.extend(found);
        let cursor = page.json["next_cursor"].as_str().expect("a feed has no end");
        path = format!("/v1/events?limit=2&after={cursor}");
        if page.json["has_more"] == json!(false) {
            break;
        }
    }
    for partition in 0..4 {
        let of = |positions: &[String]| -> Vec<String> {
            let begin = format!("{partition}.");
            positions.iter().filter(|position| position.starts_with(&begin)).cloned().collect()
        };
        assert_eq!(of(&paged), of(&all), "partition {partition}");
    }
    assert_eq!(paged.len(), all.len());
    // A position is a cursor of its partition alone.
    let of_one = service.get("/v1/events?after=0.1").await.expect(200);
    assert_eq!(positions(&of_one)[0], "0.2");
    assert!(positions(&of_one).iter().all(|position| position.starts_with("0.")));
    assert!(!of_one.json["next_cursor"].as_str().unwrap().starts_with("0.1"), "{}", of_one.text);
}

#[tokio::test]
async fn filters_let_through_what_has_all_that_is_asked_for() {
    let service = shop().await;
    // Before the log was read to its end there may be more of anything.
    service.feed.end(Instant::now() + PATIENCE).await;
    let cases = [
        ("site=fr", vec!["site_opened", "note_recorded"]),
        ("order=o-1", vec!["order_placed", "order_shipped"]),
        ("order=o-2", vec!["out_of_stock"]),
        ("type=stock_received", vec!["stock_received", "stock_received"]),
        ("sku=B", vec!["stock_received", "order_placed", "out_of_stock"]),
        ("sku=A&site=uk&type=order_shipped", vec!["order_shipped"]),
        ("sku=A&site=fr", vec![]),
        ("site=nowhere", vec![]),
    ];
    for (query, expected) in cases {
        let page = service.get(&format!("/v1/events?{query}")).await.expect(200);
        assert_eq!(types(&page), expected, "{query}: {}", page.text);
        assert_eq!(page.json["has_more"], json!(false), "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let service = Service::start().await;
    for (query, code) in [
        ("after=nonsense", "invalid-cursor"),
        ("after=4.1", "invalid-cursor"),
        ("type=OrderPlaced", "malformed-request"),
        ("wait=31", "malformed-request"),
        ("wait=-1", "malformed-request"),
        ("limit=501", "malformed-request"),
        ("sites=uk", "malformed-request"),
    ] {
        assert_problem(&service.get(&format!("/v1/events?{query}")).await, 400, code);
    }
    let answer = service.get("/v1/events/x").await;
    assert_problem(&answer, 422, "validation-failed");
    for position in ["0.0", "0.999", "3.1", "9.1"] {
        assert_problem(&service.get(&format!("/v1/events/{position}")).await, 404, "unknown-event");
    }
}

#[tokio::test]
async fn one_decision_is_told_as_in_the_list_and_with_its_record() {
    let service = shop().await;
    let listed = service.get("/v1/events?order=o-1").await.expect(200);
    let position = positions(&listed)[0].clone();
    let one = service.get(&format!("/v1/events/{position}")).await.expect(200);
    assert_eq!(one.json, listed.json["data"][0]);
    assert_eq!(one.header("ledger-position"), position);
    let raw = service.get(&format!("/v1/events/{position}?raw=true")).await.expect(200);
    let bytes = STANDARD.decode(raw.json["raw"].as_str().expect("a record")).expect("base64");
    let Ok(Record::Decision(decision)) = envelope::decode(&bytes) else { panic!("{}", raw.text) };
    assert_eq!(serde_json::to_value(&decision).unwrap(), one.json["decision"]);
}

#[tokio::test]
async fn a_request_waits_for_the_next_decision() {
    let service = shop().await;
    let end = service.get("/v1/events?after=end").await.expect(200);
    assert_eq!(positions(&end), Vec::<String>::new());
    let cursor = end.json["next_cursor"].as_str().unwrap();
    let path = format!("/v1/events?after={cursor}&wait=30&order=o-3");
    let waiting = tokio::spawn({
        let router = service.router.clone();
        async move { send(&router, get(&path).body(Body::empty()).unwrap()).await }
    });
    // It comes to no end by what it does not wait for.
    service.receive("A", 1).await;
    let order = r#"{"order_id":"o-3","lines":[{"sku":"A","quantity":1}]}"#;
    let placed = service.post("/v1/sites/uk/orders", order).await.expect(201);
    let told = waiting.await.unwrap().expect(200);
    assert_eq!(positions(&told), [placed.header("ledger-position")]);
    assert_eq!(types(&told), ["order_placed"]);
}

#[tokio::test]
async fn events_are_told_without_read_tables() {
    let service = shop().await;
    let app = App::new(service.node.clone(), Roles::default(), Gate::Open).telling(service.feed.clone());
    let router = http::router(app);
    let ends = service.ledger.status().iter().map(|at| at.position.to_string()).collect::<Vec<_>>().join(",");
    let ask = async |path: &str| {
        send(&router, get(path).header("ledger-min-position", &ends).body(Body::empty()).unwrap()).await
    };
    assert_problem(&ask("/v1/sites/uk/stock").await, 404, "not-found");
    assert_eq!(positions(&ask("/v1/events?order=o-1").await.expect(200)).len(), 2);
    ask("/v1/events/0.1").await.expect(200);
}

#[tokio::test]
async fn what_must_not_be_read_past_is_said_and_the_other_partitions_go_on() {
    let service = shop().await;
    service.get("/v1/events").await.expect(200);
    let of_uk = service.get("/v1/events?site=uk").await.expect(200);
    let partition: u16 = positions(&of_uk)[0].split('.').next().unwrap().parse().unwrap();
    service.log.faults().land(partition, Entry::new("", "garbage"));
    let path = "/v1/events?after=end&wait=30&type=note_recorded";
    let stopped = send(&service.router, get(path).body(Body::empty()).unwrap()).await.expect(200);
    assert_eq!(stopped.json["stopped"][0]["partition"], json!(partition), "{}", stopped.text);
    let whole = send(&service.router, get("/v1/events?limit=500").body(Body::empty()).unwrap()).await;
    let begin = format!("{partition}.");
    let told = positions(&whole.expect(200)).iter().filter(|position| position.starts_with(&begin)).count();
    assert_eq!(told as u64, service.ledger.status()[usize::from(partition)].position.seq);
    assert!(positions(&service.get("/v1/events?type=site_registered").await).len() > 1, "others go on");
}

#[tokio::test]
async fn a_key_for_some_sites_sees_their_events_only() {
    let guarded = Guarded::start().await;
    guarded.service.post("/v1/sites/fr/notes", r#"{"note":"seen"}"#).await.expect(201);
    let token = guarded.key("abroad", &[KeyScope::AuditRead], json!({ "sites": ["fr"] })).await;
    let everything = guarded.key("auditor", &[KeyScope::AuditRead], json!({})).await;
    until_read(&guarded.service).await;
    let level = |answer: &Answer| -> Vec<Value> { answer.json["data"].as_array().unwrap().clone() };
    let all = level(&guarded.get(&everything, "/v1/events?limit=500&wait=1").await.expect(200));
    assert!(all.iter().any(|decision| decision["decision"]["events"][0]["type"] == "key_created"));
    let mine = guarded.get(&token, "/v1/events?limit=500").await.expect(200);
    assert!(level(&mine).len() >= 2, "{}", mine.text);
    assert!(level(&mine).iter().all(|decision| decision["decision"]["scope"]["site"] == "fr"));
    for secret in ["CANARY-SKU", "canary-order", "secret_hash", "Canary Site"] {
        assert!(!mine.text.contains(secret), "{}", mine.text);
    }
    let mut hidden = 0;
    for decision in &all {
        let path = format!("/v1/events/{}?raw=true", decision["position"].as_str().unwrap());
        let answer = guarded.get(&token, &path).await;
        if decision["decision"]["scope"]["site"] == "fr" {
            answer.expect(200);
        } else {
            assert_problem(&answer, 404, "unknown-event");
            hidden += 1;
        }
    }
    assert!(hidden > 3, "{hidden}");
    let foreign = guarded.get(&token, "/v1/events?site=uk").await.expect(200);
    assert_eq!(level(&foreign), Vec::<Value>::new());
}
