//! `/ui`: what is on hand, what is promised, what was refused, what runs low, and whether all works.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stockledger_projections::LevelQuery;
use stockledger_projections::overview::lag_seconds;
use stockledger_projections::queries::SiteStock;
use stockledger_projections::views::{AsOf, Site, StockLevel};
use stockledger_schemas::{KeyScope, OrderStatus};
use tokio::time::Instant;

use crate::http::access::{Access, Caller, Routes};
use crate::http::list::{Pages, Portion};
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::sites::Sites;
use crate::http::ui::age::Age;
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Section, live_page, site_path, site_path_of};
use crate::http::ui::live;
use crate::http::ui::pace::PaceShown;
use crate::http::ui::query::address;
use crate::http::ui::text::{Number, duration, up_to};
use crate::http::{App, operation};

/// Sites that are summed up; a ledger with more shows the first of them.
const SITES_MAX: u32 = 20;
/// Orders of one kind at one site are not counted further.
const ORDERS_MAX: u32 = 10_000;
/// What runs low: so much or less is available.
pub(super) const LOW: i64 = 10;
/// Items of a site that run low are not counted further.
const LOW_COUNTED_MAX: u32 = 500;
/// How long the page waits for a log that is still being read for how much was recorded.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// How many of them are shown, the lowest.
const LOW_SHOWN: usize = 10;

const OPEN: [OrderStatus; 2] = [OrderStatus::Placed, OrderStatus::PartiallyShipped];

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui", Access::OwnSites(KeyScope::StockRead), show)
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    actions: Vec<Action>,
    totals: Totals,
    sites: Vec<SiteRow>,
    has_more_sites: bool,
    low: Vec<LowRow>,
    pace: PaceShown,
    /// Where the events themselves are, for whoever may see them.
    events_path: Option<&'static str>,
    partitions: Vec<PartitionRow>,
}

/// All sites that are shown, together.
struct Totals {
    stock: Stock,
    open: String,
    refused: String,
    low: String,
    /// Where the numbers come from: the only site, or the table of sites.
    stock_path: String,
    low_path: String,
    open_path: String,
    refused_path: String,
}

struct Stock {
    items: Number,
    on_hand: Number,
    reserved: Number,
    held: Number,
    available: Number,
}

impl From<SiteStock> for Stock {
    fn from(stock: SiteStock) -> Self {
        let SiteStock { items, on_hand, reserved, held, available } = stock;
        let [items, on_hand, reserved, held, available] =
            [items, on_hand, reserved, held, available].map(Number);
        Self { items, on_hand, reserved, held, available }
    }
}

struct SiteRow {
    name: String,
    id: String,
    stock: Stock,
    open: String,
    refused: String,
    low: String,
    stock_path: String,
    low_path: String,
    open_path: String,
    refused_path: String,
}

struct LowRow {
    site: String,
    sku: String,
    name: String,
    unit: String,
    on_hand: Number,
    available: Number,
    path: String,
}

struct PartitionRow {
    partition: String,
    writer: &'static str,
    projector: &'static str,
    position: String,
    records_behind: Number,
    behind: String,
    is_well: bool,
}

/// What was found out about one site.
struct Found {
    site: Site,
    at: AsOf,
    stock: SiteStock,
    open: u64,
    refused: u64,
    low: Vec<StockLevel>,
}

async fn show(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let (feed, until) = (app.feed()?, Instant::now() + READ_WITHIN);
    let end = feed.end(until).await;
    let Portion { data: all, next, .. } = Sites::new(&caller, &reader).page(None, SITES_MAX).await?;
    let mut found = Vec::with_capacity(all.len());
    for site in all {
        found.push(find(site, &reader).await?);
    }
    let states: Vec<AsOf> = found.iter().map(|found| found.at.clone()).collect();
    let pace = feed.pace(caller.sites(), until).await;
    let age = Age::of_all(&app, &states);
    let stream = live::everywhere(&app, &caller, &age, end, &states);
    live_page(&Overview {
        frame: Frame::new("Overview", Section::Overview).aged(age).live(stream),
        actions: if found.is_empty() { forms::open_site(&caller) } else { Vec::new() },
        totals: totals(&found),
        low: lowest(&found, &reader).await?,
        sites: found.iter().map(row).collect(),
        has_more_sites: next.is_some(),
        pace: PaceShown::of(&pace, app.node().environment.now()),
        events_path: caller
            .check(Access::OwnSites(KeyScope::AuditRead), None)
            .is_ok()
            .then_some("/ui/events"),
        partitions: partitions(&app),
    })
}

async fn find(site: Site, reader: &Reader) -> Result<Found, Problem> {
    let known = reader.site(&site.site).await?;
    let stock = reader.0.site_stock(&known).await?;
    let open = reader.0.count_orders(&known, &OPEN, ORDERS_MAX).await?.value;
    let refused = reader.0.count_orders(&known, &[OrderStatus::Refused], ORDERS_MAX).await?.value;
    let query = LevelQuery { available_below: Some(LOW + 1), ..LevelQuery::default() };
    let low =
        reader.0.stock_levels_like(&known, &query, (None, None), None, LOW_COUNTED_MAX).await?.value.data;
    Ok(Found { site, at: stock.at, stock: stock.value, open, refused, low })
}

