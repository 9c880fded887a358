//! `/ui/events`: what was decided, the newest first; `/ui/events/{position}`: one record as it stands in the log.
//!
//! From the log itself, as `/v1/events`: this works without read tables, and shows what no read table can hide.

mod record;
mod window;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_schemas::{Event, KeyScope, OrderId, Refusal, Scope, SiteId, Sku};
use tokio::time::Instant;

use crate::feed::{Cursor, EventType, Filter, Recorded, SETTLE_WITHIN};
use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::list::Limit;
use crate::http::problem::Problem;
use crate::http::segments::Parameters;
use crate::http::table::{Cell, Row};
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::frame::{Frame, Section, live_page, site_path_of};
use crate::http::ui::live;
use crate::http::ui::query::filled;
use crate::http::ui::text::{When, sentence};

const ACCESS: Access = Access::OwnSites(KeyScope::AuditRead);
const PATH: &str = "/ui/events";

pub(super) fn routes() -> Routes {
    Routes::new().get(PATH, ACCESS, list).get("/ui/events/{position}", ACCESS, record::show)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    #[serde(default, deserialize_with = "filled")]
    site: Option<SiteId>,
    #[serde(default, deserialize_with = "filled")]
    sku: Option<Sku>,
    #[serde(default, deserialize_with = "filled")]
    order: Option<OrderId>,
    #[serde(default, deserialize_with = "filled")]
    r#type: Option<EventType>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    format: Option<Format>,
}

#[derive(Template)]
#[template(path = "events.html")]
struct Events {
    frame: Frame,
    site: String,
    sku: String,
    order: String,
    types: Vec<Choice>,
    is_filtered: bool,
    /// Whether enough was looked at before the page was full.
    is_cut: bool,
    rows: Vec<EventRow>,
    feeds: Feeds,
}

struct Choice {
    name: &'static str,
    text: String,
    is_chosen: bool,
}

struct EventRow {
    position: String,
    at: When,
    what: String,
    is_refusal: bool,
    about: Vec<About>,
    site: String,
    actor: String,
}

/// What a decision is about: an order, or items.
struct About {
    text: String,
    /// Where that is; nothing where it has no page.
    path: String,
}

async fn list(
    State(app): State<App>,
    Parameters(search): Parameters<Search>,
    caller: Caller,
) -> Result<Response, Problem> {
    let feed = app.feed()?;
    let _seat = app.seats().take(caller.credential())?;
    let cursor = search.cursor.as_deref();
    let before = match cursor {
        Some(cursor) => Cursor::parse(cursor, feed.ledger_id(), feed.partitions())?,
        None => feed.end(Instant::now() + SETTLE_WITHIN).await,
    };
    let filter = search.filter(&caller);
    let found = window::newest(feed, &before, &filter, search.limit.get() as usize).await?;
    if let Some(format) = search.format {
        return feed::rows(format, &found.decisions.iter().cloned().map(Told).collect::<Vec<_>>());
    }
    let Search { site, sku, order, r#type, limit, .. } = &search;
    let text = |text: Option<&dyn ToString>| text.map_or_else(String::new, |text| text.to_string());
    let (site, sku) = (text(site.as_ref().map(|id| id as _)), text(sku.as_ref().map(|id| id as _)));
    let order = text(order.as_ref().map(|id| id as _));
    let word = r#type.as_ref().map_or("", EventType::as_str);
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let about = [("site", site.as_str()), ("sku", &sku), ("order", &order), ("type", word)];
    // What is new comes on the first page.
    let after = before.text(feed.ledger_id());
    let stream = if cursor.is_empty() { live::behind(&caller, &after, &about) } else { None };
    let parameters = [&about[..], &[("limit", limit.as_str()), ("cursor", cursor)]].concat();
    let next = found.older.map(|older| older.text(feed.ledger_id()));
    live_page(&Events {
        frame: Frame::new("Events", Section::Events).live(stream),
        types: types(word),
        is_filtered: !(site.is_empty() && sku.is_empty() && order.is_empty() && word.is_empty()),
        is_cut: found.is_cut,
        feeds: Feeds::new((found.decisions.len(), "decisions"), PATH, &parameters, next.as_deref()),
        rows: found.decisions.iter().map(|recorded| row(recorded)).collect(),
        site,
        sku,
        order,
    })
}

impl Search {
    fn filter(&self, caller: &Caller) -> Filter {
        Filter {
            site: self.site.clone(),
            sku: self.sku.clone(),
            order: self.order.clone(),
            r#type: self.r#type,
            visible: caller.sites().map(<[SiteId]>::to_vec),
        }
    }
}

fn types(chosen: &str) -> Vec<Choice> {
    let of = |(_, _, name): &(_, _, &'static str)| Choice {
        name,
        text: sentence(name),
        is_chosen: *name == chosen,
    };
    Event::TAGS.iter().map(of).collect()
}

/// The site that a decision is about; nothing for one of the directory.
fn site_of(recorded: &Recorded) -> Option<&SiteId> {
    match &recorded.decision.scope {
        Scope::Site(site) => Some(site),
        Scope::Directory => None,
    }
}

fn row(recorded: &Recorded) -> EventRow {
    let decision = &recorded.decision;
    EventRow {
        position: recorded.position.to_string(),
        at: When(decision.recorded_at),
        what: what(&decision.events),
        is_refusal: decision.events.iter().any(is_refusal),
        about: about(recorded),
        site: site_of(recorded).map_or_else(String::new, ToString::to_string),
        actor: decision.context.actor.to_string(),
    }
}

const fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::OutOfStock(_) | Event::CommandRefused(_))
}

