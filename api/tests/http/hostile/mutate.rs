//! What is sent, and what becomes of it before: ids, parameters, headers and bodies that are nearly right.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

/// Most changes of one body.
const CHANGES_MAX: usize = 4;
const DEEP: usize = 200;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            " ",
            "A",
            "uk",
            "o",
            "\u{0}",
            "\u{1b}[31m",
            "\r\nx: y",
            "../..",
            "%00",
            "' OR 1=1 --",
            "\u{202e}abc",
            "\u{fffd}",
            "NaN",
            "-0",
            "1e5",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        (0..400_usize).prop_map(|length| "x".repeat(length)),
    ]
}

/// A path of the route, most often with ids that there are.
pub(super) fn path(template: &'static str, query: &'static [&'static str]) -> impl Strategy<Value = String> {
    let id = |name: &'static str| {
        let known: Vec<&'static str> = match name {
            "{site}" => vec!["uk", "uk", "uk", "fr", "UK"],
            "{sku}" => vec!["A", "B", "A%20B", "none"],
            "{order_id}" => vec!["o", "b", "o%2Fo", "1"],
            "{code}" => vec!["not-found", "internal", "none"],
            "{position}" => vec!["0.1", "1.2", "0.0", "3.9223372036854775807", "4.1", "x"],
            "{file}" => vec!["swagger-ui.css", "index.html", ".."],
            "{version}" => vec!["1", "2", "0", "-1", "99999999999999999999", "x"],
            _ => vec!["h", "i"],
        };
        let hostile = prop_oneof![
            "(%[0-9A-Fa-f]{2}){1,9}",
            "[!-.0-9;-~]{1,9}",
            (60..300_usize).prop_map(|length| "y".repeat(length)),
            Just("%".to_owned()),
        ];
        prop_oneof![9 => select(known).prop_map(str::to_owned), 1 => hostile]
    };
    let segments: Vec<BoxedStrategy<String>> = template
        .split('/')
        .map(|segment| match segment.starts_with('{') {
            true => id(segment).boxed(),
            false => Just(segment.to_owned()).boxed(),
        })
        .collect();
    let parameters = if query.is_empty() { vec!["x"] } else { query.to_vec() };
    let value = prop_oneof![
        2 => select(vec![
            "1", "0", "500", "501", "-1", "18446744073709551616", "true", "0.1", "0.9223372036854775807", "1.1",
            "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "occurred", "recorded", "oldest",
            "placed", "refused", "AQ", "%FF", "", "now",
        ])
        .prop_map(str::to_owned),
        1 => "[A-Za-z0-9_%&=+.-]{0,60}",
    ];
    let query = vec((select(parameters), value), 0..4);
    let how_many = if template.contains("audit") || template.contains("stock") { 2 } else { 1 };
    (segments, prop_oneof![2 => Just(Vec::new()), how_many => query]).prop_map(|(segments, query)| {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = segments.join("/");
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    })
}

/// A key, most often a new one.
pub(super) fn key() -> impl Strategy<Value = Option<Vec<u8>>> {
    let new = any::<u64>().prop_map(|number| format!("k-{number}").into_bytes());
    let old = select(vec!["k-1", "\"k-1\"", "\"k\\\"", "", " "]).prop_map(|key| key.as_bytes().to_vec());
    option::weighted(0.97, prop_oneof![12 => new, 1 => old, 1 => bytes(300)])
}

/// What a read is to wait for; it never waits here, because of the header `Prefer`.
pub(super) fn min_position() -> impl Strategy<Value = Option<Vec<u8>>> {
    let known = select(vec!["0.0", "0.1", "0.1,1.1", "0.9223372036854775807", "9.1", "0.1,", "-1.2", "0.1 "]);
    let known = known.prop_map(|position| position.as_bytes().to_vec());
    option::weighted(0.2, prop_oneof![3 => known, 1 => bytes(40)])
}

/// A header that is understood, with anything in it.
pub(super) fn other_header() -> impl Strategy<Value = Option<(&'static str, Vec<u8>)>> {
    let name = select(vec![
        "x-request-id",
        "accept",
        "content-length",
        "transfer-encoding",
        "content-encoding",
        "authorization",
        "idempotency-key",
        "if-none-match",
        "range",
        "host",
        "expect",
    ]);
    option::weighted(0.2, (name, bytes(60)))
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![8 => 0x20_u8..0x7f, 1 => 0x80_u8..=0xff], 0..max)
}

