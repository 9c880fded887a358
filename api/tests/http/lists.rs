//! Pages and cursors.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::hammer::{manage, until_versions};
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
async fn a_page_of_long_orders_ends_early_and_goes_on() {
    let service = Service::start().await;
    let lines: Vec<Value> =
        (0..2_000).map(|number| json!({ "sku": format!("S-{number}"), "quantity": 1 })).collect();
    for number in 0..12 {
        let order = json!({ "order_id": format!("o-{number:02}"), "lines": lines });
        service.post("/v1/sites/uk/orders", order.to_string()).await.expect(409);
    }
    let first = service.get("/v1/sites/uk/orders?limit=500&first=oldest").await.expect(200);
    assert_eq!((first.json["data"].as_array().unwrap().len(), &first.json["has_more"]), (10, &json!(true)));
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let next = service.get(&format!("/v1/sites/uk/orders?limit=500&first=oldest&cursor={cursor}")).await;
    let orders: Vec<&str> = next.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["order_id"].as_str().unwrap())
        .collect();
    assert_eq!((orders, &next.json["has_more"]), (vec!["o-10", "o-11"], &json!(false)));
}

#[tokio::test]
async fn a_page_of_long_steps_ends_early_and_goes_on() {
    const LINES: usize = 2_000;
    const SHIPMENTS: usize = 12;
    let service = Service::start().await;
    let lines = |quantity: usize| -> Vec<Value> {
        (0..LINES).map(|number| json!({ "sku": format!("S-{number}"), "quantity": quantity })).collect()
    };
    let order = json!({ "order_id": "long", "lines": lines(SHIPMENTS) }).to_string();
    service.post("/v1/sites/uk/orders", order.clone()).await.expect(409);
    let goods = json!({ "lines": lines(SHIPMENTS) });
    service.post("/v1/sites/uk/receipts", goods.to_string()).await.expect(201);
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    for _ in 0..SHIPMENTS {
        let shipped = json!({ "lines": lines(1) });
        service.post("/v1/sites/uk/orders/long/shipments", shipped.to_string()).await.expect(201);
    }
    let (mut path, mut steps, mut pages) =
        ("/v1/sites/uk/orders/long/trail?limit=500".to_owned(), Vec::new(), 0);
    loop {
        let page = service.get(&path).await.expect(200).json;
        let data = page["data"].as_array().unwrap();
        let of_page: usize = data.iter().map(|step| step["lines"].as_array().unwrap().len()).sum();
        assert!(of_page <= 20_000, "a page of {of_page} lines");
        steps.extend(data.iter().map(|step| (step["type"].clone(), step["lines"].as_array().unwrap().len())));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/sites/uk/orders/long/trail?limit=500&cursor={cursor}");
    }
    let types = ["out_of_stock", "order_placed"].into_iter().chain(["order_shipped"; SHIPMENTS]);
    let expected: Vec<(Value, usize)> = types.map(|name| (json!(name), LINES)).collect();
    assert_eq!((steps, pages), (expected, 2));
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
        ("/v1/stock/S0?sort=-available", 6),
        ("/v1/stock/S0?below=2&sort=site", 5),
        ("/v1/sites/uk/stock", 5),
        ("/v1/sites/uk/stock?sort=on_hand", 5),
        ("/v1/sites/uk/stock?sort=-available&below=11", 5),
        ("/v1/sites/uk/stock?sku_prefix=S&available_lt=6&sort=-sku", 1),
        ("/v1/sites/uk/stock/S0/movements", 17),
        ("/v1/sites/uk/stock/S0/movements?first=oldest", 17),
        ("/v1/sites/uk/stock/S0/movements?type=order_placed&actor=local", 5),
        ("/v1/sites/uk/stock/S0/movements?reason=damaged", 0),
        ("/v1/sites/uk/orders", 5),
        ("/v1/sites/uk/orders?status=shipped", 5),
        ("/v1/sites/uk/orders?status=refused", 0),
        ("/v1/sites/uk/orders?sku=S0&first=oldest", 5),
        ("/v1/sites/uk/orders?customer=nobody", 0),
        ("/v1/sites/uk/orders?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", 0),
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
        format!("/v1/sites/uk/orders?status=placed&first=oldest&cursor={cursor}"),
        format!("/v1/sites/uk/orders?status=placed&customer=c&cursor={cursor}"),
        format!("/v1/sites/uk/orders?status=placed&sku=A&cursor={cursor}"),
        format!("/v1/sites/uk/orders?status=placed&from=2020-01-01T00:00:00Z&cursor={cursor}"),
    ];
    for path in misuses {
        assert_eq!(service.get(&path).await.expect(400).code(), "invalid-cursor", "{path}");
    }
}

#[tokio::test]
async fn a_cursor_of_stock_belongs_to_its_order_and_filters() {
    let service = Service::start().await;
    for sku in ["A", "B", "C"] {
        service.receive(sku, 100).await;
    }
    for list in
        ["/v1/sites/uk/stock?below=200", "/v1/sites/uk/stock?sort=on_hand", "/v1/sites/uk/stock?sku_prefix=A"]
    {
        let first = service.get(&format!("{list}&limit=1")).await.expect(200);
        let Some(cursor) = cursor(&first) else {
            assert_eq!(list, "/v1/sites/uk/stock?sku_prefix=A");
            continue;
        };
        service.get(&format!("{list}&cursor={cursor}")).await.expect(200);
        for other in ["", "&sort=-sku", "&available_lt=200", "&sku_prefix=B", "&as_of=0.5"] {
            let path = match other {
                "" => format!("/v1/sites/uk/stock?cursor={cursor}"),
                other => format!("/v1/sites/uk/stock?cursor={cursor}{other}"),
            };
            assert_eq!(service.get(&path).await.expect(400).code(), "invalid-cursor", "{path}");
        }
    }
}

