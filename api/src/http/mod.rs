//! The HTTP edge: parses requests, calls the ledger or the read tables, renders answers.
//!
//! A handler parses, calls one thing and renders. Each resource owns its routes and the shapes of its bodies; the shape
//! of an answer to a command is a function of the decision alone (`render.rs`), and everything that goes wrong becomes a
//! [`Problem`]. Absent on purpose: rules of the business and SQL.
//!
//! ```text
//! request -> edge (id, panics) -> route -> guard (who, what, where) -> ids, headers, body -> Checked -> Ledger -> Decision -> render
//!                                       -> ids, query string -> wait for a position -> Queries -> view as JSON
//! ```
//!
//! Start reading at [`router`], then `command.rs` for what commands and `read.rs` for what reads have in common.

mod access;
mod as_of;
mod audit;
mod body;
mod bulk;
mod command;
mod conditional;
mod cursor;
mod describe;
mod dry_run;
mod edge;
mod events;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod headers;
mod items;
mod keys;
mod list;
mod metrics;
mod movements;
mod operation;
mod order_lists;
mod orders;
mod page;
mod paths;
mod patience;
mod period;
pub mod problem;
mod projections;
mod rate;
mod read;
mod render;
mod room;
mod segments;
mod server;
mod sites;
mod stock;
mod stock_levels;
mod stock_lists;
mod table;
#[path = "../ui/mod.rs"]
mod ui;
mod verification;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use stockledger_audit::Proofs;
use stockledger_projections::{Progress, Queries};
use stockledger_schemas::LedgerId;
use stockledger_writer::{Environment, Ledger};

use crate::feed::Feed;
use crate::http::access::Routes;
use crate::http::access::sessions::Sessions;
use crate::http::events::Seats;
use crate::http::metrics::LastOverview;
use crate::metrics::Metrics;
use crate::verifications::Verifications;
use crate::versions::Versions;

pub use access::{Access, Gate, Route, SESSION_IDLE_MAX, SESSION_LASTS, SESSIONS_MAX, SESSIONS_PER_KEY_MAX};
pub use bulk::{
    IN_FLIGHT_MAX as BULK_IN_FLIGHT_MAX, LINE_BYTES_MAX as BULK_LINE_BYTES_MAX, check_line as check_bulk_line,
};
pub use command::BODY_BYTES_MAX as COMMAND_BODY_BYTES_MAX;
pub use describe::description;
pub use events::{EVENT_READERS_MAX, EVENT_READERS_PER_KEY_MAX};
pub use patience::{Closing, Patience, Peer};
pub use problem::{Code, Problem};
pub use rate::{Credential, RATE_BURST, RATE_PER_SECOND, Rates};
use room::Room;
pub use room::{BODIES_BYTES_MAX, BULK_STREAMS_MAX, READS_MAX, READS_WAITING_MAX};
pub use server::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, Limits};
pub use server::{DRAIN_MAX, Serving, connections_allowed, serve};

/// Who every command is done by, as long as the ledger has no keys to tell callers apart.
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
    /// Verifies the log, or tells what came of that.
    pub verifications: Option<Verifications>,
}

/// What handlers work with. Clones are cheap and the same.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
    rates: Rates,
    feed: Option<Feed>,
    metrics: Metrics,
}

struct Parts {
    node: Node,
    roles: Roles,
    gate: Gate,
    room: Room,
    seats: Seats,
    sessions: Sessions,
    last_overview: LastOverview,
    /// Whether it was ready once.
    has_started: AtomicBool,
}

impl App {
    /// The state of a node that plays these roles, and who may come in.
    #[must_use]
    pub fn new(node: Node, roles: Roles, gate: Gate) -> Self {
        let rates = Rates::new(RATE_PER_SECOND, RATE_BURST);
        let (room, seats, sessions) = (Room::default(), Seats::default(), Sessions::default());
        let (last_overview, has_started) = (LastOverview::default(), AtomicBool::new(false));
        let parts = Arc::new(Parts { node, roles, gate, room, seats, sessions, last_overview, has_started });
        Self { parts, rates, feed: None, metrics: Metrics::default() }
    }

