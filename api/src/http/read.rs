//! What all reads have in common: they wait for the position that the caller has seen, and say how far they are.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Serialize;
use stockledger_projections::views::{AsOf, KnownSite};
use stockledger_projections::{Queries, Waited};
use stockledger_schemas::{Position, SiteId};
use tokio::time::Instant;

use crate::http::App;
use crate::http::as_of::Told;
use crate::http::conditional::{Tag, set_tag};
use crate::http::headers::{LEDGER_MIN_POSITION, PREFER, set_position};
use crate::http::problem::{Code, Problem};
use crate::http::room::Share;

/// How long a read waits for `Ledger-Min-Position` unless the caller says.
const WAIT_DEFAULT: Duration = Duration::from_secs(5);
/// How long a read waits at most, whatever `Prefer: wait=` says.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// The queries, once the read tables have reached what the request asks for.
pub(super) struct Reader(
    pub(super) Queries,
    #[expect(dead_code, reason = "held as long as it is read")] Share,
);

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let queries = app.queries()?;
        let positions = min_positions(&parts.headers, app.node().partitions)?;
        if !positions.is_empty() {
            let _waiting = app.room().wait_for_position()?;
            wait_for(queries, &positions, wait_of(&parts.headers)).await?;
        }
        Ok(Self(queries.clone(), app.room().read().await?))
    }
}

impl Reader {
    /// The site, or the problem that there is none.
    pub(super) async fn site(&self, site: &SiteId) -> Result<KnownSite, Problem> {
        self.0.site(site).await?.ok_or_else(|| Problem::unknown_site(site))
    }
}

pub(super) async fn wait_for(
    queries: &Queries,
    positions: &[Position],
    wait: Duration,
) -> Result<(), Problem> {
    match queries.wait_for(positions, Instant::now() + wait).await? {
        Waited::Reached => Ok(()),
        Waited::Halted { partition, reason } => {
            let detail = format!("the read tables of partition {partition} have stopped: {reason}");
            Err(Problem::new(Code::PartitionHalted, detail))
        }
        Waited::Behind { reached } => {
            let reached: Vec<String> = reached.iter().map(ToString::to_string).collect();
            let detail = format!("the read tables are at {} after {} s", reached.join(","), wait.as_secs());
            Err(Problem::new(Code::ProjectionBehind, detail))
        }
    }
}

pub(super) fn min_positions(headers: &HeaderMap, partitions: u16) -> Result<Vec<Position>, Problem> {
    let malformed = |why: &str| {
        let detail =
            format!("the header Ledger-Min-Position is not a list of positions such as 0.17,3.4: {why}");
        Problem::new(Code::MalformedRequest, detail)
    };
    let mut positions = Vec::new();
    for value in headers.get_all(LEDGER_MIN_POSITION) {
        let text = value.to_str().map_err(|_| malformed("it is not ASCII"))?;
        for position in text.split(',') {
            let position: Position = position.trim().parse().map_err(|_| malformed(position))?;
            if position.partition.0 >= partitions {
                return Err(malformed(&format!("the ledger has {partitions} partitions")));
            }
            positions.push(position);
        }
    }
    Ok(positions)
}

/// `Prefer: wait=N` in seconds (RFC 7240); a preference that cannot be read is no preference.
pub(super) fn wait_of(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut waits = values.flat_map(|value| value.split(',')).filter_map(|preference| {
        let (name, seconds) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        seconds.trim().parse().ok().filter(|_: &u64| is_wait)
    });
    waits.next().map_or(WAIT_DEFAULT, |seconds| Duration::from_secs(seconds).min(WAIT_MAX))
}

/// The answer to a read, and the position that it reflects, where it has one.
pub(super) fn respond<T: Serialize>(position: Option<Position>, value: &T) -> Result<Response, Problem> {
    let mut response = json(position);
    *response.body_mut() = Body::from(serde_json::to_vec(value).map_err(Problem::internal)?);
    Ok(response)
}

fn json(position: Option<Position>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(position) = position {
        set_position(headers, position);
    }
    response
}

/// The same, and what the answer is told apart by.
pub(super) fn respond_tagged<T: Serialize>(
    position: Option<Position>,
    tag: Tag,
    value: &T,
) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(Problem::internal)?;
    let mut response = json(position);
    set_tag(response.headers_mut(), tag, &body);
    *response.body_mut() = Body::from(body);
    Ok(response)
}

/// The answer to a read of one partition: the value, and whether the tables behind it have stopped.
pub(super) fn respond_at<T: Serialize>(at: &AsOf, tag: Tag, value: &T) -> Result<Response, Problem> {
    respond_tagged(Some(at.position), tag_at(at, tag), &With { value, more: Told::of(at, None) })
}

/// The tag of what is shown: while the tables do not go on, the body says so too.
pub(super) fn tag_at(at: &AsOf, tag: Tag) -> Tag {
    if at.stale.is_some() { Tag::Body } else { tag }
}

/// A value with more members than its own.
#[derive(Serialize)]
pub(super) struct With<'a, T, M> {
    #[serde(flatten)]
    pub(super) value: &'a T,
    #[serde(flatten)]
    pub(super) more: M,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_with(prefer: &str) -> u64 {
        wait_of(&HeaderMap::from_iter([(PREFER, HeaderValue::from_str(prefer).unwrap())])).as_secs()
    }

    #[test]
    fn the_wait_is_what_is_preferred_up_to_a_bound() {
        assert_eq!(wait_of(&HeaderMap::new()).as_secs(), 5);
        let cases = [
            ("wait=0", 0),
            ("wait=12", 12),
            ("respond-async, Wait = 7", 7),
            ("wait=99999999999", 30),
            ("wait=soon", 5),
            ("return=minimal", 5),
            ("wait", 5),
        ];
        for (prefer, seconds) in cases {
            assert_eq!(wait_with(prefer), seconds, "{prefer}");
        }
    }

    #[test]
    fn positions_are_read_from_one_header_or_several() {
        let headers: HeaderMap = [("0.17, 3.4"), ("1.2")]
            .into_iter()
            .map(|value| (LEDGER_MIN_POSITION, HeaderValue::from_static(value)))
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            });
        let texts: Vec<String> =
            min_positions(&headers, 4).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["0.17", "3.4", "1.2"]);
        assert_eq!(min_positions(&headers, 3).unwrap_err().code(), Code::MalformedRequest);
    }
}
