//! The few statements that databases spell differently, made from the description of the tables.
//!
//! Statements have constant shapes, so that a server prepares each once: [`SHAPES`] rows at a time, largest first.

use std::fmt::Write;

use crate::table::{Column, Kind, Table, Version};

/// How many rows one statement carries. Wider ones are slower on the servers, and SQLite takes 32,766 values at most.
pub const SHAPES: [usize; 4] = [256, 32, 4, 1];

/// Cuts `rows` into pieces whose lengths are all among [`SHAPES`].
pub fn shaped<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let shape = SHAPES.into_iter().find(|shape| *shape <= rest.len())?;
        let (piece, behind) = rest.split_at(shape);
        rest = behind;
        Some(piece)
    })
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.37 or newer.
    Sqlite,
}

impl Dialect {
    /// Makes a table of a version, unless it is there.
    #[must_use]
    pub fn create_table(self, table: &Table, version: Version) -> String {
        let columns = joined(table.columns, ", ", |column| self.column(column));
        let key = names(table.key());
        let name = table.at(version);
        match self {
            Self::Sqlite => format!(
                "CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({key})) STRICT, WITHOUT ROWID"
            ),
        }
    }

    /// Makes the other indexes of a table, unless they are there.
    pub fn create_indexes(self, table: &Table, version: Version) -> impl Iterator<Item = String> {
        let name = table.at(version);
        table.indexes.iter().enumerate().map(move |(number, columns)| match self {
            Self::Sqlite => {
                format!("CREATE INDEX IF NOT EXISTS {name}_{number} ON {name} ({})", columns.join(", "))
            }
        })
    }

    /// Removes a table of a version, if it is there.
    #[must_use]
    pub fn drop_table(self, table: &Table, version: Version) -> String {
        match self {
            Self::Sqlite => format!("DROP TABLE IF EXISTS {}", table.at(version)),
        }
    }

    /// Inserts `rows` rows, none of which may be there.
    #[must_use]
    pub fn insert(self, table: &Table, version: Version, rows: usize) -> String {
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", table.at(version), names(table.columns));
        let row = format!("({})", joined(table.columns, ",", |_| "?".to_owned()));
        for number in 0..rows {
            sql.push_str(if number == 0 { "" } else { "," });
            sql.push_str(&row);
        }
        sql
    }

    /// Inserts `rows` rows, or sets all other columns of those whose key is there.
    #[must_use]
    pub fn upsert(self, table: &Table, version: Version, rows: usize) -> String {
        let mut sql = self.insert(table, version, rows);
        let set = joined(table.rest(), ", ", |column| format!("{0} = excluded.{0}", column.name));
        match self {
            Self::Sqlite => {
                // Writing to a string cannot fail.
                let _ = write!(sql, " ON CONFLICT ({}) DO UPDATE SET {set}", names(table.key()));
            }
        }
        sql
    }

    fn column(self, column: &Column) -> String {
        let kind = match (self, column.kind) {
            (Self::Sqlite, Kind::Int) => "INTEGER",
            (Self::Sqlite, Kind::Code(_) | Kind::Text(_) | Kind::LongText) => "TEXT",
        };
        let null = if column.optional { "" } else { " NOT NULL" };
        format!("{} {kind}{null}", column.name)
    }
}

/// The names of columns, for a statement.
#[must_use]
pub fn names(columns: &[Column]) -> String {
    joined(columns, ", ", |column| column.name.to_owned())
}

fn joined(columns: &[Column], separator: &str, show: impl Fn(&Column) -> String) -> String {
    columns.iter().map(show).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::{Dialect, SHAPES, shaped};
    use crate::table::{ITEMS, Version};

    #[test]
    fn pieces_have_known_shapes_and_lose_nothing() {
        for count in [0, 1, 3, 4, 5, 31, 32, 33, 255, 256, 257, 1_000] {
            let rows: Vec<usize> = (0..count).collect();
            let pieces: Vec<&[usize]> = shaped(&rows).collect();
            assert!(pieces.iter().all(|piece| SHAPES.contains(&piece.len())), "{count}");
            assert_eq!(pieces.concat(), rows);
        }
    }

    #[test]
    fn upsert_sets_everything_but_the_key() {
        assert_eq!(
            Dialect::Sqlite.upsert(&ITEMS, Version(3), 2),
            "INSERT INTO items__v3 (sku, name, unit, seq, recorded_at) VALUES (?,?,?,?,?),(?,?,?,?,?) \
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, unit = excluded.unit, seq = excluded.seq, \
             recorded_at = excluded.recorded_at"
        );
    }
}
