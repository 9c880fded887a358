//! Routes for those who run the service: is it alive, is it ready, what is it, how far are its read tables.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::VARY;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;
use serde_json::json;
use stockledger_projections::{Activity, Status};
use stockledger_schemas::limits::{LINES_MAX, QUANTITY_MAX};
use stockledger_schemas::{PartitionId, Position};
use stockledger_writer::{PartitionStatus, WriterState};

use crate::http::access::{Access, Gate, Routes};
use crate::http::list::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::http::page::{self, Page};
use crate::http::problem::{Code, Problem};
use crate::http::read::{WAIT_MAX, respond};
use crate::http::segments::{NoParameters, Parameters};
use crate::http::{App, BULK_IN_FLIGHT_MAX, BULK_LINE_BYTES_MAX, COMMAND_BODY_BYTES_MAX};
use crate::keys::Reading;
use crate::metrics::standing::{projection_state, writer_state};

/// What a remembered idempotency key costs in memory, about.
const BYTES_PER_KEY: u32 = 28;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/", Access::Open, front)
        .get("/livez", Access::Open, livez)
        .get("/readyz", Access::Open, readyz)
        .get("/startupz", Access::Open, startupz)
        .get("/v1/info", Access::AnyKey, info)
}

/// The dashboard for people, a list of addresses for whoever has no browser.
async fn front(headers: HeaderMap) -> Response {
    if page::accepts_html(&headers) {
        return ([(VARY, "accept")], Redirect::to("/ui")).into_response();
    }
    let links = [
        ("/ui", "the dashboard, in a browser"),
        ("/v1/info", "what this node is"),
        ("/v1/sites", "sites"),
        ("/v1/items", "items"),
        ("/v1/projections", "how far the read tables are"),
        ("/v1/audit/checkpoint", "what was signed last"),
        ("/readyz", "whether it is ready"),
        ("/metrics", "what is measured, for Prometheus"),
        ("/problems", "what can go wrong"),
        ("/docs", "every path, described"),
        ("/openapi.json", "the same for programs"),
    ];
    let links = links.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
    let text =
        vec!["An event-sourced inventory ledger. The interface is JSON over HTTP under /v1.".to_owned()];
    page::respond(&headers, &Page { title: "Stockledger".to_owned(), text, links })
}

async fn livez() -> Result<Response, Problem> {
    respond(None, &json!({ "status": "alive" }))
}

/// Whether the node has come up: it was ready once. What happens later is for `/readyz` to tell, since no restart would
/// mend it.
async fn startupz(State(app): State<App>) -> Result<Response, Problem> {
    if !app.has_started() {
        readiness(&app).await?;
    }
    respond(None, &json!({ "status": "started" }))
}

/// One thing that must be well for the node to be ready.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<PartitionId>,
    ready: bool,
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_records: Option<u64>,
    /// What requests are answered with as long as this is not well.
    #[serde(skip)]
    code: Code,
}

/// Whether every role of this node can be played at this moment. A projector that follows the log is ready however far
/// it is behind: its lag is shown, and who needs a position asks for it.
async fn readyz(State(app): State<App>) -> Result<Response, Problem> {
    let checks = readiness(&app).await?;
    respond(None, &json!({ "status": "ready", "checks": checks }))
}

/// Everything that was looked at, if all of it is well; that it once was is remembered.
async fn readiness(app: &App) -> Result<Vec<Check>, Problem> {
    let roles = app.roles();
    let mut checks = Vec::new();
    if let Some(ledger) = &roles.writer {
        checks.extend(ledger.status().iter().map(writer_check));
    }
    if let Some(progress) = &roles.projector {
        checks.extend(progress.all().iter().map(projector_check));
    }
    if let Some(queries) = &roles.api {
        checks.push(api_check(queries.positions().await.is_ok()));
    }
    if let Gate::Keyed(keyring) = app.gate() {
        checks.push(keys_check(keyring.reading()));
    }
    match checks.iter().find(|check| !check.ready) {
        None => {
            app.note_started();
            Ok(checks)
        }
        Some(first) => {
            let detail = match first.partition {
                Some(partition) => format!("the {} of partition {partition} is {}", first.role, first.state),
                None => format!("the {} is {}", first.role, first.state),
            };
            Err(Problem::new(first.code, detail).with_checks(checks))
        }
    }
}

