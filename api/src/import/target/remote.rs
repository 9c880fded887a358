//! A server as a target: commands by `POST /v1/bulk`, whose lines are decided in order and answered in order.

use std::time::Duration;

use async_trait::async_trait;
use hyper::header::HeaderValue;
use serde::Deserialize;
use stockledger_domain::command::Checked;
use stockledger_schemas::{Position, SiteId};
use tokio::time::Instant;

use super::line::{Body, Line};
use super::{Answered, Error, Outcome, Submission, Target};
use crate::client::{self, Client, Problem};
use crate::http::headers::LEDGER_MIN_POSITION;
use crate::text::segment;

/// How long the projections of the server may take to come level with the last command.
const LEVEL_WITHIN: Duration = Duration::from_secs(300);
/// How long to leave a server alone that says that its projections are behind.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// Rows of one page of a list.
const PAGE_ROWS: usize = 500;

/// A server.
#[derive(Debug, Clone)]
pub struct Remote {
    client: Client,
}

/// One line of the answer to a bulk request.
#[derive(Deserialize)]
struct ResultLine {
    status: u16,
    #[serde(default)]
    replayed: bool,
    position: Option<Position>,
    problem: Option<Problem>,
}

/// What is needed of a site.
#[derive(Deserialize)]
struct Site {
    position: Position,
}

/// What is needed of a page of stock levels.
#[derive(Deserialize)]
struct Page {
    data: Vec<StockLevel>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct StockLevel {
    on_hand: i64,
}

impl Remote {
    /// The target.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// One page of the stock of a site, not before the projections include `positions`.
    async fn page(&self, site: &SiteId, cursor: Option<&str>, positions: &[Position]) -> Result<Page, Error> {
        let mut path = format!("/v1/sites/{}/stock?limit={PAGE_ROWS}", segment(site.as_str()));
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={}", segment(cursor)));
        }
        Ok(self.client.get_json_with(&path, not_before(positions)).await?)
    }
}

#[async_trait]
impl Target for Remote {
    async fn open_site(&self, command: Checked) -> Result<Outcome, Error> {
        let stockledger_domain::Command::OpenSite(open) = command.command() else {
            return Ok(Outcome::Failed(format!("{} does not open a site", command.command().kind())));
        };
        let path = format!("/v1/sites/{}", segment(open.site.as_str()));
        let site: Site = self.client.put_json(&path, &Body::of(&command)).await?;
        Ok(Outcome::Done(Answered { position: site.position, is_replay: false }))
    }

    async fn submit(&self, chunk: Vec<Submission>) -> Result<Vec<Outcome>, Error> {
        let lines: Vec<Line<'_>> = chunk.iter().map(Line::new).collect();
        let results: Vec<ResultLine> =
            self.client.post_ndjson("/v1/bulk?stop_at_failure=true", client::Headers::new(), &lines).await?;
        Ok(results.into_iter().map(outcome).collect())
    }

    async fn level_with(&self, site: &SiteId, positions: &[Position]) -> Result<(), Error> {
        let deadline = Instant::now() + LEVEL_WITHIN;
        loop {
            match self.page(site, None, positions).await {
                Err(Error::Server(error)) if error.code() == Some("projection-behind") => {}
                other => return other.map(|_| ()),
            }
            if Instant::now() >= deadline {
                return Err(Error::NotLevel { waited_seconds: LEVEL_WITHIN.as_secs() });
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }

    async fn units_on_hand(&self, site: &SiteId) -> Result<i64, Error> {
        let (mut units, mut cursor) = (0_i64, None);
        loop {
            let page = self.page(site, cursor.as_deref(), &[]).await?;
            units = page.data.iter().fold(units, |units, level| units.saturating_add(level.on_hand));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(units);
            }
        }
    }
}

fn not_before(positions: &[Position]) -> client::Headers {
    let list: Vec<String> = positions.iter().map(ToString::to_string).collect();
    let value = HeaderValue::try_from(list.join(",")).ok().filter(|value| !value.is_empty());
    value.map(|value| (LEDGER_MIN_POSITION, value)).into_iter().collect()
}

fn outcome(line: ResultLine) -> Outcome {
    let ResultLine { status, replayed: is_replay, position, problem } = line;
    let answered = position.map(|position| Answered { position, is_replay });
    match (problem, answered) {
        (None, Some(answered)) => Outcome::Done(answered),
        (None, None) => {
            Outcome::Failed(format!("the server answered {status} without saying where it stands"))
        }
        (Some(problem), answered) => match (problem.code.as_str(), answered) {
            ("insufficient-stock", Some(answered)) => Outcome::Short(answered),
            ("idempotency-key-reused", _) => Outcome::KeyReused,
            ("unknown-site", _) => Outcome::UnknownSite,
            _ if problem.retryable => Outcome::Later(problem.to_string()),
            _ => Outcome::Failed(problem.to_string()),
        },
    }
}
