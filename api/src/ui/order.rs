//! `/ui/sites/{site}/orders/{order_id}`: one order, and its trail as a timeline.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::{Item, KnownSite, Order, OrderLine, TrailLine, TrailStep};
use stockledger_schemas::{KeyScope, OrderId, SiteId, Sku};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::orders::unknown_order;
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Tabs, live_page, site_path, site_path_of};
use crate::http::ui::item::why;
use crate::http::ui::live;
use crate::http::ui::orders::Status;
use crate::http::ui::text::{Change, Number, When, money, sentence};

/// Steps that a page shows at most; an order that has more is a curiosity, and its trail as JSON has pages.
const STEPS_MAX: u32 = 500;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/sites/{site}/orders/{order_id}", Access::AtSite(KeyScope::StockRead), show)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    format: Option<Format>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    tabs: Tabs,
    actions: Vec<Action>,
    status: Status,
    customer: String,
    placed_at: When,
    happened_at: When,
    position: String,
    lines: Vec<LineRow>,
    feeds: Feeds,
    /// Absent where the caller may not see who did what.
    trail: Option<Trail>,
}

struct LineRow {
    sku: String,
    name: String,
    path: String,
    ordered: Number,
    shipped: Number,
    cancelled: Number,
    returned: Number,
    price: String,
    unit: String,
}

struct Trail {
    steps: Vec<Step>,
    has_more: bool,
    json: String,
}

struct Step {
    what: String,
    is_refusal: bool,
    at: When,
    recorded_at: When,
    position: String,
    actor: String,
    why: String,
    key: String,
    correlation: String,
    causation: String,
    moved: Vec<MovedRow>,
    short: Vec<ShortRow>,
    refused: String,
}

struct MovedRow {
    sku: String,
    path: String,
    delta: [Change; 3],
    on_hand: Number,
}

struct ShortRow {
    sku: String,
    path: String,
    requested: Number,
    available: Number,
}

async fn show(
    State(app): State<App>,
    Segments((site, order_id)): Segments<(SiteId, OrderId)>,
    Parameters(Asked { format }): Parameters<Asked>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    let answer = reader.0.order(&known, &order_id).await?.ok_or_else(|| unknown_order(&order_id))?;
    let order = &answer.value;
    if let Some(format) = format {
        return feed::rows(format, &order.lines);
    }
    let may_audit = caller.check(Access::AtSite(KeyScope::AuditRead), Some(&site)).is_ok();
    let trail = if may_audit { Some(trail(&known, &order_id, &reader).await?) } else { None };
    let skus: Vec<Sku> = order.lines.iter().map(|line| line.sku.clone()).collect();
    let items = reader.0.items_described(&skus).await?;
    let path = site_path_of(&site, "orders", order_id.as_str());
    let frame =
        Frame::at_site(format!("Order {order_id}"), &site).below(site_path(&site, "orders"), "Orders");
    let age = Age::of(&app, &answer.at);
    let stream = live::at_site(&caller, &age, site.as_str(), ("order", order_id.as_str()));
    live_page(&OrderPage {
        frame: frame.aged(age).live(stream),
        tabs: Tabs::orders(&site),
        actions: forms::of_order(&caller, order),
        status: order.status.into(),
        customer: order.customer.as_ref().map_or_else(String::new, ToString::to_string),
        placed_at: When(order.placed_at),
        happened_at: When(order.occurred_at),
        position: order.position.to_string(),
        lines: order.lines.iter().map(|line| line_row(order, line, &items)).collect(),
        feeds: Feeds::new((order.lines.len(), "lines"), &path, &[], None),
        trail,
    })
}

fn line_row(order: &Order, line: &OrderLine, items: &HashMap<Sku, Item>) -> LineRow {
    let item = items.get(&line.sku);
    LineRow {
        sku: line.sku.to_string(),
        name: item.map_or_else(String::new, |item| item.name.to_string()),
        unit: item.map_or_else(String::new, |item| item.unit.to_string()),
        path: site_path_of(&order.site, "stock", line.sku.as_str()),
        ordered: Number(line.ordered),
        shipped: Number(line.shipped),
        cancelled: Number(line.cancelled),
        returned: Number(line.returned),
        price: money(line.unit_price_minor, order.currency.as_ref().map(|currency| currency.as_str())),
    }
}

async fn trail(known: &KnownSite, order_id: &OrderId, reader: &Reader) -> Result<Trail, Problem> {
    let found = reader.0.order_trail(known, order_id, None, STEPS_MAX).await?.value;
    let json = format!("{}/trail", crate::http::paths::order(&known.site, order_id));
    let steps = found.data.iter().map(|one| step(&known.site, one)).collect();
    Ok(Trail { steps, has_more: found.next.is_some(), json })
}

fn step(site: &SiteId, step: &TrailStep) -> Step {
    let text = |text: Option<&dyn std::fmt::Display>| text.map_or_else(String::new, ToString::to_string);
    let path = |sku: &Sku| site_path_of(site, "stock", sku.as_str());
    let (mut moved, mut short) = (Vec::new(), Vec::new());
    for line in &step.lines {
        match line {
            TrailLine::Moved { sku, delta, after, .. } => moved.push(MovedRow {
                sku: sku.to_string(),
                path: path(sku),
                delta: [delta.on_hand, delta.reserved, delta.held].map(Change),
                on_hand: Number(after.on_hand),
            }),
            TrailLine::Refused { sku, requested, available } => short.push(ShortRow {
                sku: sku.to_string(),
                path: path(sku),
                requested: Number(*requested),
                available: Number(*available),
            }),
        }
    }
    Step {
        what: sentence(&step.kind),
        is_refusal: matches!(step.kind.as_str(), "out_of_stock" | "command_refused"),
        at: When(step.occurred_at),
        recorded_at: When(step.recorded_at),
        position: step.position.to_string(),
        actor: step.actor.to_string(),
        why: why(
            step.reason.map(|reason| reason.as_str()),
            step.note.as_ref().map(|note| note.as_str()),
            step.reference.as_ref(),
        ),
        key: text(step.idempotency_key.as_ref().map(|key| key as _)),
        correlation: text(step.correlation_id.as_ref().map(|id| id as _)),
        causation: text(step.causation.as_ref().map(|position| position as _)),
        moved,
        short,
        refused: text(step.refused.as_ref().map(|refused| refused as _)),
    }
}
