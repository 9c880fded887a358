//! The lines of an order as one text: compact JSON, an array per line, in the order given.
//!
//! ```text
//! [["85123A",4,3,1,2,250],["71053",2,0,2,0,null]]
//!   sku  ordered shipped cancelled returned unit_price_minor
//! ```
//!
//! The same lines are always the same bytes, so that tables can be compared without reading what the text says.

use serde::{Serialize, Serializer};
use stockledger_schemas::{Level, OrderLine, Sku};

use crate::store::Error;
use crate::views;

/// A line on its way into a text.
type Written<'a> = (&'a str, i64, i64, i64, i64, Option<i64>);
/// A line out of a text.
type Read = (Sku, i64, i64, i64, i64, Option<i64>);

struct Lines<'a>(&'a [OrderLine]);

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(written))
    }
}

fn written(line: &OrderLine) -> Written<'_> {
    (
        line.sku.as_str(),
        line.ordered.get(),
        line.shipped.get(),
        line.cancelled.get(),
        line.returned.get(),
        line.unit_price_minor.map(Level::get),
    )
}

/// The text of lines.
///
/// # Errors
/// None that is known of; the writer of JSON can have one.
pub fn to_text(lines: &[OrderLine]) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Lines(lines))
}

/// What the line of an item begins with in a text.
pub(crate) fn begin(sku: &Sku) -> String {
    format!("[{},", serde_json::Value::from(sku.as_str()))
}

/// The lines of a text.
///
/// # Errors
/// [`Error::Unreadable`] if it is not one.
pub fn from_text(text: &str) -> Result<Vec<views::OrderLine>, Error> {
    let lines: Vec<Read> = serde_json::from_str(text)
        .map_err(|_| Error::Unreadable { expected: "lines of an order", found: text.to_owned() })?;
    Ok(lines.into_iter().map(line).collect())
}

fn line((sku, ordered, shipped, cancelled, returned, unit_price_minor): Read) -> views::OrderLine {
    views::OrderLine { sku, ordered, shipped, cancelled, returned, unit_price_minor }
}

#[cfg(test)]
mod tests {
    use stockledger_schemas::{Level, OrderLine, Quantity};

    use super::{from_text, to_text};

    #[test]
    fn lines_come_back_as_they_were() {
        let level = |number| Level::new(number).unwrap();
        let line = |sku: &str, price: Option<i64>| OrderLine {
            sku: sku.parse().unwrap(),
            ordered: Quantity::new(4).unwrap(),
            shipped: level(3),
            cancelled: level(1),
            returned: level(2),
            unit_price_minor: price.map(level),
        };
        let text = to_text(&[line("85123A", Some(250)), line(r#"a"b\"#, None)]).unwrap();
        assert_eq!(text, r#"[["85123A",4,3,1,2,250],["a\"b\\",4,3,1,2,null]]"#);
        let lines = from_text(&text).unwrap();
        assert_eq!((lines[1].sku.as_str(), lines[1].unit_price_minor), (r#"a"b\"#, None));
        let first = &lines[0];
        assert_eq!((first.ordered, first.shipped, first.cancelled, first.returned), (4, 3, 1, 2));
        assert_eq!(from_text("[]").unwrap(), []);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in ["", "{}", "[[1,2,3,4,5,6]]", r#"[["A",1,0,0,0]]"#, r#"[["A",1,0,0,0,null,0]]"#] {
            assert!(from_text(text).is_err(), "{text}");
        }
    }
}
