//! The lines of bulk.

use serde_json::Value;

use super::problem::ProblemDocument;
use super::words::{CommandKind, HoldId, IdempotencyKey, OrderId, Position, SiteId, Sku};
use crate::http::describe::shape::objects;

objects! {
    /// One line of a request to `/v1/bulk`: a command, and what its own route has in its path and headers.
    closed BulkLine {
        must command: CommandKind,
        may site: Option<SiteId>,
        may sku: Option<Sku>,
        may order_id: Option<OrderId>,
        may hold_id: Option<HoldId>,
        /// Of every command but `open_site` and `register_item`.
        may idempotency_key: Option<IdempotencyKey>,
        /// Say what would come of it and write nothing.
        may dry_run: bool,
        /// The body of the command's own route.
        may body: Value,
    }
    /// One line of the answer to `/v1/bulk`: either `body` or `problem`.
    open BulkAnswer {
        /// The number of the line that is answered, from 1.
        must line: u64,
        /// What the command's own route answers with.
        must status: u64,
        /// Whether the decision was made before.
        may replayed: bool,
        /// `true` in the answer to a dry run: nothing was written.
        may dry_run: bool,
        /// Where the decision stands; of a dry run the last decision that was taken into account.
        may position: Position,
        /// What the command made, as its own route answers.
        may body: Value,
        may problem: ProblemDocument,
    }
}
