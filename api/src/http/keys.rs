//! `/v1/keys`: API keys. The token is made by whoever asks for the key, and only its hash comes here (ADR 14).

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use stockledger_domain::Command;
use stockledger_domain::command::{CreateKey, RevokeKey};
use stockledger_schemas::{Actor, Hash, KeyId, KeyScope, PartitionId, Reason, Scope, SiteId, Timestamp};
use stockledger_writer::Reply;

use crate::http::App;
use crate::http::access::{Access, Caller, Gate, Routes};
use crate::http::body::body;
use crate::http::command::{Input, respond, submit};
use crate::http::dry_run::{CommandParameters, Purpose};
use crate::http::list::{List, ListParameters, Pages, Portion, Wanted};
use crate::http::problem::{Code, Problem};
use crate::http::segments::{Parameters, Segments};
use crate::keys::{Keyring, Listed};

/// How long an answer waits for this node to know of the key itself. The decision stands in any case.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

const ACCESS: Access = Access::AllSites(KeyScope::Admin);

pub(super) fn routes() -> Routes {
    Routes::new().get("/v1/keys", ACCESS, list).post("/v1/keys", ACCESS, change::<KeyBody>).post(
        "/v1/keys/{key_id}/revocation",
        ACCESS,
        change::<RevocationBody>,
    )
}

body! {
    /// The body that makes a key.
    pub(super) struct KeyBody[Reason] {
        key_id: KeyId,
        name: Actor,
        secret_hash: Hash,
        scopes: Vec<KeyScope>,
        sites: Option<Vec<SiteId>>,
        expires_at: Option<Timestamp>,
    }
}

impl Input for KeyBody {
    type Target = ();

    const ACCESS: Access = ACCESS;

    fn into_command(self, (): ()) -> (Scope, Command) {
        let Self { key_id, name, secret_hash, scopes, sites, expires_at, .. } = self;
        let key = CreateKey { key_id, name, secret_hash, scopes, sites, expires_at };
        (Scope::Directory, Command::CreateKey(key))
    }
}

body! {
    /// The body that revokes a key.
    pub(super) struct RevocationBody[Reason] {}
}

impl Input for RevocationBody {
    type Target = KeyId;

    const ACCESS: Access = ACCESS;
    const BODY_IS_OPTIONAL: bool = true;

    fn into_command(self, key_id: KeyId) -> (Scope, Command) {
        (Scope::Directory, Command::RevokeKey(RevokeKey { key_id }))
    }
}

/// A command about a key; answered when this node obeys it, so that whoever has the answer can rely on it here.
async fn change<I: Input>(
    State(app): State<App>,
    Segments(target): Segments<I::Target>,
    Parameters(parameters): Parameters<CommandParameters>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let purpose = parameters.purpose();
    let reply = submit::<I>(&app, target, &caller, request, purpose).await?;
    if purpose == Purpose::Decide {
        until_known(&app, &reply).await;
    }
    respond(&reply, purpose)
}

/// Waits until this node obeys what was decided about a key.
pub(super) async fn until_known(app: &App, reply: &Reply) {
    if let Gate::Keyed(keyring) = app.gate()
        && reply.position.partition == PartitionId::DIRECTORY
        && !keyring.reached(reply.position.seq, KNOWN_WITHIN).await
    {
        tracing::warn!(position = %reply.position, "a change of API keys is in the log and not yet read back");
    }
}

/// From what this node knows itself, so it is answered without read tables too.
async fn list(
    State(app): State<App>,
    Parameters(asked): Parameters<ListParameters>,
    wanted: Wanted,
) -> Result<Response, Problem> {
    keyring(&app)?;
    List::new("keys", &[]).answer(wanted, asked, Keys(app)).await
}

/// All keys, as a list.
pub(super) struct Keys(pub(super) App);

impl Pages for Keys {
    type Row = Listed;
    type Key = KeyId;

    async fn page(&self, after: Option<KeyId>, limit: u32) -> Result<Portion<Listed, KeyId>, Problem> {
        let limit = limit as usize;
        let mut keys = keyring(&self.0)?.list(after.as_ref(), limit + 1);
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| has_more).map(|key| key.key_id.clone());
        let now = self.0.node().environment.now();
        let data = keys.iter().map(|key| Listed::new(key, now)).collect();
        Ok(Portion { at: None, past: None, data, next })
    }
}

pub(super) fn keyring(app: &App) -> Result<&Keyring, Problem> {
    match app.gate() {
        Gate::Keyed(keyring) => Ok(keyring),
        Gate::Open => Err(Problem::new(Code::NotFound, "this service does not look at API keys")),
    }
}
