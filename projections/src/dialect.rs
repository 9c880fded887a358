//! The few statements that databases spell differently, made from the description of the tables.
//!
//! Statements have constant shapes, so that a server prepares each once: [`SHAPES`] rows at a time, largest first.

use std::fmt::Write;
use std::ops::Range;

use crate::table::{Column, Kind, Table, Version};

/// How many rows one statement carries. Wider ones are slower on the servers, and SQLite takes 32,766 values at most. Each
/// divides the one before, so that a piece can be cut into smaller ones.
pub const SHAPES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts `count` rows into pieces whose lengths are all among [`SHAPES`].
pub fn shapes(count: usize) -> impl Iterator<Item = Range<usize>> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let shape = SHAPES.into_iter().find(|shape| *shape <= count - begin)?;
        let piece = begin..begin + shape;
        begin = piece.end;
        Some(piece)
    })
}

/// Cuts `rows` into pieces whose lengths are all among [`SHAPES`].
pub fn shaped<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    shapes(rows.len()).map(|piece| &rows[piece])
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// None of them may be there.
    Insert,
    /// Those that are there are overwritten.
    Upsert,
}

/// Said of every table: the server's own defaults may be others.
pub(crate) const MYSQL_TABLE_OPTIONS: &str =
    "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
/// Text of ASCII characters, compared byte for byte.
pub(crate) const MYSQL_ASCII: &str = "CHARACTER SET ascii COLLATE ascii_bin";
/// Any text, compared by code point, which is the order of its bytes.
const MYSQL_UTF8: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.37 or newer.
    Sqlite,
    /// MySQL 8.0 or newer, MariaDB 10.6 or newer: only what both understand.
    ///
    /// Their binary collations pad with spaces when they compare. No id ends with a space and none holds a character below
    /// it, so that order is the order of bytes.
    Mysql,
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
            Self::Mysql => format!(
                "CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({key})) {MYSQL_TABLE_OPTIONS}"
            ),
        }
    }

    /// The SQL with the clock of the database in place of `{now}`.
    pub(crate) fn at_now(self, sql: &str) -> String {
        sql.replace("{now}", self.now_micros())
    }

    /// The time now by the clock of the database, in microseconds since 1970.
    pub(crate) const fn now_micros(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
            Self::Mysql => "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)",
        }
    }

    /// Removes a table of a version, if it is there.
    #[must_use]
    pub fn drop_table(self, table: &Table, version: Version) -> String {
        match self {
            Self::Sqlite | Self::Mysql => format!("DROP TABLE IF EXISTS {}", table.at(version)),
        }
    }

    /// Writes `rows` rows.
    #[must_use]
    pub fn write(self, mode: Mode, table: &Table, version: Version, rows: usize) -> String {
        match mode {
            Mode::Insert => self.insert(table, version, rows),
            Mode::Upsert => self.upsert(table, version, rows),
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
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Sqlite => {
                let set = joined(table.rest(), ", ", |column| format!("{0} = excluded.{0}", column.name));
                write!(sql, " ON CONFLICT ({}) DO UPDATE SET {set}", names(table.key()))
            }
            // MySQL deprecates this in favour of an alias for the row, which MariaDB does not know.
            Self::Mysql => {
                let set = joined(table.rest(), ", ", |column| format!("{0} = VALUES({0})", column.name));
                write!(sql, " ON DUPLICATE KEY UPDATE {set}")
            }
        };
        sql
    }

    fn column(self, column: &Column) -> String {
        let kind = match (self, column.kind) {
            (Self::Sqlite, Kind::Int) => "INTEGER".to_owned(),
            (Self::Sqlite, Kind::Code(_) | Kind::Text(_) | Kind::LongText) => "TEXT".to_owned(),
            (Self::Mysql, Kind::Int) => "BIGINT".to_owned(),
            (Self::Mysql, Kind::Code(bytes_max)) => format!("VARCHAR({bytes_max}) {MYSQL_ASCII}"),
            // Counted in characters, of which there are never more than bytes.
            (Self::Mysql, Kind::Text(bytes_max)) => format!("VARCHAR({bytes_max}) {MYSQL_UTF8}"),
            (Self::Mysql, Kind::LongText) => format!("LONGTEXT {MYSQL_UTF8}"),
        };
        let null = if column.optional { "" } else { " NOT NULL" };
        format!("{} {kind}{null}", column.name)
    }
}

/// The indexes of a table beside its key: what each is called, and its columns.
pub(crate) fn index_columns(table: &Table, version: Version) -> impl Iterator<Item = (String, String)> {
    let table_name = table.at(version);
    let numbered = table.indexes.iter().enumerate();
    numbered.map(move |(number, columns)| (format!("{table_name}_{number}"), columns.join(", ")))
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
    use super::{Dialect, Mode, SHAPES, index_columns, shaped};
    use crate::table::{ITEMS, Kind, ORDERS, TABLES, Table, Version};

    /// Most placeholders of a statement: of MySQL and MariaDB, and of SQLite.
    const PLACEHOLDERS_MAX: usize = 32_766;
    /// The longest key of InnoDB with dynamic rows.
    const KEY_BYTES_MAX: usize = 3_072;

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

    #[test]
    fn mysql_and_mariadb_share_one_spelling() {
        assert_eq!(
            Dialect::Mysql.write(Mode::Upsert, &ITEMS, Version(3), 1),
            "INSERT INTO items__v3 (sku, name, unit, seq, recorded_at) VALUES (?,?,?,?,?) \
             ON DUPLICATE KEY UPDATE name = VALUES(name), unit = VALUES(unit), seq = VALUES(seq), \
             recorded_at = VALUES(recorded_at)"
        );
        let orders = Dialect::Mysql.create_table(&ORDERS, Version(3));
        for part in [
            "order_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, ",
            "currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin, ",
            "placed_at BIGINT NOT NULL, ",
            "PRIMARY KEY (site, order_id)) ENGINE = InnoDB ",
        ] {
            assert!(orders.contains(part), "{part}: {orders}");
        }
        let index = index_columns(&ORDERS, Version(3)).next();
        assert_eq!(index, Some(("orders__v3_0".to_owned(), "site, placed_seq".to_owned())));
    }

    #[test]
    fn every_table_stays_within_the_limits_of_every_database() {
        for table in TABLES {
            assert!(SHAPES[0] * table.columns.len() <= PLACEHOLDERS_MAX, "{}", table.name);
            let primary: Vec<&str> = table.key().iter().map(|column| column.name).collect();
            for key in table.indexes.iter().copied().chain([primary.as_slice()]) {
                let bytes: usize = key.iter().map(|name| bytes_max(table, name)).sum();
                assert!(bytes <= KEY_BYTES_MAX, "{} {key:?}: {bytes}", table.name);
            }
        }
    }

    fn bytes_max(table: &Table, name: &str) -> usize {
        match table.columns.iter().find(|column| column.name == name).unwrap().kind {
            Kind::Int => 8,
            Kind::Code(bytes_max) => usize::from(bytes_max),
            // What InnoDB reckons with for a character.
            Kind::Text(bytes_max) => 4 * usize::from(bytes_max),
            Kind::LongText => panic!("{name} is too long for a key"),
        }
    }
}
