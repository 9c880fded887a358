//! What all commands have in common: how ids and a body become a checked command, and a decision an answer.
//!
//! The same functions serve the routes, one command each, and bulk, one command a line.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use hyper::body::Body as _;
use serde::Deserialize;
use stockledger_domain::{Checked, Command};
use stockledger_schemas::{Actor, HoldId, KeyId, OrderId, Scope, SiteId, Sku};
use stockledger_writer::Reply;
use tokio::time::timeout;

use crate::http::access::{Access, Caller};
use crate::http::body::{Body, parse};
use crate::http::conditional::based_on;
use crate::http::dry_run::{CommandParameters, Purpose};
use crate::http::headers::{idempotency_key, set_decided};
use crate::http::patience::Patience;
use crate::http::problem::{Code, Problem};
use crate::http::room::Share;
use crate::http::segments::{Parameters, Segments};
use crate::http::{App, render};

/// Longest body of a command.
pub const BODY_BYTES_MAX: usize = 2 << 20;

/// The body of one command, and what it means together with the ids of its path.
pub(super) trait Input: Body {
    /// The ids in the path, in its order.
    type Target: Target;

    /// What the command needs, by its route and in bulk.
    const ACCESS: Access;

    /// Whether the command needs an idempotency key. Those that state how something is to be do not.
    const IS_KEYED: bool = true;

    /// Whether an absent body means the same as one without members.
    const BODY_IS_OPTIONAL: bool = false;

    /// The command, and what it is about.
    fn into_command(self, target: Self::Target) -> (Scope, Command);
}

/// Ids of a path, which in a line of bulk stand beside the body.
pub(super) trait Target: serde::de::DeserializeOwned + Send {
    /// Takes what it needs out of the ids of a line.
    ///
    /// # Errors
    /// The member that is missing.
    fn take(ids: &mut Ids) -> Result<Self, &'static str>;
}

/// The ids that a line of bulk gives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ids {
    pub(super) site: Option<SiteId>,
    pub(super) sku: Option<Sku>,
    pub(super) order_id: Option<OrderId>,
    pub(super) hold_id: Option<HoldId>,
}

impl Ids {
    /// Takes the member of this name from a text.
    ///
    /// # Errors
    /// Why nothing can have that id.
    pub(super) fn fill(&mut self, member: &str, text: &str) -> Result<(), String> {
        fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<Option<T>, String> {
            text.parse().map(Some).map_err(|error: T::Err| error.to_string())
        }
        match member {
            "site" => self.site = parsed(text)?,
            "sku" => self.sku = parsed(text)?,
            "order_id" => self.order_id = parsed(text)?,
            "hold_id" => self.hold_id = parsed(text)?,
            other => return Err(format!("there is no id {other}")),
        }
        Ok(())
    }

    /// A member that is still there.
    pub(super) fn first_left(&self) -> Option<&'static str> {
        let left = [
            ("site", self.site.is_some()),
            ("sku", self.sku.is_some()),
            ("order_id", self.order_id.is_some()),
            ("hold_id", self.hold_id.is_some()),
        ];
        left.into_iter().find(|(_, is_left)| *is_left).map(|(member, _)| member)
    }
}

macro_rules! target {
    ($($type:ty => $member:ident)+) => {
        $(impl Target for $type {
            fn take(ids: &mut Ids) -> Result<Self, &'static str> {
                ids.$member.take().ok_or(stringify!($member))
            }
        })+
    };
}

impl Target for () {
    fn take(_: &mut Ids) -> Result<Self, &'static str> {
        Ok(())
    }
}

/// Keys are not made or revoked in bulk, so no line has their id.
impl Target for KeyId {
    fn take(_: &mut Ids) -> Result<Self, &'static str> {
        Err("key_id")
    }
}

target! { SiteId => site Sku => sku OrderId => order_id HoldId => hold_id }

impl<A: Target, B: Target> Target for (A, B) {
    fn take(ids: &mut Ids) -> Result<Self, &'static str> {
        Ok((A::take(ids)?, B::take(ids)?))
    }
}

/// The handler of every command.
pub(super) async fn command<I: Input>(
    State(app): State<App>,
    Segments(target): Segments<I::Target>,
    Parameters(parameters): Parameters<CommandParameters>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let purpose = parameters.purpose();
    respond(&submit::<I>(&app, target, &caller, request, purpose).await?, purpose)
}

