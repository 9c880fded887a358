//! `/v1/audit/verification`: when the log was verified last and what came of it; `/v1/audit/verifications`: beginning one.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stockledger_audit::verify::{Finding, Outcome, PartitionReport, Tally};
use stockledger_schemas::{KeyScope, LedgerId, Timestamp};

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::body::parse;
use crate::http::command::read_body;
use crate::http::problem::{Code, Problem};
use crate::http::read::respond;
use crate::http::segments::{NoParameters, Parameters};
use crate::verifications::{self, BrokenOff, Standing, UnderWay};

const VERIFICATION: &str = "/v1/audit/verification";

pub(super) fn routes() -> Routes {
    Routes::new().get(VERIFICATION, Access::AllSites(KeyScope::AuditRead), show).post(
        "/v1/audit/verifications",
        Access::AllSites(KeyScope::Admin),
        begin,
    )
}

/// What is known of verifications.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    is_verifying_node: bool,
    every_seconds: Option<u64>,
    running: Option<UnderWay>,
    last: Option<Last<'a>>,
    broken_off: Option<&'a BrokenOff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'a str>,
}

/// The last verification that came to its end. The members of the report are those that `stockledger verify` prints.
#[derive(Debug, Serialize)]
struct Last<'a> {
    begun_at: Timestamp,
    ended_at: Timestamp,
    ok: bool,
    ledger_id: Option<LedgerId>,
    partitions: &'a [PartitionReport<Finding>],
    total: Tally,
    unvouched_decisions: u64,
}

impl<'a> Shown<'a> {
    fn of(standing: &'a Standing) -> Self {
        Self {
            is_verifying_node: standing.is_verifying_node,
            every_seconds: standing.every.map(|every| every.as_secs()),
            running: standing.running,
            last: standing.last.as_deref().map(Last::of),
            broken_off: standing.broken_off.as_ref(),
            unreadable: standing.unreadable.as_deref(),
        }
    }
}

impl<'a> Last<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let report = &outcome.report;
        Self {
            begun_at: outcome.begun_at,
            ended_at: outcome.ended_at,
            ok: report.is_good(),
            ledger_id: report.ledger_id,
            partitions: &report.partitions,
            total: report.total(),
            unvouched_decisions: report.unvouched(),
        }
    }
}

async fn show(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let standing = app.verifications()?.standing().await;
    respond(None, &Shown::of(&standing))
}

/// Nothing can be chosen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {}

async fn begin(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_body(&app, &parts, body, &["application/json"]).await?.bytes;
    let Begin {} = parse(if body.is_empty() { b"{}".as_slice() } else { &body })?;
    let begun_at = app.verifications()?.begin().map_err(refused)?;
    let begun = json!({ "state": "running", "begun_at": begun_at, "progress": VERIFICATION });
    let mut response = respond(None, &begun)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

pub(super) fn refused(error: verifications::Error) -> Problem {
    let code = match error {
        verifications::Error::NoWriter => Code::NotFound,
        verifications::Error::Running(_) => Code::InProgress,
    };
    Problem::new(code, error.to_string())
}