/// A body that was good, changed in its structure or in its bytes, or as it is.
pub(super) fn body(good: &'static str) -> BoxedStrategy<Vec<u8>> {
    let plain = Just(good.as_bytes().to_vec());
    if good.is_empty() {
        return prop_oneof![4 => plain, 1 => bytes(20)].boxed();
    }
    let is_form = !good.starts_with('{');
    let structured = vec(any_change(), 1..=CHANGES_MAX).prop_map(move |changes| structured(good, &changes));
    let torn = (vec((any::<Index>(), any::<u8>()), 1..4), any::<Index>(), any::<bool>()).prop_map(
        move |(edits, end, is_cut)| {
            let mut bytes = good.as_bytes().to_vec();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if is_cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    );
    let odd = prop_oneof![
        Just(Vec::new()),
        Just("[".repeat(DEEP).into_bytes()),
        Just(format!("{{\"lines\":{}1{}}}", "[".repeat(DEEP), "]".repeat(DEEP)).into_bytes()),
        Just(b"\xef\xbb\xbf{}".to_vec()),
        Just(b"{\"lines\":[],\"lines\":[]}".to_vec()),
        Just(b"null".to_vec()),
        Just(b"\"\\ud800\"".to_vec()),
        bytes(80),
    ];
    if is_form {
        return prop_oneof![3 => plain, 6 => fields(good), 3 => torn, 1 => odd].boxed();
    }
    prop_oneof![5 => plain, 10 => structured, 3 => torn, 1 => odd].boxed()
}

/// A form that was good, with some of its fields changed, left out or twice.
fn fields(good: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        text(),
        select(vec!["-1", "0", "9007199254740992", "A", "damaged"]).prop_map(str::to_owned)
    ];
    vec((any::<Index>(), option::of(value), any::<bool>()), 1..=CHANGES_MAX).prop_map(move |changes| {
        let mut fields: Vec<String> = good.split('&').map(str::to_owned).collect();
        for (at, value, is_added) in changes {
            let at = at.index(fields.len());
            let name = fields[at].split('=').next().unwrap_or_default().to_owned();
            match value {
                Some(value) => {
                    let value: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                    fields[at] = format!("{name}={value}");
                }
                None if is_added => fields.push(fields[at].clone()),
                None if fields.len() > 1 => drop(fields.remove(at)),
                None => {}
            }
        }
        fields.join("&").into_bytes()
    })
}

/// One change of one value in a body.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, Value),
    Remove(Index),
    Add(Index, String, Value),
    Double(Index),
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-3_i64..30).prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        select(vec![9_007_199_254_740_991_i64, 9_007_199_254_740_992, 0]).prop_map(|number| json!(number)),
    ];
    prop_oneof![
        4 => number,
        3 => text().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!([])),
        1 => Just(json!({})),
        1 => select(vec!["A", "B", "damaged", "restock", "other", "0.1", "0.2", "uk", "o"]).prop_map(Value::from),
        1 => (1..30_usize).prop_map(|count| Value::from(vec![json!({"sku": "A", "quantity": 1}); count])),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = prop_oneof![
        select(vec![
            "sku",
            "lines",
            "quantity",
            "note",
            "reason",
            "actor",
            "position",
            "recorded_at",
            "seq",
            "__proto__"
        ])
        .prop_map(str::to_owned),
        text(),
    ];
    prop_oneof![
        5 => (any::<Index>(), any_value()).prop_map(|(at, value)| Change::Replace(at, value)),
        2 => any::<Index>().prop_map(Change::Remove),
        1 => (any::<Index>(), name, any_value()).prop_map(|(at, name, value)| Change::Add(at, name, value)),
        1 => any::<Index>().prop_map(Change::Double),
    ]
}

/// A body after the changes; of several lines each is changed in the same way.
fn structured(good: &str, changes: &[Change]) -> Vec<u8> {
    let mut body = Vec::new();
    for line in good.lines() {
        let mut value: Value = serde_json::from_str(line).expect("a good body is JSON");
        for change in changes {
            apply(&mut value, change);
        }
        body.extend(serde_json::to_vec(&value).expect("a value is JSON"));
        body.push(b'\n');
    }
    body
}

fn apply(root: &mut Value, change: &Change) {
    let mut places = Vec::new();
    collect(root, String::new(), &mut places);
    let (Change::Replace(at, _) | Change::Remove(at) | Change::Add(at, ..) | Change::Double(at)) = change;
    let place = at.get(&places).clone();
    match change {
        Change::Replace(_, value) => {
            if let Some(found) = root.pointer_mut(&place) {
                *found = value.clone();
            }
        }
        Change::Remove(_) => {
            let (parent, name) = place.rsplit_once('/').unwrap_or_default();
            match root.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    drop(members.remove(&name.replace("~1", "/").replace("~0", "~")));
                }
                Some(Value::Array(list)) if !list.is_empty() => drop(list.remove(0)),
                _ => {}
            }
        }
        Change::Add(_, name, value) => match root.pointer_mut(&place) {
            Some(Value::Object(members)) => drop(members.insert(name.clone(), value.clone())),
            Some(Value::Array(list)) => list.push(value.clone()),
            Some(other) => *other = Value::Object(Map::from_iter([(name.clone(), value.clone())])),
            None => {}
        },
        Change::Double(_) => match root.pointer_mut(&place) {
            Some(Value::Array(list)) => list.extend(list.clone()),
            Some(other) => *other = json!([other.clone(), other.clone()]),
            None => {}
        },
    }
}

/// Every place of a value as a JSON pointer.
fn collect(value: &Value, pointer: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(member, format!("{pointer}/{name}"), places);
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                collect(item, format!("{pointer}/{index}"), places);
            }
        }
        _ => {}
    }
    places.push(pointer);
}
