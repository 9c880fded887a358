//! Holds every answer that a test gets against the description of the interface: its status, its media type, its headers,
//! its code, and every member of its body. Whatever the service answers and the description does not say fails the test
//! that met it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::http::{HeaderMap, Method};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// Headers that mean something to programs: they are there only where the description says so.
const MEANT: [&str; 9] = [
    "Dry-Run",
    "Ledger-Position",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "RateLimit",
    "RateLimit-Policy",
];

/// The description, of whose answers no member may be left out: a caller ignores what it does not know, a test does not.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let mut description: Value =
        serde_json::from_str(&stockledger::http::description().expect("a description")).expect("it is JSON");
    let schemas = description["components"]["schemas"].as_object_mut().expect("there are schemas");
    for schema in schemas.values_mut().filter_map(Value::as_object_mut) {
        if schema.contains_key("properties") {
            schema.entry("additionalProperties").or_insert(json!(false));
        }
    }
    description
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The description as it is.
pub(crate) fn description() -> &'static Value {
    &DESCRIPTION
}

/// What is wrong with a value, if it is not of this schema.
pub(crate) fn violation(schema: &Value, value: &Value) -> Option<String> {
    let validator = validator(schema);
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("at {:?}: {error}", error.instance_path().as_str()))
        .collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = DESCRIPTION["components"].clone();
        Arc::new(jsonschema::validator_for(&whole).expect("a schema of the description is one"))
    });
    Arc::clone(known)
}

/// The described operation that a request met, if it met one; what meets none is a matter of the router.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
    let given: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        let is_part =
            |(part, given): (&&str, &&str)| part == given || (part.starts_with('{') && !given.is_empty());
        parts.len() == given.len() && parts.iter().zip(&given).all(is_part)
    };
    let paths = DESCRIPTION["paths"].as_object()?;
    // As the router does: what is spelled out goes before what is in braces.
    let found = paths.iter().filter(|(template, _)| fits(template));
    let (_, item) = found.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}

/// Asserts that the description says this answer.
#[track_caller]
pub(super) fn assert_described(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let what = format!("{method} {path} is answered with {} {}", answer.status, answer.text);
    let response = &operation["responses"][answer.status.to_string()];
    let response = match response["$ref"].as_str().and_then(|place| place.strip_prefix('#')) {
        Some(place) => DESCRIPTION.pointer(place).expect("what is referred to is there"),
        None => response,
    };
    assert!(response.is_object(), "{what}, a status that is not described");
    assert_headers(response, &answer.headers, &what);
    if *method == Method::HEAD {
        return;
    }
    if !response["content"].is_object() {
        assert!(answer.text.is_empty(), "{what}, with a body that is not described");
        return;
    }
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
    let content = &response["content"][media_type];
    assert!(content.is_object(), "{what}, a media type that is not described: {media_type}");
    if media_type == "application/x-ndjson" {
        let schema = schema_of_lines(response);
        for line in answer.text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            assert_eq!(violation(&schema, &line), None, "{line}");
        }
    } else if media_type.ends_with("json") {
        assert_eq!(violation(&content["schema"], &answer.json), None, "{what}");
    }
    if media_type == "application/problem+json" {
        let codes = content["examples"].as_object().expect("every problem has an example");
        assert!(codes.contains_key(answer.code()), "{what}, a code that is not described");
    }
}

/// What a line of an answer is: a value of the list that it is a form of, else an answer of bulk.
fn schema_of_lines(response: &Value) -> Value {
    let list = response["content"]["application/json"]["schema"]["$ref"].as_str();
    let list = list.and_then(|place| DESCRIPTION.pointer(place.strip_prefix('#')?));
    let line_of_bulk = || json!({ "$ref": "#/components/schemas/BulkAnswer" });
    list.map_or_else(line_of_bulk, |list| list["properties"]["data"]["items"].clone())
}

#[track_caller]
fn assert_headers(response: &Value, headers: &HeaderMap, what: &str) {
    for name in MEANT.into_iter().filter(|name| headers.contains_key(*name)) {
        assert!(response["headers"][name].is_object(), "{what}, with a header that is not described: {name}");
    }
}
