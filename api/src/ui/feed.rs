//! The rows of a table for programs: the same rows as the page, as CSV or as JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::http::problem::Problem;
use crate::http::read::respond;
use crate::http::ui::query::address;
use crate::http::ui::text::Number;
use crate::text::cell_of_text;

/// What a table is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    Csv,
    Json,
}

/// A row of a table.
pub(super) trait Row: Serialize {
    /// The names of its cells.
    const NAMES: &'static [&'static str];

    /// Its cells.
    fn cells(&self) -> Vec<Cell>;
}

/// A cell of CSV.
pub(super) struct Cell(String);

impl Cell {
    /// A number, an instant or a word of ours.
    #[expect(clippy::needless_pass_by_value, reason = "values and references alike become cells")]
    pub(super) fn plain(value: impl ToString) -> Self {
        Self(value.to_string())
    }

    /// What somebody wrote.
    #[expect(clippy::needless_pass_by_value, reason = "values and references alike become cells")]
    pub(super) fn text(value: impl ToString) -> Self {
        Self(cell_of_text(&value.to_string()).into_owned())
    }

    /// The same of what may be absent.
    pub(super) fn maybe(value: Option<impl ToString>) -> Self {
        value.map_or_else(|| Self(String::new()), Self::text)
    }
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
        Format::Csv => as_csv(rows),
    }
}

fn as_csv<R: Row>(rows: &[R]) -> Result<Response, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(R::NAMES).map_err(Problem::internal)?;
    for row in rows {
        let cells = row.cells();
        writer.write_record(cells.iter().map(|cell| cell.0.as_bytes())).map_err(Problem::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Problem::internal(error.to_string()))?;
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, bytes).into_response())
}
