//! `/v1/projections`: where the versions of the read tables stand, rebuilding them, switching between them, dropping them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stockledger_projections::overview::lag_seconds;
use stockledger_projections::rebuild::{self, SwitchWhen, WORKERS_DEFAULT, WORKERS_MAX};
use stockledger_projections::store;
use stockledger_projections::switch::{IfDifferent, Target};
use stockledger_projections::{Status, Version};
use stockledger_schemas::{KeyScope, PartitionId, Position, Timestamp};

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::body::parse;
use crate::http::command::read_body;
use crate::http::operation::activity_of;
use crate::http::problem::{Code, Problem};
use crate::http::read::respond;
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::versions;

pub(super) fn routes() -> Routes {
    let access = Access::AllSites(KeyScope::Admin);
    Routes::new()
        .get("/v1/projections", access, show)
        .post("/v1/projections/rebuilds", access, begin_rebuild)
        .post("/v1/projections/switch", access, switch)
        .delete("/v1/projections/{version}", access, drop_version)
}

/// How far one partition of the active version is, by the projector of this process.
#[derive(Debug, Serialize)]
struct PartitionHere {
    partition: PartitionId,
    position: Position,
    as_of: Option<Timestamp>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    lag_records: u64,
    lag_seconds: Option<u64>,
}

async fn show(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let versions = app.versions()?;
    // Before the versions are looked at, so that what it says of them is seen there.
    let last_rebuild = versions.last_rebuild();
    let overview = versions.overview().await.map_err(failed)?;
    let now = app.node().environment.now();
    let here =
        app.roles().projector.as_ref().map(|progress| {
            progress.all().iter().map(|status| partition_here(status, now)).collect::<Vec<_>>()
        });
    respond(
        None,
        &json!({
            "active_version": overview.active_version,
            "versions": overview.versions,
            "partitions": here.unwrap_or_default(),
            "is_rebuilding": versions.is_rebuilding(),
            "last_rebuild": last_rebuild,
        }),
    )
}

fn partition_here(status: &Status, now: Timestamp) -> PartitionHere {
    let (state, reason) = activity_of(status);
    PartitionHere {
        partition: status.position.partition,
        position: status.position,
        as_of: status.recorded_at,
        state,
        reason,
        lag_records: status.lag(),
        lag_seconds: lag_seconds(status.lag(), status.recorded_at, now),
    }
}

/// The body that begins a rebuild.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RebuildBody {
    #[serde(default)]
    switch: SwitchBody,
    #[serde(default)]
    workers: Workers,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SwitchBody {
    /// As soon as the new version is level.
    #[default]
    Auto,
    /// When somebody says so.
    Manual,
}

/// Partitions that are loaded at the same moment.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "usize")]
struct Workers(usize);

#[derive(Debug, thiserror::Error)]
#[error("workers must be from 1 to {WORKERS_MAX}")]
struct InvalidWorkers;

impl Default for Workers {
    fn default() -> Self {
        Self(WORKERS_DEFAULT)
    }
}

impl TryFrom<usize> for Workers {
    type Error = InvalidWorkers;

    fn try_from(workers: usize) -> Result<Self, InvalidWorkers> {
        if (1..=WORKERS_MAX).contains(&workers) { Ok(Self(workers)) } else { Err(InvalidWorkers) }
    }
}

/// Begins a rebuild in the background, with every default where there is no body; its progress is told by
/// `GET /v1/projections`.
async fn begin_rebuild(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body_of(&app, request).await?;
    let RebuildBody { switch, workers } = parse(if body.is_empty() { b"{}".as_slice() } else { &body })?;
    let when = match switch {
        SwitchBody::Auto => SwitchWhen::Level,
        SwitchBody::Manual => SwitchWhen::Told,
    };
    app.versions()?.rebuild(when, workers.0).map_err(refused)?;
    let mut response = respond(None, &json!({ "state": "running", "progress": "/v1/projections" }))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// The body that switches: either a version, or back to the one before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    version: Option<u32>,
    #[serde(default)]
    back: bool,
    #[serde(default)]
    accept_difference: bool,
}

async fn switch(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let body = body_of(&app, request).await?;
    let Switch { version, back, accept_difference } = parse(&body)?;
    let target = match (version, back) {
        (Some(version), false) => Target::Version(Version(version)),
        (None, true) => Target::Back,
        _ => return Err(Problem::invalid_at("", "name a version, or say `back`, and not both")),
    };
    let if_different = if accept_difference { IfDifferent::Accept } else { IfDifferent::Refuse };
    let switched = app.versions()?.switch(target, if_different).await.map_err(refused)?;
    respond(None, &switched)
}

async fn drop_version(
    State(app): State<App>,
    Segments(version): Segments<u32>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    app.versions()?.drop_version(Version(version)).await.map_err(refused)?;
    respond(None, &json!({ "dropped": version }))
}

async fn body_of(app: &App, request: Request) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    Ok(read_body(app, &parts, body, &["application/json"]).await?.bytes)
}

pub(super) fn refused(error: versions::Error) -> Problem {
    match error {
        versions::Error::NoProjector => Problem::new(Code::NotFound, error.to_string()),
        versions::Error::Running => Problem::new(Code::InProgress, error.to_string()),
        versions::Error::Failed(error) => failed(error),
        versions::Error::Panicked(error) => Problem::internal(error),
    }
}

pub(super) fn failed(error: rebuild::Error) -> Problem {
    match error {
        rebuild::Error::Running(_) => Problem::new(Code::InProgress, error.to_string()),
        rebuild::Error::Store(store::Error::NoSuchVersion(_)) => {
            Problem::new(Code::NotFound, error.to_string())
        }
        rebuild::Error::Store(
            store::Error::InUse(_) | store::Error::OtherCode { .. } | store::Error::NotFilled(_),
        )
        | rebuild::Error::NotWhole { .. }
        | rebuild::Error::NothingBefore
        | rebuild::Error::NothingInUse
        | rebuild::Error::Differ { .. }
        | rebuild::Error::Halted(_)
        | rebuild::Error::Superseded
        | rebuild::Error::NeverLevel(_) => Problem::new(Code::VersionState, error.to_string()),
        rebuild::Error::Store(error) => Problem::from(error),
        rebuild::Error::Unavailable(_) | rebuild::Error::Cancelled => {
            Problem::new(Code::ProjectionUnavailable, error.to_string())
        }
    }
}
