//! `/ui/items`: what is counted, and where it is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stockledger_projections::views::{AsOf, Item, StockLevel};
use stockledger_schemas::{KeyScope, SiteId, Sku};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Feeds};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Section, page, site_path_of};
use crate::http::ui::sites::Paged;
use crate::http::ui::text::{Number, When};
use crate::text::segment;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/items", Access::OwnSites(KeyScope::StockRead), list).get(
        "/ui/items/{sku}",
        Access::AllSites(KeyScope::StockRead),
        everywhere,
    )
}

#[derive(Template)]
#[template(path = "items.html")]
struct Items {
    frame: Frame,
    actions: Vec<Action>,
    rows: Vec<ItemRow>,
    feeds: Feeds,
}

struct ItemRow {
    sku: String,
    name: String,
    unit: String,
    at: When,
    path: String,
}

async fn list(
    State(app): State<App>,
    Parameters(Paged { limit, cursor, format }): Parameters<Paged>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("items", &[]);
    let after = list.begin::<Sku>(cursor.as_deref())?;
    let answer = reader.0.items(after.as_ref(), limit.get()).await?;
    let items = &answer.value.data;
    if let Some(format) = format {
        return feed::rows(format, items);
    }
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let parameters = [("limit", limit.as_str()), ("cursor", cursor.as_str())];
    let next = list.cursor(answer.value.next.as_ref());
    let row = |item: &Item| ItemRow {
        sku: item.sku.to_string(),
        name: item.name.to_string(),
        unit: item.unit.to_string(),
        at: When(item.recorded_at),
        path: format!("/ui/items/{}", segment(item.sku.as_str())),
    };
    page(&Items {
        actions: forms::register_item(&caller),
        frame: Frame::new("Items", Section::Items).aged(Age::of(&app, &answer.at)),
        feeds: Feeds::new((items.len(), "items"), "/ui/items", &parameters, next.as_deref()),
        rows: items.iter().map(row).collect(),
    })
}

#[derive(Template)]
#[template(path = "everywhere.html")]
struct Everywhere {
    frame: Frame,
    sku: String,
    unit: String,
    rows: Vec<PlaceRow>,
    feeds: Feeds,
}

struct PlaceRow {
    site: String,
    on_hand: Number,
    reserved: Number,
    held: Number,
    available: Number,
    path: String,
}

async fn everywhere(
    State(app): State<App>,
    Segments(sku): Segments<Sku>,
    Parameters(Paged { limit, cursor, format }): Parameters<Paged>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("page of item", &[sku.as_str()]);
    let after = list.begin::<SiteId>(cursor.as_deref())?;
    let found = reader.0.stock_of_item(&sku, after.as_ref(), limit.get()).await?;
    if let Some(format) = format {
        return feed::rows(format, &found.data);
    }
    let item = reader.0.item(&sku).await?.map(|answer| answer.value);
    let states: Vec<AsOf> = found.data.iter().map(|level| level.at.clone()).collect();
    let title = item.as_ref().map_or_else(|| sku.to_string(), |item| item.name.to_string());
    let mut frame = Frame::new(title, Section::Items).below("/ui/items".to_owned(), "Items");
    if !states.is_empty() {
        frame = frame.aged(Age::of_all(&app, &states));
    }
    let path = format!("/ui/items/{}", segment(sku.as_str()));
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let parameters = [("limit", limit.as_str()), ("cursor", cursor.as_str())];
    let next = list.cursor(found.next.as_ref());
    let row = |level: &StockLevel| PlaceRow {
        site: level.site.to_string(),
        on_hand: Number(level.on_hand),
        reserved: Number(level.reserved),
        held: Number(level.held),
        available: Number(level.available),
        path: site_path_of(&level.site, "stock", level.sku.as_str()),
    };
    page(&Everywhere {
        frame,
        feeds: Feeds::new((found.data.len(), "sites"), &path, &parameters, next.as_deref()),
        rows: found.data.iter().map(row).collect(),
        unit: item.map_or_else(String::new, |item| item.unit.to_string()),
        sku: sku.to_string(),
    })
}
