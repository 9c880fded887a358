//! `/ui/sites/{site}/orders`: the orders of a site, the newest first.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stockledger_projections::views::Order;
use stockledger_projections::{Direction, OrderFilter};
use stockledger_schemas::{KeyScope, OrderId, OrderStatus, SiteId};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::list::Limit;
use crate::http::movements::First;
use crate::http::order_lists::named;
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Tabs, live_page, site_path, site_path_of};
use crate::http::ui::live;
use crate::http::ui::query::{address, filled};
use crate::http::ui::text::{Number, When, sentence};

const STATUSES: [OrderStatus; 5] = [
    OrderStatus::Placed,
    OrderStatus::PartiallyShipped,
    OrderStatus::Shipped,
    OrderStatus::Cancelled,
    OrderStatus::Refused,
];

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/sites/{site}/orders", Access::AtSite(KeyScope::StockRead), list)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    status: Option<OrderStatus>,
    /// An order to go to.
    #[serde(default, deserialize_with = "filled")]
    order_id: Option<OrderId>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    format: Option<Format>,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    frame: Frame,
    tabs: Tabs,
    actions: Vec<Action>,
    path: String,
    choices: Vec<Choice>,
    rows: Vec<OrderRow>,
    feeds: Feeds,
}

/// A status to choose.
struct Choice {
    text: String,
    path: String,
    is_chosen: bool,
}

struct OrderRow {
    order_id: String,
    path: String,
    status: Status,
    customer: String,
    lines: Number,
    ordered: Number,
    shipped: Number,
    open: Number,
    at: When,
}

/// Where an order stands, in a word and a class that colours it.
pub(super) struct Status {
    pub(super) word: String,
    pub(super) class: &'static str,
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        let class = match status {
            OrderStatus::Placed | OrderStatus::PartiallyShipped => "open",
            OrderStatus::Shipped => "well",
            OrderStatus::Cancelled => "over",
            OrderStatus::Refused => "ill",
        };
        Self { word: sentence(status.as_str()), class }
    }
}

async fn list(
    State(app): State<App>,
    Segments(site): Segments<SiteId>,
    Parameters(Search { status, order_id, limit, cursor, format }): Parameters<Search>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    if let Some(order_id) = order_id {
        return Ok(Redirect::to(&site_path_of(&site, "orders", order_id.as_str())).into_response());
    }
    let word = status.map_or("", OrderStatus::as_str);
    let filter = OrderFilter { status, ..OrderFilter::default() };
    let list = named(&site, First::Newest, &filter);
    let before = list.begin::<u64>(cursor.as_deref())?;
    let answer = reader.0.orders(&known, &filter, Direction::NewestFirst, before, limit.get()).await?;
    let orders = &answer.value.data;
    if let Some(format) = format {
        return feed::rows(format, orders);
    }
    let path = site_path(&site, "orders");
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let parameters = [("status", word), ("limit", limit.as_str()), ("cursor", cursor.as_str())];
    let next = list.cursor(answer.value.next.as_ref());
    let age = Age::of(&app, &answer.at);
    // What is new comes on the first page.
    let stream = live::at_site(&caller, &age, site.as_str(), ("", "")).filter(|_| cursor.is_empty());
    live_page(&Orders {
        frame: Frame::at_site(format!("Orders at {site}"), &site).aged(age).live(stream),
        tabs: Tabs::orders(&site),
        actions: forms::at_site(&caller, &site)
            .into_iter()
            .filter(|action| action.text == forms::PLACE_AN_ORDER)
            .collect(),
        choices: choices(&path, status),
        feeds: Feeds::new((orders.len(), "orders"), &path, &parameters, next.as_deref()),
        rows: orders.iter().map(row).collect(),
        path,
    })
}

fn choices(path: &str, chosen: Option<OrderStatus>) -> Vec<Choice> {
    let all = Choice { text: "All".to_owned(), path: path.to_owned(), is_chosen: chosen.is_none() };
    let of = |status: OrderStatus| Choice {
        text: sentence(status.as_str()),
        path: address(path, &[("status", status.as_str())]),
        is_chosen: chosen == Some(status),
    };
    std::iter::once(all).chain(STATUSES.map(of)).collect()
}

fn row(order: &Order) -> OrderRow {
    let [ordered, shipped, open] = order.totals();
    OrderRow {
        order_id: order.order_id.to_string(),
        path: site_path_of(&order.site, "orders", order.order_id.as_str()),
        status: order.status.into(),
        customer: order.customer.as_ref().map_or_else(String::new, ToString::to_string),
        lines: Number::of(order.lines.len()),
        ordered: Number(ordered),
        shipped: Number(shipped),
        open: Number(open),
        at: When(order.occurred_at),
    }
}
