//! Whether two versions hold the same rows, in one store or in two: every table, row by row, in the order of its key.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::dialect::names;
use crate::store::{Error, Select, Snapshot, Store};
use crate::table::{TABLES, Table, Version};
use crate::value::{Fields, Value};

/// The first difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In which table.
    pub table: &'static str,
    /// The key of the row, by column.
    pub key: Vec<(&'static str, Value)>,
    /// What is different.
    pub what: What,
}

/// How two rows are different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The row is missing from the first version.
    OnlyInSecond,
    /// The row is missing from the second version.
    OnlyInFirst,
    /// A column has different values.
    Column {
        /// Which.
        column: &'static str,
        /// In the first version.
        first: Value,
        /// In the second version.
        second: Value,
    },
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key: Vec<String> = self.key.iter().map(|(column, value)| format!("{column} {value}")).collect();
        write!(formatter, "{}, {}: ", self.table, key.join(", "))?;
        match &self.what {
            What::OnlyInFirst => formatter.write_str("the row is only in the first version"),
            What::OnlyInSecond => formatter.write_str("the row is only in the second version"),
            What::Column { column, first, second } => {
                write!(formatter, "{column} is {first} in the first version and {second} in the second")
            }
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Rows that were found equal, by table.
    pub equal_rows: Vec<(&'static str, u64)>,
    /// The first difference; absent if the versions are the same.
    pub difference: Option<Difference>,
}

impl Comparison {
    /// Rows that were found equal, of all tables together.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.equal_rows.iter().map(|(_, rows)| rows).sum()
    }
}

/// Compares all tables of two versions and stops at the first difference. Nothing is held in memory.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn compare(
    first: (&dyn Store, Version),
    second: (&dyn Store, Version),
) -> Result<Comparison, Error> {
    let mut snapshots = (first.0.snapshot().await?, second.0.snapshot().await?);
    compare_snapshots((&mut *snapshots.0, first.1), (&mut *snapshots.1, second.1)).await
}

/// As [`compare`], of versions as they were at two moments.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn compare_snapshots(
    first: (&mut dyn Snapshot, Version),
    second: (&mut dyn Snapshot, Version),
) -> Result<Comparison, Error> {
    let mut comparison = Comparison { equal_rows: Vec::new(), difference: None };
    for table in TABLES {
        let rows = all_rows(&mut *first.0, table, first.1);
        let others = all_rows(&mut *second.0, table, second.1);
        let (equal, difference) = compare_table(table, rows, others).await?;
        comparison.equal_rows.push((table.name, equal));
        if difference.is_some() {
            comparison.difference = difference;
            break;
        }
    }
    Ok(comparison)
}

fn all_rows<'a>(
    snapshot: &'a mut dyn Snapshot,
    table: &Table,
    version: Version,
) -> BoxStream<'a, Result<Fields, Error>> {
    let (columns, name, key) = (names(table.columns), table.at(version), names(table.key()));
    let sql = format!("SELECT {columns} FROM {name} ORDER BY {key}");
    snapshot.stream(Select { sql, parameters: Vec::new() })
}

async fn compare_table(
    table: &'static Table,
    mut rows: BoxStream<'_, Result<Fields, Error>>,
    mut others: BoxStream<'_, Result<Fields, Error>>,
) -> Result<(u64, Option<Difference>), Error> {
    let mut equal = 0;
    loop {
        let (row, other) = futures_util::join!(rows.next(), others.next());
        let row = row.transpose()?.map(Fields::rest);
        let other = other.transpose()?.map(Fields::rest);
        match (row, other) {
            (None, None) => return Ok((equal, None)),
            (Some(row), Some(other)) if row == other => equal += 1,
            (row, other) => return Ok((equal, Some(difference(table, row, other)))),
        }
    }
}

fn difference(table: &'static Table, row: Option<Vec<Value>>, other: Option<Vec<Value>>) -> Difference {
    let named =
        |row: &[Value]| table.key().iter().map(|column| column.name).zip(row.iter().cloned()).collect();
    let of = |row: &[Value], what| Difference { table: table.name, key: named(row), what };
    match (row, other) {
        (Some(row), Some(other)) => {
            let (key, other_key) = (&row[..table.key_columns], &other[..table.key_columns]);
            match order(key, other_key) {
                std::cmp::Ordering::Less => of(&row, What::OnlyInFirst),
                std::cmp::Ordering::Greater => of(&other, What::OnlyInSecond),
                std::cmp::Ordering::Equal => of(&row, first_column(table, &row, &other)),
            }
        }
        (Some(row), None) => of(&row, What::OnlyInFirst),
        (None, other) => of(&other.unwrap_or_default(), What::OnlyInSecond),
    }
}

fn first_column(table: &Table, row: &[Value], other: &[Value]) -> What {
    let different = table.columns.iter().zip(row.iter().zip(other)).find(|(_, (a, b))| a != b);
    match different {
        Some((column, (first, second))) => {
            What::Column { column: column.name, first: first.clone(), second: second.clone() }
        }
        // Rows of one table have one length, so this row is longer than the table says.
        None => What::OnlyInFirst,
    }
}

/// The order in which tables give their keys: numbers by size, texts byte for byte.
fn order(key: &[Value], other: &[Value]) -> std::cmp::Ordering {
    let ordered = key.iter().zip(other).map(|pair| match pair {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    });
    ordered.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}
