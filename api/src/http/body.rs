//! Bodies as JSON: strict about what they hold, precise about what is wrong.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};
use stockledger_schemas::{Actor, Context};

use crate::http::problem::{Code, Problem};

/// The members that every command's body takes beside its own.
pub(super) trait Body: DeserializeOwned + Send {
    /// Takes those members out.
    fn take_context(&mut self, actor: Actor) -> Context;
}

/// Defines the body of a command: its own members and those that every command takes. The type in brackets is that of
/// `reason`. Flattening a shared struct would be shorter, but then unknown members are no longer refused.
macro_rules! body {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident[$reason:ty] { $($(#[$attribute:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $visibility struct $name {
            $($(#[$attribute])* $member: $type,)*
            occurred_at: Option<stockledger_schemas::Timestamp>,
            reason: Option<$reason>,
            note: Option<stockledger_schemas::Note>,
            #[serde(default, deserialize_with = "crate::http::body::optional_object")]
            reference: Option<stockledger_schemas::Reference>,
            correlation_id: Option<stockledger_schemas::CorrelationId>,
        }

        impl $crate::http::body::Body for $name {
            fn take_context(&mut self, actor: stockledger_schemas::Actor) -> stockledger_schemas::Context {
                stockledger_schemas::Context {
                    actor,
                    occurred_at: self.occurred_at,
                    reason: self.reason.map(stockledger_schemas::Reason::from),
                    note: self.note.take(),
                    reference: self.reference.take(),
                    correlation_id: self.correlation_id.take(),
                }
            }
        }
    };
}

pub(super) use body;

/// A JSON object. Derived code takes an array of the members' values for one too, which no contract of ours allows.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// A list of objects.
pub(super) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Vec::<Object<T>>::deserialize(deserializer).map(|list| list.into_iter().map(|object| object.0).collect())
}

/// A list of objects, or nothing.
pub(super) fn optional_objects<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|object| object.0).collect()))
}

/// An object, or nothing.
pub(super) fn optional_object<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<Object<T>>::deserialize(deserializer).map(|object| object.map(|object| object.0))
}

/// Reads a JSON object.
///
/// # Errors
/// `malformed-request` with line and column if it is not JSON, `validation-failed` with a JSON pointer if it is not what
/// is asked for.
pub(super) fn parse<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, Problem> {
    match serde_json::from_slice::<Object<T>>(json) {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(explained::<T>(json, &error)),
    }
}

/// Whether it is JSON at all, and where the error is, costs more readings, which only those pay who made one.
fn explained<'de, T: Deserialize<'de>>(json: &'de [u8], error: &serde_json::Error) -> Problem {
    let not_json = |error: &serde_json::Error| {
        Problem::new(Code::MalformedRequest, format!("this is not JSON: {error}"))
    };
    if error.classify() != Category::Data {
        return not_json(error);
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(json) {
        return not_json(&error);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer) {
        Err(error) => Problem::invalid_at(pointer(error.path()), without_place(error.inner())),
        Ok(_) => Problem::invalid_at("", without_place(error)),
    }
}

/// The path as a JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// The message without line and column: the pointer says better where.
fn without_place(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(place) = text.rfind(" at line ") {
        text.truncate(place);
    }
    text
}

#[cfg(test)]
mod tests {
    use stockledger_schemas::{Quantity, Sku};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Line {
        sku: Sku,
        quantity: Quantity,
    }

    body! {
        #[expect(dead_code, reason = "only the errors are looked at")]
        struct Sample[stockledger_schemas::Reason] {
            #[serde(deserialize_with = "objects")]
            lines: Vec<Line>,
        }
    }

    fn problem_of(json: &str) -> serde_json::Value {
        let problem = parse::<Sample>(json.as_bytes()).unwrap_err();
        serde_json::to_value(problem.document("", "")).unwrap()
    }

    #[test]
    fn what_is_wrong_is_named_with_its_pointer() {
        let cases = [
            (r#"{"lines":[{"sku":"A","quantity":0}]}"#, "/lines/0/quantity", "not 0"),
            (
                r#"{"lines":[{"sku":"A","quantity":1},{"sku":"A","quantity":"1"}]}"#,
                "/lines/1/quantity",
                "string",
            ),
            (r#"{"lines":[{"sku":"A","quantity":1.5}]}"#, "/lines/0/quantity", "1.5"),
            (
                r#"{"lines":[{"sku":"A","quantity":9223372036854775808}]}"#,
                "/lines/0/quantity",
                "9223372036854775808",
            ),
            (r#"{"lines":[{"sku":" A","quantity":1}]}"#, "/lines/0/sku", "a sku must be"),
            (r#"{"lines":[{"quantity":1}]}"#, "/lines/0", "missing field `sku`"),
            (r#"{"lines":[["A",1]]}"#, "/lines/0", "an object"),
            (r#"{"lines":{}}"#, "/lines", "sequence"),
            (r#"{}"#, "", "missing field `lines`"),
            (r#"[[]]"#, "", "an object"),
            (r#"{"lines":[],"reference":["t","i"]}"#, "/reference", "an object"),
            (r#"{"lines":[],"reference":{"type":"t"}}"#, "/reference", "missing field `id`"),
            (r#"{"lines":[],"a/~b":1}"#, "/a~1~0b", "unknown field"),
            (r#"{"lines":[],"lines":[]}"#, "", "duplicate field `lines`"),
            (r#"{"lines":[],"reason":"because"}"#, "/reason", "unknown variant"),
            (r#"{"lines":[],"occurred_at":"yesterday"}"#, "/occurred_at", "RFC 3339"),
        ];
        for (json, pointer, words) in cases {
            let document = problem_of(json);
            assert_eq!(document["code"], "validation-failed", "{json}");
            assert_eq!(document["errors"][0]["pointer"], pointer, "{json}: {document}");
            assert!(document["errors"][0]["detail"].as_str().unwrap().contains(words), "{json}: {document}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed_with_line_and_column() {
        let deep = "[".repeat(100_000);
        for json in ["", "{", "{\"lines\":[}", "{} x", "{\"x\":1,", "nonsense", "{\"lines\":[],}", &deep] {
            let document = problem_of(json);
            assert_eq!(document["code"], "malformed-request");
            assert!(document["detail"].as_str().unwrap().contains("at line 1 column"), "{document}");
        }
        assert_eq!(
            parse::<Sample>(b"{\"lines\":[{\"sku\":\"\xff\"}]}").unwrap_err().code(),
            Code::MalformedRequest
        );
    }
}