    /// The same, with these bounds on how often one client may ask.
    #[must_use]
    pub fn limited_to(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// The same, telling what was decided.
    #[must_use]
    pub fn telling(self, feed: Feed) -> Self {
        Self { feed: Some(feed), ..self }
    }

    /// The same, counting here what it does.
    #[must_use]
    pub fn measured_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// What it counts.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether this node was ready once.
    fn has_started(&self) -> bool {
        self.parts.has_started.load(Ordering::Relaxed)
    }

    /// It is ready now.
    fn note_started(&self) {
        self.parts.has_started.store(true, Ordering::Relaxed);
    }

    fn last_overview(&self) -> &LastOverview {
        &self.parts.last_overview
    }

    fn gate(&self) -> &Gate {
        &self.parts.gate
    }

    /// How often one client may ask.
    fn rates(&self) -> &Rates {
        &self.rates
    }

    /// How much is taken on at once.
    fn room(&self) -> &Room {
        &self.parts.room
    }

    /// How many listen to events at once.
    fn seats(&self) -> &Seats {
        &self.parts.seats
    }

    /// Who signed in with a browser.
    fn sessions(&self) -> &Sessions {
        &self.parts.sessions
    }

    fn node(&self) -> &Node {
        &self.parts.node
    }

    fn roles(&self) -> &Roles {
        &self.parts.roles
    }

    /// The ledger, or the problem that this node has none.
    fn ledger(&self) -> Result<&Ledger, Problem> {
        let no_writer = || {
            Problem::new(
                Code::NotPartitionOwner,
                "this node takes no commands: it does not play the role writer",
            )
        };
        self.parts.roles.writer.as_ref().ok_or_else(no_writer)
    }

    /// The versions of the read tables, or the problem that this node has none.
    fn versions(&self) -> Result<&Versions, Problem> {
        let no_tables = || Problem::new(Code::NotFound, "this node has no read tables");
        self.parts.roles.versions.as_ref().ok_or_else(no_tables)
    }

    /// The queries, or the problem that this node answers none.
    fn queries(&self) -> Result<&Queries, Problem> {
        let no_api =
            || Problem::new(Code::NotFound, "this node answers no queries: it does not play the role api");
        self.parts.roles.api.as_ref().ok_or_else(no_api)
    }

    /// What verifies the log, or the problem that nobody does here.
    fn verifications(&self) -> Result<&Verifications, Problem> {
        let none = || Problem::new(Code::NotFound, "this node knows nothing of verifications");
        self.parts.roles.verifications.as_ref().ok_or_else(none)
    }

    /// What was decided, or the problem that this node does not tell it.
    fn feed(&self) -> Result<&Feed, Problem> {
        self.feed.as_ref().ok_or_else(|| Problem::new(Code::NotFound, "this node tells no events"))
    }

    /// What answers checkpoints and proofs, or the problem that this node has no key.
    fn proofs(&self) -> Result<&Proofs, Problem> {
        let no_key = || {
            let detail = "this node signs no checkpoints: it has no audit key; `stockledger init` makes one";
            Problem::new(Code::AuditUnavailable, detail)
        };
        self.parts.roles.audit.as_ref().ok_or_else(no_key)
    }
}

/// Every route of the service.
fn all_routes() -> Routes {
    sites::routes()
        .and(items::routes())
        .and(stock::routes())
        .and(stock_lists::routes())
        .and(stock_levels::routes())
        .and(movements::routes())
        .and(order_lists::routes())
        .and(orders::routes())
        .and(bulk::routes())
        .and(audit::routes())
        .and(verification::routes())
        .and(events::routes())
        .and(keys::routes())
        .and(operation::routes())
        .and(metrics::routes())
        .and(projections::routes())
        .and(problem::pages::routes())
        .and(ui::routes())
        .and(describe::routes())
}

/// Every route of the service, with what it needs.
#[must_use]
pub fn routes() -> Vec<Route> {
    all_routes().declared()
}

/// The service.
pub fn router(app: App) -> Router {
    all_routes()
        .guarded(&app)
        .fallback(edge::unknown_route)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .layer(axum::middleware::from_fn(conditional::conditional))
        .layer(axum::middleware::from_fn(edge::edge))
        .layer(axum::middleware::from_fn_with_state(app.clone(), metrics::measure))
        .with_state(app)
}
