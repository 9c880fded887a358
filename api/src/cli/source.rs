//! Where answers come from: a server or, without one, the local data directory. Both speak the HTTP interface, so both
//! give the same.

use std::env::VarError;
use std::path::PathBuf;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use stockledger_schemas::{IdempotencyKey, Position};
use stockledger_writer::Ledger;
use tokio::time::Instant;
use tower::ServiceExt;

use super::filters::asked;
use super::{Context, Exit, Failure, output, refusal};
use crate::client::Client;
use crate::config::Roles;
use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::{self, Code};
use crate::keys::{InvalidToken, Token};
use crate::node::Node;
use crate::setup;

/// How long the read tables of the local data directory are given to take in what was decided.
const LEVEL_WITHIN: Duration = Duration::from_secs(10);
const PAGE: usize = 500;

/// Which server to ask.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    /// Ask this server, such as http://127.0.0.1:7070 [default: read the local data directory]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// File with the API key for it; STOCKLEDGER_API_KEY may hold the key instead
    #[arg(long, value_name = "FILE", env = "STOCKLEDGER_API_KEY_FILE", hide_env_values = true)]
    api_key_file: Option<PathBuf>,
}

/// Not a flag: what stands on a command line can be seen by everybody on the machine.
const API_KEY_VARIABLE: &str = "STOCKLEDGER_API_KEY";

impl Server {
    /// A client of the server, if one is named, with the API key that was given.
    pub(super) fn client(&self, context: &Context) -> Result<Option<Client>, Failure> {
        let client = self.server.as_deref().map(|url| context.client(url)).transpose()?;
        client.map(|client| self.with_key(client)).transpose()
    }

    /// The same client with the API key that was given, if one was.
    pub(super) fn with_key(&self, client: Client) -> Result<Client, Failure> {
        Ok(match self.token()? {
            Some(token) => client.with_token(&token),
            None => client,
        })
    }

    /// The file goes before the environment, as flags do.
    fn token(&self) -> Result<Option<Token>, Failure> {
        let parsed = |place: &str, text: &str| match text.trim().parse() {
            Ok(token) => Ok(Some(token)),
            Err(error @ InvalidToken) => Err(Failure::text(Exit::Usage, format!("{place} holds {error}"))),
        };
        if let Some(path) = &self.api_key_file {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::text(Exit::Usage, format!("reading {place}: {error}")))?;
            return parsed(&place, &text);
        }
        match std::env::var(API_KEY_VARIABLE) {
            Ok(text) => parsed(API_KEY_VARIABLE, &text),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => parsed(API_KEY_VARIABLE, ""),
        }
    }
}

/// Where answers come from; both speak the HTTP interface, so both give the same.
pub(super) enum Source {
    Remote(Client),
    Local(axum::Router),
}

impl Source {
    /// The body of an answer.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        match self {
            Self::Remote(client) => Ok(client.get_json(path).await?),
            Self::Local(router) => {
                let request = Request::get(path)
                    .body(Body::empty())
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                ask(router, request).await
            }
        }
    }

    /// Has a command decided, and gives its answer.
    pub(super) async fn decide(&self, command: &Command<'_>) -> Result<Value, Failure> {
        let failed = |error: axum::http::Error| Failure::new(Exit::Failed, error);
        let Command { method, path, key, body, is_dry_run } = command;
        let path = asked(path, [("dry_run", is_dry_run.then_some("true"))]);
        match self {
            Self::Remote(client) => {
                let of_key = |key: &&IdempotencyKey| HeaderValue::try_from(key.as_str());
                let key = key.as_ref().map(of_key).transpose().map_err(|error| failed(error.into()))?;
                let headers = key.into_iter().map(|key| (IDEMPOTENCY_KEY, key)).collect();
                Ok(client.send_json(method.clone(), &path, headers, body).await?)
            }
            Self::Local(router) => {
                let request = Request::builder().method(method).uri(path);
                let request = match key {
                    Some(key) => request.header(IDEMPOTENCY_KEY, key.as_str()),
                    None => request,
                };
                let request = request.header(CONTENT_TYPE, "application/json");
                ask(router, request.body(Body::from(body.to_string())).map_err(failed)?).await
            }
        }
    }

    /// A list, page after page, up to a limit.
    pub(super) async fn list(&self, path: &str, limit: usize) -> Result<Value, Failure> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut rows: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = (limit - rows.len()).clamp(1, PAGE);
            let mut answer = self.get(&format!("{path}{separator}limit={page}{cursor}")).await?;
            if let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) {
                rows.extend(data);
            }
            match answer.get("next_cursor").and_then(Value::as_str) {
                Some(next) if rows.len() < limit => cursor = format!("&cursor={next}"),
                next => {
                    // What else the last page says holds for all of them.
                    let has_more = next.is_some();
                    if let Some(members) = answer.as_object_mut() {
                        members.remove("next_cursor");
                        members.insert("data".to_owned(), rows.into());
                        members.insert("has_more".to_owned(), has_more.into());
                    }
                    return Ok(answer);
                }
            }
        }
    }
}

