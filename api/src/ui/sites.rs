//! `/ui/sites`: the places that hold stock.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::Site;
use stockledger_schemas::{KeyScope, PartitionId, SiteId};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::list::{Limit, List, Pages, Portion};
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::Parameters;
use crate::http::sites::Sites;
use crate::http::ui::age::Age;
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Section, page, site_path};
use crate::http::ui::text::When;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/sites", Access::OwnSites(KeyScope::StockRead), show)
}

/// The parameters of a plain list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paged {
    #[serde(default)]
    pub(super) limit: Limit,
    pub(super) cursor: Option<String>,
    pub(super) format: Option<Format>,
}

#[derive(Template)]
#[template(path = "sites.html")]
struct SitesPage {
    frame: Frame,
    actions: Vec<Action>,
    rows: Vec<SiteRow>,
    feeds: Feeds,
}

struct SiteRow {
    name: String,
    site: String,
    partition: String,
    at: When,
    stock: String,
    orders: String,
}

async fn show(
    State(app): State<App>,
    Parameters(Paged { limit, cursor, format }): Parameters<Paged>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("page of sites", &[]);
    let after = list.begin::<SiteId>(cursor.as_deref())?;
    let Portion { data: sites, next, .. } = Sites::new(&caller, &reader).page(after, limit.get()).await?;
    if let Some(format) = format {
        return feed::rows(format, &sites);
    }
    let states = reader.0.positions().await?;
    let directory = states.iter().find(|at| at.position.partition == PartitionId::DIRECTORY);
    let mut frame = Frame::new("Sites", Section::Sites);
    if let Some(at) = directory {
        frame = frame.aged(Age::of(&app, at));
    }
    let (limit, cursor) = (limit.get().to_string(), cursor.unwrap_or_default());
    let parameters = [("limit", limit.as_str()), ("cursor", cursor.as_str())];
    let next = list.cursor(next.as_ref());
    page(&SitesPage {
        frame,
        actions: forms::open_site(&caller),
        feeds: Feeds::new((sites.len(), "sites"), "/ui/sites", &parameters, next.as_deref()),
        rows: sites.iter().map(row).collect(),
    })
}

fn row(site: &Site) -> SiteRow {
    SiteRow {
        name: site.name.to_string(),
        site: site.site.to_string(),
        partition: site.partition.to_string(),
        at: When(site.recorded_at),
        stock: site_path(&site.site, "stock"),
        orders: site_path(&site.site, "orders"),
    }
}