/// Has a command decided.
pub(super) async fn submit<I: Input>(
    app: &App,
    target: I::Target,
    caller: &Caller,
    request: Request,
    purpose: Purpose,
) -> Result<Reply, Problem> {
    let ledger = app.ledger()?;
    let (parts, body) = request.into_parts();
    let key = if I::IS_KEYED { Some(idempotency_key(&parts.headers)?) } else { None };
    let body = read_body(app, &parts, body, &["application/json"]).await?;
    let command = checked::<I>(target, &body.bytes, caller.actor())?;
    let command = based_on(command, &parts.headers)?;
    drop(body);
    let outcome = match purpose {
        Purpose::Decide => ledger.submit(command, key).await,
        Purpose::DryRun => ledger.dry_run(command, key).await,
    };
    Ok(outcome?)
}

/// The command that ids and a body make.
pub(super) fn checked<I: Input>(target: I::Target, body: &[u8], actor: &Actor) -> Result<Checked, Problem> {
    let body = match body {
        [] if I::BODY_IS_OPTIONAL => b"{}",
        [] => return Err(Problem::new(Code::MalformedRequest, "the body is missing; send a JSON object")),
        body => body,
    };
    let mut input: I = parse(body)?;
    let context = input.take_context(actor.clone());
    let (scope, command) = input.into_command(target);
    Checked::new(scope, command, context).map_err(Problem::invalid)
}

/// The body of a request, and the room that it takes as long as it is kept.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) bytes: Bytes,
    /// Never looked at, given back with the rest.
    _room: Option<Share>,
}

/// The whole body of a request, of one of these media types by its header; empty if there is none.
pub(super) async fn read_body(
    app: &App,
    parts: &Parts,
    body: HttpBody,
    media_types: &[&str],
) -> Result<Kept, Problem> {
    if body.is_end_stream() {
        return Ok(Kept::default());
    }
    require_media_type(&parts.headers, media_types)?;
    whole_body(app, parts, body).await
}

/// The whole body of a request, of whatever kind.
pub(super) async fn whole_body(app: &App, parts: &Parts, body: HttpBody) -> Result<Kept, Problem> {
    let is_too_large = |size: u64| usize::try_from(size).map_or(true, |size| size > BODY_BYTES_MAX);
    if is_too_large(body.size_hint().lower()) {
        return Err(body_too_large());
    }
    let within = Patience::of(&parts.extensions).body;
    let late = |_| {
        let detail = format!("the body did not come within {} s", within.as_secs());
        Problem::new(Code::RequestTimeout, detail)
    };
    timeout(within, collect(app, body)).await.map_err(late)?
}

/// Room is taken for what has come, not for what is announced: who sends nothing takes nothing.
async fn collect(app: &App, body: HttpBody) -> Result<Kept, Problem> {
    let mut body = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut room: Option<Share> = None;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Problem::new(Code::MalformedRequest, "the body ended too early"))?;
        if bytes.len() + piece.len() > BODY_BYTES_MAX {
            return Err(body_too_large());
        }
        let more = app.room().keep(piece.len())?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Kept { bytes: bytes.freeze(), _room: room })
}

fn body_too_large() -> Problem {
    Problem::new(Code::BodyTooLarge, format!("a body has at most {BODY_BYTES_MAX} bytes; split the command"))
}

/// Refuses a body of another kind; parameters of the media type, such as the charset, are ignored.
pub(super) fn require_media_type(headers: &HeaderMap, media_types: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if media_types.iter().any(|media_type| essence.eq_ignore_ascii_case(media_type)) {
        return Ok(());
    }
    let wanted = media_types.first().copied().unwrap_or_default();
    let detail = format!("send the header Content-Type: {wanted}, not \"{given}\"");
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// The answer that a decision stands for.
pub(super) fn respond(reply: &Reply, purpose: Purpose) -> Result<Response, Problem> {
    let resource = render::resource(reply).map_err(|problem| problem.in_answer_to(purpose))?;
    let body = serde_json::to_vec(&resource).map_err(Problem::internal)?;
    let mut response = Response::new(HttpBody::from(body));
    *response.status_mut() = status_of(reply);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_decided(headers, purpose.stands_at(reply.position, reply.replayed), reply.replayed);
    purpose.mark(headers);
    Ok(response)
}

/// 201 for what is new, 200 for what was there before.
pub(super) fn status_of(reply: &Reply) -> StatusCode {
    if reply.replayed || render::is_change_of_description(&reply.decision) {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    }
}
