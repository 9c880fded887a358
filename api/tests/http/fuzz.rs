//! Whatever is sent, the answer is a success or a problem document, and never a fault of ours.

use std::sync::OnceLock;

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::support::Service;

/// One service for all cases.
fn service() -> &'static (Runtime, Service) {
    static SERVICE: OnceLock<(Runtime, Service)> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let service = runtime.block_on(Service::start());
        (runtime, service)
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        8 => select(vec![
            "v1", "sites", "uk", "receipts", "adjustments", "counts", "holds", "orders", "stock", "items", "notes",
            "bulk", "info", "A", "release", "shipments", "cancellation", "returns", "trail", "movements", "problems",
        ]).prop_map(str::to_owned),
        1 => "[A-Za-z0-9._~-]{0,70}",
        1 => "(%[0-9A-F]{2}){1,5}",
    ];
    let shaped = (
        select(vec!["receipts", "counts", "adjustments", "holds", "orders", "notes", "stock"]),
        any::<bool>(),
    )
        .prop_map(|(route, known)| format!("/v1/sites/{}/{route}", if known { "uk" } else { "nowhere" }));
    let free = prop::collection::vec(segment, 0..6).prop_map(|segments| format!("/{}", segments.join("/")));
    let query = prop_oneof![6 => Just(String::new()), 1 => "\\?[a-z]{1,6}=[A-Za-z0-9%_-]{0,8}"];
    (prop_oneof![shaped, free], query).prop_map(|(path, query)| path + &query)
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        (-3_i64..20).prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("a text is JSON")),
        select(vec!["\"A\"", "\"other\"", "\"damaged\"", "\"restock\"", "\"0.1\""]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let name = select(vec![
            "lines",
            "sku",
            "quantity",
            "delta",
            "counted",
            "reason",
            "note",
            "hold_id",
            "order_id",
            "reference",
            "type",
            "id",
            "occurred_at",
            "expected_on_hand",
            "at_position",
            "name",
            "command",
            "site",
            "body",
            "idempotency_key",
            "disposition",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::btree_map(name, inner, 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let line = (1_i64..5, 1_i64..9).prop_map(|(sku, quantity)| {
        format!(r#"{{"lines":[{{"sku":"S{sku}","quantity":{quantity}}}],"order_id":"o-{quantity}"}}"#)
    });
    prop_oneof![
        4 => json().prop_map(String::into_bytes),
        1 => line.prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => Just(Vec::new()),
    ]
}

fn header_value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..40)
}

fn request() -> impl Strategy<Value = Request<Body>> {
    let method = select(vec!["GET", "GET", "PUT", "POST", "POST", "POST", "DELETE", "PATCH", "OPTIONS"]);
    let media_type =
        select(vec!["application/json", "application/json", "application/x-ndjson", "text/plain", ""]);
    let headers = (
        prop::option::of(header_value()),
        prop::option::of(header_value()),
        prop::option::of(header_value()),
        select(vec!["k-1", "k-2", "\"k-3\"", ""]),
    );
    (method, path(), media_type, headers, body()).prop_map(|(method, path, media_type, headers, body)| {
        let (min_position, prefer, request_id, key) = headers;
        let mut request = Request::builder().method(method).uri(path);
        if !media_type.is_empty() {
            request = request.header("content-type", media_type);
        }
        for (name, value) in
            [("ledger-min-position", min_position), ("prefer", prefer), ("x-request-id", request_id)]
        {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.header("idempotency-key", key).body(Body::from(body)).expect("a request")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_a_success_or_a_problem(request in request()) {
        let (runtime, service) = service();
        let what = format!("{request:?}");
        let answer = runtime.block_on(service.send(request));
        prop_assert!(answer.headers.contains_key("x-request-id"));
        prop_assert!(answer.status < 500 || answer.status == 503, "{what}: {}", answer.text);
        if !(200..300).contains(&answer.status) {
            prop_assert_eq!(answer.header("content-type"), "application/problem+json", "{}", what);
            for member in ["type", "title", "status", "detail", "instance", "code", "request_id", "retryable"] {
                prop_assert!(answer.json.get(member).is_some(), "{}: {}", member, answer.text);
            }
            prop_assert_eq!(&answer.json["status"], answer.status);
        }
    }
}
