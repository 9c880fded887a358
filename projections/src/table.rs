//! The read tables, described once as data. Every dialect makes its DDL and its statements from this description.
//!
//! Portable on purpose: whole numbers are 64 bits wide, times are microseconds since 1970, ids compare byte for byte, and
//! every key comes from the log, never from a counter of the database. The key of a table is its first columns.

use std::fmt;

use stockledger_schemas::Hash;

/// Which set of the tables; part of every table's name, so that a new set is built beside the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Version(pub u32);

impl Version {
    /// Stands for no version where one is active or not.
    pub(crate) const NONE: Self = Self(0);
    /// The first version of a new store.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 64 bits.
    Int,
    /// ASCII of at most so many bytes, compared byte for byte.
    Code(u16),
    /// UTF-8 of at most so many bytes, compared byte for byte.
    Text(u16),
    /// UTF-8 of any length up to a record's.
    LongText,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// What it is called.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may hold nothing.
    pub optional: bool,
}

/// One table of a version.
#[derive(Debug)]
pub struct Table {
    /// What it is called, without its version.
    pub name: &'static str,
    /// All columns, the key first.
    pub columns: &'static [Column],
    /// How many of the columns are the primary key.
    pub key_columns: usize,
    /// Other indexes, by the names of their columns.
    pub indexes: &'static [&'static [&'static str]],
}

impl Table {
    /// The name of this table in one version.
    #[must_use]
    pub fn at(&self, version: Version) -> String {
        format!("{}__v{version}", self.name)
    }

    /// The columns of the primary key.
    #[must_use]
    pub fn key(&self) -> &'static [Column] {
        &self.columns[..self.key_columns]
    }

    /// The columns beside the primary key.
    #[must_use]
    pub fn rest(&self) -> &'static [Column] {
        &self.columns[self.key_columns..]
    }
}

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int, optional: false }
}

const fn code(name: &'static str, bytes_max: u16) -> Column {
    Column { name, kind: Kind::Code(bytes_max), optional: false }
}

const fn text(name: &'static str, bytes_max: u16) -> Column {
    Column { name, kind: Kind::Text(bytes_max), optional: false }
}

const fn long_text(name: &'static str) -> Column {
    Column { name, kind: Kind::LongText, optional: false }
}

const fn optional(column: Column) -> Column {
    Column { optional: true, ..column }
}

/// Sites of the directory.
pub static SITES: Table = Table {
    name: "sites",
    columns: &[code("site", 64), text("name", 200), int("partition_id"), int("seq"), int("recorded_at")],
    key_columns: 1,
    indexes: &[],
};

/// Where each site lives, written by the partition that it lives on: whoever has seen a site's own position finds it.
pub static HOMES: Table = Table {
    name: "homes",
    columns: &[code("site", 64), int("partition_id"), int("seq")],
    key_columns: 1,
    indexes: &[],
};

/// Items of the directory.
pub static ITEMS: Table = Table {
    name: "items",
    columns: &[code("sku", 64), text("name", 200), code("unit", 32), int("seq"), int("recorded_at")],
    key_columns: 1,
    indexes: &[],
};

/// The balances of every SKU at every site.
pub static STOCK: Table = Table {
    name: "stock",
    columns: &[
        code("site", 64),
        code("sku", 64),
        int("on_hand"),
        int("reserved"),
        int("held_damaged"),
        int("held_quality_control"),
        int("held_safety_stock"),
        int("held_other"),
        int("first_seq"),
        int("first_occurred_at"),
        int("seq"),
    ],
    key_columns: 2,
    indexes: &[&["sku", "site"]],
};

/// Orders, accepted and refused, each with all its lines: a step of an order then writes one row, whatever its size.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[
        code("site", 64),
        code("order_id", 64),
        code("status", 32),
        optional(code("customer", 64)),
        optional(code("currency", 3)),
        int("placed_seq"),
        int("placed_at"),
        int("occurred_at"),
        int("line_count"),
        long_text("order_lines"),
        int("seq"),
    ],
    key_columns: 2,
    indexes: &[&["site", "placed_seq"], &["site", "status", "placed_seq"]],
};

/// Every decision of every site: who, when, why, what. An instant becomes a position by the second index.
pub static TRAIL: Table = Table {
    name: "trail",
    columns: &[
        code("site", 64),
        int("seq"),
        code("type", 32),
        optional(code("order_id", 64)),
        int("recorded_at"),
        int("occurred_at"),
        code("actor", 64),
        optional(code("reason", 32)),
        optional(text("note", 500)),
        optional(code("reference_type", 64)),
        optional(code("reference_id", 128)),
        optional(code("idempotency_key", 255)),
        optional(code("correlation_id", 128)),
        optional(long_text("detail")),
    ],
    key_columns: 2,
    indexes: &[&["site", "order_id", "seq"], &["site", "recorded_at"]],
};

/// Four quantities of 16 digits, and the commas between them.
const HELD_BYTES_MAX: u16 = 67;

/// Every change of a balance, with the balances after it.
pub static MOVEMENTS: Table = Table {
    name: "movements",
    columns: &[
        code("site", 64),
        int("seq"),
        int("line"),
        code("sku", 64),
        code("type", 32),
        int("d_on_hand"),
        int("d_reserved"),
        int("d_held"),
        int("on_hand"),
        int("reserved"),
        int("held"),
        // Nothing while nothing is held, which is nearly always.
        optional(code("held_by_reason", HELD_BYTES_MAX)),
        optional(code("held_reason", 32)),
        int("occurred_at"),
        optional(code("order_id", 64)),
    ],
    key_columns: 3,
    // With what is there after it, so that a level of the past is one step into this index and none beyond it.
    indexes: &[&["site", "sku", "seq", "line", "on_hand", "reserved", "held_by_reason"]],
};

/// Every table of a version.
pub static TABLES: [&Table; 7] = [&SITES, &HOMES, &ITEMS, &STOCK, &ORDERS, &TRAIL, &MOVEMENTS];

/// Raised by hand whenever the fold makes other rows of the same events.
const FOLD_VERSION: u32 = 2;

/// What made a version: a digest of the description of the tables and of the number of the fold.
///
/// A version that was made by other code is never written to; it is rebuilt.
#[must_use]
pub fn code_hash() -> Hash {
    Hash::of(&[format!("fold {FOLD_VERSION} {TABLES:?}").as_bytes()])
}

/// Puts the names of one version's tables for `{stock}`, `{orders}` and so on.
#[must_use]
pub fn at_version(sql: &str, version: Version) -> String {
    TABLES
        .iter()
        .fold(sql.to_owned(), |sql, table| sql.replace(&format!("{{{}}}", table.name), &table.at(version)))
}
