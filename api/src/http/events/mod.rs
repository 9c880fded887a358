//! `/v1/events`: what was decided, read from the log itself, page by page, one by one, and as a stream (`docs/feeds.md`).
//!
//! No read tables are asked, so this works without their database. A key for some sites sees the decisions of those
//! sites and nothing of the others, nor of the directory.

mod seats;
mod stream;

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stockledger_schemas::{KeyScope, OrderId, Position, SiteId, Sku};
use tokio::time::Instant;

pub(super) use self::seats::Seats;
pub use self::seats::{EVENT_READERS_MAX, EVENT_READERS_PER_KEY_MAX};

use crate::feed::{self, Cursor, EventType, Feed, Filter, InvalidCursor, Recorded, SETTLE_WITHIN};
use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::list::Limit;
use crate::http::problem::{Code, Problem};
use crate::http::read::{With, min_positions, respond, wait_of};
use crate::http::segments::{Parameters, Segments};

/// Decisions that one request looks at. A filter that lets little through is answered with what was found so far.
const LOOKS_MAX: usize = 20_000;
/// The longest that a request waits for something to tell.
const WAIT_MAX_S: u64 = 30;
/// What `after` says to begin behind everything that there is.
const END: &str = "end";

const ACCESS: Access = Access::OwnSites(KeyScope::AuditRead);

pub(super) fn routes() -> Routes {
    Routes::new().get("/v1/events", ACCESS, list).get("/v1/events/stream", ACCESS, stream::stream).get(
        "/v1/events/{position}",
        ACCESS,
        one,
    )
}

/// Seconds to wait for something to tell.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "u64")]
struct Wait(Duration);

#[derive(Debug, thiserror::Error)]
#[error("wait must be from 0 to {WAIT_MAX_S} seconds")]
struct InvalidWait;

impl TryFrom<u64> for Wait {
    type Error = InvalidWait;

    fn try_from(seconds: u64) -> Result<Self, InvalidWait> {
        if seconds <= WAIT_MAX_S { Ok(Self(Duration::from_secs(seconds))) } else { Err(InvalidWait) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    after: Option<String>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    wait: Wait,
    site: Option<SiteId>,
    sku: Option<Sku>,
    order: Option<OrderId>,
    r#type: Option<EventType>,
}

#[derive(Serialize)]
struct Page<'a> {
    data: Vec<&'a Recorded>,
    has_more: bool,
    /// Never absent: a feed has no end.
    next_cursor: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stopped: &'a [feed::Stopped],
}

async fn list(
    State(app): State<App>,
    Parameters(parameters): Parameters<ListParameters>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, Problem> {
    let ListParameters { after, limit, wait, site, sku, order, r#type } = parameters;
    let until = Instant::now() + wait.0;
    let feed = app.feed()?;
    let _seat = app.seats().take(caller.credential())?;
    let after = begin(feed, after.as_deref(), &headers).await?;
    let filter = Filter { site, sku, order, r#type, visible: caller.sites().map(<[SiteId]>::to_vec) };
    let mut reader = feed.reader(after, filter);
    let batch = reader.wait(limit.get() as usize, LOOKS_MAX, until).await?;
    caller.check_still_let_in(&app)?;
    let data = batch.decisions.iter().map(|decision| &**decision).collect();
    let next_cursor = reader.cursor().text(feed.ledger_id());
    respond(None, &Page { data, has_more: batch.has_more, next_cursor, stopped: &batch.stopped })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneParameters {
    #[serde(default)]
    raw: bool,
}

#[derive(Serialize)]
struct Raw {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

async fn one(
    State(app): State<App>,
    Segments(position): Segments<Position>,
    Parameters(OneParameters { raw }): Parameters<OneParameters>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, Problem> {
    let feed = app.feed()?;
    let _seat = app.seats().take(caller.credential())?;
    until_reached(feed, &headers).await?;
    let visible = Filter { visible: caller.sites().map(<[SiteId]>::to_vec), ..Filter::default() };
    let found = feed.decision(position, Instant::now() + SETTLE_WITHIN).await?;
    let Some(recorded) = found.filter(|recorded| visible.passes(&recorded.decision)) else {
        return Err(Problem::new(Code::UnknownEvent, format!("there is no decision at {position}")));
    };
    let raw = raw.then(|| STANDARD.encode(&recorded.raw));
    respond(Some(position), &With { value: &*recorded, more: Raw { raw } })
}

/// Where a reader begins, once the log was read as far as the request asks for.
async fn begin(feed: &Feed, after: Option<&str>, headers: &HeaderMap) -> Result<Cursor, Problem> {
    let cursor = match after {
        None => Cursor::begin(feed.partitions()),
        Some(END) => feed.end(Instant::now() + SETTLE_WITHIN).await,
        Some(text) => Cursor::parse(text, feed.ledger_id(), feed.partitions())?,
    };
    until_reached(feed, headers).await?;
    Ok(cursor)
}

async fn until_reached(feed: &Feed, headers: &HeaderMap) -> Result<(), Problem> {
    let deadline = Instant::now() + wait_of(headers);
    for position in min_positions(headers, feed.partitions())? {
        if !feed.reached(position, deadline).await {
            let detail = format!("the log was not read up to {position} in time");
            return Err(Problem::new(Code::EventsUnavailable, detail));
        }
    }
    Ok(())
}

impl From<InvalidCursor> for Problem {
    fn from(error: InvalidCursor) -> Self {
        Self::new(Code::InvalidCursor, error.to_string())
    }
}

impl From<feed::Error> for Problem {
    fn from(error: feed::Error) -> Self {
        let detail = match &error {
            feed::Error::Unread => error.to_string(),
            feed::Error::History(_) => "the log cannot be read at the moment".to_owned(),
        };
        Self::new(Code::EventsUnavailable, detail).because(error)
    }
}