pub(super) fn writer_check(status: &PartitionStatus) -> Check {
    let (code, reason) = match &status.writer {
        WriterState::Leading | WriterState::Recovering => (Code::WriterRecovering, None),
        WriterState::Stalled => (Code::NotApplied, Some("the log does not answer".to_owned())),
        WriterState::Superseded { url } => (Code::NotPartitionOwner, url.clone()),
        WriterState::Halted { reason } => (Code::PartitionHalted, Some(reason.clone())),
        WriterState::Stopped => (Code::NotApplied, None),
    };
    Check {
        role: "writer",
        partition: Some(status.partition),
        ready: matches!(status.writer, WriterState::Leading),
        state: writer_state(&status.writer),
        reason,
        position: Some(status.position),
        lag_records: None,
        code,
    }
}

fn projector_check(status: &Status) -> Check {
    let (state, reason) = activity_of(status);
    Check {
        role: "projector",
        partition: Some(status.position.partition),
        ready: matches!(status.activity, Activity::Running),
        state,
        reason,
        position: Some(status.position),
        lag_records: Some(status.lag()),
        code: Code::ProjectionBehind,
    }
}

fn api_check(ready: bool) -> Check {
    Check {
        role: "api",
        partition: None,
        ready,
        state: if ready { "running" } else { "without its database" },
        reason: None,
        position: None,
        lag_records: None,
        code: Code::ProjectionUnavailable,
    }
}

fn keys_check(reading: Reading) -> Check {
    let (state, reason) = match reading {
        Reading::Begun => ("reading", None),
        Reading::Following => ("following", None),
        Reading::Retrying { reason } => ("retrying", Some(reason)),
        Reading::Halted { reason } => ("halted", Some(reason)),
    };
    Check {
        role: "keyring",
        partition: None,
        ready: state == "following",
        state,
        reason,
        position: None,
        lag_records: None,
        code: Code::KeysUnread,
    }
}

pub(super) fn activity_of(status: &Status) -> (&'static str, Option<String>) {
    let reason = match &status.activity {
        Activity::Retrying { reason } | Activity::Halted { reason } => Some(reason.to_string()),
        Activity::Starting | Activity::Running | Activity::Stopped => None,
    };
    (projection_state(&status.activity), reason)
}

async fn info(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let (node, roles) = (app.node(), app.roles());
    let played = [
        ("writer", roles.writer.is_some()),
        ("projector", roles.projector.is_some()),
        ("api", roles.api.is_some()),
    ];
    let played: Vec<&str> =
        played.iter().filter(|(_, is_played)| *is_played).map(|(role, _)| *role).collect();
    let keys =
        roles.writer.as_ref().map(|ledger| ledger.status().iter().map(|status| status.keys).sum::<usize>());
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ledger_id": node.ledger_id,
        "partitions": node.partitions,
        "roles": played,
        "log": node.log,
        "projections": node.projections,
        "idempotency_keys": { "retention": "for ever", "bytes_per_key": BYTES_PER_KEY, "held": keys },
        "limits": {
            "command_body_bytes_max": COMMAND_BODY_BYTES_MAX,
            "command_lines_max": LINES_MAX,
            "quantity_max": QUANTITY_MAX,
            "bulk_line_bytes_max": BULK_LINE_BYTES_MAX,
            "bulk_in_flight_max": BULK_IN_FLIGHT_MAX,
            "list_limit_default": LIMIT_DEFAULT,
            "list_limit_max": LIMIT_MAX,
            "read_wait_seconds_max": WAIT_MAX.as_secs(),
        },
    });
    respond(None, &info)
}
