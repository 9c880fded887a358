//! What stands in front of every route that is not open.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::RequestExt;
use axum::extract::{RawPathParams, Request, State};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use stockledger_schemas::SiteId;

use crate::http::App;
use crate::http::access::cookie::Jar;
use crate::http::access::{Access, Caller};
use crate::http::headers::LEDGER_RENEWAL;
use crate::http::patience::Peer;
use crate::http::problem::{Code, Problem};
use crate::keys::{Identified, Key, Keyring, Refused, Token};

/// Whether callers are told apart.
#[derive(Debug, Clone)]
pub enum Gate {
    /// Everybody who reaches the service may do everything: for a service inside of a process, which nobody reaches over a
    /// network.
    Open,
    /// As soon as the ledger has a key, everybody needs one.
    Keyed(Keyring),
}

/// A route's guard and what it works with.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) app: App,
    pub(super) access: Access,
}

/// Lets a request in that may come in.
pub(super) async fn guard(
    State(Door { app, access }): State<Door>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !is_open(access, &request) {
        let caller = known(&app, &request)?;
        let site = match access {
            Access::AtSite(_) => Some(site_of(&mut request).await?),
            Access::Open
            | Access::FromHere(_)
            | Access::AnyKey
            | Access::OwnSites(_)
            | Access::AllSites(_) => None,
        };
        caller.check(access, site.as_ref())?;
        if let Some(credential) = caller.credential() {
            request.extensions_mut().insert(credential);
        }
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// What a proxy says of whom it speaks for.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// Whether nobody is asked who they are.
fn is_open(access: Access, request: &Request) -> bool {
    match access {
        Access::Open => true,
        Access::FromHere(_) => {
            is_from_here(request)
                && names_this_machine(request)
                && !FORWARDED.iter().any(|name| request.headers().contains_key(*name))
        }
        Access::AnyKey | Access::AtSite(_) | Access::OwnSites(_) | Access::AllSites(_) => false,
    }
}

fn is_from_here(request: &Request) -> bool {
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback())
}

/// Whether the caller meant this machine. A page of anybody can have a browser here ask a name of its own that leads to this
/// machine for a moment, and would read what it is answered (DNS rebinding); but it cannot have it ask another name.
fn names_this_machine(request: &Request) -> bool {
    let of_header = || {
        let host = request.headers().get(header::HOST)?.to_str().ok()?;
        host.parse::<Authority>().ok().map(|authority| authority.host().to_owned())
    };
    let has_header = request.headers().contains_key(header::HOST);
    match request.uri().host().map(str::to_owned).or_else(of_header) {
        None => !has_header,
        Some(host) => match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => {
                let host = host.to_ascii_lowercase();
                host == "localhost" || host.ends_with(".localhost")
            }
        },
    }
}

/// Who the request comes from. Wrong credentials are counted, so that nobody can try many.
fn known(app: &App, request: &Request) -> Result<Caller, Problem> {
    let Some(keyring) = keyring(app)? else {
        if is_from_here(request) && !names_this_machine(request) {
            let why = "as long as the ledger has no API key, callers on this machine must call it localhost or by its \
                       loopback address; a proxy sets Host so, or has a key";
            return Err(Problem::new(Code::Forbidden, why));
        }
        return Caller::local();
    };
    let has_header = request.headers().contains_key(header::AUTHORIZATION);
    if !has_header && let Some(ticket) = ticket(request) {
        return in_session(app, keyring, ticket, is_by_itself(request.headers()));
    }
    let found = bearer(request.headers()).and_then(|token| live(app, keyring, &token));
    let found = if has_header { counted(app, request.extensions(), found) } else { found };
    found.map(Caller::with)
}

/// The keys that callers are told apart by; nothing where nobody is.
fn keyring(app: &App) -> Result<Option<&Keyring>, Problem> {
    let keyring = match app.gate() {
        Gate::Open => return Ok(None),
        Gate::Keyed(keyring) => keyring,
    };
    if !keyring.is_read() {
        return Err(Problem::new(Code::KeysUnread, "this node is still reading which API keys there are"));
    }
    Ok(keyring.is_any().then_some(keyring))
}

