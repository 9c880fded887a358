//! The rows of a table for programs: the same rows as the page, as CSV or as JSON.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::http::problem::Problem;
use crate::http::read::respond;
use crate::http::table::{self, Row};
use crate::http::ui::query::address;
use crate::http::ui::text::Number;

/// What a table is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Csv,
    Json,
}

/// What stands below a table: how much of it there is, and the same rows for programs.
#[derive(Debug, Clone)]
pub(super) struct Feeds {
    pub(super) shown: String,
    pub(super) csv: String,
    pub(super) json: String,
    pub(super) next: Option<String>,
}

impl Feeds {
    /// Of a table at a path with parameters, on a page that shows so many rows; `next` is the cursor of the next one.
    pub(super) fn new(
        (count, of_what): (usize, &str),
        path: &str,
        parameters: &[(&str, &str)],
        next: Option<&str>,
    ) -> Self {
        let with = |name, value| {
            let others = parameters.iter().filter(|(other, _)| *other != name).copied();
            address(path, &others.chain([(name, value)]).collect::<Vec<_>>())
        };
        let of_what = if count == 1 { of_what.trim_end_matches('s') } else { of_what };
        Self {
            shown: format!("{} {of_what} shown", Number::of(count)),
            csv: with("format", "csv"),
            json: with("format", "json"),
            next: next.map(|cursor| with("cursor", cursor)),
        }
    }
}

#[derive(Serialize)]
struct Rows<'a, R> {
    data: &'a [R],
}

/// The rows as they were asked for.
pub(super) fn rows<R: Row>(format: Format, rows: &[R]) -> Result<Response, Problem> {
    match format {
        Format::Json => respond(None, &Rows { data: rows }),
        Format::Csv => {
            let mut bytes = table::csv_header::<R>().map_err(Problem::internal)?;
            bytes.extend(table::csv_lines(rows).map_err(Problem::internal)?);
            let nosniff = HeaderValue::from_static("nosniff");
            let headers = [(header::CONTENT_TYPE, table::CSV), (header::X_CONTENT_TYPE_OPTIONS, nosniff)];
            Ok((headers, bytes).into_response())
        }
    }
}
