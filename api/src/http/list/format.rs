//! `Accept` of a list: JSON, unless CSV or lines of JSON are asked for by name.

use axum::http::{HeaderMap, header};

/// What a list is answered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One page, and the cursor of the next one.
    Json,
    /// Rows alone.
    Rows(Rows),
}

/// Rows, one a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Csv,
    Ndjson,
}

const KNOWN: [(&str, Format); 3] = [
    ("application/json", Format::Json),
    ("text/csv", Format::Rows(Rows::Csv)),
    ("application/x-ndjson", Format::Rows(Rows::Ndjson)),
];

impl Format {
    /// The format that a request prefers of those that it names; of equals, the one that it names first. Whoever names
    /// none is given JSON, as every other answer is.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::Json, 0);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let Some((_, format)) = KNOWN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) else {
                continue;
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let weight = weight.map_or(Some(1_000), thousandths).unwrap_or_default();
            if weight > best.1 {
                best = (*format, weight);
            }
        }
        best.0
    }
}

/// A weight of RFC 9110, from 0 to 1 with three digits at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 {
        return None;
    }
    let rest: u16 = format!("{rest:0<3}").parse().ok()?;
    whole.parse().ok().filter(|whole: &u16| *whole <= 1).map(|whole| (whole * 1_000 + rest).min(1_000))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &str) -> Format {
        Format::of(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]))
    }

    #[test]
    fn what_is_named_and_weighs_most_is_answered() {
        let (json, csv, lines) = (Format::Json, Format::Rows(Rows::Csv), Format::Rows(Rows::Ndjson));
        let cases = [
            ("", json),
            ("*/*", json),
            ("text/html,application/xhtml+xml,*/*;q=0.8", json),
            ("text/csv", csv),
            ("TEXT/CSV; charset=utf-8", csv),
            ("text/csv, */*", csv),
            ("application/x-ndjson;q=0.9, text/csv;q=0.8, */*;q=0.1", lines),
            ("application/x-ndjson, text/csv", lines),
            ("application/json, text/csv", json),
            ("application/json;q=0.25, text/csv;q=0.250", json),
            ("application/json;q=0.25, text/csv;q=0.251", csv),
            ("text/csv;q=0", json),
            ("text/csv;q=x", json),
            ("text/csv;q=65535", json),
        ];
        for (accept, format) in cases {
            assert_eq!(of(accept), format, "{accept}");
        }
        assert_eq!(Format::of(&HeaderMap::new()), json);
    }
}