/// Whose token this is that somebody typed in; nothing on a ledger without keys, where everybody is `local`.
///
/// # Errors
/// `unauthenticated`, or `rate-limited` if too many of that address were.
pub(in crate::http) fn identified(
    app: &App,
    extensions: &Extensions,
    token: &str,
) -> Result<Option<Arc<Key>>, Problem> {
    let Some(keyring) = keyring(app)? else { return Ok(None) };
    let found = parsed(token).and_then(|token| live(app, keyring, &token));
    counted(app, extensions, found).map(Some)
}

/// Counts a credential that was wrong against the address that it came from.
fn counted<T>(app: &App, extensions: &Extensions, found: Result<T, Problem>) -> Result<T, Problem> {
    if let Err(problem) = &found
        && problem.code() == Code::Unauthenticated
        && let Some(Peer(peer)) = extensions.get()
    {
        app.rates().count_failure(peer.ip())?;
    }
    found
}

/// The ticket of a session, where one counts: for pages and their forms, which nobody else's pages can send, and for reads,
/// which pages lead to. It never carries out a command of the JSON.
fn ticket(request: &Request) -> Option<&str> {
    let counts = request.method().is_safe() || request.uri().path().starts_with("/ui/");
    let jar = Jar::of(request.extensions(), request.headers());
    jar.ticket(request.headers()).filter(|_| counts)
}

/// Whether a page asks by itself: to be renewed, or for the stream that tells it when.
fn is_by_itself(headers: &HeaderMap) -> bool {
    let is_stream = headers.get(header::ACCEPT).is_some_and(|media_type| media_type == "text/event-stream");
    is_stream || headers.contains_key(LEDGER_RENEWAL)
}

fn in_session(app: &App, keyring: &Keyring, ticket: &str, by_itself: bool) -> Result<Caller, Problem> {
    let ended = || unauthenticated("the session has ended; sign in again");
    let (sessions, now) = (app.sessions(), Instant::now());
    let found = if by_itself { sessions.look(ticket, now) } else { sessions.enter(ticket, now) };
    let (session, key_id) = found.ok_or_else(ended)?;
    let key = keyring.live(&key_id, app.node().environment.now()).ok_or_else(|| {
        app.sessions().close(ticket);
        ended()
    })?;
    Ok(Caller::with(key).in_session(session))
}

fn live(app: &App, keyring: &Keyring, token: &Token) -> Result<Arc<Key>, Problem> {
    match keyring.identify(token, app.node().environment.now()) {
        Identified::Live(key) => Ok(key),
        Identified::Unknown => Err(unauthenticated("the API key is not known")),
        // Only whoever has the token hears this of its key.
        Identified::Refused(Refused::Expired) => Err(unauthenticated("the API key has expired")),
        Identified::Refused(Refused::Revoked) => Err(unauthenticated("the API key was revoked")),
    }
}

/// The token of the header `Authorization: Bearer` (RFC 6750).
fn bearer(headers: &HeaderMap) -> Result<Token, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let missing = || unauthenticated("send the header Authorization: Bearer with an API key of this ledger");
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(unauthenticated("the header Authorization stands there more than once"));
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    parsed(token)
}

/// What is no token is answered as one that is not known: nothing tells how close it was.
fn parsed(token: &str) -> Result<Token, Problem> {
    token.trim().parse().map_err(|_| unauthenticated("the API key is not known"))
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

/// The site in the path. One that breaks the rules of its type is refused here as every handler does.
async fn site_of(request: &mut Request) -> Result<SiteId, Problem> {
    let invalid = |why: String| {
        Problem::new(Code::ValidationFailed, format!("the path has an id that nothing can have: {why}"))
    };
    let ids: RawPathParams = request
        .extract_parts()
        .await
        .map_err(|_| invalid("it must be UTF-8 once percent-decoded".to_owned()))?;
    let unnamed = || Problem::internal("a route that is guarded by its site has none in its path");
    let (_, site) = ids.iter().find(|(name, _)| *name == "site").ok_or_else(unnamed)?;
    SiteId::new(site).map_err(|error| invalid(error.to_string()))
}
