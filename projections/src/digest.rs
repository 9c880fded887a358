//! What the rows of a partition add up to: one number that is the same for the same rows, in whatever order and database
//! they were written.
//!
//! Every row has a hash of 64 bits over the name of its table and its values (XXH3, whose results never change); the digest
//! is the sum of all of them, modulo 2^64. A row that is added adds its hash, a row that changes takes its old one away, so
//! the digest moves with the checkpoint and costs no second look at the table. Two versions at the same offset with equal
//! digests hold equal rows, but for an accident of one in 2^64. It shows mistakes, not malice: that is what the hash chain
//! is for.
//!
//! ```text
//! hash of a row = XXH3-64(table name || 0 || value || value ..)
//! value         = 0                                    nothing
//!               | 1 || i64, little endian              a whole number
//!               | 2 || length as u32, little endian || bytes of a text
//! ```

use twox_hash::XxHash3_64;

use crate::value::{Cell, Row, Value};

/// Hashes rows; keeps the memory that this takes.
#[derive(Debug, Default)]
pub struct Digester {
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl Digester {
    /// The hash of a row.
    pub fn row<R: Row>(&mut self, row: &R) -> u64 {
        self.begin(R::TABLE.name);
        row.cells(&mut self.bytes);
        self.end()
    }

    /// The hash of a row of the named table, as a table gave it back: its values in the order of the columns.
    pub fn values(&mut self, table: &str, values: &[Value]) -> u64 {
        self.begin(table);
        self.bytes.extend(values.iter().map(Value::cell));
        self.end()
    }

    fn begin(&mut self, table: &str) {
        self.bytes.0.clear();
        self.bytes.0.extend_from_slice(table.as_bytes());
        self.bytes.0.push(0);
    }

    fn end(&self) -> u64 {
        XxHash3_64::oneshot(&self.bytes.0)
    }
}

impl<'a> Extend<Cell<'a>> for Bytes {
    fn extend<T: IntoIterator<Item = Cell<'a>>>(&mut self, cells: T) {
        for cell in cells {
            match cell {
                Cell::Null => self.0.push(0),
                Cell::Int(number) => {
                    self.0.push(1);
                    self.0.extend_from_slice(&number.to_le_bytes());
                }
                Cell::Text(text) => {
                    self.0.push(2);
                    // No text of a table is longer than a record.
                    self.0.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
                    self.0.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stockledger_schemas::PartitionId;

    use super::Digester;
    use crate::rows::HomeRow;
    use crate::value::Value;

    #[test]
    fn a_row_has_the_hash_that_is_written_down() {
        let row = HomeRow { site: "uk".parse().unwrap(), partition: PartitionId(3), seq: 1 };
        let mut bytes = b"homes\0\x02\x02\0\0\0uk\x01".to_vec();
        bytes.extend(3_i64.to_le_bytes());
        bytes.push(1);
        bytes.extend(1_i64.to_le_bytes());
        let mut digester = Digester::default();
        assert_eq!(digester.row(&row), twox_hash::XxHash3_64::oneshot(&bytes));
        // It must be the same for ever, on every machine.
        assert_eq!(digester.row(&row), digester.row(&row));
        let values = [Value::Text("uk".to_owned()), Value::Int(3), Value::Int(1)];
        assert_eq!(digester.values("homes", &values), digester.row(&row));
    }

    #[test]
    fn texts_cannot_be_moved_from_one_value_to_the_next() {
        let mut digester = Digester::default();
        let text = |text: &str| Value::Text(text.to_owned());
        let hashes = [
            digester.values("t", &[text("ab"), text("c")]),
            digester.values("t", &[text("a"), text("bc")]),
            digester.values("t", &[text("abc"), Value::Null]),
            digester.values("t", &[text("abc")]),
            digester.values("u", &[text("abc")]),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash));
        }
    }
}