fn row(found: &Found) -> SiteRow {
    let Found { site, stock, open, refused, low, .. } = found;
    let orders = site_path(&site.site, "orders");
    SiteRow {
        name: site.name.to_string(),
        id: site.site.to_string(),
        stock: (*stock).into(),
        open: up_to(*open, ORDERS_MAX.into()),
        refused: up_to(*refused, ORDERS_MAX.into()),
        low: up_to(low.len() as u64, LOW_COUNTED_MAX.into()),
        stock_path: site_path(&site.site, "stock"),
        low_path: address(&site_path(&site.site, "stock"), &[("available", &LOW.to_string())]),
        open_path: address(&orders, &[("status", OrderStatus::Placed.as_str())]),
        refused_path: address(&orders, &[("status", OrderStatus::Refused.as_str())]),
    }
}

fn totals(found: &[Found]) -> Totals {
    let sum = |number: fn(&SiteStock) -> i64| {
        found.iter().map(|found| number(&found.stock)).fold(0, i64::saturating_add)
    };
    let stock = SiteStock {
        items: sum(|stock| stock.items),
        on_hand: sum(|stock| stock.on_hand),
        reserved: sum(|stock| stock.reserved),
        held: sum(|stock| stock.held),
        available: sum(|stock| stock.available),
    };
    // One count that stopped at its bound makes the sum such a count too.
    let counted = |count: fn(&Found) -> u64, bound: u64| {
        let sum: u64 = found.iter().map(count).sum();
        let is_bounded = found.iter().any(|found| count(found) >= bound);
        if is_bounded { up_to(sum, sum) } else { Number::of(sum).to_string() }
    };
    let path = |of: fn(SiteRow) -> String| match found {
        [only] => of(row(only)),
        _ => "#sites".to_owned(),
    };
    Totals {
        stock: stock.into(),
        open: counted(|found| found.open, ORDERS_MAX.into()),
        refused: counted(|found| found.refused, ORDERS_MAX.into()),
        low: counted(|found| found.low.len() as u64, LOW_COUNTED_MAX.into()),
        stock_path: path(|row| row.stock_path),
        low_path: path(|row| row.low_path),
        open_path: path(|row| row.open_path),
        refused_path: path(|row| row.refused_path),
    }
}

/// What runs low most, of all sites together.
async fn lowest(found: &[Found], reader: &Reader) -> Result<Vec<LowRow>, Problem> {
    let mut low: Vec<&StockLevel> = found.iter().flat_map(|found| &found.low).collect();
    low.sort_by_key(|level| level.available);
    low.truncate(LOW_SHOWN);
    let skus: Vec<_> = low.iter().map(|level| level.sku.clone()).collect();
    let items = reader.0.items_described(&skus).await?;
    let row = |level: &StockLevel| {
        let item = items.get(&level.sku);
        LowRow {
            site: level.site.to_string(),
            sku: level.sku.to_string(),
            name: item.map_or_else(String::new, |item| item.name.to_string()),
            unit: item.map_or_else(String::new, |item| item.unit.to_string()),
            on_hand: Number(level.on_hand),
            available: Number(level.available),
            path: site_path_of(&level.site, "stock", level.sku.as_str()),
        }
    };
    Ok(low.into_iter().map(row).collect())
}

/// What the writers and the projections of this node do, as `/readyz` tells everybody.
fn partitions(app: &App) -> Vec<PartitionRow> {
    let roles = app.roles();
    let now = app.node().environment.now();
    let writers = roles.writer.as_ref().map(|ledger| ledger.status()).unwrap_or_default();
    let projectors = roles.projector.as_ref().map(|progress| progress.all()).unwrap_or_default();
    let count = usize::from(app.node().partitions);
    let row = |index: usize| {
        let writer = writers.get(index).map(|status| operation::writer_check(status).state);
        let status = projectors.get(index);
        let lag = status.map_or(0, stockledger_projections::Status::lag);
        let seconds = status.and_then(|status| lag_seconds(lag, status.recorded_at, now));
        let projector = status.map(|status| operation::activity_of(status).0);
        let position = writers.get(index).map(|status| status.position);
        PartitionRow {
            partition: index.to_string(),
            writer: writer.unwrap_or("not here"),
            projector: projector.unwrap_or("not here"),
            position: position
                .or(status.map(|status| status.position))
                .map_or_else(String::new, |at| at.to_string()),
            records_behind: Number::of(lag),
            behind: seconds.map_or_else(|| "unknown".to_owned(), duration),
            is_well: writer.is_none_or(|state| state == "leading")
                && projector.is_none_or(|state| state == "running"),
        }
    };
    (0..count).map(row).collect()
}
