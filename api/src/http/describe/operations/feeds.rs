//! The feeds of decisions.

use utoipa::openapi::path::HttpMethod;

use super::{LIMIT, MIN_POSITION, PREFER, query};
use crate::http::describe::operation::{Given, Operation, Place};
use crate::http::describe::shape::Shape;
use crate::http::describe::shapes::events::{EventPage, EventType, RecordedDecision, StreamedEvent};
use crate::http::describe::shapes::words::{FeedCursor, OrderId, SiteId, Sku};
use crate::http::problem::Code;

const AFTER: Given = query(
    "after",
    "Begin behind this: a cursor, a position of one partition, or `end`. Without it, with the first decision.",
    FeedCursor::usage,
);
const FILTERS: [Given; 4] = [
    query("site", "Only decisions about this site.", SiteId::usage),
    query("sku", "Only those about this SKU.", Sku::usage),
    query("order", "Only those about this order.", OrderId::usage),
    query("type", "Only those with an event of this type.", EventType::usage),
];

fn feed(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, "Events", summary)
        .given(&[MIN_POSITION, PREFER])
        .fails(&[Code::EventsUnavailable])
}

pub(super) fn all() -> Vec<Operation> {
    vec![
        feed("/v1/events", "listEvents", "List what was decided")
            .given(&[AFTER, LIMIT])
            .given(&[query("wait", "Seconds to wait at the end for something to tell, 30 at most.", u64::usage)])
            .given(&FILTERS)
            .about("In the order of each partition. A key for some sites sees the decisions of those.")
            .answers::<EventPage>(200, "A page of decisions.")
            .fails(&[Code::InvalidCursor]),
        feed("/v1/events/stream", "streamEvents", "Listen to what is decided")
            .given(&[AFTER])
            .given(&FILTERS)
            .given(&[Given {
                name: "Last-Event-ID",
                place: Place::Header,
                is_required: false,
                meaning: "The `id` of the last event that was received; goes before `after`.",
                usage: FeedCursor::usage,
            }])
            .about("Server-sent events, from any place on, history and then what happens, without gap or repeat.")
            .answers_as::<StreamedEvent>(200, "text/event-stream", "Events, one for each decision.")
            .fails(&[Code::InvalidCursor]),
        feed("/v1/events/{position}", "getEvent", "Show one decision")
            .given(&[query("raw", "Add its record.", bool::usage)])
            .answers::<RecordedDecision>(200, "The decision.")
            .at_a_position()
            .fails(&[Code::UnknownEvent]),
    ]
}
