//! Lists as rows: CSV, and JSON one a line.

use axum::body::Body;
use serde_json::{Value, json};
use stockledger_projections::Store;

use crate::support::{Answer, Service, get};

const CSV: &str = "text/csv";
const LINES: &str = "application/x-ndjson";

/// The list in this form, level with every answer that was given before.
async fn list(service: &Service, path: &str, accept: &str) -> Answer {
    let positions: Vec<String> =
        service.ledger.status().iter().map(|status| status.position.to_string()).collect();
    let request = get(path).header("accept", accept).header("ledger-min-position", positions.join(","));
    service.send(request.body(Body::empty()).unwrap()).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The rows of CSV, each by the names of the first one.
fn rows(answer: &Answer) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |row: Result<csv::StringRecord, csv::Error>| {
        let row = row.expect("every row has as many cells as the first");
        names.iter().zip(&row).map(|(name, cell)| (name.to_owned(), json!(cell))).collect::<Value>()
    };
    reader.records().map(row).collect()
}

async fn shop() -> Service {
    let service = Service::start().await;
    service.put("/v1/items/A", r#"{"name":"=cmd|'/c calc'!A1","unit":"box"}"#).await.expect(201);
    service.receive("A", 90).await;
    service.receive("-B", 7).await;
    let order = r#"{"order_id":"o,1","customer":"@c","lines":[{"sku":"A","quantity":2},{"sku":"-B","quantity":1}],
        "note":"two \"wet\" ones"}"#;
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    service.post("/v1/sites/uk/orders/o%2C1/shipments", "").await.expect(201);
    service
}

const LISTS: [&str; 7] = [
    "/v1/sites",
    "/v1/items",
    "/v1/stock/A",
    "/v1/sites/uk/stock",
    "/v1/sites/uk/stock/A/movements",
    "/v1/sites/uk/orders",
    "/v1/sites/uk/orders/o%2C1/trail",
];

#[tokio::test]
async fn every_list_has_the_same_rows_in_every_form() {
    let service = shop().await;
    for path in LISTS {
        let page = list(&service, path, "application/json").await.expect(200);
        let data = page.json["data"].as_array().unwrap();
        assert!(!data.is_empty(), "{path}");
        let answer = list(&service, path, LINES).await.expect(200);
        assert_eq!(answer.header("content-type"), LINES);
        assert_eq!(lines(&answer), *data, "{path}");
        assert_eq!(answer.header("ledger-position"), page.header("ledger-position"), "{path}");
        let answer = list(&service, path, CSV).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
        let rows = rows(&answer);
        assert_eq!(rows.len(), data.len(), "{path}: {}", answer.text);
        for (row, value) in rows.iter().zip(data) {
            for name in ["position", "site", "status", "on_hand", "available", "type", "recorded_at", "actor"]
            {
                let plain = |value: &Value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                if let (Some(cell), Some(member)) = (row.get(name), value.get(name)) {
                    assert_eq!(plain(cell), plain(member), "{path} {name}");
                }
            }
        }
        for answer in [&page, &answer] {
            assert_eq!(answer.header("vary"), "accept", "{path}");
        }
    }
}

#[tokio::test]
async fn what_people_wrote_is_no_formula_and_no_new_cell() {
    let service = shop().await;
    let items = list(&service, "/v1/items", CSV).await.expect(200);
    assert_eq!(rows(&items)[0]["name"], "'=cmd|'/c calc'!A1");
    let stock = rows(&list(&service, "/v1/sites/uk/stock", CSV).await.expect(200));
    assert_eq!((&stock[0]["sku"], &stock[0]["on_hand"]), (&json!("'-B"), &json!("6")));
    let orders = rows(&list(&service, "/v1/sites/uk/orders", CSV).await.expect(200));
    assert_eq!((&orders[0]["order_id"], &orders[0]["customer"]), (&json!("o,1"), &json!("'@c")));
    let movements = list(&service, "/v1/sites/uk/stock/A/movements?type=order_placed", CSV).await.expect(200);
    let movements = rows(&movements);
    assert_eq!((movements.len(), &movements[0]["note"]), (1, &json!("two \"wet\" ones")));
    assert_eq!(movements[0]["reserved_change"], "2");
}

