//! Who a request comes from, and what they may do.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use stockledger_schemas::{Actor, KeyScope, SiteId};

use crate::http::access::sessions::SessionId;
use crate::http::access::{Access, Gate};
use crate::http::problem::{Code, Problem};
use crate::http::{App, Credential, LOCAL_ACTOR};
use crate::keys::Key;

/// Who a request comes from. The guard of its route puts it into the request.
#[derive(Debug, Clone)]
pub(in crate::http) struct Caller {
    actor: Actor,
    /// Nothing where nobody needs one.
    key: Option<Arc<Key>>,
    /// Nothing where the key itself came with the request.
    session: Option<SessionId>,
}

impl Caller {
    /// Whoever can reach a ledger that has no keys; they may do everything.
    pub(in crate::http) fn local() -> Result<Self, Problem> {
        Ok(Self { actor: Actor::new(LOCAL_ACTOR).map_err(Problem::internal)?, key: None, session: None })
    }

    pub(super) fn with(key: Arc<Key>) -> Self {
        Self { actor: key.name.clone(), key: Some(key), session: None }
    }

    pub(super) fn in_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// Whether they signed in with a browser.
    pub(in crate::http) const fn is_in_session(&self) -> bool {
        self.session.is_some()
    }

    /// The key that they have; nothing where nobody needs one.
    pub(in crate::http) fn key(&self) -> Option<&Key> {
        self.key.as_deref()
    }

    /// Who does what the request asks for, in every event.
    pub(in crate::http) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// By what their requests are counted; nothing where nobody is told apart.
    pub(in crate::http) fn credential(&self) -> Option<Credential> {
        self.key.as_ref().map(|key| Credential(key.key_id.as_str().into()))
    }

    /// The sites that they see; all, if absent.
    pub(in crate::http) fn sites(&self) -> Option<&[SiteId]> {
        self.key.as_ref()?.sites.as_deref()
    }

    /// Whether they would still be let in, for an answer that takes long: keys are revoked and expire, and a ledger that
    /// had none gets its first; sessions end.
    pub(in crate::http) fn is_still_let_in(&self, app: &App) -> bool {
        if self.session.is_some_and(|session| !app.sessions().is_open(session, Instant::now())) {
            return false;
        }
        match (app.gate(), &self.key) {
            (Gate::Open, _) => true,
            (Gate::Keyed(keyring), None) => !keyring.is_any(),
            (Gate::Keyed(keyring), Some(key)) => keyring.is_live(&key.key_id, app.node().environment.now()),
        }
    }

    /// The same as an answer to whoever asks for more.
    ///
    /// # Errors
    /// `unauthenticated` if they would not be let in any more.
    pub(in crate::http) fn check_still_let_in(&self, app: &App) -> Result<(), Problem> {
        let gone = || Problem::new(Code::Unauthenticated, "the API key was revoked or has expired meanwhile");
        if self.is_still_let_in(app) { Ok(()) } else { Err(gone()) }
    }

    /// Whether they may do what needs this, at this site if it is about one.
    ///
    /// # Errors
    /// `unknown-site` for a site that the key is not for, whatever else it lacks; `forbidden`.
    pub(in crate::http) fn check(&self, access: Access, site: Option<&SiteId>) -> Result<(), Problem> {
        let Some(key) = &self.key else { return Ok(()) };
        let sites = key.sites.as_deref();
        if let (Access::AtSite(_), Some(sites), Some(site)) = (access, sites, site)
            && !sites.contains(site)
        {
            return Err(Problem::unknown_site(site));
        }
        if let Some(scope) = access.scope().filter(|scope| !key.scopes.contains(scope)) {
            return Err(lacks_scope(scope));
        }
        match (access, sites) {
            (Access::AllSites(_) | Access::FromHere(_), Some(_)) => Err(Problem::new(
                Code::Forbidden,
                "this is about the ledger as a whole, and the API key is for some of its sites",
            )),
            _ => Ok(()),
        }
    }
}

fn lacks_scope(scope: KeyScope) -> Problem {
    Problem::new(Code::Forbidden, format!("the API key does not have the scope {scope}, which this needs"))
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let unguarded = || Problem::internal("a route that asks for its caller is not guarded");
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}
