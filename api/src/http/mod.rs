//! The HTTP edge: parses requests, calls the ledger or the read tables, renders answers.
//!
//! A handler parses, calls one thing and renders. Each resource owns its routes and the shapes of its bodies; the shape
//! of an answer to a command is a function of the decision alone (`render.rs`), and everything that goes wrong becomes a
//! [`Problem`]. Absent on purpose: rules of the business and SQL.
//!
//! ```text
//! request -> edge (id, panics) -> route -> ids, headers, body -> Checked -> Ledger -> Decision -> render
//!                                       -> ids, query string -> wait for a position -> Queries -> view as JSON
//! ```
//!
//! Start reading at [`router`], then `command.rs` for what commands and `read.rs` for what reads have in common.

mod as_of;
mod audit;
mod body;
mod bulk;
mod command;
mod cursor;
mod edge;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod headers;
mod items;
mod list;
mod operation;
mod orders;
mod page;
mod paths;
pub mod problem;
mod projections;
mod read;
mod render;
mod segments;
mod server;
mod sites;
mod stock;
mod stock_levels;

use std::sync::Arc;

use axum::Router;
use stockledger_audit::Proofs;
use stockledger_projections::{Progress, Queries};
use stockledger_schemas::{Actor, LedgerId};
use stockledger_writer::{Environment, Ledger};

use crate::versions::Versions;

pub use bulk::{IN_FLIGHT_MAX as BULK_IN_FLIGHT_MAX, LINE_BYTES_MAX as BULK_LINE_BYTES_MAX};
pub use command::BODY_BYTES_MAX as COMMAND_BODY_BYTES_MAX;
pub use problem::{Code, Problem};
pub use server::{DRAIN_MAX, serve};

/// Who every command is done by, as long as there are no credentials to tell callers apart.
pub const LOCAL_ACTOR: &str = "local";

/// What this node is, for those who ask.
#[derive(Clone)]
pub struct Node {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// How many partitions it has.
    pub partitions: u16,
    /// What kind of log it is kept in, such as `sqlite`.
    pub log: &'static str,
    /// What kind of database the read tables are in, such as `sqlite`.
    pub projections: &'static str,
    /// The clock, to tell how old what was read last is.
    pub environment: Arc<dyn Environment>,
}

/// The roles that this node plays, each with what it plays it with.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    /// Decides commands.
    pub writer: Option<Ledger>,
    /// Keeps the read tables level with the log.
    pub projector: Option<Progress>,
    /// Answers from the read tables.
    pub api: Option<Queries>,
    /// Looks after the versions of the read tables, where there are any.
    pub versions: Option<Versions>,
    /// Answers checkpoints and proofs.
    pub audit: Option<Proofs>,
}

/// What handlers work with. Clones are cheap and the same.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    node: Node,
    roles: Roles,
}

impl App {
    /// The state of a node that plays these roles.
    #[must_use]
    pub fn new(node: Node, roles: Roles) -> Self {
        Self(Arc::new(Parts { node, roles }))
    }

    fn node(&self) -> &Node {
        &self.0.node
    }

    fn roles(&self) -> &Roles {
        &self.0.roles
    }

    /// The ledger, or the problem that this node has none.
    fn ledger(&self) -> Result<&Ledger, Problem> {
        let no_writer = || {
            Problem::new(
                Code::NotPartitionOwner,
                "this node takes no commands: it does not play the role writer",
            )
        };
        self.0.roles.writer.as_ref().ok_or_else(no_writer)
    }

    /// The versions of the read tables, or the problem that this node has none.
    fn versions(&self) -> Result<&Versions, Problem> {
        let no_tables = || Problem::new(Code::NotFound, "this node has no read tables");
        self.0.roles.versions.as_ref().ok_or_else(no_tables)
    }

    /// The queries, or the problem that this node answers none.
    fn queries(&self) -> Result<&Queries, Problem> {
        let no_api =
            || Problem::new(Code::NotFound, "this node answers no queries: it does not play the role api");
        self.0.roles.api.as_ref().ok_or_else(no_api)
    }

    /// What answers checkpoints and proofs, or the problem that this node has no key.
    fn proofs(&self) -> Result<&Proofs, Problem> {
        let no_key = || {
            let detail = "this node signs no checkpoints: it has no audit key; `stockledger init` makes one";
            Problem::new(Code::AuditUnavailable, detail)
        };
        self.0.roles.audit.as_ref().ok_or_else(no_key)
    }
}

/// Who does what the request asks for.
fn actor() -> Result<Actor, Problem> {
    Actor::new(LOCAL_ACTOR).map_err(Problem::internal)
}

/// Every route of the service.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(sites::router())
        .merge(items::router())
        .merge(stock::router())
        .merge(stock_levels::router())
        .merge(orders::router())
        .merge(bulk::router())
        .merge(audit::router())
        .merge(operation::router())
        .merge(projections::router())
        .merge(problem::pages::router())
        .fallback(edge::unknown_route)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .layer(axum::middleware::from_fn(edge::edge))
        .with_state(app)
}
