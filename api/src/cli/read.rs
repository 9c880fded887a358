//! Looking at stock and orders (having things done: `act.rs`). The answers are those of the HTTP interface, from a server or, without one, from the
//! read tables of the local data directory.

use std::env::VarError;
use std::path::PathBuf;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use stockledger_schemas::IdempotencyKey;
use tower::ServiceExt;

use super::output::{self, Format, cell};
use super::past::Past;
use super::{Context, Exit, Failure, act, refusal};
use crate::client::Client;
use crate::config::Roles;
use crate::http::headers::IDEMPOTENCY_KEY;
use crate::http::{self, Code};
use crate::keys::{InvalidToken, Token};
use crate::node::Node;
use crate::text::segment;

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

/// Stock levels and movements.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Stock {
    /// What changes it.
    #[command(flatten)]
    Act(act::Stock),
    /// Show the level of one SKU at a site
    #[command(after_help = "Examples:
  stockledger stock show uk 85123A
  stockledger stock show uk 85123A --as-of 2010-12-01T00:00:00Z --axis occurred")]
    Show {
        /// The site
        site: String,
        /// The SKU
        sku: String,
        #[command(flatten)]
        past: Past,
        #[command(flatten)]
        server: Server,
    },
    /// List the levels of a site
    #[command(after_help = "Example: stockledger stock list uk --limit 20")]
    List {
        /// The site
        site: String,
        #[command(flatten)]
        past: Past,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// List what moved of one SKU at a site, newest first
    #[command(after_help = "Example: stockledger stock movements uk 85123A")]
    Movements {
        /// The site
        site: String,
        /// The SKU
        sku: String,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
}

/// Orders and their trails.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Order {
    /// What changes them.
    #[command(flatten)]
    Act(act::Order),
    /// Show an order
    #[command(after_help = "Examples:
  stockledger order show uk 489434
  stockledger order show uk 489434 --as-of 0.170")]
    Show {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        past: Past,
        #[command(flatten)]
        server: Server,
    },
    /// Show every step of an order: what, when, who and why
    #[command(after_help = "Example: stockledger order trail uk 489434")]
    Trail {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        server: Server,
    },
    /// List the orders of a site, newest first
    #[command(after_help = "Example: stockledger order list uk --limit 20")]
    List {
        /// The site
        site: String,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) async fn stock(command: Stock, context: &Context) -> Result<(), Failure> {
    match command {
        Stock::Act(command) => act::stock(command, context).await,
        Stock::Show { site, sku, past, server } => {
            let path = past.path(&format!("/v1/sites/{}/stock/{}", segment(&site), segment(&sku)));
            let level = with_source(&server, context, async |source| source.get(&path).await).await?;
            print_one(
                context,
                &level,
                &["site", "sku", "on_hand", "reserved", "held", "incoming", "available", "position", "as_of"],
            )
        }
        Stock::List { site, past, limit, server } => {
            let path = past.path(&format!("/v1/sites/{}/stock", segment(&site)));
            let list = with_source(&server, context, async |source| source.list(&path, limit).await).await?;
            print_list(context, &list, &["sku", "on_hand", "reserved", "held", "incoming", "available"])
        }
        Stock::Movements { site, sku, limit, server } => {
            let path = format!("/v1/sites/{}/stock/{}/movements", segment(&site), segment(&sku));
            let list = with_source(&server, context, async |source| source.list(&path, limit).await).await?;
            print_list(
                context,
                &list,
                &[
                    "position",
                    "occurred_at",
                    "type",
                    "reason",
                    "delta.on_hand",
                    "delta.reserved",
                    "delta.held",
                    "after.on_hand",
                    "after.reserved",
                    "after.held",
                    "order_id",
                    "actor",
                ],
            )
        }
    }
}

pub(super) async fn order(command: Order, context: &Context) -> Result<(), Failure> {
    match command {
        Order::Act(command) => act::order(command, context).await,
        Order::Show { site, order_id, past, server } => {
            let path = past.path(&format!("/v1/sites/{}/orders/{}", segment(&site), segment(&order_id)));
            let order = with_source(&server, context, async |source| source.get(&path).await).await?;
            print_order(context, &order)
        }
        Order::Trail { site, order_id, server } => {
            let path = format!("/v1/sites/{}/orders/{}/trail", segment(&site), segment(&order_id));
            let trail =
                with_source(&server, context, async |source| source.list(&path, usize::MAX).await).await?;
            print_trail(context, &trail)
        }
        Order::List { site, limit, server } => {
            let path = format!("/v1/sites/{}/orders", segment(&site));
            let list = with_source(&server, context, async |source| source.list(&path, limit).await).await?;
            print_list(
                context,
                &list,
                &["order_id", "status", "customer", "currency", "placed_at", "occurred_at", "position"],
            )
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
            Self::Remote(client) => client.get_json(path).await.map_err(super::health::client_failure),
            Self::Local(router) => {
                let request = Request::get(path)
                    .body(Body::empty())
                    .map_err(|error| Failure::new(Exit::Usage, error))?;
                ask(router, request).await
            }
        }
    }

    /// Has a command done, and gives its answer.
    pub(super) async fn post(
        &self,
        path: &str,
        key: &IdempotencyKey,
        body: &Value,
    ) -> Result<Value, Failure> {
        let failed = |error: axum::http::Error| Failure::new(Exit::Failed, error);
        match self {
            Self::Remote(client) => {
                let key = HeaderValue::try_from(key.as_str()).map_err(|error| failed(error.into()))?;
                let posted = client.post_json(path, vec![(IDEMPOTENCY_KEY, key)], body).await;
                posted.map_err(super::health::client_failure)
            }
            Self::Local(router) => {
                let request = Request::post(path)
                    .header(IDEMPOTENCY_KEY, key.as_str())
                    .header(CONTENT_TYPE, "application/json")
                    .body(Body::from(body.to_string()))
                    .map_err(failed)?;
                ask(router, request).await
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

/// Tells people, whose tables have no place for it, that what they see does not go on.
pub(super) fn warn_if_stale(value: &Value) {
    if let Some(reason) = value.get("stale_reason").and_then(Value::as_str) {
        output::say(format!("This is stale, because the tables have stopped: {reason}"));
    }
}

pub(super) fn print_one(context: &Context, value: &Value, columns: &[&str]) -> Result<(), Failure> {
    if context.format == Format::Table {
        warn_if_stale(value);
    }
    match context.format {
        Format::Json => Ok(output::json(value)?),
        Format::Table => Ok(output::table(columns, &[row(value, columns)])?),
    }
}

fn print_list(context: &Context, list: &Value, columns: &[&str]) -> Result<(), Failure> {
    if context.format == Format::Json {
        return Ok(output::json(list)?);
    }
    warn_if_stale(list);
    let rows: Vec<Vec<String>> = data(list).iter().map(|value| row(value, columns)).collect();
    output::table(columns, &rows)?;
    if list.get("has_more") == Some(&Value::Bool(true)) {
        output::say(format!("There is more than these {}; see more with --limit.", rows.len()));
    }
    Ok(())
}

pub(super) fn print_order(context: &Context, order: &Value) -> Result<(), Failure> {
    if context.format == Format::Json {
        return Ok(output::json(order)?);
    }
    print_one(
        context,
        order,
        &["order_id", "status", "customer", "currency", "placed_at", "occurred_at", "position"],
    )?;
    let columns = ["sku", "ordered", "shipped", "cancelled", "returned", "unit_price_minor"];
    let lines = order.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(output::table(&columns, &lines.iter().map(|line| row(line, &columns)).collect::<Vec<_>>())?)
}

/// The steps, oldest first, each with what it did to stock or what was short.
pub(super) fn print_trail(context: &Context, trail: &Value) -> Result<(), Failure> {
    if context.format == Format::Json {
        return Ok(output::json(trail)?);
    }
    warn_if_stale(trail);
    for step in data(trail) {
        output::line(step_in_words(step))?;
        let lines = step.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let was_refused = lines.iter().any(|line| line.get("requested").is_some());
        if was_refused {
            output::table(&REFUSED_COLUMNS, &lines.iter().map(refused_row).collect::<Vec<_>>())?;
        } else if !lines.is_empty() {
            output::table(
                &MOVED_COLUMNS,
                &lines.iter().map(|line| row(line, &MOVED_COLUMNS)).collect::<Vec<_>>(),
            )?;
        }
    }
    Ok(())
}

const REFUSED_COLUMNS: [&str; 4] = ["sku", "requested", "available", "short"];
const MOVED_COLUMNS: [&str; 8] = [
    "sku",
    "quantity",
    "delta.on_hand",
    "delta.reserved",
    "delta.held",
    "after.on_hand",
    "after.reserved",
    "after.held",
];

/// A line of a refused order, and how much of it was missing; nothing of a line that was not short.
fn refused_row(line: &Value) -> Vec<String> {
    let number = |name: &str| line.get(name).and_then(Value::as_i64).unwrap_or_default();
    let short = number("requested").saturating_sub(number("available"));
    let short = if short > 0 { short.to_string() } else { String::new() };
    let members = row(line, &REFUSED_COLUMNS[..REFUSED_COLUMNS.len() - 1]);
    members.into_iter().chain([short]).collect()
}

/// What, where, when, who and why, in one line.
fn step_in_words(step: &Value) -> String {
    let member = |name: &str| cell(step.get(name));
    let mut words = format!(
        "{} at {}, recorded {}, occurred {}, by {}",
        member("type"),
        member("position"),
        member("recorded_at"),
        member("occurred_at"),
        member("actor"),
    );
    let of_reference = |name| cell(step.get("reference").and_then(|reference| reference.get(name)));
    let more = [
        ("reason", member("reason")),
        ("for", format!("{} {}", of_reference("type"), of_reference("id")).trim().to_owned()),
        ("key", member("idempotency_key")),
        ("part of", member("correlation_id")),
        ("following from", member("causation")),
        ("note", member("note")),
        ("refused", member("refused")),
    ];
    for (what, text) in more {
        if !text.is_empty() {
            words.push_str(&format!(", {what} {text}"));
        }
    }
    words
}

fn data(list: &Value) -> &[Value] {
    list.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The members of an object as cells; `a.b` names a member of a member.
pub(super) fn row(value: &Value, columns: &[&str]) -> Vec<String> {
    let member = |column: &&str| cell(column.split('.').try_fold(value, |value, name| value.get(name)));
    columns.iter().map(member).collect()
}
