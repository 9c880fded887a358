//! Pages and cursors.

use std::collections::HashSet;

use serde_json::Value;

use crate::support::{Answer, Service};

fn cursor(answer: &Answer) -> Option<String> {
    assert_eq!(answer.json["has_more"], !answer.json["next_cursor"].is_null());
    answer.json["next_cursor"].as_str().map(str::to_owned)
}

fn data(answer: &Answer) -> &[Value] {
    answer.json["data"].as_array().expect("a list")
}

async fn place(service: &Service, number: usize) {
    let body = format!(r#"{{"order_id":"o-{number:03}","lines":[{{"sku":"A","quantity":1}}]}}"#);
    service.post("/v1/sites/uk/orders", body).await.expect(201);
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_others_write() {
    let service = Service::start().await;
    service.receive("A", 1_000).await;
    for number in 0..25 {
        place(&service, number).await;
    }
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/sites/uk/orders?limit=4".to_owned();
    loop {
        let page = service.get(&path).await.expect(200);
        seen.extend(data(&page).iter().map(|order| order["order_id"].as_str().unwrap().to_owned()));
        place(&service, 100 + seen.len()).await;
        let Some(next) = cursor(&page) else { break };
        assert_eq!(data(&page).len(), 4);
        path = format!("/v1/sites/uk/orders?limit=4&cursor={next}");
    }
    let expected: Vec<String> = (0..25).rev().map(|number| format!("o-{number:03}")).collect();
    assert_eq!(seen, expected, "all that were there at first, newest first, none of those placed meanwhile");
}

#[tokio::test]
async fn every_list_is_read_to_its_end_by_its_cursors() {
    let service = Service::start().await;
    for number in 0..5 {
        let sku = format!("S{number}");
        service.put(&format!("/v1/items/{sku}"), r#"{"name":"n"}"#).await.expect(201);
        service.put(&format!("/v1/sites/site-{number}"), r#"{"name":"n"}"#).await.expect(201);
        let body = r#"{"lines":[{"sku":"S0","quantity":1}]}"#;
        service.post(&format!("/v1/sites/site-{number}/receipts"), body).await.expect(201);
        service.receive(&sku, 10).await;
        service.receive("S0", 1).await;
        place_and_ship_parts(&service, number).await;
    }
    let lists = [
        ("/v1/sites", 6),
        ("/v1/items", 5),
        ("/v1/stock/S0", 6),
        ("/v1/sites/uk/stock", 5),
        ("/v1/sites/uk/stock/S0/movements", 17),
        ("/v1/sites/uk/stock/S0/movements?first=oldest", 17),
        ("/v1/sites/uk/orders", 5),
        ("/v1/sites/uk/orders?status=shipped", 5),
        ("/v1/sites/uk/orders?status=refused", 0),
        ("/v1/sites/uk/orders/o-0/trail", 3),
    ];
    for (list, count) in lists {
        let separator = if list.contains('?') { '&' } else { '?' };
        let mut rows: HashSet<String> = HashSet::new();
        let mut path = format!("{list}{separator}limit=2");
        loop {
            let page = service.get(&path).await.expect(200);
            for row in data(&page) {
                assert!(rows.insert(row.to_string()), "{list} repeats {row}");
            }
            let Some(next) = cursor(&page) else { break };
            path = format!("{list}{separator}limit=2&cursor={next}");
        }
        assert_eq!(rows.len(), count, "{list}");
    }
}

async fn place_and_ship_parts(service: &Service, number: usize) {
    let body = format!(r#"{{"order_id":"o-{number}","lines":[{{"sku":"S0","quantity":2}}]}}"#);
    service.post("/v1/sites/uk/orders", body).await.expect(201);
    let lines = r#"{"lines":[{"sku":"S0","quantity":1}]}"#;
    if number == 0 {
        service.post("/v1/sites/uk/orders/o-0/shipments", lines).await.expect(201);
    }
    service.post(&format!("/v1/sites/uk/orders/o-{number}/shipments"), "").await.expect(201);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list_and_filters() {
    let service = Service::start().await;
    service.receive("A", 100).await;
    service.receive("B", 100).await;
    for number in 0..3 {
        place(&service, number).await;
    }
    let first = service.get("/v1/sites/uk/orders?limit=1&status=placed").await.expect(200);
    let cursor = cursor(&first).expect("more orders");
    service.get(&format!("/v1/sites/uk/orders?status=placed&cursor={cursor}")).await.expect(200);
    let damaged = format!("{}A", &cursor[..cursor.len() - 1]);
    let misuses = [
        format!("/v1/sites/uk/orders?cursor={cursor}"),
        format!("/v1/sites/uk/orders?status=shipped&cursor={cursor}"),
        format!("/v1/sites/uk/stock?cursor={cursor}"),
        format!("/v1/sites?cursor={cursor}"),
        format!("/v1/sites/uk/orders?status=placed&cursor={damaged}"),
        "/v1/sites/uk/orders?cursor=".to_owned(),
        "/v1/sites/uk/orders?cursor=%00".to_owned(),
    ];
    for path in misuses {
        assert_eq!(service.get(&path).await.expect(400).code(), "invalid-cursor", "{path}");
    }
}

#[tokio::test]
async fn parameters_that_a_route_does_not_know_are_refused() {
    let service = Service::start().await;
    let paths = [
        "/v1/sites?limit=0",
        "/v1/sites?limit=501",
        "/v1/sites?limit=ten",
        "/v1/sites?limit=1&limit=2",
        "/v1/sites?limit",
        "/v1/sites?page=2",
        "/v1/sites/uk/orders?status=lost",
        "/v1/sites/uk/orders?state=placed",
        "/v1/sites/uk/stock/A/movements?first=last",
        "/v1/sites/uk?as_of=0.1",
        "/v1/info?x",
    ];
    for path in paths {
        assert_eq!(service.get(path).await.expect(400).code(), "malformed-request", "{path}");
    }
    let dry_run = service.post("/v1/sites/uk/notes?dryrun=true", r#"{"note":"n"}"#).await.expect(400);
    assert_eq!(dry_run.code(), "malformed-request");
    service.get("/v1/sites?limit=500").await.expect(200);
}
