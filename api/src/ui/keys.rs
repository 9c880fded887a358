//! `/ui/keys`: the API keys of the ledger, a new one, and the end of one. For admins.
//!
//! A token is made with the form of a new key and comes back with it, so that a double click makes one key and shows the same
//! token. It is shown by the answer to the form and never again: nobody keeps it, and the ledger has its hash (ADR 14).

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value, json};
use stockledger_schemas::{IdempotencyKey, KeyId, KeyScope};
use stockledger_writer::Reply;

use crate::http::access::{Caller, Routes};
use crate::http::command::{Input, checked};
use crate::http::keys::{KeyBody, Keys, RevocationBody, keyring, until_known};
use crate::http::list::{List, Pages, Portion};
use crate::http::page::accepts_html;
use crate::http::problem::{Code, Problem};
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::http::ui::feed::{self, Feeds};
use crate::http::ui::fields::Fields;
use crate::http::ui::forms;
use crate::http::ui::frame::{Frame, Section, page, page_with};
use crate::http::ui::query::moment;
use crate::http::ui::sites::Paged;
use crate::http::ui::text::When;
use crate::http::{App, render};
use crate::keys::{Listed, Token};

const KEYS: &str = "/ui/keys";
const NEW: &str = "/ui/keys/new";

pub(super) fn routes() -> Routes {
    let access = KeyBody::ACCESS;
    Routes::new()
        .get(KEYS, access, list)
        .get(NEW, access, ask)
        .post(NEW, access, make)
        .get("/ui/keys/{key_id}/revoke", access, ask_revoke)
        .post("/ui/keys/{key_id}/revoke", access, revoke)
}

/// Whether somebody may look after keys.
pub(super) fn is_for(caller: &Caller) -> bool {
    caller.check(KeyBody::ACCESS, None).is_ok()
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<KeyRow>,
    feeds: Feeds,
}

struct KeyRow {
    key_id: String,
    name: String,
    status: &'static str,
    class: &'static str,
    scopes: String,
    sites: String,
    created_at: When,
    created_by: String,
    expires_at: Option<When>,
    /// Where it is revoked, as long as it opens anything.
    revoke: Option<String>,
}

async fn list(
    State(app): State<App>,
    Parameters(Paged { limit, cursor, format }): Parameters<Paged>,
) -> Result<Response, Problem> {
    keyring(&app)?;
    let list = List::new("page of keys", &[]);
    let after = list.begin::<KeyId>(cursor.as_deref())?;
    let Portion { data: keys, next, .. } = Keys(app).page(after, limit.get()).await?;
    if let Some(format) = format {
        return feed::rows(format, &keys);
    }
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let parameters = [("limit", limit.as_str()), ("cursor", cursor.as_str())];
    let next = list.cursor(next.as_ref());
    page(&KeysPage {
        frame: frame("API keys", false),
        feeds: Feeds::new((keys.len(), "keys"), KEYS, &parameters, next.as_deref()),
        rows: keys.iter().map(row).collect(),
    })
}

fn frame(title: impl Into<String>, is_below: bool) -> Frame {
    let frame = Frame::new(title, Section::Account).below("/ui/account".to_owned(), "Account");
    if is_below { frame.below(KEYS.to_owned(), "API keys") } else { frame }
}

fn row(Listed { status, key }: &Listed) -> KeyRow {
    let is_live = *status == "live";
    let sites = key.sites.as_ref().map(|sites| sites.iter().map(ToString::to_string).collect::<Vec<_>>());
    KeyRow {
        key_id: key.key_id.to_string(),
        name: key.name.to_string(),
        status,
        class: if is_live { "well" } else { "over" },
        scopes: key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
        sites: sites.map_or_else(|| "all".to_owned(), |sites| sites.join(", ")),
        created_at: When(key.created_at),
        created_by: key.created_by.to_string(),
        expires_at: key.expires_at.map(When),
        revoke: is_live.then(|| revoke_path(&key.key_id)),
    }
}

fn revoke_path(key_id: &KeyId) -> String {
    format!("{KEYS}/{}/revoke", crate::text::segment(key_id.as_str()))
}

#[derive(Template)]
#[template(path = "key.html")]
struct NewKey {
    frame: Frame,
    /// What is sent again as it is: the key of the form, and the token that it is about.
    key: String,
    token: String,
    name: String,
    scopes: Vec<Choice>,
    sites: String,
    expires_at: String,
    /// Why it was not made, in lines.
    refused: Vec<String>,
    /// Whether it was.
    is_made: bool,
}

struct Choice {
    name: &'static str,
    is_chosen: bool,
}

impl NewKey {
    fn of(fields: &Fields) -> Self {
        let choice = |scope: &KeyScope| {
            let name = scope.as_str();
            Choice { name, is_chosen: fields.has(&scope_field(*scope)) }
        };
        let text = |name: &str| fields.get(name).to_owned();
        Self {
            frame: frame("Make an API key", true),
            key: text("key"),
            token: text("token"),
            name: text("name"),
            scopes: KeyScope::ALL.iter().map(choice).collect(),
            sites: text("sites"),
            expires_at: text("expires_at"),
            refused: Vec::new(),
            is_made: false,
        }
    }
}

