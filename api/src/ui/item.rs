//! `/ui/sites/{site}/stock/{sku}`: one item at a site, its history, and why its level is what it is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::{Explanation, KnownSite, Movement, Page, Part, StockLevel};
use stockledger_projections::{Axis, Direction, MovementFilter, MovementKey, Period, Point, Then};
use stockledger_schemas::{KeyScope, Reference, SiteId, Sku, Timestamp};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::as_of::Past;
use crate::http::list::Limit;
use crate::http::movements::{First, named};
use crate::http::problem::{Code, Problem};
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};
use crate::http::stock_levels::unknown_stock;
use crate::http::ui::age::Age;
use crate::http::ui::chart::{self, History};
use crate::http::ui::feed::{self, Feeds, Format};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Tabs, live_page, site_path_of};
use crate::http::ui::live;
use crate::http::ui::query::{Picked, filled};
use crate::http::ui::text::{Change, Number, When, sentence};

/// Movements that the chart shows at most.
const CHARTED_MAX: u32 = 500;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/sites/{site}/stock/{sku}", Access::AtSite(KeyScope::StockRead), show)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default, deserialize_with = "filled")]
    as_of: Option<Picked>,
    axis: Option<Axis>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    format: Option<Format>,
}

#[derive(Template)]
#[template(path = "item.html")]
struct ItemPage {
    frame: Frame,
    tabs: Tabs,
    actions: Vec<Action>,
    sku: String,
    unit: String,
    everywhere: String,
    on_hand: Number,
    reserved: Number,
    held: Number,
    available: Number,
    held_by: Vec<(&'static str, Number)>,
    /// Absent where the caller may not see who did what.
    audit: Option<Audit>,
}

/// What moved and why, which tells who did it.
struct Audit {
    history: Option<History>,
    explained: Option<Explained>,
    movements: Vec<MovementRow>,
    feeds: Feeds,
}

struct Explained {
    adds_up: bool,
    parts: Vec<PartRow>,
    sum: [Number; 3],
    reserved_orders: Number,
    reservations: Vec<ReservationRow>,
}

struct PartRow {
    what: String,
    reason: String,
    movements: Number,
    orders: Number,
    delta: [Change; 3],
    last: Option<When>,
}

struct ReservationRow {
    order_id: String,
    path: String,
    quantity: Number,
    at: When,
}

struct MovementRow {
    position: String,
    what: String,
    at: When,
    recorded_at: When,
    delta: [Change; 3],
    on_hand: Number,
    order: Option<(String, String)>,
    actor: String,
    why: String,
}

async fn show(
    State(app): State<App>,
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(asked): Parameters<Asked>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let past = Past::of(asked.as_of.map(|picked| picked.0), asked.axis)?;
    let known = reader.site(&site).await?;
    let then = past.map(|past| past.at(&known)).transpose()?;
    let level = match then {
        None => reader.0.stock_level(&known, &sku).await?,
        Some(then) => reader.0.stock_level_then(&known, &sku, then).await?,
    };
    let until = Until::of(then);
    let level = level.ok_or_else(|| unknown_stock(&site, &sku))?;
    let may_audit = caller.check(Access::AtSite(KeyScope::AuditRead), Some(&site));
    if let Some(format) = asked.format {
        may_audit?;
        let (movements, _) = asked.movements(&known, &sku, &until, &reader).await?;
        return feed::rows(format, &movements);
    }
    let item = reader.0.item(&sku).await?.map(|answer| answer.value);
    let unit = item.as_ref().map_or_else(String::new, |item| item.unit.to_string());
    let audit = match may_audit {
        Ok(()) => Some(audit(&known, &sku, (&asked, past, &until), &unit, &reader).await?),
        Err(_) => None,
    };
    let age = past.map_or_else(|| Age::of(&app, &level.at), |past| Age::of_past(&level.at, past));
    let title = item.map_or_else(|| sku.to_string(), |item| item.name.to_string());
    let is_newest = asked.cursor.is_none();
    let stream = live::at_site(&caller, &age, site.as_str(), ("sku", sku.as_str())).filter(|_| is_newest);
    live_page(&ItemPage {
        frame: Frame::at_site(title, &site).aged(age).live(stream),
        tabs: Tabs::stock(&site),
        actions: if past.is_none() { forms::of_item(&caller, &site, &sku) } else { Vec::new() },
        everywhere: format!("/ui/items/{}", crate::text::segment(sku.as_str())),
        sku: sku.to_string(),
        unit,
        on_hand: Number(level.on_hand),
        reserved: Number(level.reserved),
        held: Number(level.held),
        available: Number(level.available),
        held_by: held_by(&level),
        audit,
    })
}

fn held_by(level: &StockLevel) -> Vec<(&'static str, Number)> {
    let held = level.held_by_reason;
    let all = [
        ("damaged", held.damaged),
        ("quality control", held.quality_control),
        ("safety stock", held.safety_stock),
        ("other", held.other),
    ];
    all.into_iter().filter(|(_, held)| *held != 0).map(|(reason, held)| (reason, Number(held))).collect()
}

/// Up to where movements belong to the page: those that came later are none of the past.
struct Until {
    filter: MovementFilter,
    /// What the newest of them comes behind, from the newest on.
    before: Option<MovementKey>,
}

impl Until {
    fn of(then: Option<Then>) -> Self {
        let period = |axis, last: Timestamp| Period {
            axis,
            from: None,
            to: Timestamp::from_micros(last.micros().saturating_add(1)).ok(),
        };
        let (period, before) = match then {
            None => (Period::default(), None),
            Some(Then::Recorded(Point::Seq(seq))) => {
                (Period::default(), Some(MovementKey { seq: seq.saturating_add(1), line: 0 }))
            }
            Some(Then::Recorded(Point::Instant(at))) => (period(Axis::Recorded, at), None),
            Some(Then::Occurred(at)) => (period(Axis::Occurred, at), None),
        };
        Self { filter: MovementFilter { period, ..MovementFilter::default() }, before }
    }
}

impl Asked {
    async fn movements(
        &self,
        known: &KnownSite,
        sku: &Sku,
        until: &Until,
        reader: &Reader,
    ) -> Result<(Vec<Movement>, Option<String>), Problem> {
        // The cursors are those of the JSON route, which lists the same.
        let Until { filter, before } = until;
        let list = named(&known.site, sku, First::Newest, filter);
        let after = list.begin::<MovementKey>(self.cursor.as_deref())?.or(*before);
        let found = reader.0.movements((known, sku), filter, Direction::NewestFirst, after, self.limit.get());
        let answer = found.await?;
        let Page { data, next } = answer.value;
        let next = list.cursor(next.as_ref());
        Ok((data, next))
    }
}

async fn audit(
    known: &KnownSite,
    sku: &Sku,
    (asked, past, until): (&Asked, Option<Past>, &Until),
    unit: &str,
    reader: &Reader,
) -> Result<Audit, Problem> {
    let (movements, next) = asked.movements(known, sku, until, reader).await?;
    let (Until { filter, before }, newest) = (until, Direction::NewestFirst);
    let charted = reader.0.movements((known, sku), filter, newest, *before, CHARTED_MAX).await?.value;
    let oldest_first: Vec<&Movement> = charted.data.iter().rev().collect();
    let explanation = match past.map(|past| past.point(known)) {
        None => reader.0.explain(known, sku, None).await?,
        Some(Ok(point)) => reader.0.explain(known, sku, Some(point)).await?,
        // By occurrence there are levels, but no explanations of them.
        Some(Err(problem)) if problem.code() == Code::MalformedRequest => None,
        Some(Err(problem)) => return Err(problem),
    };
    let path = site_path_of(&known.site, "stock", sku.as_str());
    let (limit, cursor) = (asked.limit.get().to_string(), asked.cursor.as_deref().unwrap_or_default());
    let as_of = asked.as_of.map_or_else(String::new, |picked| picked.0.to_string());
    let axis = if asked.axis == Some(Axis::Occurred) { "occurred" } else { "" };
    let parameters = [("as_of", as_of.as_str()), ("axis", axis), ("limit", &limit), ("cursor", cursor)];
    Ok(Audit {
        history: chart::history(&oldest_first, charted.next.is_none(), unit),
        explained: explanation.as_ref().map(explained),
        feeds: Feeds::new((movements.len(), "movements"), &path, &parameters, next.as_deref()),
        movements: movements.iter().map(|movement| movement_row(&known.site, movement)).collect(),
    })
}

fn explained(explanation: &Explanation) -> Explained {
    let Explanation { level, adds_up, sums, opening, parts, reservations, .. } = explanation;
    let opening = (opening.movements > 0).then_some(opening);
    let reservation = |one: &stockledger_projections::views::Reservation| ReservationRow {
        order_id: one.order_id.to_string(),
        path: site_path_of(&level.site, "orders", one.order_id.as_str()),
        quantity: Number(one.quantity),
        at: When(one.placed.recorded_at),
    };
    Explained {
        adds_up: *adds_up,
        parts: opening.into_iter().chain(parts).map(part_row).collect(),
        sum: [sums.on_hand, sums.reserved, sums.held].map(Number),
        reserved_orders: Number::of(reservations.orders),
        reservations: reservations.oldest.iter().map(reservation).collect(),
    }
}

fn part_row(part: &Part) -> PartRow {
    PartRow {
        what: sentence(&part.kind),
        reason: part.reason.map_or_else(String::new, |reason| sentence(reason.as_str())),
        movements: Number::of(part.movements),
        orders: Number::of(part.orders),
        delta: [part.delta.on_hand, part.delta.reserved, part.delta.held].map(Change),
        last: part.last.map(|place| When(place.recorded_at)),
    }
}

fn movement_row(site: &SiteId, movement: &Movement) -> MovementRow {
    let Movement { delta, order_id, .. } = movement;
    MovementRow {
        position: movement.position.to_string(),
        what: sentence(&movement.kind),
        at: When(movement.occurred_at),
        recorded_at: When(movement.recorded_at),
        delta: [delta.on_hand, delta.reserved, delta.held].map(Change),
        on_hand: Number(movement.after.on_hand),
        order: order_id.as_ref().map(|id| (id.to_string(), site_path_of(site, "orders", id.as_str()))),
        actor: movement.actor.to_string(),
        why: why(
            movement.reason.map(|reason| reason.as_str()),
            movement.note.as_ref().map(|note| note.as_str()),
            movement.reference.as_ref(),
        ),
    }
}

/// Reason, note and document in one line.
pub(super) fn why(reason: Option<&str>, note: Option<&str>, reference: Option<&Reference>) -> String {
    let reason = reason.map(sentence);
    let note = note.map(ToOwned::to_owned);
    let reference = reference.map(|reference| format!("{} {}", reference.kind, reference.id));
    [reason, note, reference].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}
