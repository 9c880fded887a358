//! The headers of this service, read and written.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use stockledger_schemas::{IdempotencyKey, Position};

use crate::http::problem::{Code, Problem};

/// Where the decision stands that an answer tells of, or how far the tables were that it was read from.
pub const LEDGER_POSITION: HeaderName = HeaderName::from_static("ledger-position");
/// What a read must have reached before it answers.
pub const LEDGER_MIN_POSITION: HeaderName = HeaderName::from_static("ledger-min-position");
/// What a command can be asked for again by.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that a command was decided before and that this is the answer of then.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Says that nothing was written, as the caller wanted.
pub const DRY_RUN: HeaderName = HeaderName::from_static("dry-run");
/// What a request is called in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says that a page asks for itself again, and that nobody did anything.
pub const LEDGER_RENEWAL: HeaderName = HeaderName::from_static("ledger-renewal");
/// What the caller would like (RFC 7240).
pub const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Says where the decision stands that is answered with.
pub(super) fn set_decided(headers: &mut HeaderMap, position: Position, replayed: bool) {
    set_position(headers, position);
    if replayed {
        headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
}

pub(super) fn set_position(headers: &mut HeaderMap, position: Position) {
    if let Ok(value) = HeaderValue::try_from(position.to_string()) {
        headers.insert(LEDGER_POSITION, value);
    }
}

/// The key of a command, bare or as a quoted string of RFC 9651.
///
/// # Errors
/// `idempotency-key-missing` without the header, `malformed-request` if it is there but is no key.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let missing = || {
        let detail = "send the header Idempotency-Key with a key of your choice that is new for this command";
        Problem::new(Code::IdempotencyKeyMissing, detail)
    };
    let value = values.next().filter(|value| !value.is_empty()).ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(malformed_key("the header stands there more than once"));
    }
    let text = value.to_str().map_err(|_| malformed_key("it has characters other than printable ASCII"))?;
    let parse = |text: &str| IdempotencyKey::new(text).map_err(|error| malformed_key(&error.to_string()));
    if text.starts_with('"') { parse(&unquoted(text)?) } else { parse(text) }
}

fn unquoted(text: &str) -> Result<String, Problem> {
    let malformed = || malformed_key("it begins with a quote but is not a quoted string");
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(malformed)?;
    let mut key = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => return Err(malformed()),
            },
            '"' => return Err(malformed()),
            other => key.push(other),
        }
    }
    Ok(key)
}

fn malformed_key(why: &str) -> Problem {
    Problem::new(Code::MalformedRequest, format!("the header Idempotency-Key is not valid: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(value: &str) -> Result<String, Code> {
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::from_str(value).unwrap())]);
        idempotency_key(&headers).map(|key| key.to_string()).map_err(|problem| problem.code())
    }

    #[test]
    fn a_key_is_the_same_bare_or_quoted() {
        assert_eq!(key_of("k-1").unwrap(), "k-1");
        assert_eq!(key_of("\"k-1\"").unwrap(), "k-1");
        assert_eq!(key_of(r#""a\"b\\c""#).unwrap(), r#"a"b\c"#);
        assert_eq!(key_of("a\"b").unwrap(), "a\"b");
    }

    #[test]
    fn what_is_not_a_key_is_malformed() {
        for value in ["\"", "\"open", "\"a\"b\"", r#""a\b""#, "\"\"", "\" a\"", &"x".repeat(256)] {
            assert_eq!(key_of(value), Err(Code::MalformedRequest), "{value}");
        }
        assert_eq!(key_of(""), Err(Code::IdempotencyKeyMissing));
        assert!(key_of(&"x".repeat(255)).is_ok());
    }
}
