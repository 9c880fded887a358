//! What the store holds: rows by key, in tables by name. Copied only where a snapshot still holds what is written to.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use stockledger_projections::Version;
use stockledger_projections::table::{Column, Kind, TABLES, Table};
use stockledger_projections::value::Value;

/// The values of a row, by column.
pub(super) type Row = Arc<[Value]>;
/// The key of a row.
pub(super) type Key = Arc<[Part]>;

/// Every version.
pub(super) static VERSIONS: Table = Table {
    name: "projection_versions",
    columns: &[
        int("version"),
        text("state"),
        text("code_hash"),
        int("created_at"),
        text("owner"),
        int("owner_seen"),
        int("records_done"),
        int("records_total"),
        int("records_per_second"),
    ],
    key_columns: 1,
    indexes: &[],
};

/// The one pointer row; version 0 stands for none.
pub(super) static ACTIVE: Table = Table {
    name: "projection_active",
    columns: &[int("id"), int("version"), int("highest")],
    key_columns: 1,
    indexes: &[],
};

/// How far every partition of every version is.
pub(super) static CHECKPOINTS: Table = Table {
    name: "projection_checkpoints",
    columns: &[
        int("version"),
        int("partition_id"),
        int("next_offset"),
        int("term"),
        int("seq"),
        text("hash"),
        text("before_hash"),
        int("reach"),
        int("last_valid_offset"),
        text("genesis"),
        Column { optional: true, ..int("recorded_at") },
        int("digest"),
        int("is_loaded"),
        int("hold_offset"),
        int("hold_until"),
        Column { optional: true, ..text("halt_reason") },
    ],
    key_columns: 2,
    indexes: &[],
};

const fn int(name: &'static str) -> Column {
    Column { name, kind: Kind::Int, optional: false }
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::LongText, optional: false }
}

/// Which table a statement is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name {
    Versions,
    Active,
    Checkpoints,
    Of(Version, &'static Table),
}

impl Name {
    /// The table of this name, if there can be one.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "projection_versions" => Some(Self::Versions),
            "projection_active" => Some(Self::Active),
            "projection_checkpoints" => Some(Self::Checkpoints),
            _ => {
                let (name, version) = name.split_once("__v")?;
                let table = TABLES.into_iter().find(|table| table.name == name)?;
                Some(Self::Of(Version(version.parse().ok()?), table))
            }
        }
    }

    pub(super) const fn table(self) -> &'static Table {
        match self {
            Self::Versions => &VERSIONS,
            Self::Active => &ACTIVE,
            Self::Checkpoints => &CHECKPOINTS,
            Self::Of(_, table) => table,
        }
    }
}

/// Everything that is stored.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) versions: Arc<Rows>,
    pub(super) active: Arc<Rows>,
    pub(super) checkpoints: Arc<Rows>,
    /// The read tables, by version and name.
    tables: BTreeMap<(Version, &'static str), Arc<Rows>>,
    /// Versions whose indexes were asked for.
    pub(super) indexed: BTreeSet<Version>,
}

impl Default for State {
    fn default() -> Self {
        let mut active = Rows::of(&ACTIVE);
        active.set([1, 0, 0].map(Value::Int).into());
        Self {
            versions: Arc::new(Rows::of(&VERSIONS)),
            active: Arc::new(active),
            checkpoints: Arc::new(Rows::of(&CHECKPOINTS)),
            tables: BTreeMap::new(),
            indexed: BTreeSet::new(),
        }
    }
}

impl State {
    /// The rows of a table; nothing if its version is not there.
    pub(super) fn rows(&self, name: Name) -> Option<&Rows> {
        match name {
            Name::Versions => Some(&self.versions),
            Name::Active => Some(&self.active),
            Name::Checkpoints => Some(&self.checkpoints),
            Name::Of(version, table) => self.of(version, table.name),
        }
    }

    /// As [`State::rows`], to be changed.
    pub(super) fn rows_mut(&mut self, name: Name) -> Option<&mut Rows> {
        let rows = match name {
            Name::Versions => &mut self.versions,
            Name::Active => &mut self.active,
            Name::Checkpoints => &mut self.checkpoints,
            Name::Of(version, table) => self.tables.get_mut(&(version, table.name))?,
        };
        Some(Arc::make_mut(rows))
    }

    /// The rows of a read table by its name without the version.
    pub(super) fn of(&self, version: Version, name: &'static str) -> Option<&Rows> {
        self.tables.get(&(version, name)).map(|rows| &**rows)
    }

    /// Makes the read tables of a version, those that are not there yet.
    pub(super) fn create_tables(&mut self, version: Version) {
        for table in TABLES {
            self.tables.entry((version, table.name)).or_insert_with(|| Arc::new(Rows::of(table)));
        }
    }

    /// Removes the read tables of a version.
    pub(super) fn drop_tables(&mut self, version: Version) {
        self.tables.retain(|(of, _), _| *of != version);
        self.indexed.remove(&version);
    }
}

/// The rows of one table.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    table: &'static Table,
    rows: BTreeMap<Key, Row>,
}

impl Rows {
    const fn of(table: &'static Table) -> Self {
        Self { table, rows: BTreeMap::new() }
    }

    pub(super) fn get(&self, key: &[Part]) -> Option<&Row> {
        self.rows.get(key)
    }

    /// The rows whose key begins like this, in the order of their keys.
    pub(super) fn under(&self, prefix: &[Part]) -> impl Iterator<Item = &Row> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let is_under = move |(key, _): &(&Key, &Row)| key.starts_with(prefix);
        self.rows.range::<[Part], _>(from).take_while(is_under).map(|(_, row)| row)
    }

    /// Writes a row, over the one that has its key.
    pub(super) fn set(&mut self, row: Row) {
        check(self.table, &row);
        self.rows.insert(key_of(self.table, &row), row);
    }

    /// Removes the rows whose key begins like this.
    pub(super) fn remove_under(&mut self, prefix: &[Part]) {
        self.rows.retain(|key, _| !key.starts_with(prefix));
    }
}

/// The key of a row.
pub(super) fn key_of(table: &Table, row: &[Value]) -> Key {
    row[..table.key_columns].iter().cloned().map(Part).collect()
}

/// No database takes another kind of value, or nothing where something must be.
fn check(table: &Table, row: &[Value]) {
    assert_eq!(row.len(), table.columns.len(), "a row of {} has all its columns", table.name);
    for (column, value) in table.columns.iter().zip(row) {
        assert!(fits(column, value), "{}.{} cannot be {value}", table.name, column.name);
    }
}

/// Whether a column can hold a value.
pub(super) fn fits(column: &Column, value: &Value) -> bool {
    match value {
        Value::Null => column.optional,
        Value::Int(_) => column.kind == Kind::Int,
        Value::Text(_) => column.kind != Kind::Int,
    }
}

/// A value in its place among others: nothing, then numbers by size, then texts byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part(pub(super) Value);

impl Part {
    pub(super) fn int(number: impl Into<i64>) -> Self {
        Self(Value::Int(number.into()))
    }
}

impl Ord for Part {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (one, other) => rank(one).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Part {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Int(_) => 1,
        Value::Text(_) => 2,
    }
}
