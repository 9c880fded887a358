//! CSV as commands: each row says in the column `command` which one it is, and has the columns of its [`Template`].
//!
//! Rows one after the other that differ in nothing but the columns of lines are one command of many lines, if something
//! holds them together: an order, a reference, or an idempotency key.

use std::io::Read;

use serde_json::{Map, Value, json};

use super::read::{Command, Item};
use super::template::{NUMBERS, Template, all_columns};

/// So alike must a misspelt column be to one that there is for it to be taken for that.
const LIKE: f64 = 0.8;
/// What holds the rows of a command together.
const TIES: [&str; 3] = ["order_id", "reference_id", "idempotency_key"];

type Cells = Vec<(&'static str, String)>;

/// The commands of a file. Its items are in the order of the rows.
pub(super) struct Rows<R> {
    records: csv::StringRecordsIntoIter<R>,
    /// Which column stands where.
    columns: Vec<&'static str>,
    /// The command that may go on in the next row.
    open: Option<Row>,
    /// What was met when the open command had to be given first.
    met: Option<Result<Row, Item>>,
}

/// A row, and then a command of one or more of them.
struct Row {
    line: u64,
    template: &'static Template,
    head: Cells,
    lines: Vec<Cells>,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// What is wrong with it, in words, or what reading gave.
    pub(super) fn new(reader: R) -> Result<Self, csv::Error> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
        let columns = reader.headers()?.iter().map(column).collect::<Result<Vec<_>, _>>();
        let columns = columns.and_then(unambiguous).map_err(std::io::Error::other)?;
        Ok(Self { records: reader.into_records(), columns, open: None, met: None })
    }

    fn read(&mut self) -> Option<Result<Row, Item>> {
        if let Some(met) = self.met.take() {
            return Some(met);
        }
        let record = match self.records.next()? {
            Ok(record) => record,
            Err(error) if error.is_io_error() => return Some(Err(Item::Broken(error.into()))),
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                return Some(Err(Item::Bad { line, detail: detail_of(&error) }));
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cells = self.columns.iter().copied().zip(record.iter());
        let cells: Cells =
            cells.filter(|(_, cell)| !cell.is_empty()).map(|(name, cell)| (name, cell.to_owned())).collect();
        Some(Row::new(line, cells).map_err(|detail| Item::Bad { line, detail }))
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let Some(read) = self.read() else { return self.open.take().map(Row::into_item) };
            match (self.open.take(), read) {
                (None, Ok(row)) => self.open = Some(row),
                (None, Err(item)) => return Some(item),
                (Some(mut open), Ok(row)) if open.goes_on_with(&row) => {
                    open.lines.extend(row.lines);
                    self.open = Some(open);
                }
                (Some(open), met) => {
                    self.met = Some(met);
                    return Some(open.into_item());
                }
            }
        }
    }
}

impl Row {
    fn new(line: u64, cells: Cells) -> Result<Self, String> {
        let command = cells.iter().find(|(name, _)| *name == "command");
        let command = command.map(|(_, cell)| cell.as_str()).ok_or("column command: it is empty")?;
        let known = || {
            let names: Vec<&str> =
                super::TEMPLATES.iter().map(|template| template.command.as_str()).collect();
            format!("column command: {command:?} is none; the commands are {}", names.join(", "))
        };
        let template = Template::of(command).ok_or_else(known)?;
        let (mut head, mut of_line) = (Cells::new(), Cells::new());
        for (name, cell) in cells.into_iter().filter(|(name, _)| *name != "command") {
            if template.lines.contains(&name) {
                of_line.push((name, cell));
            } else if template.columns().any(|column| column == name) {
                head.push((name, cell));
            } else {
                return Err(format!("column {name}: {} has none; leave it empty", template.command));
            }
        }
        let lines = if of_line.is_empty() { Vec::new() } else { vec![of_line] };
        Ok(Self { line, template, head, lines })
    }

    /// Whether the row is another line of this command.
    fn goes_on_with(&self, row: &Self) -> bool {
        let is_tied = self.head.iter().any(|(name, _)| TIES.contains(name));
        let have_lines = !self.lines.is_empty() && !row.lines.is_empty();
        is_tied && have_lines && std::ptr::eq(self.template, row.template) && self.head == row.head
    }

    fn into_item(self) -> Item {
        let line = self.line;
        match self.into_json() {
            Ok(json) => Item::Command(Command { line, json }),
            Err(detail) => Item::Bad { line, detail },
        }
    }

    fn into_json(self) -> Result<Vec<u8>, String> {
        let Self { template, head, lines, .. } = self;
        let mut line = Map::from_iter([("command".to_owned(), json!(template.command.as_str()))]);
        let (mut body, mut reference) = (Map::new(), Map::new());
        for (name, cell) in head {
            let value = value_of(name, cell)?;
            match name {
                "idempotency_key" => line.insert(name.to_owned(), value),
                "reference_type" => reference.insert("type".to_owned(), value),
                "reference_id" => reference.insert("id".to_owned(), value),
                name if template.path.contains(&name) => line.insert(name.to_owned(), value),
                name => body.insert(name.to_owned(), value),
            };
        }
        if !reference.is_empty() {
            body.insert("reference".to_owned(), reference.into());
        }
        if !lines.is_empty() {
            body.insert("lines".to_owned(), lines.into_iter().map(object).collect::<Result<Value, _>>()?);
        }
        line.insert("body".to_owned(), body.into());
        serde_json::to_vec(&line).map_err(|error| error.to_string())
    }
}

fn object(cells: Cells) -> Result<Value, String> {
    let members = cells.into_iter().map(|(name, cell)| Ok((name.to_owned(), value_of(name, cell)?)));
    members.collect::<Result<Map<_, _>, String>>().map(Value::from)
}

fn value_of(name: &str, cell: String) -> Result<Value, String> {
    if !NUMBERS.contains(&name) {
        return Ok(cell.into());
    }
    cell.parse::<i64>().map(Value::from).map_err(|_| format!("column {name}: {cell:?} is not a whole number"))
}

/// The column of this name.
fn column(name: &str) -> Result<&'static str, String> {
    let columns = all_columns();
    if let Some(known) = columns.iter().find(|known| **known == name) {
        return Ok(known);
    }
    let likeness = |known: &&&str| strsim::jaro_winkler(known, name);
    let nearest = columns.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    Err(match nearest.filter(|known| likeness(known) >= LIKE) {
        Some(known) => format!("there is no column {name:?}; did you mean {known}?"),
        None => format!("there is no column {name:?}; the columns are {}", columns.join(", ")),
    })
}

fn unambiguous(columns: Vec<&'static str>) -> Result<Vec<&'static str>, String> {
    if !columns.contains(&"command") {
        return Err("the first line must name the columns, and one of them must be command; \
                    `stockledger import --template receive` prints an example"
            .to_owned());
    }
    let twice = columns.iter().enumerate().find(|(place, name)| columns[..*place].contains(name));
    match twice {
        Some((_, name)) => Err(format!("column {name} stands there twice")),
        None => Ok(columns),
    }
}

fn detail_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} cells, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
