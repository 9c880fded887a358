//! The lines of a command: `SKU=QUANTITY` arguments, or a CSV file whose columns are the members of the interface.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Exit, Failure};

/// The lines of a command.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Lines {
    /// What and how much of it, such as LAMP=3
    #[arg(value_name = "SKU=QUANTITY")]
    lines: Vec<String>,
    /// CSV file with a column sku and a column for the quantity, instead of arguments
    #[arg(long, value_name = "FILE", conflicts_with = "lines")]
    file: Option<PathBuf>,
}

/// What a line of a command has in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    /// What the quantity is called.
    pub(super) quantity: &'static str,
    /// Whole numbers that a line may have beside it.
    pub(super) numbers: &'static [&'static str],
    /// Words that a line may have beside it.
    pub(super) words: &'static [&'static str],
}

impl Columns {
    pub(super) const fn only(quantity: &'static str) -> Self {
        Self { quantity, numbers: &[], words: &[] }
    }

    /// A cell as the member that it stands for.
    fn member(&self, column: &str, cell: &str) -> Result<Value, String> {
        if column == "sku" || self.words.contains(&column) {
            return Ok(cell.into());
        }
        if column != self.quantity && !self.numbers.contains(&column) {
            let known: Vec<&str> =
                ["sku", self.quantity].iter().chain(self.numbers).chain(self.words).copied().collect();
            return Err(format!("there is no column {column:?}; the columns are {}", known.join(", ")));
        }
        let number: Result<i64, _> = cell.parse();
        number.map(Value::from).map_err(|_| format!("{column} must be a whole number, not {cell:?}"))
    }
}

impl Lines {
    /// The lines as the interface takes them; none, if nothing was said.
    pub(super) fn read(&self, columns: Columns) -> Result<Vec<Value>, Failure> {
        let usage = |text: String| Failure::text(Exit::Usage, text);
        match &self.file {
            Some(path) => {
                read_file(path, columns).map_err(|detail| usage(format!("{}: {detail}", path.display())))
            }
            None => self.lines.iter().map(|line| from_argument(line, columns).map_err(usage)).collect(),
        }
    }

    /// The same, of which there must be one at least.
    pub(super) fn require(&self, columns: Columns) -> Result<Vec<Value>, Failure> {
        let lines = self.read(columns)?;
        if lines.is_empty() {
            let text = "say what and how much, such as LAMP=3, or name a file of lines with --file";
            return Err(Failure::text(Exit::Usage, text));
        }
        Ok(lines)
    }
}

/// A SKU may have an `=` in it, a quantity never.
fn from_argument(line: &str, columns: Columns) -> Result<Value, String> {
    let (sku, quantity) = line.rsplit_once('=').ok_or_else(|| format!("{line:?} must look like LAMP=3"))?;
    let quantity =
        columns.member(columns.quantity, quantity).map_err(|detail| format!("{line:?}: {detail}"))?;
    Ok(Value::Object(Map::from_iter([
        ("sku".to_owned(), sku.into()),
        (columns.quantity.to_owned(), quantity),
    ])))
}

fn read_file(path: &Path, columns: Columns) -> Result<Vec<Value>, String> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|error| error.to_string())?;
    let heading = reader.headers().map_err(|error| error.to_string())?.clone();
    for needed in ["sku", columns.quantity] {
        if !heading.iter().any(|column| column == needed) {
            return Err(format!("the first line must name the column {needed}"));
        }
    }
    let mut lines = Vec::new();
    for (number, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| error.to_string())?;
        let given = heading.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
        let members = given.map(|(column, cell)| Ok((column.to_owned(), columns.member(column, cell)?)));
        let members: Result<Map<String, Value>, String> = members.collect();
        lines.push(Value::Object(members.map_err(|detail| format!("line {number}: {detail}"))?));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADJUSTED: Columns = Columns { quantity: "delta", numbers: &["expected_on_hand"], words: &[] };

    #[test]
    fn arguments_and_files_make_the_same_lines() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lines.csv");
        std::fs::write(&file, "sku, delta,expected_on_hand\nA=B,-2,\n\"C, d\",3,7\n").unwrap();
        let of_file = Lines { lines: Vec::new(), file: Some(file) }.require(ADJUSTED).unwrap();
        assert_eq!(of_file[1], serde_json::json!({ "sku": "C, d", "delta": 3, "expected_on_hand": 7 }));
        let of_arguments = Lines { lines: vec!["A=B=-2".to_owned()], file: None }.require(ADJUSTED).unwrap();
        assert_eq!(of_file[0], of_arguments[0]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lines.csv");
        for (content, part) in [
            ("sku\nA\n", "must name the column delta"),
            ("sku,delta\nA,1\nB,many\n", "line 3: delta must be a whole number"),
            ("sku,delta,colour\nA,1,red\n", "there is no column \"colour\"; the columns are sku, delta"),
            ("sku,delta\nA\n", "record 1"),
        ] {
            std::fs::write(&file, content).unwrap();
            let lines = Lines { lines: Vec::new(), file: Some(file.clone()) };
            let said = lines.require(ADJUSTED).unwrap_err().error.to_string();
            assert!(said.contains(part) && said.contains("lines.csv"), "{said}");
        }
        for (line, part) in
            [("A", "must look like LAMP=3"), ("A=x", "whole number"), ("A=1.5", "whole number")]
        {
            let lines = Lines { lines: vec![line.to_owned()], file: None };
            let said = lines.read(ADJUSTED).unwrap_err().error.to_string();
            assert!(said.contains(part), "{said}");
        }
        assert!(Lines { lines: Vec::new(), file: None }.require(ADJUSTED).is_err());
    }
}