fn scope_field(scope: KeyScope) -> String {
    format!("scope-{}", scope.as_str())
}

async fn ask(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    keyring(&app)?;
    let mut fields = Fields::default();
    begin_anew(&mut fields)?;
    page(&NewKey::of(&fields))
}

/// Gives a form a key and a token that were never sent.
fn begin_anew(fields: &mut Fields) -> Result<(), Problem> {
    let token = Token::generate().map_err(Problem::internal)?;
    fields.set("key", forms::fresh_key());
    fields.set("token", token.reveal());
    Ok(())
}

async fn make(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    caller: Caller,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let made = async {
        let no_token = |_| Problem::new(Code::MalformedRequest, "the form has no token: open it anew");
        let token: Token = fields.get("token").parse().map_err(no_token)?;
        let body = body(&token, &fields);
        decide::<KeyBody>(&app, (), &body, &caller, &fields).await
    };
    match made.await {
        Ok(_) => page(&NewKey { is_made: true, ..NewKey::of(&fields) }),
        Err(problem) if problem.code() == Code::Internal || !accepts_html(&headers) => Err(problem),
        Err(problem) => {
            let document = problem.document("", "");
            let refused = std::iter::once(document.detail().to_owned()).chain(document.more()).collect();
            if forms::is_spent(&problem) {
                begin_anew(&mut fields)?;
            }
            page_with(problem.code().status(), &NewKey { refused, ..NewKey::of(&fields) })
        }
    }
}

/// The body of the command, of what was filled in.
fn body(token: &Token, fields: &Fields) -> Value {
    let scopes = KeyScope::ALL.iter().filter(|scope| fields.has(&scope_field(**scope)));
    let mut body = Map::new();
    body.insert("key_id".to_owned(), json!(token.key_id()));
    body.insert("name".to_owned(), json!(fields.get("name")));
    body.insert("secret_hash".to_owned(), json!(token.hash()));
    body.insert("scopes".to_owned(), scopes.map(|scope| scope.as_str()).collect());
    // Whatever is filled in is a choice: commas alone are a wrong one, not all sites.
    let sites = fields.get("sites").trim();
    if !sites.is_empty() {
        let sites: Vec<&str> =
            sites.split([',', ' ']).map(str::trim).filter(|site| !site.is_empty()).collect();
        body.insert("sites".to_owned(), json!(sites));
    }
    let expires_at = fields.get("expires_at");
    if !expires_at.is_empty() {
        body.insert("expires_at".to_owned(), json!(moment(expires_at)));
    }
    Value::Object(body)
}

/// Has the command decided as its JSON route does, and waits until this node obeys it.
async fn decide<I: Input>(
    app: &App,
    target: I::Target,
    body: &Value,
    caller: &Caller,
    fields: &Fields,
) -> Result<Reply, Problem> {
    let no_key = |_| Problem::new(Code::IdempotencyKeyMissing, "the form has no key: open it anew");
    let key = IdempotencyKey::new(fields.get("key")).map_err(no_key)?;
    let body = serde_json::to_vec(body).map_err(Problem::internal)?;
    let command = checked::<I>(target, &body, caller.actor())?;
    let reply = app.ledger()?.submit(command, Some(key)).await?;
    render::resource(&reply)?;
    until_known(app, &reply).await;
    Ok(reply)
}

#[derive(Template)]
#[template(path = "revoke.html")]
struct Revoke {
    frame: Frame,
    key_id: String,
    action: String,
    key: String,
    is_own: bool,
    refused: String,
}

impl Revoke {
    fn of(key_id: &KeyId, caller: &Caller, key: String) -> Self {
        Self {
            frame: frame("Revoke an API key", true),
            key_id: key_id.to_string(),
            action: revoke_path(key_id),
            key,
            is_own: caller.key().is_some_and(|own| own.key_id == *key_id),
            refused: String::new(),
        }
    }
}

async fn ask_revoke(
    State(app): State<App>,
    Segments(key_id): Segments<KeyId>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    caller: Caller,
) -> Result<Response, Problem> {
    keyring(&app)?;
    page(&Revoke::of(&key_id, &caller, forms::fresh_key()))
}

async fn revoke(
    State(app): State<App>,
    Segments(key_id): Segments<KeyId>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    caller: Caller,
    fields: Fields,
) -> Result<Response, Problem> {
    match decide::<RevocationBody>(&app, key_id.clone(), &json!({}), &caller, &fields).await {
        Ok(_) => Ok(Redirect::to(KEYS).into_response()),
        Err(problem) if problem.code() == Code::Internal || !accepts_html(&headers) => Err(problem),
        Err(problem) => {
            let refused = problem.document("", "").detail().to_owned();
            let key =
                if forms::is_spent(&problem) { forms::fresh_key() } else { fields.get("key").to_owned() };
            let again = Revoke::of(&key_id, &caller, key);
            page_with(problem.code().status(), &Revoke { refused, ..again })
        }
    }
}
