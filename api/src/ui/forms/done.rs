//! What was decided of a form: said to whoever sent it, with the balances after it.

use std::time::Duration;

use stockledger_schemas::event::HoldReleased;
use stockledger_schemas::{Balances, Event, KeyScope, Position, Scope, Sku};
use stockledger_writer::Ledger;
use tokio::time::Instant;

use crate::feed::Recorded;
use crate::http::App;
use crate::http::access::{Access, Caller};
use crate::http::command::Ids;
use crate::http::problem::Problem;
use crate::http::read::wait_for;
use crate::http::ui::frame::{site_path, site_path_of};
use crate::http::ui::text::{Change, Number, sentence};

/// How long the page waits until the log was read so far.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);
/// How long the page waits for the tables, so that the links on it lead to what is level with it.
const TABLES_WITHIN: Duration = Duration::from_secs(5);

/// A decision that somebody made with a form.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) what: String,
    pub(super) position: String,
    /// Where its record is, for whoever may read it.
    pub(super) record: Option<String>,
    /// What it is about, and where that is.
    pub(super) about: Option<(String, String)>,
    pub(super) lines: Vec<DoneLine>,
}

#[derive(Debug)]
pub(super) struct DoneLine {
    pub(super) sku: String,
    pub(super) path: String,
    pub(super) change: Change,
    pub(super) on_hand: Number,
    pub(super) available: Number,
}

impl Done {
    /// The decision at a position, if it is one of the caller's own about what the form is about. Others tell who did what,
    /// which is not for everybody who may send a form.
    pub(super) async fn of(
        app: &App,
        caller: &Caller,
        ids: &Ids,
        position: Position,
    ) -> Result<Option<Self>, Problem> {
        let _seat = app.seats().take(caller.credential())?;
        let (feed, deadline) = (app.feed()?, Instant::now() + KNOWN_WITHIN);
        if is_decided_here(app, position) {
            // The feed reads the log behind the writer, who has answered already.
            feed.reached(position, deadline).await;
        }
        let found = feed.decision(position, deadline).await?;
        let is_meant = |recorded: &Recorded| {
            let scope = ids.site.clone().map_or(Scope::Directory, Scope::Site);
            recorded.decision.context.actor == *caller.actor() && recorded.decision.scope == scope
        };
        let Some(recorded) = found.filter(|recorded| is_meant(recorded)) else { return Ok(None) };
        // Late tables are no reason not to say what was decided.
        let _ = wait_for(app.queries()?, &[position], TABLES_WITHIN).await;
        let Some(event) = recorded.decision.events.first() else { return Ok(None) };
        let access = match ids.site {
            Some(_) => Access::AtSite(KeyScope::AuditRead),
            None => Access::OwnSites(KeyScope::AuditRead),
        };
        let may_read = caller.check(access, ids.site.as_ref()).is_ok();
        Ok(Some(Self {
            what: sentence(event.type_name()),
            position: position.to_string(),
            record: may_read.then(|| format!("/ui/events/{position}")),
            about: about(ids, event),
            lines: lines(ids, event),
        }))
    }
}

/// Whether a writer of this node made a decision there: for any other position there is nothing to wait for.
fn is_decided_here(app: &App, position: Position) -> bool {
    let status = app.roles().writer.as_ref().map(Ledger::status).unwrap_or_default();
    status.iter().any(|one| one.partition == position.partition && one.position.seq >= position.seq)
}

fn about(ids: &Ids, event: &Event) -> Option<(String, String)> {
    if let Event::SiteRegistered(_) | Event::SiteRenamed(_) = event {
        return Some(("All sites".to_owned(), "/ui/sites".to_owned()));
    }
    let Some(site) = &ids.site else { return Some(("All items".to_owned(), "/ui/items".to_owned())) };
    Some(match event.order_id() {
        Some(order_id) => (format!("Order {order_id}"), site_path_of(site, "orders", order_id.as_str())),
        None => (format!("Stock at {site}"), site_path(site, "stock")),
    })
}

fn lines(ids: &Ids, event: &Event) -> Vec<DoneLine> {
    let Some(site) = &ids.site else { return Vec::new() };
    let line = |sku: &Sku, change: i64, after: &Balances| DoneLine {
        sku: sku.to_string(),
        path: site_path_of(site, "stock", sku.as_str()),
        change: Change(change),
        on_hand: Number(after.on_hand.get()),
        available: Number(after.available()),
    };
    match event {
        Event::StockReceived(received) => {
            received.lines.iter().map(|one| line(&one.sku, one.quantity.get(), &one.after)).collect()
        }
        Event::StockAdjusted(adjusted) => {
            adjusted.lines.iter().map(|one| line(&one.sku, one.delta.get(), &one.after)).collect()
        }
        Event::StockCounted(counted) => {
            counted.lines.iter().map(|one| line(&one.sku, one.delta.get(), &one.after)).collect()
        }
        Event::StockHeld(held) => vec![line(&held.sku, 0, &held.after)],
        Event::HoldReleased(HoldReleased { sku, after, .. }) => vec![line(sku, 0, after)],
        Event::OrderPlaced(placed) => placed.lines.iter().map(|one| line(&one.sku, 0, &one.after)).collect(),
        _ => Vec::new(),
    }
}
