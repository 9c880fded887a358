//! `/ui/sites/{site}/stock`: what is at a site, now or then, all of it or what is searched for.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stockledger_projections::views::{Answer, KnownSite, Page, StockLevel};
use stockledger_projections::{Axis, LevelQuery};
use stockledger_schemas::{KeyScope, SiteId, Sku};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::as_of::{Moment, Past};
use crate::http::list::Limit;
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::http::stock_lists::SiteLevels;
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Tabs, live_page, site_path, site_path_of};
use crate::http::ui::live;
use crate::http::ui::overview::LOW;
use crate::http::ui::query::{Picked, address, field, filled};
use crate::http::ui::text::Number;

pub(super) fn routes() -> Routes {
    let access = Access::AtSite(KeyScope::StockRead);
    Routes::new().get("/ui/sites/{site}", access, site).get("/ui/sites/{site}/stock", access, show)
}

async fn site(
    Segments(site): Segments<SiteId>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    Ok(Redirect::to(&site_path(&known.site, "stock")).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What the SKU begins with.
    #[serde(default, deserialize_with = "filled")]
    sku: Option<Sku>,
    /// At most so much is available.
    #[serde(default, deserialize_with = "filled")]
    available: Option<i64>,
    #[serde(default, deserialize_with = "filled")]
    as_of: Option<Picked>,
    axis: Option<Axis>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    format: Option<Format>,
}

#[derive(Template)]
#[template(path = "levels.html")]
struct Levels {
    frame: Frame,
    tabs: Tabs,
    actions: Vec<Action>,
    path: String,
    sku: String,
    available: String,
    as_of: String,
    is_occurred: bool,
    is_filtered: bool,
    low_path: String,
    low: Number,
    rows: Vec<LevelRow>,
    feeds: Feeds,
}

struct LevelRow {
    sku: String,
    name: String,
    unit: String,
    on_hand: Number,
    reserved: Number,
    held: Number,
    available: Number,
    is_low: bool,
    path: String,
}

async fn show(
    State(app): State<App>,
    Segments(site): Segments<SiteId>,
    Parameters(search): Parameters<Search>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = search.past()?;
    let known = reader.site(&site).await?;
    let Answer { at, value: (levels, next) } = search.find(&known, past, &reader).await?;
    if let Some(format) = search.format {
        return feed::rows(format, &levels);
    }
    let path = site_path(&site, "stock");
    let (sku, available, as_of, axis) = search.texts();
    let parameters =
        [("sku", sku.as_str()), ("available", available.as_str()), ("as_of", as_of.as_str()), ("axis", axis)];
    let limit = search.limit.get().to_string();
    let parameters = [&parameters[..], &[("limit", limit.as_str())]].concat();
    let cursor = search.cursor.as_deref().unwrap_or_default();
    let shown = [&parameters[..], &[("cursor", cursor)]].concat();
    let age = past.map_or_else(|| Age::of(&app, &at), |past| Age::of_past(&at, past));
    let skus: Vec<Sku> = levels.iter().map(|level| level.sku.clone()).collect();
    let items = reader.0.items_described(&skus).await?;
    let row = |level: &StockLevel| {
        let item = items.get(&level.sku);
        let own = site_path_of(&site, "stock", level.sku.as_str());
        LevelRow {
            sku: level.sku.to_string(),
            name: item.map_or_else(String::new, |item| item.name.to_string()),
            unit: item.map_or_else(String::new, |item| item.unit.to_string()),
            on_hand: Number(level.on_hand),
            reserved: Number(level.reserved),
            held: Number(level.held),
            available: Number(level.available),
            is_low: level.available <= LOW,
            path: address(&own, &[("as_of", as_of.as_str()), ("axis", axis)]),
        }
    };
    let stream = live::at_site(&caller, &age, site.as_str(), ("", "")).filter(|_| search.cursor.is_none());
    live_page(&Levels {
        frame: Frame::at_site(format!("Stock at {site}"), &site).aged(age).live(stream),
        tabs: Tabs::stock(&site),
        actions: if past.is_none() { forms::at_site(&caller, &site) } else { Vec::new() },
        feeds: Feeds::new((levels.len(), "items"), &path, &shown, next.as_deref()),
        rows: levels.iter().map(row).collect(),
        low_path: address(&path, &[("available", &LOW.to_string())]),
        low: Number(LOW),
        is_filtered: search.sku.is_some() || search.available.is_some() || past.is_some(),
        is_occurred: search.axis == Some(Axis::Occurred),
        as_of: search.as_of.map_or_else(String::new, |picked| picked_field(picked.0)),
        path,
        sku,
        available,
    })
}

fn picked_field(moment: Moment) -> String {
    match moment {
        Moment::Instant(instant) => field(instant),
        Moment::Position(position) => position.to_string(),
    }
}

impl Search {
    fn past(&self) -> Result<Option<Past>, Problem> {
        // The form sends its axis with every search; alone it asks for nothing.
        let axis = if self.as_of.is_some() { self.axis } else { None };
        Past::of(self.as_of.map(|picked| picked.0), axis)
    }

    /// The parameters as they are sent again.
    fn texts(&self) -> (String, String, String, &'static str) {
        let axis = match (self.as_of, self.axis) {
            (Some(_), Some(Axis::Occurred)) => "occurred",
            _ => "",
        };
        let sku = self.sku.as_ref().map_or_else(String::new, ToString::to_string);
        let available = self.available.map_or_else(String::new, |number| number.to_string());
        (sku, available, self.as_of.map_or_else(String::new, |picked| picked.0.to_string()), axis)
    }

    /// A page of levels, and the cursor of the next one.
    async fn find(
        &self,
        known: &KnownSite,
        past: Option<Past>,
        reader: &Reader,
    ) -> Result<Answer<(Vec<StockLevel>, Option<String>)>, Problem> {
        let query = LevelQuery {
            sku_prefix: self.sku.clone(),
            available_below: self.available.map(|most| most.saturating_add(1)),
            ..LevelQuery::default()
        };
        let levels = SiteLevels::new(reader, known.clone(), past, query)?;
        let list = levels.list("stock");
        let after = list.begin(self.cursor.as_deref())?;
        let Answer { at, value: Page { data, next } } = levels.find(after, self.limit.get()).await?;
        Ok(Answer { value: (data, list.cursor(next.as_ref())), at })
    }
}
