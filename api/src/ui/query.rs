//! Query strings as forms send them: a field that is left empty is there, and says nothing.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use stockledger_schemas::{Position, Timestamp};

use crate::http::as_of::Moment;

/// What was filled in; nothing for an empty field.
pub(super) fn filled<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr,
    T::Err: Display,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A moment as it is picked: an instant with or without its seconds and its `Z`, or a position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked(pub(super) Moment);

impl FromStr for Picked {
    type Err = crate::http::as_of::InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_picked = |text: &str| text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('Z');
        let whole = match text.len() {
            10 if text.parse::<Position>().is_err() => format!("{text}T23:59:59.999999Z"),
            16 if is_picked(text) => format!("{text}:00Z"),
            19 if is_picked(text) => format!("{text}Z"),
            _ => text.to_owned(),
        };
        Moment::try_from(whole).map(Self)
    }
}

/// An instant as browsers write it, with or without its seconds and without its `Z`, as the JSON has it; what is none stays.
pub(super) fn moment(text: &str) -> String {
    [":00Z", "Z"]
        .iter()
        .map(|end| format!("{text}{end}"))
        .find(|whole| whole.parse::<Timestamp>().is_ok())
        .unwrap_or_else(|| text.to_owned())
}

/// The instant as a field of a form takes it.
pub(super) fn field(instant: Timestamp) -> String {
    instant.to_string().chars().take(19).collect()
}

/// A path with those of the parameters that say something.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    let mut sign = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(sign);
        address.push_str(name);
        address.push('=');
        address.push_str(&crate::text::segment(value).to_string());
        sign = '&';
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_browsers_and_people_write_it() {
        let cases = [
            ("2010-01-05T12:30", "2010-01-05T12:30:00.000000Z"),
            ("2010-01-05T12:30:09", "2010-01-05T12:30:09.000000Z"),
            ("2010-01-05T12:30:09.5Z", "2010-01-05T12:30:09.500000Z"),
            ("2010-01-05", "2010-01-05T23:59:59.999999Z"),
            ("0.17", "0.17"),
            ("0.12345678", "0.12345678"),
        ];
        for (text, moment) in cases {
            assert_eq!(text.parse::<Picked>().unwrap().0.to_string(), moment);
        }
        assert!("yesterday".parse::<Picked>().is_err());
    }

    #[test]
    fn an_address_has_what_says_something() {
        assert_eq!(address("/a", &[("b", ""), ("c", "d&e"), ("f", "1")]), "/a?c=d%26e&f=1");
        assert_eq!(address("/a", &[]), "/a");
    }
}
