//! Numbers as people read them, and texts as addresses carry them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// All that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Any text as one segment of a path.
#[must_use]
pub fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A text as a cell of CSV. A spreadsheet takes what begins like this for a formula, so it is told that it is text.
#[must_use]
pub fn cell_of_text(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}").into() } else { text.into() }
}

/// A whole number with its thousands set apart.
#[must_use]
pub fn thousands(number: impl Into<i128>) -> String {
    grouped(&number.into().to_string())
}

/// A number without its fraction and with its thousands set apart.
#[must_use]
pub fn rounded(number: f64) -> String {
    grouped(&format!("{number:.0}"))
}

fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{cell_of_text, rounded, thousands};

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(cell_of_text(text), format!("'{text}"));
        }
        assert_eq!(cell_of_text("LAMP"), "LAMP");
    }

    #[test]
    fn thousands_are_set_apart() {
        let cases =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (-5_943_739, "-5,943,739"), (28_816, "28,816")];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(rounded(12_345.678), "12,346");
    }
}
