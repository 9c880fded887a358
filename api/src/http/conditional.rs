//! `ETag`, `If-None-Match` and `If-Match`: what a caller has seen, and whether it is still so (RFC 9110, section 13).
//!
//! The tag of a stock level or an order as it is names the decision that changed it last, so that it is the same on every
//! node and in every version of the read tables, and a command can be based on it. Members that say how far the read tables
//! are, `position` and `as_of` of a level, change without it. Every other answer to a read has the hash of its body.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use stockledger_domain::command::{Basis, Checked};
use stockledger_schemas::{Hash, Position};

use crate::http::problem::{Code, Problem};

/// Bytes of a hash that a tag holds.
const HASH_BYTES: usize = 16;

/// What an answer is told apart from others by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tag {
    /// The decision that last changed the one thing that is shown.
    ChangedLastBy(Position),
    /// Its body.
    Body,
}

/// Says what the answer with this body is told apart by. Whoever keeps it asks each time whether it is still so.
pub(super) fn set_tag(headers: &mut HeaderMap, tag: Tag, body: &[u8]) {
    let tag = match tag {
        Tag::ChangedLastBy(position) => format!("\"{position}\""),
        Tag::Body => {
            let hash = Hash::of(&[body]);
            let digits: String = hash.0[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\"{digits}\"")
        }
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

/// Answers 304 without a body where the caller has what it asks for.
pub(super) async fn conditional(request: Request, next: Next) -> Response {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let seen = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let mut response = next.run(request).await;
    let tag = response.headers().get(header::ETAG).filter(|_| is_read && response.status() == StatusCode::OK);
    if tag.is_some_and(|tag| seen.iter().any(|seen| names(seen, tag))) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}

/// Whether a value of `If-None-Match` names a tag; a weak one names the same as a strong one.
fn names(seen: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(seen), Ok(tag)) = (seen.to_str(), tag.to_str()) else { return false };
    // No tag of ours has a comma in it.
    seen.trim() == "*" || seen.split(',').any(|seen| strong(seen.trim()) == tag)
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The command, based on what `If-Match` says that its caller has seen.
///
/// # Errors
/// `malformed-request` if the header is not one, or the command does not change one thing.
pub(super) fn based_on(command: Checked, headers: &HeaderMap) -> Result<Checked, Problem> {
    let Some(basis) = basis(headers)? else { return Ok(command) };
    command.based_on(basis).map_err(|error| malformed(&error.to_string()))
}

/// Refuses `If-Match` where nothing is said of what it would be about.
///
/// # Errors
/// `malformed-request` if it is there.
pub(super) fn based_on_nothing(headers: &HeaderMap) -> Result<(), Problem> {
    match basis(headers)? {
        None => Ok(()),
        Some(_) => Err(malformed("lines are not based on what was seen; use the route of the command")),
    }
}

/// What `If-Match` says. A tag that is weak, or that is of another kind of answer, is that of no level and of no order.
fn basis(headers: &HeaderMap) -> Result<Option<Basis>, Problem> {
    let mut seen = Vec::new();
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    for value in values {
        let value = value.to_str().map_err(|_| malformed("it is not ASCII"))?.trim();
        if value == "*" {
            return Ok(Some(Basis::Existing));
        }
        for tag in value.split(',').map(str::trim) {
            let opaque = strong(tag).strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let opaque = opaque.filter(|opaque| !opaque.contains('"'));
            let opaque = opaque.ok_or_else(|| malformed("send an ETag as it was received, in its quotes"))?;
            seen.extend(opaque.parse::<Position>().ok().filter(|_| !tag.starts_with("W/")));
        }
    }
    Ok(Some(Basis::ChangedLastBy(seen)))
}

fn malformed(why: &str) -> Problem {
    Problem::new(Code::MalformedRequest, format!("the header If-Match is not valid: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis_of(value: &str) -> Result<Option<Basis>, Code> {
        let headers = HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_str(value).unwrap())]);
        basis(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn what_was_seen_is_read_as_it_was_told() {
        let at = |seq| Position::new(stockledger_schemas::PartitionId(0), seq);
        assert_eq!(basis(&HeaderMap::new()).unwrap(), None);
        let seen = |positions: &[Position]| Ok(Some(Basis::ChangedLastBy(positions.to_vec())));
        for (value, expected) in [
            ("\"0.17\"", seen(&[at(17)])),
            ("\"0.17\" , \"0.18\"", seen(&[at(17), at(18)])),
            ("W/\"0.17\"", seen(&[])),
            ("\"00aa\"", seen(&[])),
            ("*", Ok(Some(Basis::Existing))),
            ("0.17", Err(Code::MalformedRequest)),
            ("\"0.17", Err(Code::MalformedRequest)),
            ("", Err(Code::MalformedRequest)),
            ("\"0.17\",", Err(Code::MalformedRequest)),
            ("\"a\"b\"", Err(Code::MalformedRequest)),
        ] {
            assert_eq!(basis_of(value), expected, "{value}");
        }
    }

    #[test]
    fn what_was_kept_is_named_weak_or_strong_alone_or_among_others() {
        let tag = HeaderValue::from_static("\"0.17\"");
        for (value, is_named) in [
            ("\"0.17\"", true),
            ("W/\"0.17\"", true),
            ("\"x\", \"0.17\"", true),
            ("*", true),
            ("\"0.18\"", false),
            ("0.17", false),
            ("", false),
        ] {
            assert_eq!(names(&HeaderValue::from_str(value).unwrap(), &tag), is_named, "{value}");
        }
    }
}
