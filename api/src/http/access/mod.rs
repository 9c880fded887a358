//! Who may come in, and where: each route says what it needs where it is declared, and is guarded by that.
//!
//! A route cannot be added without saying so (`Routes`), and the list of all routes with what they need
//! ([`routes`](crate::http::routes)) is what the tests go through. A site that a key is not for is answered as one that does
//! not exist, before anything else is looked at, so that an answer never tells whether it does.

mod caller;
pub(super) mod cookie;
mod guard;
mod origin;
pub(super) mod sessions;

use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;
use stockledger_schemas::KeyScope;

pub(super) use self::caller::Caller;
pub use self::guard::Gate;
pub(super) use self::guard::identified;
pub use self::sessions::{SESSION_IDLE_MAX, SESSION_LASTS, SESSIONS_MAX, SESSIONS_PER_KEY_MAX};

use crate::http::App;
use crate::http::command::{Input, command};
use crate::http::{rate, ui};

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it tells nothing of the ledger.
    Open,
    /// Nothing, if the request comes from this machine and is nobody else's; from elsewhere a key with this scope, for all
    /// sites.
    FromHere(KeyScope),
    /// A key, whatever it allows. The handler looks at what it does allow.
    AnyKey,
    /// A key with this scope, for the site in the path.
    AtSite(KeyScope),
    /// A key with this scope, for whatever sites: it tells of no site, or of those of the key alone, for which the handler
    /// answers.
    OwnSites(KeyScope),
    /// A key with this scope, for all sites: it tells of the ledger as a whole, or changes it.
    AllSites(KeyScope),
}

impl Access {
    /// The scope that it needs, if it needs one.
    #[must_use]
    pub const fn scope(self) -> Option<KeyScope> {
        match self {
            Self::Open | Self::AnyKey => None,
            Self::FromHere(scope) | Self::AtSite(scope) | Self::OwnSites(scope) | Self::AllSites(scope) => {
                Some(scope)
            }
        }
    }
}

/// A route and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with ids in braces.
    pub path: &'static str,
    /// What it needs.
    pub access: Access,
}

/// The routes of a resource.
pub(super) struct Routes(Vec<(Route, Face, MethodRouter<App>)>);

/// Who the answers of a route are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    /// Programs.
    Program,
    /// People, who are told of problems by pages.
    Person,
}

impl Routes {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn get<H: Handler<T, App>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::GET, path, access, axum::routing::get(handler))
    }

    pub(super) fn post<H: Handler<T, App>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::POST, path, access, axum::routing::post(handler))
    }

    pub(super) fn delete<H: Handler<T, App>, T: 'static>(
        self,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        self.add(Method::DELETE, path, access, axum::routing::delete(handler))
    }

    /// A command, which says itself what it needs, in bulk too.
    pub(super) fn post_command<I: Input + 'static>(self, path: &'static str) -> Self {
        self.post(path, I::ACCESS, command::<I>)
    }

    /// A command that states how something is to be.
    pub(super) fn put_command<I: Input + 'static>(self, path: &'static str) -> Self {
        self.add(Method::PUT, path, I::ACCESS, axum::routing::put(command::<I>))
    }

    fn add(mut self, method: Method, path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        self.0.push((Route { method, path, access }, Face::Program, handler));
        self
    }

    /// The same routes for people.
    pub(super) fn for_people(mut self) -> Self {
        for (_, face, _) in &mut self.0 {
            *face = Face::Person;
        }
        self
    }

    pub(super) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// What was declared.
    pub(super) fn declared(self) -> Vec<Route> {
        self.0.into_iter().map(|(route, ..)| route).collect()
    }

    /// The routes, each guarded by what it needs.
    pub(super) fn guarded(self, app: &App) -> axum::Router<App> {
        self.0.into_iter().fold(axum::Router::new(), |router, (Route { path, access, .. }, face, handler)| {
            let door = guard::Door { app: app.clone(), access };
            let handler = match face {
                Face::Program => handler,
                Face::Person => handler.route_layer(from_fn(origin::own_origin)),
            };
            // The guard stands outside: only behind it is it known whose requests are counted.
            let limited = handler.route_layer(from_fn_with_state(app.clone(), rate::limit));
            let guarded = limited.route_layer(from_fn_with_state(door, guard::guard));
            router.route(
                path,
                match face {
                    Face::Program => guarded,
                    Face::Person => guarded.route_layer(from_fn(ui::dress)),
                },
            )
        })
    }
}
