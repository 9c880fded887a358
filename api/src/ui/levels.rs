//! `/ui/sites/{site}/stock`: what is at a site, now or then, all of it or what is searched for.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stockledger_projections::Axis;
use stockledger_projections::views::{Answer, AsOf, KnownSite, Page, StockLevel};
use stockledger_schemas::{KeyScope, SiteId, Sku};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::as_of::{Moment, Past};
use crate::http::cursor::Kept;
use crate::http::list::{Limit, List};
use crate::http::problem::{Code, Problem};
use crate::http::read::Reader;
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Cell, Feeds, Format, Row};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Tabs, page, site_path, site_path_of};
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
    page(&Levels {
        frame: Frame::at_site(format!("Stock at {site}"), &site).aged(age),
        tabs: Tabs::stock(&site),
        actions: forms::at_site(&caller, &site),
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
        let past = Past::of(self.as_of.map(|picked| picked.0), axis)?;
        if past.is_some() && self.available.is_some() {
            let detail = "what was low then is not looked up: leave either the date or the number out";
            return Err(Problem::new(Code::MalformedRequest, detail));
        }
        Ok(past)
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
        let (sku, available, ..) = self.texts();
        let list = List::new("page of stock", &[known.site.as_str(), &sku, &available, &Past::name(past)]);
        let (kept, after) = list.begin::<Kept<AsOf, Sku>>(self.cursor.as_deref())?.map(Kept::parts).unzip();
        let after = after.or_else(|| self.sku.as_ref().and_then(just_before));
        let (after, limit) = (after.as_ref(), self.limit.get());
        let Answer { at, value: Page { mut data, next } } = match (past, self.available) {
            (Some(past), _) => reader.0.stock_levels_then(known, past.at(known)?, kept, after, limit).await?,
            (None, Some(available)) => reader.0.low_stock(known, available, after, limit).await?,
            (None, None) => reader.0.stock_levels(known, after, limit).await?,
        };
        let found = data.len();
        data.retain(|level| level.sku.as_str().starts_with(&sku));
        // Levels come by SKU: behind the first that begins otherwise, all do.
        let next = next.filter(|_| data.len() == found).map(|sku| Kept::new(at.clone(), sku));
        Ok(Answer { value: (data, list.cursor(next.as_ref())), at })
    }
}

/// An id that all that begin with `prefix` come behind, and of the others only those that come behind it anyway: ids are
/// of printable ASCII, of which the tilde is the last.
fn just_before(prefix: &Sku) -> Option<Sku> {
    let mut text = prefix.as_str().to_owned();
    let last = text.pop()?;
    let before = char::from(u8::try_from(last).ok()?.checked_sub(1)?);
    text.push(before);
    Sku::new(format!("{text:~<64}")).ok()
}

impl Row for StockLevel {
    const NAMES: &'static [&'static str] =
        &["site", "sku", "on_hand", "reserved", "held", "available", "position", "as_of"];

    fn cells(&self) -> Vec<Cell> {
        let numbers = [self.on_hand, self.reserved, self.held, self.available].map(Cell::plain);
        let mut cells = vec![Cell::text(&self.site), Cell::text(&self.sku)];
        cells.extend(numbers);
        cells.extend([Cell::plain(self.at.position), Cell::maybe(self.at.as_of)]);
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_begins_right_before_what_begins_like_it() {
        for prefix in ["A", "85123", "a b", "z~", "0", "!"] {
            let before = just_before(&Sku::new(prefix).unwrap());
            assert!(before.is_none_or(|before| before.as_str() < prefix), "{prefix}");
        }
        let before = just_before(&Sku::new("85123").unwrap()).unwrap();
        for earlier in ["8", "8512", "85122", "85122ZZZ", "84", "A".repeat(0).as_str()] {
            assert!(earlier < before.as_str(), "{earlier}");
        }
    }
}
