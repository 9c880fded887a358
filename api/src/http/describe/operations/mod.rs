//! Every route, in the words of its callers.

mod commands;
mod feeds;
mod node;
mod reads;

use utoipa::openapi::path::HttpMethod;

use super::operation::{Given, Operation, Place};
use super::shape::Shape;
use super::shapes::words::{
    Axis, Cursor, HoldId, KeyId, Limit, Moment, OrderId, Position, ProblemCode, SiteId, Sku, Version,
};
use crate::http::problem::Code;

/// All of them.
pub(super) fn all() -> Vec<Operation> {
    [reads::all(), commands::all(), feeds::all(), node::all()].into_iter().flatten().collect()
}

/// What an id in a path is.
pub(super) fn id(name: &str) -> Option<Given> {
    let given = |name, meaning, usage| Given { name, place: Place::Path, is_required: true, meaning, usage };
    Some(match name {
        "site" => given("site", "The site.", SiteId::usage),
        "sku" => given("sku", "The stock keeping unit.", Sku::usage),
        "order_id" => given("order_id", "The order.", OrderId::usage),
        "hold_id" => given("hold_id", "The hold.", HoldId::usage),
        "key_id" => given("key_id", "The API key.", KeyId::usage),
        "version" => given("version", "The version of the read tables.", Version::usage),
        "position" => given("position", "The decision.", Position::usage),
        "code" => given("code", "The code of a problem.", ProblemCode::usage),
        "file" => given("file", "The name of a file.", String::usage),
        _ => return None,
    })
}

const fn query(
    name: &'static str,
    meaning: &'static str,
    usage: fn(&mut super::shape::Named) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
) -> Given {
    Given { name, place: Place::Query, is_required: false, meaning, usage }
}

const AS_OF: Given = query(
    "as_of",
    "Which past to show: a time (a `+` in it is written `%2B`), or a position of the site's own partition.",
    Moment::usage,
);
const AXIS: Given = query("axis", "What `as_of` asks about; goes with it.", Axis::usage);
const LIMIT: Given = query(
    "limit",
    "Most values on the page. A list that is asked for as rows (`text/csv`, `application/x-ndjson`) is whole without it.",
    Limit::usage,
);
const CURSOR: Given = query("cursor", "The `next_cursor` of the page before.", Cursor::usage);
const MIN_POSITION: Given = Given {
    name: "Ledger-Min-Position",
    place: Place::Header,
    is_required: false,
    meaning: "Wait until the read tables include these positions, such as `0.17,3.4`.",
    usage: reads::Positions::usage,
};
const PREFER: Given = Given {
    name: "Prefer",
    place: Place::Header,
    is_required: false,
    meaning: "`wait=N`: wait at most so many seconds for `Ledger-Min-Position`, 30 at most; 5, if absent (RFC 7240).",
    usage: String::usage,
};

/// A read from the read tables.
fn read(path: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, tag, summary).given(&[MIN_POSITION, PREFER]).fails(&[
        Code::MalformedRequest,
        Code::NotFound,
        Code::Overloaded,
        Code::ProjectionBehind,
        Code::ProjectionUnavailable,
        Code::PartitionHalted,
    ])
}

/// A read of a page.
fn list(path: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    read(path, id, tag, summary).given(&[LIMIT, CURSOR]).fails(&[Code::InvalidCursor])
}
