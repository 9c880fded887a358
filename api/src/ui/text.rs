//! Numbers, times and words as people read them.

use std::fmt::{Display, Formatter, Result};

use stockledger_schemas::Timestamp;

use crate::text::thousands;

/// A number with its thousands set apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub(super) i64);

impl Number {
    pub(super) fn of(count: impl TryInto<i64>) -> Self {
        Self(count.try_into().unwrap_or(i64::MAX))
    }

    pub(super) const fn is_zero(&self) -> bool {
        self.0 == 0
    }

    pub(super) const fn is_one(&self) -> bool {
        self.0 == 1
    }
}

impl Display for Number {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str(&thousands(self.0).replace('-', "\u{2212}"))
    }
}

/// A change: its sign is always there, so that a column of them is read at a glance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change(pub(super) i64);

impl Change {
    /// The class that colours it; the sign says the same.
    pub(super) const fn class(&self) -> &'static str {
        match self.0 {
            0 => "none",
            1.. => "more",
            _ => "less",
        }
    }
}

impl Display for Change {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        if self.0 > 0 {
            formatter.write_str("+")?;
        }
        Number(self.0).fmt(formatter)
    }
}

/// An instant: to the second for people, in full for programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct When(pub(super) Timestamp);

impl When {
    /// RFC 3339 in full.
    pub(super) fn full(&self) -> String {
        self.0.to_string()
    }

    /// The day alone.
    pub(super) fn day(&self) -> String {
        self.full().chars().take(10).collect()
    }
}

impl Display for When {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let full = self.full();
        match (full.get(..10), full.get(11..19)) {
            (Some(day), Some(time)) => write!(formatter, "{day} {time}"),
            _ => formatter.write_str(&full),
        }
    }
}

/// A word of the log as people write it: `order_placed` becomes `Order placed`.
pub(super) fn sentence(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).map(|one| if one == '_' { ' ' } else { one }).collect()
}

/// A duration in the largest unit that says enough.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", thousands(seconds / 86_400)),
    }
}

/// A count that was not taken beyond `bound`.
pub(super) fn up_to(count: u64, bound: u64) -> String {
    if count >= bound { format!("{}+", thousands(bound)) } else { thousands(count) }
}

/// A price in minor units as money; nothing where there is none.
pub(super) fn money(minor: Option<i64>, currency: Option<&str>) -> String {
    let Some(minor) = minor else { return String::new() };
    let Some(currency) = currency else { return Number(minor).to_string() };
    let digits = minor_digits(currency);
    if digits == 0 {
        return format!("{} {currency}", Number(minor));
    }
    let scale = 10_i64.pow(digits);
    let width = digits as usize;
    format!("{}.{:0width$} {currency}", Number(minor / scale), minor % scale)
}

/// A price as people write it in minor units; nothing where it is no price of this currency.
pub(super) fn minor(text: &str, currency: &str) -> Option<i64> {
    let digits = if currency.is_empty() { 0 } else { minor_digits(currency) as usize };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

/// How many digits of ISO 4217 stand behind the point.
fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        let cases =
            [(0, "0", "0"), (1_234, "1,234", "+1,234"), (-56_789, "\u{2212}56,789", "\u{2212}56,789")];
        for (number, plain, change) in cases {
            assert_eq!(
                (Number(number).to_string(), Change(number).to_string()),
                (plain.into(), change.into())
            );
        }
        assert_eq!((up_to(1_000, 1_000), up_to(999, 1_000)), ("1,000+".into(), "999".into()));
    }

    #[test]
    fn prices_have_the_digits_of_their_currency() {
        let cases = [
            (Some(255), Some("GBP"), "2.55 GBP"),
            (Some(5), Some("EUR"), "0.05 EUR"),
            (Some(1_234_500), Some("KWD"), "1,234.500 KWD"),
            (Some(1_200), Some("JPY"), "1,200 JPY"),
            (Some(7), None, "7"),
            (None, Some("GBP"), ""),
        ];
        for (minor, currency, text) in cases {
            assert_eq!(money(minor, currency), text);
        }
    }

    #[test]
    fn prices_are_read_as_people_write_them() {
        let cases = [
            ("2.55", "GBP", Some(255)),
            ("2.5", "GBP", Some(250)),
            ("2", "GBP", Some(200)),
            ("1200", "JPY", Some(1_200)),
            ("12.5", "JPY", None),
            ("2.555", "GBP", None),
            ("1.5", "", None),
            ("15", "", Some(15)),
            ("-1", "GBP", None),
            ("", "GBP", None),
            ("1,5", "GBP", None),
            ("99999999999999999999", "GBP", None),
        ];
        for (text, currency, number) in cases {
            assert_eq!(minor(text, currency), number, "{text} {currency}");
        }
    }

    #[test]
    fn words_and_durations_are_readable() {
        assert_eq!(sentence("order_placed"), "Order placed");
        assert_eq!(sentence(""), "");
        let durations = [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")];
        for (seconds, text) in durations {
            assert_eq!(duration(seconds), text);
        }
        let instant = Timestamp::from_micros(1_259_653_500_123_456).unwrap();
        assert_eq!(When(instant).to_string(), "2009-12-01 07:45:00");
        assert_eq!(When(instant).day(), "2009-12-01");
    }
}
