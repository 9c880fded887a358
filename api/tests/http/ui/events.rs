//! Events as pages: the newest first however many partitions and pages there are, filters, and one record in full.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use stockledger_schemas::KeyScope;

use crate::keys::Guarded;
use crate::support::{Answer, PATIENCE, Service, send};
use crate::ui::{assert_page, assert_says, browse, words};

/// Waits until the feed has everything that was answered.
pub(super) async fn level(service: &Service) {
    for status in service.ledger.status() {
        assert!(service.feed.reached(status.position, tokio::time::Instant::now() + PATIENCE).await);
    }
}

/// The positions that a page of events lists, in its order.
fn positions(page: &Answer) -> Vec<String> {
    let rows = page.text.split(r#"<th scope="row" class="id"><a href="/ui/events/"#).skip(1);
    rows.map(|row| row.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_are_told_from_the_newest_to_the_first_page_by_page() {
    let service = Service::start().await;
    for site in ["fr", "de", "it"] {
        service.put(&format!("/v1/sites/{site}"), r#"{"name":"S"}"#).await.expect(201);
    }
    let mut decided = Vec::new();
    for number in 0..60 {
        let site = ["uk", "fr", "de", "it"][number % 4];
        let body = format!(r#"{{"lines":[{{"sku":"S{number}","quantity":1}}]}}"#);
        let answer = service.post(&format!("/v1/sites/{site}/receipts"), body).await.expect(201);
        decided.push(answer.header("ledger-position").to_owned());
    }
    level(&service).await;
    let (mut told, mut path) = (Vec::new(), "/ui/events?type=stock_received&limit=7".to_owned());
    loop {
        let page = browse(&service, &path).await.expect(200);
        assert_page(&page, "Events");
        told.extend(positions(&page));
        let next = page.text.split("href=\"").find(|link| link.contains("rel=\"next\""));
        let Some(next) = next else { break };
        path = next.split('"').next().unwrap().replace("&#38;", "&");
    }
    decided.reverse();
    assert_eq!(told, decided);
}

#[tokio::test]
async fn filters_find_what_somebody_looks_for() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    service.receive("CUP", 5).await;
    service
        .post("/v1/sites/uk/orders", r#"{"order_id":"o/1","lines":[{"sku":"MUG","quantity":3}]}"#)
        .await
        .expect(201);
    service
        .post("/v1/sites/uk/orders", r#"{"order_id":"o-2","lines":[{"sku":"MUG","quantity":9}]}"#)
        .await
        .expect(409);
    level(&service).await;
    for (query, count, says) in [
        ("?sku=MUG", 3, "o-2 uk local"),
        ("?sku=CUP&order=&site=&type=", 1, "CUP uk local"),
        ("?order=o%2F1", 1, "o/1 uk local"),
        ("?type=out_of_stock", 1, "Out of stock"),
        ("?site=nowhere", 0, "There is no such decision."),
    ] {
        let page = browse(&service, &format!("/ui/events{query}")).await.expect(200);
        assert_eq!(positions(&page).len(), count, "{query}: {}", words(&page));
        assert_says(&page, &[says]);
    }
    let csv = browse(&service, "/ui/events?sku=MUG&format=csv").await.expect(200);
    assert_eq!(csv.text.lines().count(), 4, "{}", csv.text);
    let json = browse(&service, "/ui/events?sku=MUG&format=json").await.expect(200);
    assert_eq!(json.json["data"].as_array().unwrap().len(), 3);
    browse(&service, "/ui/events?type=dance").await.expect(400);
    browse(&service, "/ui/events?cursor=x").await.expect(400);
}

#[tokio::test]
async fn a_record_shows_its_members_its_bytes_and_where_it_leads() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    let order = r#"{"order_id":"o/1","note":"<i>soon</i>","lines":[{"sku":"MUG","quantity":3}]}"#;
    let placed = service.post_as("my key", "/v1/sites/uk/orders", order).await.expect(201);
    let position = placed.header("ledger-position");
    level(&service).await;
    let page = browse(&service, &format!("/ui/events/{position}")).await.expect(200);
    assert_page(&page, "Order placed");
    let raw = service.get(&format!("/v1/events/{position}?raw=true")).await.expect(200);
    assert_says(
        &page,
        &[
            "Who local",
            "Idempotency key my key",
            "events.0.lines.0.after.reserved 3",
            "context.note &#60;i&#62;soon&#60;/i&#62;",
            raw.json["hash"].as_str().unwrap(),
            "00000000 ",
        ],
    );
    for link in ["/ui/sites/uk/orders/o%2F1", &format!("/v1/audit/proof?position={position}")] {
        assert!(page.text.contains(&format!("href=\"{link}\"")), "{link}: {}", page.text);
    }
    browse(&service, "/ui/events/0.99999").await.expect(404);
    // Three clicks from a number to the person: overview, item, record.
    let item = browse(&service, "/ui/sites/uk/stock/MUG").await.expect(200);
    assert!(item.text.contains(&format!("href=\"/ui/events/{position}\"")));
    let order = browse(&service, "/ui/sites/uk/orders/o%2F1").await.expect(200);
    assert!(order.text.contains(&format!("href=\"/ui/events/{position}\"")));
}

#[tokio::test]
async fn a_key_for_some_sites_sees_no_decision_of_others() {
    let guarded = Guarded::start().await;
    let service = &guarded.service;
    let abroad =
        service.post("/v1/sites/fr/receipts", r#"{"lines":[{"sku":"PAIN","quantity":3}]}"#).await.expect(201);
    let here = service.receive("MINE", 1).await;
    level(service).await;
    let token = guarded.key("auditor", &[KeyScope::AuditRead], json!({ "sites": ["fr"] })).await;
    let ask = async |path: String| {
        let request = Request::get(path).header("accept", "text/html");
        let request = request.header("authorization", format!("Bearer {}", token.reveal()));
        send(&guarded.router, request.body(Body::empty()).unwrap()).await
    };
    let list = ask("/ui/events".to_owned()).await.expect(200);
    assert_eq!(positions(&list).first().map(String::as_str), Some(abroad.header("ledger-position")));
    assert!(!list.text.contains("MINE") && !list.text.contains("canary"), "{}", list.text);
    let own = ask(format!("/ui/events/{}", abroad.header("ledger-position"))).await.expect(200);
    assert!(!own.text.contains("/v1/audit/proof"), "that is for who may audit all sites");
    ask(format!("/ui/events/{}", here.header("ledger-position"))).await.expect(404);
}