/// A command of the HTTP interface.
pub(super) struct Command<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Nothing for what is idempotent by itself.
    pub(super) key: Option<&'a IdempotencyKey>,
    pub(super) body: &'a Value,
    /// Whether it is only asked what would come of it.
    pub(super) is_dry_run: bool,
}

/// Has a command decided by the server or, without one, by a node of this process with these roles, in the local data
/// directory, which then no other process may use. If it projects, the read tables are level with the decision.
pub(super) async fn decide(
    server: &Server,
    context: &Context,
    roles: Roles,
    command: &Command<'_>,
) -> Result<Value, Failure> {
    if let Some(client) = server.client(context)? {
        return Source::Remote(client).decide(command).await;
    }
    let node = Node::start(&context.settings, roles, None).await?;
    let answer = decide_on(&node, command).await;
    node.stop().await;
    answer
}

/// What writes in a node of this process, once it can take commands.
pub(super) async fn leading(node: &Node) -> Result<&Ledger, Failure> {
    let ledger = node.ledger().ok_or_else(|| Failure::text(Exit::Failed, "this node does not write"))?;
    ledger.led().await.map_err(|error| Failure::refused(setup::Code::PartitionHalted, error))?;
    Ok(ledger)
}

async fn decide_on(node: &Node, command: &Command<'_>) -> Result<Value, Failure> {
    leading(node).await?;
    let answer = Source::Local(http::router(node.app_for_itself())).decide(command).await?;
    if command.is_dry_run {
        return Ok(answer);
    }
    let position = answer.get("position").and_then(Value::as_str).and_then(|text| text.parse().ok());
    if let (Some(Position { partition, seq }), Some(progress)) = (position, node.progress()) {
        let deadline = Instant::now() + LEVEL_WITHIN;
        if !progress.until(partition, deadline, |status| status.position.seq >= seq).await {
            output::say("It is decided; the read tables do not show it yet.");
        }
    }
    Ok(answer)
}

/// Asks a service of this process.
async fn ask(router: &axum::Router, request: Request<Body>) -> Result<Value, Failure> {
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| Failure::new(Exit::Failed, error))?;
    let value: Value =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| Failure::new(Exit::Failed, error))?;
    if status.is_success() { Ok(value) } else { Err(refused(status, &value)) }
}

/// Opens the source, asks it, and closes it again.
pub(super) async fn with_source<T>(
    server: &Server,
    context: &Context,
    ask: impl AsyncFnOnce(&Source) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(client) = server.client(context)? {
        return ask(&Source::Remote(client)).await;
    }
    let roles = Roles { writer: false, projector: false, api: true };
    let node = Node::start(&context.settings, roles, None).await?;
    let answer = ask(&Source::Local(http::router(node.app_for_itself()))).await;
    node.stop().await;
    answer
}

fn refused(status: StatusCode, problem: &Value) -> Failure {
    let code = problem.get("code").and_then(Value::as_str).and_then(Code::from_name);
    let otherwise = if status == StatusCode::SERVICE_UNAVAILABLE { Exit::NotReady } else { Exit::Failed };
    let exit = code.map_or(otherwise, |code| refusal::exit_of(code, otherwise));
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("the request was refused");
    let said = code.map_or_else(|| detail.to_owned(), |code| format!("{detail} ({})", code.as_str()));
    Failure::text(exit, refusal::in_words(said, code))
}
