//! Rows for spreadsheets and other programs: CSV, of the API's lists and of the dashboard's tables alike.

mod rows;

use axum::http::HeaderValue;
use serde::Serialize;

use crate::text::cell_of_text;

/// What CSV is sent as.
pub(super) const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

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

/// The line with the names of the cells.
///
/// # Errors
/// A fault of ours: it cannot be written.
pub(super) fn csv_header<R: Row>() -> Result<Vec<u8>, csv::Error> {
    written(std::iter::once(R::NAMES.iter().map(|name| name.as_bytes())))
}

/// The lines of rows.
///
/// # Errors
/// As [`csv_header`].
pub(super) fn csv_lines<R: Row>(rows: &[R]) -> Result<Vec<u8>, csv::Error> {
    let rows: Vec<Vec<Cell>> = rows.iter().map(Row::cells).collect();
    written(rows.iter().map(|cells| cells.iter().map(|cell| cell.0.as_bytes())))
}

fn written<'a>(records: impl Iterator<Item = impl Iterator<Item = &'a [u8]>>) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
