//! What goes into tables and what comes out of them: three kinds of value, in every database.

use std::ops::Range;
use std::str::FromStr;

use stockledger_schemas::{PartitionId, Timestamp};

use crate::store::Error;
use crate::table::{Table, Version};

/// A value on its way into a table, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'a str),
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Timestamp> for Cell<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.micros())
    }
}

impl From<Version> for Cell<'_> {
    fn from(version: Version) -> Self {
        Self::Int(i64::from(version.0))
    }
}

impl<'a, T: AsRef<str>> From<&'a T> for Cell<'a> {
    fn from(text: &'a T) -> Self {
        Self::Text(text.as_ref())
    }
}

impl<'a> Cell<'a> {
    /// A text, or nothing.
    #[must_use]
    pub fn optional<T: AsRef<str>>(text: Option<&'a T>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

/// A row of a table: typed, and able to hand out its values in the order of the table's columns.
pub trait Row: Send + Sync {
    /// The table that it belongs to.
    const TABLE: &'static Table;

    /// Appends the values of this row, one per column, in the order of the columns.
    fn cells<'a>(&'a self, cells: &mut impl Extend<Cell<'a>>);
}

/// Rows of one table, whatever their type: what a store needs to write them.
pub(crate) trait Rows: Send + Sync {
    /// The table that they belong to.
    fn table(&self) -> &'static Table;

    /// How many there are.
    fn count(&self) -> usize;

    /// Appends the values of some of the rows, row by row, as [`Row::cells`] does.
    fn cells<'a>(&'a self, range: Range<usize>, cells: &mut Vec<Cell<'a>>);
}

impl<R: Row> Rows for Vec<R> {
    fn table(&self) -> &'static Table {
        R::TABLE
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn cells<'a>(&'a self, range: Range<usize>, cells: &mut Vec<Cell<'a>>) {
        cells.reserve(range.len() * R::TABLE.columns.len());
        self[range].iter().for_each(|row| row.cells(cells));
    }
}

/// A value of a query: a parameter on the way in, a field on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => formatter.write_str("nothing"),
            Self::Int(number) => number.fmt(formatter),
            Self::Text(text) => write!(formatter, "{text:?}"),
        }
    }
}

impl Value {
    /// The same value, on its way into a table.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Int(number) => Cell::Int(*number),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

impl From<Version> for Value {
    fn from(version: Version) -> Self {
        Self::Int(i64::from(version.0))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<PartitionId> for Value {
    fn from(partition: PartitionId) -> Self {
        Self::Int(i64::from(partition.0))
    }
}

impl From<u64> for Value {
    /// Numbers beyond 63 bits are not in any table; the largest stands for them, which compares alike.
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<T: AsRef<str>> From<&T> for Value {
    fn from(text: &T) -> Self {
        Self::Text(text.as_ref().to_owned())
    }
}

/// One row of an answer, read field by field from the left.
///
/// A field that cannot be what it has to be means that somebody else wrote to the tables; that is an error, not a panic.
#[derive(Debug)]
pub struct Fields {
    values: std::vec::IntoIter<Value>,
}

impl Fields {
    /// The fields of one row.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter() }
    }

    /// The next field, whatever it is.
    pub fn value(&mut self) -> Value {
        self.values.next().unwrap_or(Value::Null)
    }

    /// All fields that are left.
    #[must_use]
    pub fn rest(self) -> Vec<Value> {
        self.values.collect()
    }

    /// The next field, a number or nothing.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn optional_int(&mut self) -> Result<Option<i64>, Error> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            Value::Text(text) => Err(Error::Unreadable { expected: "a number", found: text }),
        }
    }

    /// The next field, a number.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn int(&mut self) -> Result<i64, Error> {
        self.optional_int()?.ok_or_else(|| unreadable("a number", &Value::Null))
    }

    /// The next field, a number of some smaller or unsigned type.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Error> {
        let number = self.int()?;
        T::try_from(number).map_err(|_| unreadable("a number in range", &Value::Int(number)))
    }

    /// The next field, an instant.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn time(&mut self) -> Result<Timestamp, Error> {
        self.optional_time()?.ok_or_else(|| unreadable("a time", &Value::Null))
    }

    /// The next field, an instant or nothing.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn optional_time(&mut self) -> Result<Option<Timestamp>, Error> {
        let Some(micros) = self.optional_int()? else { return Ok(None) };
        Timestamp::from_micros(micros).map(Some).map_err(|_| unreadable("a time", &Value::Int(micros)))
    }

    /// The next field, a text or nothing, as `parse` reads it.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn optional_word<T>(
        &mut self,
        what: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.value() {
            Value::Null => Ok(None),
            Value::Text(text) => match parse(&text) {
                Some(value) => Ok(Some(value)),
                None => Err(Error::Unreadable { expected: what, found: text }),
            },
            found @ Value::Int(_) => Err(unreadable(what, &found)),
        }
    }

    /// The next field, a text, as `parse` reads it.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn word<T>(&mut self, what: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
        self.optional_word(what, parse)?.ok_or_else(|| unreadable(what, &Value::Null))
    }

    /// The next field, a text of a checked type or nothing.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn optional_text<T: FromStr>(&mut self) -> Result<Option<T>, Error> {
        self.optional_word(std::any::type_name::<T>(), |text| text.parse().ok())
    }

    /// The next field, a text of a checked type.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn text<T: FromStr>(&mut self) -> Result<T, Error> {
        self.word(std::any::type_name::<T>(), |text| text.parse().ok())
    }
}

fn unreadable(expected: &'static str, found: &Value) -> Error {
    Error::Unreadable { expected, found: found.to_string() }
}