/// What happened, in words; of a decision of several events, each.
fn what(events: &[Event]) -> String {
    let names: Vec<String> = events.iter().map(|event| sentence(event.type_name())).collect();
    names.join(", ")
}

/// Items that are named; of more, their number is told.
const ITEMS_NAMED: usize = 2;

fn about(recorded: &Recorded) -> Vec<About> {
    let Some(event) = recorded.decision.events.first() else { return Vec::new() };
    let site = site_of(recorded);
    if let (Some(order_id), Some(site)) = (event.order_id(), site) {
        let path = site_path_of(site, "orders", order_id.as_str());
        return vec![About { text: order_id.to_string(), path }];
    }
    let skus = skus(event);
    if let (Event::CommandRefused(refused), true) = (event, skus.is_empty()) {
        return vec![About { text: sentence(refused.command.as_str()), path: String::new() }];
    }
    let item = |sku: &&Sku| About {
        text: sku.to_string(),
        path: match site {
            Some(site) => site_path_of(site, "stock", sku.as_str()),
            None => format!("/ui/items/{}", crate::text::segment(sku.as_str())),
        },
    };
    let mut about: Vec<About> = skus.iter().take(ITEMS_NAMED).map(item).collect();
    if let Some(more) = skus.len().checked_sub(ITEMS_NAMED).filter(|more| *more > 0) {
        about.push(About { text: format!("and {more} more"), path: String::new() });
    }
    about
}

fn skus(event: &Event) -> Vec<&Sku> {
    match event {
        Event::ItemRegistered(item) => vec![&item.sku],
        Event::ItemUpdated(item) => vec![&item.sku],
        Event::StockReceived(received) => received.lines.iter().map(|line| &line.sku).collect(),
        Event::StockAdjusted(adjusted) => adjusted.lines.iter().map(|line| &line.sku).collect(),
        Event::StockCounted(counted) => counted.lines.iter().map(|line| &line.sku).collect(),
        Event::StockHeld(held) => vec![&held.sku],
        Event::HoldReleased(released) => vec![&released.sku],
        Event::CommandRefused(refused) => match &refused.refusal {
            Refusal::InsufficientStock(short) => short.shortages.iter().map(|line| &line.sku).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A decision as a row for programs; its JSON is that of `/v1/events`.
#[derive(Serialize)]
#[serde(transparent)]
struct Told(#[serde(serialize_with = "as_told")] Arc<Recorded>);

fn as_told<S: serde::Serializer>(recorded: &Arc<Recorded>, serializer: S) -> Result<S::Ok, S::Error> {
    recorded.as_ref().serialize(serializer)
}

impl Row for Told {
    const NAMES: &'static [&'static str] =
        &["position", "recorded_at", "occurred_at", "site", "types", "order_id", "actor", "idempotency_key"];

    fn cells(&self) -> Vec<Cell> {
        let Self(recorded) = self;
        let decision = &recorded.decision;
        let types: Vec<&str> = decision.events.iter().map(Event::type_name).collect();
        let order_id = decision.events.iter().find_map(Event::order_id);
        vec![
            Cell::plain(recorded.position),
            Cell::plain(decision.recorded_at),
            Cell::plain(decision.occurred_at()),
            Cell::maybe(site_of(recorded)),
            Cell::plain(types.join(" ")),
            Cell::maybe(order_id),
            Cell::text(&decision.context.actor),
            Cell::maybe(decision.request.as_ref().map(|request| &request.key)),
        ]
    }
}