/// What a walk does between two pages.
async fn disturb(service: &Service, round: usize) {
    service.receive(&format!("S{:02}", (round * 7) % 12), 40).await;
    service.receive(&format!("N{round:02}"), 5).await;
    place_and_ship_parts(service, 50 + round).await;
    if round == 2 {
        manage(&service.router, "POST", "/v1/projections/rebuilds", &json!({}), 202).await;
        until_versions(&service.router, |seen| !seen["last_rebuild"].is_null()).await;
    }
    if round == 4 {
        manage(&service.router, "POST", "/v1/projections/switch", &json!({ "back": true }), 200).await;
    }
}

#[tokio::test]
async fn walks_see_every_row_once_while_others_write_and_tables_are_switched() {
    for list in [
        "/v1/sites/uk/stock?",
        "/v1/sites/uk/stock?sort=on_hand",
        "/v1/sites/uk/stock?sort=-available&below=1000",
        "/v1/sites/uk/stock?sort=-sku",
        "/v1/stock/S00?sort=-on_hand",
        "/v1/sites/uk/orders?sku=S0",
        "/v1/sites/uk/orders?first=oldest",
        "/v1/sites/uk/stock/S0/movements?type=order_placed",
        "/v1/sites/uk/stock/S0/movements?first=oldest",
    ] {
        let service = Service::start().await;
        for number in 0..12 {
            service.receive(&format!("S{number:02}"), 100 - 3 * i64::from(number)).await;
            let site = format!("/v1/sites/site-{number}");
            service.put(&site, r#"{"name":"n"}"#).await.expect(201);
            let body = format!(r#"{{"lines":[{{"sku":"S00","quantity":{}}}]}}"#, number + 1);
            service.post(&format!("{site}/receipts"), body).await.expect(201);
        }
        service.receive("S0", 1_000).await;
        for number in 0..12 {
            place_and_ship_parts(&service, number).await;
        }
        let name = |row: &Value| {
            ["position", "site", "sku", "order_id", "line"].map(|name| {
                // The position of a level is that of the answer.
                if name == "position" && !row["on_hand"].is_null() {
                    String::new()
                } else {
                    row[name].to_string()
                }
            })
        };
        let whole = service.get(&format!("{list}&limit=500")).await.expect(200);
        let expected: Vec<[String; 5]> = data(&whole).iter().map(name).collect();
        assert!(expected.len() >= 12, "{list}: {}", whole.text);
        let mut seen = Vec::new();
        let mut path = format!("{list}&limit=2");
        for round in 0.. {
            let page = service.get(&path).await.expect(200);
            seen.extend(data(&page).iter().map(name));
            let Some(next) = cursor(&page) else { break };
            path = format!("{list}&limit=2&cursor={next}");
            if round < 6 {
                disturb(&service, round).await;
            }
        }
        let there_at_first: Vec<[String; 5]> =
            seen.iter().filter(|row| expected.contains(row)).cloned().collect();
        assert_eq!(there_at_first, expected, "{list}");
        let distinct: HashSet<&[String; 5]> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{list}");
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
    let named = [
        ("/v1/sites/uk/stock?below=few", "below"),
        ("/v1/sites/uk/stock?available_lt=1.5", "available_lt"),
        ("/v1/sites/uk/stock?available_lt=9007199254740992", "available_lt"),
        ("/v1/stock/A?below=-9007199254740992", "below"),
        ("/v1/sites/uk/stock?sku_prefix=%20A", "sku_prefix"),
        ("/v1/sites/uk/stock?sort=held", "sort"),
        ("/v1/sites/uk/stock?sort=site", "sort"),
        ("/v1/sites/uk/stock?sort=--sku", "sort"),
        ("/v1/sites/uk/stock?as_of=2026-01-01T00:00:00Z&axis=occurred&below=3", "below"),
        ("/v1/stock/A?sort=sku", "sort"),
        ("/v1/stock/A?sku_prefix=A", "sku_prefix"),
        ("/v1/stock/A?as_of=2026-01-01T00:00:00Z&below=3", "below"),
        ("/v1/sites/uk/orders?status=lost", "status"),
        ("/v1/sites/uk/orders?customer=%20", "customer"),
        ("/v1/sites/uk/orders?sku=", "sku"),
        ("/v1/sites/uk/orders?from=yesterday", "from"),
        ("/v1/sites/uk/orders?to=2026-01-01", "to"),
        ("/v1/sites/uk/orders?axis=occurred", "axis"),
        ("/v1/sites/uk/orders?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("/v1/sites/uk/orders?first=cheapest", "first"),
        ("/v1/sites/uk/stock/A/movements?type=StockReceived", "type"),
        ("/v1/sites/uk/stock/A/movements?reason=because", "reason"),
        ("/v1/sites/uk/stock/A/movements?actor=%20", "actor"),
    ];
    for (path, parameter) in named {
        let problem = service.get(path).await.expect(400);
        assert_eq!(problem.code(), "malformed-request", "{path}");
        let detail = problem.json["detail"].as_str().unwrap();
        assert!(detail.contains(parameter), "{path}: {detail}");
    }
    let unknown = service.post("/v1/sites/uk/notes?wet_run=true", r#"{"note":"n"}"#).await.expect(400);
    assert_eq!(unknown.code(), "malformed-request");
    service.get("/v1/sites?limit=500").await.expect(200);
}
