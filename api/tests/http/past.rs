//! Reads of the past, and reads of tables that have stopped.

use bytes::Bytes;
use serde_json::{Value, json};
use stockledger_log::Entry;
use stockledger_projections::{Activity, Status};
use stockledger_schemas::PartitionId;
use tokio::time::Instant;

use crate::errors::assert_problem;
use crate::support::{Answer, PATIENCE, Service};

const LEVEL: &str = "/v1/sites/uk/stock/A";

/// The position of a command's decision and when it was recorded.
fn when(answer: &Answer) -> (String, String) {
    (
        answer.header("ledger-position").to_owned(),
        answer.json["recorded_at"].as_str().expect("a time").to_owned(),
    )
}

/// The position before this one.
fn before(position: &str) -> String {
    let (partition, seq) = position.split_once('.').expect("a position");
    format!("{partition}.{}", seq.parse::<u64>().expect("a number") - 1)
}

async fn order(service: &Service, order_id: &str, quantity: i64) -> Answer {
    let body = format!(r#"{{"order_id":"{order_id}","lines":[{{"sku":"A","quantity":{quantity}}}]}}"#);
    service.post("/v1/sites/uk/orders", body).await
}

#[tokio::test]
async fn a_level_is_answered_as_of_a_position_or_an_instant() {
    let service = Service::start().await;
    let (first, first_at) = when(&service.receive("A", 10).await);
    let (second, _) = when(&service.receive("A", 5).await);
    for as_of in [&first, &first_at] {
        let then = service.get(&format!("{LEVEL}?as_of={as_of}")).await.expect(200);
        let expected = json!({
            "site": "uk", "sku": "A", "on_hand": 10, "reserved": 0, "held": 0,
            "held_by_reason": { "damaged": 0, "quality_control": 0, "safety_stock": 0, "other": 0 },
            "incoming": 0, "available": 10, "position": first, "as_of": first_at,
        });
        assert_eq!(then.json, expected, "{as_of}");
        assert_eq!(then.header("ledger-position"), first);
    }
    let offset = first_at.replace('Z', "%2B00:00");
    assert_eq!(service.get(&format!("{LEVEL}?as_of={offset}")).await.expect(200).json["on_hand"], 10);
    let nothing = service.get(&format!("{LEVEL}?as_of={}", before(&first))).await.expect(200);
    assert_eq!((&nothing.json["on_hand"], &nothing.json["position"]), (&json!(0), &json!(before(&first))));
    let year_one = service.get(&format!("{LEVEL}?as_of=0001-01-01T00:00:00Z")).await.expect(200);
    assert_eq!((&year_one.json["on_hand"], &year_one.json["as_of"]), (&json!(0), &Value::Null));
    let now = service.get(LEVEL).await.expect(200);
    let partition = first.split_once('.').unwrap().0;
    for as_of in ["9999-01-01T00:00:00Z".to_owned(), second.clone(), format!("{partition}.999999")] {
        let future = service.get(&format!("{LEVEL}?as_of={as_of}")).await.expect(200);
        assert_eq!(future.json, now.json, "{as_of}");
        assert_eq!(future.header("ledger-position"), second);
    }
}

#[tokio::test]
async fn a_list_is_answered_as_of_then_page_by_page() {
    let service = Service::start().await;
    for sku in ["A", "B", "C"] {
        service.receive(sku, 10).await;
    }
    let (position, recorded_at) = when(&service.receive("D", 10).await);
    for as_of in [position.as_str(), &recorded_at, "9999-01-01T00:00:00Z"] {
        let path = format!("/v1/sites/uk/stock?limit=2&as_of={as_of}");
        let first = service.get(&path).await.expect(200);
        assert_eq!(first.json["data"].as_array().unwrap().len(), 2);
        assert_eq!(first.header("ledger-position"), first.json["position"].as_str().unwrap());
        service.receive("C", 1).await;
        service.receive(&format!("Z{}", as_of.len()), 1).await;
        let cursor = first.json["next_cursor"].as_str().unwrap();
        let second = service.get(&format!("{path}&cursor={cursor}")).await.expect(200);
        let skus: Vec<&Value> =
            second.json["data"].as_array().unwrap().iter().map(|level| &level["sku"]).collect();
        assert_eq!(skus, ["C", "D"], "{as_of}");
        for member in ["position", "as_of"] {
            assert_eq!(second.json[member], first.json[member], "{as_of}");
        }
        // Of the future, two of the three receipts of C were there when the first page was read.
        let on_hand = if as_of.starts_with('9') { 12 } else { 10 };
        assert_eq!(second.json["data"][0]["on_hand"], on_hand, "{as_of}");
        let other = service.get(&format!("/v1/sites/uk/stock?limit=2&cursor={cursor}")).await.expect(400);
        assert_eq!(other.code(), "invalid-cursor");
        let other = format!("/v1/sites/uk/stock?as_of=2000-01-01T00:00:00Z&cursor={cursor}");
        assert_eq!(service.get(&other).await.expect(400).code(), "invalid-cursor");
    }
    let empty = service.get("/v1/sites/uk/stock?as_of=2000-01-01T00:00:00Z").await.expect(200);
    let partition = position.split_once('.').unwrap().0;
    let expected = json!({
        "data": [], "has_more": false, "next_cursor": null, "position": format!("{partition}.0"), "as_of": null,
    });
    assert_eq!(empty.json, expected);
}

#[tokio::test]
async fn an_item_is_answered_as_of_an_instant_at_all_sites() {
    let service = Service::start().await;
    let (_, first) = when(&service.receive("A", 10).await);
    for site in ["fr", "de", "nl"] {
        service.put(&format!("/v1/sites/{site}"), r#"{"name":"n"}"#).await.expect(201);
        let body = r#"{"lines":[{"sku":"A","quantity":2}]}"#;
        service.post(&format!("/v1/sites/{site}/receipts"), body).await.expect(201);
    }
    let sites = async |query: &str| {
        let mut path = format!("/v1/stock/A?limit=2&as_of={query}");
        let mut found = Vec::new();
        loop {
            let page = service.get(&path).await.expect(200);
            assert!(!page.headers.contains_key("ledger-position"));
            for level in page.json["data"].as_array().unwrap() {
                found.push((level["site"].as_str().unwrap().to_owned(), level["on_hand"].as_i64().unwrap()));
            }
            let Some(cursor) = page.json["next_cursor"].as_str() else { return found };
            path = format!("/v1/stock/A?limit=2&as_of={query}&cursor={cursor}");
        }
    };
    assert_eq!(sites(&first).await, [("uk".to_owned(), 10)]);
    for future in ["9999-01-01T00:00:00Z", "9999-01-01T00:00:00Z&axis=occurred"] {
        let found = sites(future).await;
        assert_eq!(found.len(), 4, "{future}");
        assert_eq!((&found[0], &found[3]), (&("de".to_owned(), 2), &("uk".to_owned(), 10)));
    }
    let refused = service.get("/v1/stock/A?as_of=0.1").await;
    assert_problem(&refused, 400, "malformed-request");
    assert!(
        refused.json["detail"].as_str().unwrap().contains("partition 0 alone: give a time"),
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn an_order_is_answered_as_of_then() {
    let service = Service::start().await;
    let (stocked, _) = when(&service.receive("A", 10).await);
    let refused = order(&service, "o", 11).await.expect(409);
    let placed = order(&service, "o", 4).await.expect(201);
    service.post("/v1/sites/uk/orders/o/shipments", "{}").await.expect(201);
    let path = "/v1/sites/uk/orders/o";
    let then = async |position: &str| service.get(&format!("{path}?as_of={position}")).await.expect(200);
    let not_yet = then(&stocked).await;
    assert_eq!((&not_yet.json["status"], &not_yet.json["lines"]), (&Value::Null, &json!([])));
    assert_eq!(not_yet.json["as_of_position"], json!(stocked));
    let attempt = then(refused.header("ledger-position")).await;
    assert_eq!(
        (&attempt.json["status"], &attempt.json["lines"][0]["ordered"]),
        (&json!("refused"), &json!(11))
    );
    let accepted = then(placed.header("ledger-position")).await;
    let mut expected = placed.json.clone();
    expected["as_of_position"] = placed.json["position"].clone();
    expected["as_of"] = placed.json["placed_at"].clone();
    assert_eq!(accepted.json, expected);
    assert_eq!(accepted.header("ledger-position"), placed.header("ledger-position"));
    let now = service.get(path).await.expect(200);
    let future = service.get(&format!("{path}?as_of=9999-01-01T00:00:00Z")).await.expect(200);
    for member in ["status", "lines", "position"] {
        assert_eq!(future.json[member], now.json[member]);
    }
    assert_eq!(service.get("/v1/sites/uk/orders/x?as_of=9999-01-01T00:00:00Z").await.code(), "unknown-order");
}

#[tokio::test]
async fn what_happened_late_is_seen_by_occurrence_and_not_by_recording() {
    let service = Service::start().await;
    let (first, first_at) = when(&service.receive("A", 10).await);
    let late = r#"{"lines":[{"sku":"A","quantity":5}],"occurred_at":"2020-01-01T00:00:00Z"}"#;
    service.post("/v1/sites/uk/receipts", late).await.expect(201);
    let ordered =
        r#"{"order_id":"o","lines":[{"sku":"A","quantity":1}],"occurred_at":"2020-02-01T00:00:00Z"}"#;
    service.post("/v1/sites/uk/orders", ordered).await.expect(201);
    let shipped = r#"{"occurred_at":"2020-03-01T00:00:00Z"}"#;
    let last = service.post("/v1/sites/uk/orders/o/shipments", shipped).await.expect(201);
    let occurred = async |path: &str, until: &str| {
        service.get(&format!("{path}?axis=occurred&as_of={until}")).await.expect(200).json
    };
    let level = occurred(LEVEL, "2020-02-15T00:00:00Z").await;
    assert_eq!((&level["on_hand"], &level["reserved"]), (&json!(5), &json!(1)));
    assert_eq!(
        (&level["axis"], &level["occurred_until"]),
        (&json!("occurred"), &json!("2020-02-15T00:00:00.000000Z"))
    );
    assert_eq!(level["position"], last.header("ledger-position"), "as known today");
    assert_eq!(occurred(LEVEL, "2019-12-31T23:59:59Z").await["on_hand"], 0);
    assert_eq!(occurred(LEVEL, &first_at).await["on_hand"], 14);
    assert_eq!(service.get(&format!("{LEVEL}?as_of={first}&axis=recorded")).await.json["on_hand"], 10);
    let list = occurred("/v1/sites/uk/stock", "2020-01-15T00:00:00Z").await;
    assert_eq!((&list["data"][0]["on_hand"], &list["axis"]), (&json!(5), &json!("occurred")));
    assert_eq!(occurred("/v1/sites/uk/stock", "2019-01-15T00:00:00Z").await["data"], json!([]));
    let statuses =
        [("2020-01-15", Value::Null), ("2020-02-15", json!("placed")), ("2020-03-15", json!("shipped"))];
    for (day, status) in statuses {
        let order = occurred("/v1/sites/uk/orders/o", &format!("{day}T00:00:00Z")).await;
        assert_eq!((&order["status"], &order["axis"]), (&status, &json!("occurred")), "{day}");
    }
}

#[tokio::test]
async fn a_past_that_cannot_be_meant_is_refused() {
    let service = Service::start().await;
    service.receive("A", 1).await;
    order(&service, "o", 1).await.expect(201);
    let home = service.get("/v1/sites/uk").await.json["partition"].as_u64().unwrap();
    let foreign = format!("as_of={}.1", home + 1);
    let wrong = [
        ("as_of=yesterday", "as_of must be"),
        ("as_of=", "as_of must be"),
        ("as_of=2026-01-01", "as_of must be"),
        ("as_of=2026-01-01T00:00:00+01:00", "%2B"),
        ("as_of=0.17.3", "as_of must be"),
        ("as_of=0.-1", "as_of must be"),
        ("axis=occurred", "say as of when"),
        ("axis=recorded", "say as of when"),
        ("as_of=0.1&axis=occurred", "give a time"),
        ("as_of=0.1&axis=sideways", "axis"),
        ("as_of=0.1&as_of=0.2", "duplicate"),
        (foreign.as_str(), "lives on partition"),
    ];
    for path in [LEVEL, "/v1/sites/uk/stock", "/v1/sites/uk/orders/o"] {
        for (query, why) in wrong {
            let refused = service.get(&format!("{path}?{query}")).await;
            assert_problem(&refused, 400, "malformed-request");
            assert!(refused.json["detail"].as_str().unwrap().contains(why), "{query}: {}", refused.text);
        }
    }
    for path in ["/v1/sites/xx/stock/A", "/v1/sites/xx/stock", "/v1/sites/xx/orders/o"] {
        assert_eq!(service.get(&format!("{path}?as_of=0.1")).await.expect(404).code(), "unknown-site");
    }
    assert_eq!(service.get("/v1/sites/uk/stock/X?as_of=9999-01-01T00:00:00Z").await.code(), "unknown-stock");
}

#[tokio::test]
async fn what_is_read_from_tables_that_have_stopped_says_so() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    order(&service, "o", 1).await.expect(201);
    let paths = [
        "/v1/sites/uk/stock/A",
        "/v1/sites/uk/stock",
        "/v1/sites/uk/stock/A/movements",
        "/v1/sites/uk/orders",
        "/v1/sites/uk/orders/o",
        "/v1/sites/uk/orders/o/trail",
        "/v1/sites/uk/stock/A?as_of=9999-01-01T00:00:00Z",
        "/v1/sites/uk/stock?as_of=9999-01-01T00:00:00Z",
        "/v1/sites/uk/orders/o?as_of=9999-01-01T00:00:00Z",
    ];
    for path in paths {
        let healthy = service.get(path).await.expect(200);
        assert!(healthy.json.get("stale").is_none() && healthy.json.get("stale_reason").is_none(), "{path}");
    }
    let home = service.get("/v1/sites/uk").await.json["partition"].as_u64().unwrap();
    let home = PartitionId(u16::try_from(home).unwrap());
    service.log.faults().land(home.0, Entry::new(Bytes::new(), Bytes::from_static(b"nonsense")));
    let is_halted = |status: &Status| matches!(status.activity, Activity::Halted { .. });
    assert!(service.projector.progress().until(home, Instant::now() + PATIENCE, is_halted).await);
    for path in paths {
        let answer = service.get(path).await.expect(200);
        assert_eq!(answer.json["stale"], true, "{path}");
        assert!(answer.json["stale_reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{path}");
    }
    let everywhere = service.get("/v1/stock/A").await.expect(200);
    assert_eq!(everywhere.json["data"][0]["stale"], true);
}

#[tokio::test]
async fn a_level_is_explained_by_what_it_came_from() {
    let service = Service::start().await;
    let opening = r#"{"lines":[{"sku":"A","quantity":100}],"reason":"opening_balance"}"#;
    let first = service.post("/v1/sites/uk/receipts", opening).await.expect(201);
    order(&service, "o 1", 4).await.expect(201);
    let held = r#"{"hold_id":"h","sku":"A","quantity":3,"reason":"damaged"}"#;
    let last = service.post("/v1/sites/uk/holds", held).await.expect(201);
    let explained = service.get(&format!("{LEVEL}/explain")).await.expect(200);
    let level = service.get(LEVEL).await.expect(200);
    for (member, value) in level.json.as_object().unwrap() {
        assert_eq!(&explained.json[member], value, "{member}");
    }
    assert_eq!(explained.header("ledger-position"), last.header("ledger-position"));
    assert_eq!(explained.json["adds_up"], true);
    let sums = json!({
        "on_hand": 100, "reserved": 4, "held": 3,
        "held_by_reason": { "damaged": 3, "quality_control": 0, "safety_stock": 0, "other": 0 },
    });
    assert_eq!(explained.json["sums"], sums);
    assert_eq!(explained.json["opening"]["delta"], json!({ "on_hand": 100, "reserved": 0, "held": 0 }));
    assert_eq!(explained.json["opening"]["first"]["position"], first.header("ledger-position"));
    let placed = &explained.json["parts"][0];
    assert_eq!(
        (&placed["type"], &placed["reason"], &placed["orders"]),
        (&json!("order_placed"), &Value::Null, &json!(1))
    );
    let movements = service.get(&format!("{LEVEL}/movements?first=oldest")).await.expect(200);
    assert_eq!(placed["newest"], json!([movements.json["data"][1]]));
    assert_eq!(explained.json["reservations"]["oldest"][0]["order_id"], "o 1");
    assert_eq!(
        explained.json["holds"][0],
        json!({
            "reason": "damaged", "quantity": 3, "set_aside": 3, "released": 0, "movements": 1,
        })
    );
    for link in [&explained.json["links"]["movements"], &explained.json["links"]["open_orders"][0]] {
        service.get(link.as_str().unwrap()).await.expect(200);
    }
    let then =
        service.get(&format!("{LEVEL}/explain?as_of={}", first.header("ledger-position"))).await.expect(200);
    assert_eq!(
        (&then.json["on_hand"], &then.json["reserved"], &then.json["adds_up"]),
        (&json!(100), &json!(0), &json!(true))
    );
    assert_eq!(then.json["position"], first.header("ledger-position"));
}

#[tokio::test]
async fn an_explanation_that_cannot_be_given_is_refused() {
    let service = Service::start().await;
    service.receive("A", 1).await;
    let by_occurrence =
        service.get(&format!("{LEVEL}/explain?as_of=2020-01-01T00:00:00Z&axis=occurred")).await;
    assert_problem(&by_occurrence, 400, "malformed-request");
    assert_problem(&service.get(&format!("{LEVEL}/explain?limit=5")).await, 400, "malformed-request");
    assert_eq!(service.get("/v1/sites/uk/stock/X/explain").await.expect(404).code(), "unknown-stock");
    assert_eq!(service.get("/v1/sites/xx/stock/A/explain").await.expect(404).code(), "unknown-site");
}

#[tokio::test]
async fn a_trail_says_what_each_step_follows_from_and_what_was_short() {
    let service = Service::start().await;
    service.receive("A", 5).await;
    order(&service, "o", 8).await.expect(409);
    let placed = order(&service, "o", 5).await.expect(201);
    let shipped = r#"{"note":"by boat","reference":{"type":"waybill","id":"W-1"},"correlation_id":"c-7","occurred_at":"2020-01-01T00:00:00Z"}"#;
    service.post("/v1/sites/uk/orders/o/shipments", shipped).await.expect(201);
    service.post("/v1/sites/uk/orders/o/shipments", "{}").await.expect(409);
    let trail = service.get("/v1/sites/uk/orders/o/trail").await.expect(200);
    let steps = trail.json["data"].as_array().unwrap();
    let kinds: Vec<&Value> = steps.iter().map(|step| &step["type"]).collect();
    assert_eq!(kinds, ["out_of_stock", "order_placed", "order_shipped", "command_refused"]);
    assert_eq!(steps[0]["lines"], json!([{ "sku": "A", "requested": 8, "available": 5 }]));
    let causation: Vec<&Value> = steps.iter().map(|step| &step["causation"]).collect();
    let of_placing = json!(placed.header("ledger-position"));
    assert_eq!(causation, [&Value::Null, &Value::Null, &of_placing, &Value::Null]);
    let shipped = &steps[2];
    assert_eq!((&shipped["note"], &shipped["correlation_id"]), (&json!("by boat"), &json!("c-7")));
    assert_eq!(shipped["reference"], json!({ "type": "waybill", "id": "W-1" }));
    assert_eq!(shipped["occurred_at"], "2020-01-01T00:00:00.000000Z");
    assert!(shipped["recorded_at"].as_str() > shipped["occurred_at"].as_str());
    assert!(shipped["idempotency_key"].is_string() && shipped["actor"] == "local");
}
