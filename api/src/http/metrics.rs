//! `GET /metrics`: what is measured, for Prometheus; and the counting of requests.
//!
//! Whoever asks from this machine needs no key, so that an agent beside the node can look without holding one; a proxy on
//! this machine that speaks for others is not taken for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use stockledger_projections::overview::Overview;
use stockledger_schemas::KeyScope;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::http::App;
use crate::http::access::{Access, Gate, Routes};
use crate::http::problem::{Code, Problem};
use crate::keys::Reading;
use crate::metrics::Form;
use crate::metrics::standing::Standing;
use crate::versions::Versions;

/// How long what the database said of its versions is good for another answer: however often somebody asks, it is not
/// asked more often than this.
const OVERVIEW_KEPT: Duration = Duration::from_secs(5);
/// How long the database may take. An answer without it is worth more than none.
const OVERVIEW_WITHIN: Duration = Duration::from_secs(2);
/// The route of requests whose path fits none.
const NO_ROUTE: &str = "none";
const OPEN_METRICS: &str = "application/openmetrics-text";

pub(super) fn routes() -> Routes {
    Routes::new().get("/metrics", Access::FromHere(KeyScope::Admin), show)
}

/// What the database said last of its versions, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct LastOverview(Arc<Mutex<Option<Said>>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    /// Nothing if it did not answer.
    overview: Option<Arc<Overview>>,
}

impl LastOverview {
    /// Nothing if the database does not answer.
    async fn get(&self, versions: &Versions) -> Option<Arc<Overview>> {
        // Others wait here for the one that asks.
        let mut last = self.0.lock().await;
        if let Some(said) = &*last
            && said.at.elapsed() < OVERVIEW_KEPT
        {
            return said.overview.clone();
        }
        let asked = timeout(OVERVIEW_WITHIN, versions.overview()).await;
        let overview = asked.ok().and_then(Result::ok).map(Arc::new);
        *last = Some(Said { at: Instant::now(), overview: overview.clone() });
        overview
    }
}

async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let (node, roles) = (app.node(), app.roles());
    let mut standing = Standing::new();
    standing.tell_node(node.ledger_id.to_string(), node.log, node.projections);
    if let Some(ledger) = &roles.writer {
        standing.tell_writers(&ledger.status(), &ledger.open_commands());
    }
    if let Some(progress) = &roles.projector {
        standing.tell_projection(&progress.all(), node.environment.now());
    }
    if let Some(versions) = &roles.versions {
        let overview = app.last_overview().get(versions).await;
        standing.tell_versions(overview.as_deref(), versions.is_rebuilding());
    }
    // Of the node that verifies: others would tell the same of a file.
    if let Some(verifications) = roles.verifications.as_ref().filter(|_| roles.writer.is_some()) {
        standing.tell_verification(&verifications.standing().await);
    }
    if let Gate::Keyed(keyring) = app.gate() {
        standing.tell_keyring(matches!(keyring.reading(), Reading::Following));
    }
    let form = form_for(&headers);
    let text = app.metrics().written(standing.registry(), form).map_err(Problem::internal)?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    Ok(response)
}

/// OpenMetrics for whoever names it, as Prometheus does; else what everything understands.
fn form_for(headers: &HeaderMap) -> Form {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.into_iter().any(|accepted| accepted.contains(OPEN_METRICS)) {
        Form::OpenMetrics
    } else {
        Form::Text
    }
}

/// Runs around everything else, and counts what becomes of each request.
pub(super) async fn measure(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    app.metrics().answered(method, route, response.status().as_u16(), began.elapsed());
    if let Some(code) = response.extensions().get::<Code>() {
        app.metrics().told_problem(code.as_str());
    }
    response
}

/// The name of a method; of those that no route takes, one for all.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
