//! The stock that an import receives before its first document: the file has no receipts of goods, so without it every
//! order would be refused.

use std::str::FromStr;

use stockledger_schemas::Quantity;

use super::online_retail::{Input, ItemIndex};

/// Largest percentage of the smallest sufficient stock.
pub const PERCENT_MAX: u16 = 1_000;

/// How much stock is there at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningStock {
    /// Of each SKU the smallest quantity with which nothing in the file is ever short.
    Auto,
    /// So many hundredths of that quantity, rounded down; from 0 to [`PERCENT_MAX`].
    Percent(Percent),
}

/// A whole number of hundredths, from 0 to [`PERCENT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u16);

/// Why a text is not an opening stock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an opening stock must be auto, or a whole number from 0 to {PERCENT_MAX} followed by %, such as 90%"
)]
pub struct InvalidOpeningStock;

impl FromStr for OpeningStock {
    type Err = InvalidOpeningStock;

    fn from_str(text: &str) -> Result<Self, InvalidOpeningStock> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let digits = text.strip_suffix('%').ok_or(InvalidOpeningStock)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidOpeningStock);
        }
        let percent = digits.parse().ok().filter(|percent| *percent <= PERCENT_MAX);
        percent.map(|percent| Self::Percent(Percent(percent))).ok_or(InvalidOpeningStock)
    }
}

impl std::fmt::Display for OpeningStock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => formatter.pad("auto"),
            Self::Percent(percent) => formatter.pad(&format!("{}%", percent.0)),
        }
    }
}

impl OpeningStock {
    /// What is received of each item that needs any, in the order of the SKUs. Nothing of an item beyond the largest
    /// quantity can be received; such an item is the error.
    ///
    /// # Errors
    /// The first item that would need more than the largest quantity.
    pub fn quantities(self, input: &Input) -> Result<Vec<(ItemIndex, Quantity)>, ItemIndex> {
        let smallest = smallest(input);
        let quantity = |item: ItemIndex| {
            let units = self.of(smallest[item]);
            let quantity = (units > 0).then(|| Quantity::new(units).map_err(|_| item))?;
            Some(quantity.map(|quantity| (item, quantity)))
        };
        input.items_by_sku().into_iter().filter_map(quantity).collect()
    }

    /// An input holds at most 2^53 - 1 units altogether, so a thousand hundredths of that still fit.
    const fn of(self, smallest: i64) -> i64 {
        match self {
            Self::Auto => smallest,
            Self::Percent(Percent(percent)) => smallest * percent as i64 / 100,
        }
    }
}

/// Of each item, by its index, the smallest quantity with which nothing in the file is ever short: how far its balance
/// would fall below zero if it began at zero. When an accepted order is shipped plays no part, since its goods are not
/// available from the moment it is placed.
#[must_use]
pub fn smallest(input: &Input) -> Vec<i64> {
    let mut balances = vec![Balance::default(); input.items.len()];
    for document in &input.documents {
        for line in &document.receipt {
            balances[line.item].change(line.quantity.get());
        }
        for line in document.adjusted() {
            balances[line.item].change(line.delta.get());
        }
        for line in &document.order {
            balances[line.item].change(-line.quantity.get());
        }
    }
    balances.into_iter().map(|balance| -balance.lowest).collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct Balance {
    now: i64,
    /// The lowest that it ever was; never above zero, where it began.
    lowest: i64,
}

impl Balance {
    fn change(&mut self, delta: i64) {
        self.now += delta;
        self.lowest = self.lowest.min(self.now);
    }
}
