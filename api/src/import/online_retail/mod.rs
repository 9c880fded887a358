//! The "Online Retail II" format: one line for each line of an invoice, and what such a file says about stock.
//!
//! [`read`] checks every line and returns the documents of the file, in the order of their first lines, with the parts
//! that a ledger can be told: goods that came back, differences, and an order. It never guesses: what is not clear is an
//! error with file, line and column, and what is left out is left out by a rule of `docs/import.md` and counted.
//!
//! Reading goes on in [`row`](self) (one line), `assemble` (lines to documents) and `reason` (why a difference).

mod assemble;
mod reason;
mod row;
mod text;

use stockledger_schemas::{
    CustomerId, Delta, Hash, Level, Name, Note, OrderId, Quantity, Reason, Sku, Timestamp,
};

pub use self::assemble::read;

/// An item by its place in [`Input::items`].
pub type ItemIndex = usize;

/// A whole file, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The digest of the CSV text, unpacked: the same file plain or packed is the same input.
    pub sha256: Hash,
    /// How many lines it has below its header.
    pub lines: u64,
    /// How many of them are not about goods.
    pub skipped_lines: u64,
    /// The goods, in the order in which they appear.
    pub items: Vec<Item>,
    /// All invoices, also those without any goods, in the order of their first lines.
    pub documents: Vec<Document>,
}

/// Goods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub sku: Sku,
    /// Its first description in the file; absent if it has none.
    pub name: Option<Name>,
}

/// One invoice. Its parts happen in the order receipt, adjustment, order; a cancellation has only a receipt, any other
/// invoice has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number, which is the order's id too.
    pub invoice: OrderId,
    /// The time on its first line.
    pub occurred_at: Timestamp,
    /// Goods that a customer sent back.
    pub receipt: Vec<ReceivedLine>,
    /// Differences of stock.
    pub adjustment: Option<Adjustment>,
    /// Who ordered.
    pub customer: Option<CustomerId>,
    /// What was ordered, line by line; a SKU may stand here more than once.
    pub order: Vec<OrderedLine>,
}

/// Goods that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedLine {
    /// What.
    pub item: ItemIndex,
    /// How much.
    pub quantity: Quantity,
}

/// Differences of stock, netted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// One for each SKU that does not net to zero, in the order of the file; possibly none.
    pub lines: Vec<AdjustedLine>,
    /// Why, by the first description.
    pub reason: Reason,
    /// The first description.
    pub note: Option<Note>,
}

/// The difference of one SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdjustedLine {
    /// What.
    pub item: ItemIndex,
    /// By how much; not zero.
    pub delta: Delta,
}

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderedLine {
    /// What.
    pub item: ItemIndex,
    /// How much.
    pub quantity: Quantity,
    /// The price of one, in pence.
    pub unit_price_minor: Level,
}

impl Input {
    /// The items in the order of their SKUs.
    #[must_use]
    pub fn items_by_sku(&self) -> Vec<ItemIndex> {
        let mut items: Vec<ItemIndex> = (0..self.items.len()).collect();
        items.sort_by_key(|item| &self.items[*item].sku);
        items
    }
}

impl Document {
    /// The lines of the adjustment; none without one.
    pub fn adjusted(&self) -> impl Iterator<Item = &AdjustedLine> {
        self.adjustment.iter().flat_map(|adjustment| &adjustment.lines)
    }

    /// How many units the order is about.
    #[must_use]
    pub fn ordered_units(&self) -> i64 {
        self.order.iter().map(|line| line.quantity.get()).sum()
    }
}

/// Why a file is not one of this format.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read, or not be unpacked.
    #[error("reading {file}")]
    Read {
        /// The file.
        file: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// A column is missing.
    #[error("{file}, line 1: the header has no column {column}; a file of this format has {expected}")]
    Header {
        /// The file.
        file: String,
        /// The first that is missing.
        column: &'static str,
        /// All that must be there.
        expected: String,
    },
    /// A line has more or fewer cells than the header.
    #[error("{file}, line {line}: it has {found} columns, the header has {expected}")]
    Shape {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What the header has.
        expected: u64,
        /// What the line has.
        found: u64,
    },
    /// A cell does not say what it must.
    #[error("{file}, line {line}, column {column}: {problem}")]
    Cell {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What must be there, and what is.
        problem: String,
    },
    /// A document is more than one command can hold.
    #[error(
        "{file}, line {line}: {part} of invoice {invoice} has {found} lines; the ledger takes at most {max} at once"
    )]
    TooManyLines {
        /// The file.
        file: String,
        /// The first line of the document, from 1.
        line: u64,
        /// Which part.
        part: &'static str,
        /// Which document.
        invoice: OrderId,
        /// What it has.
        found: usize,
        /// What is possible.
        max: usize,
    },
}