#[tokio::test]
async fn rows_are_all_of_the_list_unless_a_limit_is_given() {
    let service = Service::start().await;
    let all: Vec<String> = (0..1_203).map(|number| format!("S{number:04}")).collect();
    for skus in all.chunks(1_000) {
        let lines: Vec<Value> = skus.iter().map(|sku| json!({ "sku": sku, "quantity": 5 })).collect();
        service.post("/v1/sites/uk/receipts", json!({ "lines": lines }).to_string()).await.expect(201);
    }
    let skus = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["sku"].as_str().unwrap().to_owned()).collect()
    };
    let whole = list(&service, "/v1/sites/uk/stock", LINES).await.expect(200);
    assert_eq!(skus(&lines(&whole)), all);
    let whole = rows(&list(&service, "/v1/sites/uk/stock?sort=-on_hand", CSV).await.expect(200));
    assert_eq!(skus(&whole), all.iter().rev().cloned().collect::<Vec<_>>());
    let filtered = list(&service, "/v1/sites/uk/stock?sku_prefix=S11&below=6", LINES).await.expect(200);
    assert_eq!(skus(&lines(&filtered)), all[1_100..1_200]);
    let page = list(&service, "/v1/sites/uk/stock?limit=3", CSV).await.expect(200);
    assert_eq!(skus(&rows(&page)), all[..3]);
    let page = service.get("/v1/sites/uk/stock?limit=500").await.expect(200);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = list(&service, &format!("/v1/sites/uk/stock?cursor={cursor}"), LINES).await.expect(200);
    assert_eq!(skus(&lines(&rest)), all[500..]);
    let nothing = list(&service, "/v1/sites/uk/stock?sku_prefix=zz", CSV).await.expect(200);
    assert_eq!(nothing.text.lines().count(), 1, "the names of the cells");
    assert_eq!(list(&service, "/v1/sites/uk/stock?sku_prefix=zz", LINES).await.expect(200).text, "");
}

#[tokio::test]
async fn the_rows_of_one_answer_are_of_one_state() {
    let service = Service::start().await;
    let all: Vec<Value> =
        (0..600).map(|number| json!({ "sku": format!("S{number:03}"), "quantity": 5 })).collect();
    service.post("/v1/sites/uk/receipts", json!({ "lines": all }).to_string()).await.expect(201);
    let before = service.get("/v1/sites/uk").await.expect(200).header("ledger-position").to_owned();
    let request = get("/v1/sites/uk/stock").header("accept", LINES).header("ledger-min-position", before);
    let response = tower::ServiceExt::oneshot(service.router.clone(), request.body(Body::empty()).unwrap());
    let response = response.await.unwrap();
    // The first page was read; what happens now is in none of those behind it.
    service.receive("S599", 70).await;
    service.get("/v1/sites/uk").await.expect(200);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let levels: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((levels.len(), &levels[599]["on_hand"]), (600, &json!(5)));
    assert!(levels.iter().all(|level| level["position"] == levels[0]["position"]));
    assert_eq!(service.get("/v1/sites/uk/stock/S599").await.expect(200).json["on_hand"], 75);
}

#[tokio::test]
async fn what_is_wrong_before_the_first_byte_is_a_problem() {
    let service = shop().await;
    for (path, code) in [
        ("/v1/sites/nowhere/stock", "unknown-site"),
        ("/v1/sites/uk/orders/none/trail", "unknown-order"),
        ("/v1/sites/uk/stock/none/movements", "unknown-stock"),
        ("/v1/sites/uk/stock?sort=price", "malformed-request"),
        ("/v1/sites/uk/stock?cursor=AA", "invalid-cursor"),
    ] {
        for accept in [CSV, LINES] {
            let problem = list(&service, path, accept).await;
            assert_eq!(problem.code(), code, "{path}");
            assert_eq!(problem.header("content-type"), "application/problem+json", "{path}");
        }
    }
}

#[tokio::test]
async fn an_answer_breaks_off_when_its_list_cannot_be_read_on() {
    let service = Service::start().await;
    let all: Vec<Value> =
        (0..600).map(|number| json!({ "sku": format!("S{number:03}"), "quantity": 5 })).collect();
    service.post("/v1/sites/uk/receipts", json!({ "lines": all }).to_string()).await.expect(201);
    service.get("/v1/sites/uk").await.expect(200);
    let request = get("/v1/sites/uk/stock").header("accept", CSV).body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(service.router.clone(), request).await.unwrap();
    assert_eq!(response.status(), 200);
    service.store.close().await;
    let read = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    assert!(read.is_err(), "nobody takes a part of a list for all of it");
}
