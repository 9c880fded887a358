//! The description of the interface: that it has every route, that its examples are carried out, and that the documents
//! made of it are level. That every answer is one that it says is asserted by whatever test gets it
//! (`support/described.rs`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stockledger::http::{self, Code};

use crate::support::described::{description, violation};
use crate::support::{Service, get, send};

/// Compares a document with what it is made of, or writes it if this variable is set.
#[track_caller]
fn assert_level(document: &str, expected: &str, update: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    if std::env::var_os(update).is_some() {
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let is_level = written == expected;
    assert!(is_level, "{document} is not level: run the tests with {update}=1 and look at what has changed");
}

/// Every operation of the description, with its method and path.
fn operations() -> impl Iterator<Item = (String, &'static str, &'static Value)> {
    let paths = description()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    })
}

fn is_page(path: &str) -> bool {
    path == "/ui" || path.starts_with("/ui/")
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let routes = http::routes();
    // Pages are for people.
    let routed = routes.iter().filter(|route| !is_page(route.path));
    let routed: BTreeSet<String> = routed.map(|route| format!("{} {}", route.method, route.path)).collect();
    let described: BTreeSet<String> =
        operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(routed, described);
}

#[test]
fn the_snapshot_is_level() {
    assert_level("docs/openapi.json", &http::description().unwrap(), "UPDATE_OPENAPI");
}

#[test]
fn the_page_about_errors_is_level() {
    assert_level("docs/errors.md", &errors_page(), "UPDATE_ERRORS");
}

/// Made of the one table of codes.
fn errors_page() -> String {
    let mut page = "# Errors\n\n\
        Every answer that is not a success is a problem document (RFC 9457, `application/problem+json`). Programs branch on \
        `code`,\nwhich never changes its meaning or its status; `detail` says what is wrong with the very request. Each code \
        is explained at\n`/problems/{code}` of every node, as HTML or text. This page is made of the same table: a test \
        compares them.\n\n\
        **Again** says whether the same request, sent again without any change, may succeed; `Retry-After` says when.\n\n\
        | status | code | again | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        let again = if code.is_retryable() { "yes" } else { "no" };
        let (status, name) = (code.status().as_u16(), code.as_str());
        page +=
            &format!("| {status} | `{name}` | {again} | **{}.** {} |\n", code.title(), code.explanation());
    }
    page
}

#[test]
fn operations_have_names_of_their_own_and_every_word_that_a_reader_needs() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        let what = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{what} has a name of another");
        for member in ["summary", "description"] {
            assert!(!operation[member].as_str().unwrap().is_empty(), "{what} has no {member}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{what}: {parameter}");
        }
        let in_path: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described = parameters.filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<&str> =
            described.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(in_path, described, "{what}");
    }
}

/// The example of the body of an operation, and its schema.
fn example(name: &str) -> (&'static str, String, &'static Value, &'static Value) {
    let (method, path, operation) =
        operations().find(|(_, _, operation)| operation["operationId"] == name).expect("an operation");
    let content = &operation["requestBody"]["content"]["application/json"];
    (path, method, &content["example"], &content["schema"])
}

#[tokio::test]
async fn examples_are_carried_out() {
    let service = Service::start_with(crate::support::options()).await;
    let admin = json!({
        "key_id": "00000000", "name": "boss", "secret_hash": "0".repeat(64), "scopes": ["admin"],
    });
    service.post("/v1/keys", admin.to_string()).await.expect(201);
    let commands = [
        "openSite",
        "registerItem",
        "receiveStock",
        "adjustStock",
        "countStock",
        "holdStock",
        "releaseHold",
        "placeOrder",
        "shipOrder",
        "returnOrder",
        "cancelOrder",
        "recordNote",
        "createKey",
        "revokeKey",
    ];
    for name in commands {
        let (path, method, body, schema) = example(name);
        assert_eq!(violation(schema, body), None, "{name}");
        let path =
            path.replace("{site}", "uk").replace("{sku}", "APPLE-1").replace("{order_id}", "order-1001");
        let path = path.replace("{hold_id}", "hold-7").replace("{key_id}", "3f9c0a11d2e4b567");
        let request = Request::builder().method(method.as_str()).uri(path).header("idempotency-key", name);
        let request = request.header("content-type", "application/json");
        service.send(request.body(Body::from(body.to_string())).unwrap()).await.expect(201);
    }
    let described = operations().filter(|(_, _, operation)| operation["requestBody"].is_object()).count();
    // Bulk, the two of the read tables, and that of verifications are no commands of the ledger.
    assert_eq!(described, commands.len() + 4);
}

#[tokio::test]
async fn the_description_is_served_and_shown_with_nothing_from_elsewhere() {
    let service = Service::start().await;
    let served = service.get("/openapi.json").await.expect(200);
    assert_eq!(served.text, http::description().unwrap());
    assert_eq!(served.json["openapi"], "3.1.0");
    let page = service.get("/docs").await.expect(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    let linked = page.text.split(['"', '\'']).filter(|text| text.starts_with('/') || text.contains("://"));
    let linked: Vec<&str> = linked.collect();
    assert!(linked.len() >= 6, "{linked:?}");
    for path in linked {
        let request = get(path).body(Body::empty()).unwrap();
        let file = send(&service.router, request).await.expect(200);
        assert_eq!(file.header("content-security-policy"), policy, "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{path}");
    }
    let script = service.get("/docs/swagger-initializer.js").await.expect(200).text;
    assert!(script.contains("\"/openapi.json\"") && !script.contains("://"), "{script}");
    // Else it asks a foreign host whether the description is valid.
    assert!(script.contains(r#""validatorUrl": "none""#), "{script}");
    service.get("/docs/index.html").await.expect(404);
}
