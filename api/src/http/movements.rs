//! `/v1/sites/{site}/stock/{sku}/movements`: what changed the balances of an item, and why.

use axum::response::Response;
use serde::Deserialize;
use stockledger_projections::views::{KnownSite, Movement};
use stockledger_projections::{Axis, Direction, MovementFilter, MovementKey, Queries};
use stockledger_schemas::{Actor, KeyScope, Reason, SiteId, Sku, Timestamp};

use crate::feed::EventType;
use crate::http::access::{Access, Routes};
use crate::http::list::{Limit, List, ListParameters, Pages, Portion, Wanted};
use crate::http::period::{self, period};
use crate::http::problem::Problem;
use crate::http::read::Reader;
use crate::http::segments::{Parameters, Segments};
use crate::http::stock_levels::unknown_stock;

/// What moved and why tells who did it, which is a matter of audit.
pub(super) fn routes() -> Routes {
    let access = Access::AtSite(KeyScope::AuditRead);
    Routes::new().get("/v1/sites/{site}/stock/{sku}/movements", access, list)
}

/// Which end of a history comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum First {
    #[default]
    Newest,
    Oldest,
}

impl First {
    pub(super) const fn direction(self) -> Direction {
        match self {
            Self::Newest => Direction::NewestFirst,
            Self::Oldest => Direction::OldestFirst,
        }
    }

    /// The word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MovementParameters {
    limit: Option<Limit>,
    cursor: Option<String>,
    #[serde(default)]
    first: First,
    r#type: Option<EventType>,
    reason: Option<Reason>,
    actor: Option<Actor>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    axis: Option<Axis>,
}

async fn list(
    Segments((site, sku)): Segments<(SiteId, Sku)>,
    Parameters(parameters): Parameters<MovementParameters>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    let MovementParameters { limit, cursor, first, r#type, reason, actor, from, to, axis } = parameters;
    let filter = MovementFilter {
        kind: r#type.map(|kind| kind.as_str().to_owned()),
        reason,
        actor,
        period: period((from, to), axis)?,
    };
    let list = named(&site, &sku, first, &filter);
    let known = reader.site(&site).await?;
    let pages = Movements { queries: reader.0.clone(), known, sku, filter, direction: first.direction() };
    list.answer(wanted, ListParameters { limit, cursor }, pages).await
}

/// The list as its cursors know it.
pub(super) fn named(site: &SiteId, sku: &Sku, first: First, filter: &MovementFilter) -> List {
    List::new(
        "movements",
        &[
            site.as_str(),
            sku.as_str(),
            first.as_str(),
            filter.kind.as_deref().unwrap_or_default(),
            filter.reason.map_or("", Reason::as_str),
            filter.actor.as_ref().map_or("", Actor::as_str),
            &period::name(&filter.period),
        ],
    )
}

struct Movements {
    queries: Queries,
    known: KnownSite,
    sku: Sku,
    filter: MovementFilter,
    direction: Direction,
}

impl Pages for Movements {
    type Row = Movement;
    type Key = MovementKey;

    async fn page(
        &self,
        after: Option<MovementKey>,
        limit: u32,
    ) -> Result<Portion<Movement, MovementKey>, Problem> {
        let Self { queries, known, sku, filter, direction } = self;
        let answer = queries.movements((known, sku), filter, *direction, after, limit).await?;
        if answer.value.data.is_empty() && queries.stock_level(known, sku).await?.is_none() {
            return Err(unknown_stock(&known.site, sku));
        }
        Ok(Portion::of(answer))
    }
}
