//! `/v1/events/stream`: server-sent events, from wherever the reader was to what happens now, without gap or repeat.
//!
//! A reader takes from the feed when its connection can take more, so nothing is kept for it: one that stays behind until
//! what comes next is no longer kept is told where to resume and let go. The stream ends with the service, and with the
//! API key that it was asked for with.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use stockledger_schemas::{OrderId, SiteId, Sku};
use tokio::time::{Instant, sleep, sleep_until};

use super::begin;
use super::seats::Seat;
use crate::feed::{Batch, Cursor, EventType, Filter, Reader};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::patience::Closing;
use crate::http::problem::Problem;
use crate::http::segments::Parameters;

/// How long a stream is silent at most, so that whoever stands between does not take it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked whether a silent reader may still listen.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a client shall wait before it comes again.
const RETRY_MS: u32 = 1_000;
/// Most decisions of one write.
const WRITE_MAX: usize = 64;
/// Decisions that are looked at before others get their turn.
const LOOKS_MAX: usize = 2_048;

const MEDIA_TYPE: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies must not wait for more before they pass it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamParameters {
    after: Option<String>,
    site: Option<SiteId>,
    sku: Option<Sku>,
    order: Option<OrderId>,
    r#type: Option<EventType>,
}

pub(super) async fn stream(
    State(app): State<App>,
    Parameters(parameters): Parameters<StreamParameters>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let StreamParameters { after, site, sku, order, r#type } = parameters;
    let feed = app.feed()?.clone();
    let seat = app.seats().take(caller.credential())?;
    // A client that comes again sends the same address; where it was stands in the header.
    let after = last_event_id(request.headers())?.or(after);
    let after = begin(&feed, after.as_deref(), request.headers()).await?;
    let filter = Filter { site, sku, order, r#type, visible: caller.sites().map(<[SiteId]>::to_vec) };
    let telling = Telling {
        told: after.clone(),
        reader: feed.reader(after, filter),
        closing: Closing::of(request.extensions()),
        app,
        caller,
        silent_since: Instant::now(),
        phase: Phase::First,
        _seat: seat,
    };
    let writes = stream::unfold(telling, |mut telling| async move {
        let write = telling.next().await?;
        Some((Ok::<_, Infallible>(write), telling))
    });
    let mut response = Response::new(Body::from_stream(writes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let value = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
    let text = value.map(|value| value.to_str().map(str::to_owned)).transpose();
    text.map_err(|_| crate::feed::InvalidCursor.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Telling,
    Over,
}

/// One stream.
struct Telling {
    app: App,
    caller: Caller,
    reader: Reader,
    /// Where a reader resumes that has everything that was written.
    told: Cursor,
    closing: Closing,
    silent_since: Instant,
    phase: Phase,
    _seat: Seat,
}

impl Telling {
    /// What is written next; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        match self.phase {
            Phase::Over => return None,
            Phase::First => {
                self.phase = Phase::Telling;
                return Some(format!("retry: {RETRY_MS}\n\n").into());
            }
            Phase::Telling => {}
        }
        loop {
            if self.closing.0.is_cancelled() || !self.caller.is_still_let_in(&self.app) {
                return None;
            }
            let batch = match self.reader.take(WRITE_MAX, LOOKS_MAX).await {
                Ok(batch) => batch,
                Err(error) => {
                    tracing::debug!(
                        error = error.causes(),
                        "a stream of events ends: the client comes again"
                    );
                    return None;
                }
            };
            let write = self.write(&batch);
            if !write.is_empty() {
                self.silent_since = Instant::now();
                return Some(write.into());
            }
            if batch.is_cut {
                tokio::task::yield_now().await;
                continue;
            }
            let Closing(closing) = &self.closing;
            tokio::select! {
                () = closing.cancelled() => return None,
                () = self.reader.news() => {}
                () = sleep(LOOK_EVERY) => {}
                () = sleep_until(self.silent_since + KEEP_ALIVE) => {
                    self.silent_since = Instant::now();
                    return Some(self.keep_alive().into());
                }
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> Vec<u8> {
        let mut write = Vec::new();
        for recorded in &batch.decisions {
            self.told.pass(recorded.position);
            write.extend_from_slice(format!("id: {}\ndata: ", self.told()).as_bytes());
            write.extend_from_slice(recorded.json());
            write.extend_from_slice(b"\n\n");
        }
        // What did not pass the filter need not be looked at again.
        self.told = self.reader.cursor().clone();
        let mut say = |event: &str, data: serde_json::Value| {
            write.extend_from_slice(
                format!("event: {event}\nid: {}\ndata: {data}\n\n", self.told()).as_bytes(),
            );
        };
        for stopped in &batch.stopped {
            say("stopped", json!(stopped));
        }
        if batch.fell_behind {
            say("resync", json!({ "after": self.told() }));
            self.phase = Phase::Over;
        }
        write
    }

    /// A comment, and where the reader is: a block without data is no event, but its id counts.
    fn keep_alive(&self) -> String {
        let mut text = ": still here\n".to_owned();
        // Writing to a text cannot fail.
        let _ = write!(text, "id: {}\n\n", self.told());
        text
    }

    fn told(&self) -> String {
        self.told.text(self.app.node().ledger_id)
    }
}
