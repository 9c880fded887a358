//! What is held of an item by reason as one text: four quantities by [`HoldReason::index`], such as `3,0,1,0`.
//!
//! Nothing held has no text, so that nearly every movement has none.

use std::fmt::Write;

use stockledger_schemas::HoldReason;

use crate::store::Error;

/// Quantities by [`HoldReason::index`].
pub type Held = [i64; HoldReason::ALL.len()];

/// The text of what is held; nothing if that is nothing.
#[must_use]
pub fn to_text(held: Held) -> Option<String> {
    let [first, rest @ ..] = held;
    if held == Held::default() {
        return None;
    }
    let mut text = first.to_string();
    for quantity in rest {
        // Writing to a string cannot fail.
        let _ = write!(text, ",{quantity}");
    }
    Some(text)
}

/// What is held by a text, or by none.
///
/// # Errors
/// [`Error::Unreadable`] if it is not one.
pub fn from_text(text: Option<&str>) -> Result<Held, Error> {
    let Some(text) = text else { return Ok(Held::default()) };
    let unreadable = || Error::Unreadable { expected: "quantities held by reason", found: text.to_owned() };
    let quantities: Vec<i64> = text
        .split(',')
        .map(|quantity| quantity.parse().map_err(|_| unreadable()))
        .collect::<Result<_, _>>()?;
    quantities.try_into().map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::{from_text, to_text};

    #[test]
    fn quantities_come_back_as_they_were() {
        let most = stockledger_schemas::limits::QUANTITY_MAX;
        for held in [[0; 4], [3, 0, 1, 0], [0, 0, 0, 7], [most; 4]] {
            assert_eq!(from_text(to_text(held).as_deref()).unwrap(), held);
        }
        assert_eq!(to_text([3, 0, 1, 0]).as_deref(), Some("3,0,1,0"));
        assert_eq!(to_text([0; 4]), None);
        assert_eq!(to_text([most; 4]).unwrap().len(), 67);
    }

    #[test]
    fn what_is_not_four_quantities_is_refused() {
        for text in ["", "1,2,3", "1,2,3,4,5", "1,2,x,4", "1;2;3;4"] {
            assert!(from_text(Some(text)).is_err(), "{text}");
        }
    }
}
