//! Lists: pages of at most so many and a cursor to go on with, or all of it as rows.

mod format;
mod rows;

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_projections::views::{Answer, AsOf, Page};

use self::format::Format;
use crate::http::App;
use crate::http::access::Caller;
use crate::http::as_of::{Past, Told};
use crate::http::conditional::Tag;
use crate::http::cursor::{self, Key};
use crate::http::problem::Problem;
use crate::http::read::respond_tagged;
use crate::http::table::Row;

/// Most that a page holds.
pub(super) const LIMIT_MAX: u32 = 500;
/// How many a page holds unless the caller says.
pub(super) const LIMIT_DEFAULT: u32 = 50;

/// How many a page shall hold at most.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Limit(u32);

#[derive(Debug, thiserror::Error)]
#[error("limit must be from 1 to {LIMIT_MAX}")]
pub(super) struct InvalidLimit;

impl TryFrom<u32> for Limit {
    type Error = InvalidLimit;

    fn try_from(limit: u32) -> Result<Self, InvalidLimit> {
        if (1..=LIMIT_MAX).contains(&limit) { Ok(Self(limit)) } else { Err(InvalidLimit) }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl Limit {
    pub(super) const fn get(self) -> u32 {
        self.0
    }
}

/// The parameters of a list without filters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    pub(super) limit: Option<Limit>,
    pub(super) cursor: Option<String>,
}

/// A list that is read page by page.
pub(super) trait Pages: Send + Sync + 'static {
    /// What it lists.
    type Row: Row + Send + Sync + 'static;
    /// By what it goes on.
    type Key: Key + Send + Sync + 'static;

    /// The page behind a key.
    fn page(
        &self,
        after: Option<Self::Key>,
        limit: u32,
    ) -> impl Future<Output = Result<Portion<Self::Row, Self::Key>, Problem>> + Send;

    /// How many rows are read at once where all of them are wanted.
    fn at_once(&self) -> u32 {
        LIMIT_MAX
    }
}

/// A page of a list, and the state that it shows.
pub(super) struct Portion<T, K> {
    /// The state of the one partition that it is of; rows of several partitions say their own.
    pub(super) at: Option<AsOf>,
    /// Which past it is.
    pub(super) past: Option<Past>,
    pub(super) data: Vec<T>,
    pub(super) next: Option<K>,
}

impl<T, K> Portion<T, K> {
    /// A page of one partition as it is.
    pub(super) fn of(answer: Answer<Page<T, K>>) -> Self {
        let Answer { at, value: Page { data, next } } = answer;
        Self { at: Some(at), past: None, data, next }
    }
}

/// What a caller wants a list as.
pub(super) struct Wanted {
    app: App,
    caller: Option<Caller>,
    format: Format,
}

impl FromRequestParts<App> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let caller = parts.extensions.get().cloned();
        Ok(Self { app: app.clone(), caller, format: Format::of(&parts.headers) })
    }
}

impl Wanted {
    /// Whether all pages are wanted at once.
    pub(super) fn is_whole(&self, limit: Option<Limit>) -> bool {
        limit.is_none() && self.format != Format::Json
    }
}

/// A list and what it was filtered by, as the cursors of it are bound to it.
pub(super) struct List(String);

impl List {
    /// The list of this name; `parts` are the ids of its path and its filters.
    pub(super) fn new(name: &str, parts: &[&str]) -> Self {
        let mut list = name.to_owned();
        for part in parts {
            list.push('\n');
            list.push_str(part);
        }
        Self(list)
    }

    /// Where the page begins that the cursor stands for; at the beginning without one.
    pub(super) fn begin<K: Key>(&self, cursor: Option<&str>) -> Result<Option<K>, Problem> {
        cursor.map(|cursor| cursor::read(&self.0, cursor)).transpose()
    }

    /// The answer as it is wanted: a page, or as rows all of the list that stands behind the cursor, if no limit is given.
    pub(super) async fn answer<P: Pages>(
        &self,
        wanted: Wanted,
        asked: ListParameters,
        pages: P,
    ) -> Result<Response, Problem> {
        let ListParameters { limit, cursor } = asked;
        let after = self.begin(cursor.as_deref())?;
        let is_whole = wanted.is_whole(limit);
        let size = if is_whole { pages.at_once() } else { limit.unwrap_or_default().get() };
        let first = pages.page(after, size).await?;
        let mut response = match wanted.format {
            Format::Json => self.respond(&first)?,
            Format::Rows(format) => {
                rows::respond((wanted.app, wanted.caller), pages, format, (first, is_whole))?
            }
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        Ok(response)
    }

    fn respond<T: Serialize, K: Key>(&self, page: &Portion<T, K>) -> Result<Response, Problem> {
        let Portion { at, past, data, next } = page;
        let next_cursor = self.cursor(next.as_ref());
        let has_more = next_cursor.is_some();
        match at {
            Some(at) => {
                let more = Told::of(at, *past);
                respond_tagged(Some(at.position), Tag::Body, &Body { data, has_more, next_cursor, more })
            }
            None => {
                let more = past.and_then(Past::told);
                respond_tagged(None, Tag::Body, &Body { data, has_more, next_cursor, more })
            }
        }
    }

    /// The cursor of the page that begins there.
    pub(super) fn cursor(&self, next: Option<&impl Key>) -> Option<String> {
        next.map(|key| cursor::write(&self.0, key))
    }
}

#[derive(Serialize)]
struct Body<'a, T, M> {
    data: &'a [T],
    has_more: bool,
    next_cursor: Option<String>,
    #[serde(flatten)]
    more: M,
}
