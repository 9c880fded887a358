//! Lists: pages of at most so many, and a cursor to go on with.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_projections::views::{AsOf, Page};

use crate::http::as_of::{Past, Told};
use crate::http::cursor::{self, Key};
use crate::http::problem::Problem;
use crate::http::read::respond;

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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    #[serde(default)]
    pub(super) limit: Limit,
    pub(super) cursor: Option<String>,
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

    /// The answer with one page of one partition as it is.
    pub(super) fn respond<T: Serialize, K: Key>(
        &self,
        at: &AsOf,
        page: &Page<T, K>,
    ) -> Result<Response, Problem> {
        self.respond_then(at, None, &page.data, page.next.as_ref())
    }

    /// The answer with one page of one partition as it was; `next` is where the next one begins.
    pub(super) fn respond_then<T: Serialize>(
        &self,
        at: &AsOf,
        past: Option<Past>,
        data: &[T],
        next: Option<&impl Key>,
    ) -> Result<Response, Problem> {
        respond(Some(at.position), &self.body(data, next, Told::of(at, past)))
    }

    /// The answer with one page of several partitions, of which every row says its own state.
    pub(super) fn respond_everywhere<T: Serialize>(
        &self,
        past: Option<Past>,
        data: &[T],
        next: Option<&impl Key>,
    ) -> Result<Response, Problem> {
        respond(None, &self.body(data, next, past.and_then(Past::told)))
    }

    /// The cursor of the page that begins there.
    pub(super) fn cursor(&self, next: Option<&impl Key>) -> Option<String> {
        next.map(|key| cursor::write(&self.0, key))
    }

    fn body<'a, T, M>(&self, data: &'a [T], next: Option<&impl Key>, more: M) -> Body<'a, T, M> {
        let next_cursor = self.cursor(next);
        Body { data, has_more: next_cursor.is_some(), next_cursor, more }
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
