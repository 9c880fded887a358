//! From lines to documents: which part of its invoice a line belongs to, and what all of them together say.

use std::collections::HashMap;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use stockledger_schemas::limits::{LINES_MAX, QUANTITY_MAX};
use stockledger_schemas::{CustomerId, Delta, Hash, Level, Name, Note, OrderId, Quantity, Sku, Timestamp};

use super::reason::reason_of;
use super::row::{Column, Columns, Goods, Problem, Row};
use super::text::tidy;
use super::{AdjustedLine, Adjustment, Document, Error, Input, Item, ItemIndex, OrderedLine, ReceivedLine};
use crate::import::Source;

/// Reads and checks a whole file. It blocks, about a second for half a million lines.
///
/// # Errors
/// [`Error`] with the first line that is not as it must be.
pub fn read(source: &Source) -> Result<Input, Error> {
    let file = source.name();
    let content = source.open().map_err(|source| Error::Read { file: file.clone(), source })?;
    let mut csv = ReaderBuilder::new().from_reader(content);
    let columns = find_columns(&file, &mut csv)?;
    let mut assembly = Assembly::new(file);
    let mut record = ByteRecord::new();
    while csv.read_byte_record(&mut record).map_err(|error| assembly.csv_error(error))? {
        let line = record.position().map_or(0, csv::Position::line);
        assembly.add(line, &columns, &record).map_err(|problem| assembly.cell_error(line, problem))?;
    }
    assembly.finish(csv.into_inner().finish())
}

fn find_columns(file: &str, csv: &mut csv::Reader<impl Read>) -> Result<Columns, Error> {
    let header = csv.byte_headers().map_err(|error| csv_error(file, error))?;
    Columns::find(header).map_err(|missing| Error::Header {
        file: file.to_owned(),
        column: missing.name(),
        expected: Column::names(),
    })
}

fn csv_error(file: &str, error: csv::Error) -> Error {
    let file = file.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Read { file, source },
        csv::ErrorKind::UnequalLengths { pos, expected_len: expected, len: found } => {
            Error::Shape { file, line: pos.map_or(0, |pos| pos.line()), expected, found }
        }
        other => Error::Read { file, source: std::io::Error::other(format!("{other:?}")) },
    }
}

/// The documents so far.
struct Assembly {
    file: String,
    lines: u64,
    skipped_lines: u64,
    /// Of all lines of goods, whatever their sign. It bounds every sum that is ever made of them.
    units: i64,
    items: Vec<Item>,
    item_indexes: HashMap<Sku, ItemIndex>,
    drafts: Vec<Draft>,
    draft_indexes: HashMap<OrderId, usize>,
}

/// A document whose lines are still coming.
struct Draft {
    invoice: OrderId,
    occurred_at: Timestamp,
    first_line: u64,
    received: Vec<ReceivedLine>,
    /// Not netted yet.
    adjusted: Vec<AdjustedLine>,
    /// The first description of an adjusted line that is not empty.
    description: Option<Note>,
    customer: Option<CustomerId>,
    ordered: Vec<OrderedLine>,
}

impl Assembly {
    fn new(file: String) -> Self {
        Self {
            file,
            lines: 0,
            skipped_lines: 0,
            units: 0,
            items: Vec::new(),
            item_indexes: HashMap::new(),
            drafts: Vec::new(),
            draft_indexes: HashMap::new(),
        }
    }

    fn csv_error(&self, error: csv::Error) -> Error {
        csv_error(&self.file, error)
    }

    fn cell_error(&self, line: u64, Problem { column, problem }: Problem) -> Error {
        Error::Cell { file: self.file.clone(), line, column: column.name(), problem }
    }

    fn add(&mut self, line: u64, columns: &Columns, record: &ByteRecord) -> Result<(), Problem> {
        let row = Row::read(columns, record)?;
        self.lines += 1;
        let draft = self.draft(line, row.invoice, row.occurred_at);
        let Some(goods) = row.goods else {
            self.skipped_lines += 1;
            return Ok(());
        };
        self.count_units(goods.quantity)?;
        let item = self.item(&goods);
        self.drafts[draft].add(item, goods)
    }

    fn draft(&mut self, first_line: u64, invoice: OrderId, occurred_at: Timestamp) -> usize {
        if let Some(known) = self.draft_indexes.get(&invoice) {
            return *known;
        }
        let draft = self.drafts.len();
        self.drafts.push(Draft::new(first_line, invoice.clone(), occurred_at));
        self.draft_indexes.insert(invoice, draft);
        draft
    }

    fn item(&mut self, goods: &Goods<'_>) -> ItemIndex {
        let item = match self.item_indexes.get(&goods.sku) {
            Some(known) => *known,
            None => {
                self.item_indexes.insert(goods.sku.clone(), self.items.len());
                self.items.push(Item { sku: goods.sku.clone(), name: None });
                self.items.len() - 1
            }
        };
        let name = &mut self.items[item].name;
        if name.is_none() {
            *name = Name::new(tidy(goods.description, Name::BYTES_MAX)).ok();
        }
        item
    }

    fn count_units(&mut self, quantity: Delta) -> Result<(), Problem> {
        self.units += quantity.get().abs();
        if self.units <= QUANTITY_MAX {
            return Ok(());
        }
        let problem = format!("all quantities of the file together must not be more than {QUANTITY_MAX}");
        Err(Problem { column: Column::Quantity, problem })
    }

    fn finish(self, sha256: Hash) -> Result<Input, Error> {
        let Self { file, lines, skipped_lines, items, drafts, .. } = self;
        let documents = drafts.into_iter().map(|draft| draft.finish(&file)).collect::<Result<_, Error>>()?;
        Ok(Input { sha256, lines, skipped_lines, items, documents })
    }
}

impl Draft {
    fn new(first_line: u64, invoice: OrderId, occurred_at: Timestamp) -> Self {
        Self {
            invoice,
            occurred_at,
            first_line,
            received: Vec::new(),
            adjusted: Vec::new(),
            description: None,
            customer: None,
            ordered: Vec::new(),
        }
    }

    /// The rules of the format: which part of the document a line belongs to.
    fn add(&mut self, item: ItemIndex, goods: Goods<'_>) -> Result<(), Problem> {
        let is_cancellation = self.invoice.as_str().starts_with('C');
        let is_given_away = goods.customer.is_none() && goods.unit_price_minor == Level::ZERO;
        let went_out = Quantity::new(goods.quantity.get()).ok();
        let came_back = Quantity::new(-goods.quantity.get()).ok();
        match (is_cancellation, came_back, went_out) {
            (true, Some(quantity), _) => self.received.push(ReceivedLine { item, quantity }),
            (true, None, _) => return Err(must_be_negative(goods.quantity)),
            (false, _, Some(quantity)) if !is_given_away => self.order(item, quantity, goods),
            (false, ..) => self.adjust(item, &goods),
        }
        Ok(())
    }

    fn adjust(&mut self, item: ItemIndex, goods: &Goods<'_>) {
        self.adjusted.push(AdjustedLine { item, delta: goods.quantity });
        if self.description.is_none() {
            self.description = Note::new(tidy(goods.description, Note::BYTES_MAX)).ok();
        }
    }

    fn order(&mut self, item: ItemIndex, quantity: Quantity, goods: Goods<'_>) {
        self.ordered.push(OrderedLine { item, quantity, unit_price_minor: goods.unit_price_minor });
        if self.customer.is_none() {
            self.customer = goods.customer;
        }
    }

    fn finish(self, file: &str) -> Result<Document, Error> {
        let adjustment = (!self.adjusted.is_empty()).then(|| Adjustment {
            lines: net(&self.adjusted),
            reason: reason_of(self.description.as_ref().map_or("", Note::as_str)),
            note: self.description.clone(),
        });
        let adjusted = adjustment.as_ref().map_or(0, |adjustment| adjustment.lines.len());
        self.check_lines(file, "the return", self.received.len())?;
        self.check_lines(file, "the adjustment", adjusted)?;
        self.check_lines(file, "the order", self.ordered.len())?;
        Ok(Document {
            invoice: self.invoice,
            occurred_at: self.occurred_at,
            receipt: self.received,
            adjustment,
            customer: self.customer,
            order: self.ordered,
        })
    }

    fn check_lines(&self, file: &str, part: &'static str, found: usize) -> Result<(), Error> {
        if found <= LINES_MAX {
            return Ok(());
        }
        let (file, invoice) = (file.to_owned(), self.invoice.clone());
        Err(Error::TooManyLines { file, line: self.first_line, part, invoice, found, max: LINES_MAX })
    }
}

fn must_be_negative(found: Delta) -> Problem {
    let problem =
        format!("a quantity of a cancellation, whose invoice begins with C, must be below 0, not {found}");
    Problem { column: Column::Quantity, problem }
}

/// The sum of each item's lines, in the order in which the items first appear, without those that come to nothing.
fn net(lines: &[AdjustedLine]) -> Vec<AdjustedLine> {
    let mut places: HashMap<ItemIndex, usize> = HashMap::new();
    let mut sums: Vec<(ItemIndex, i64)> = Vec::new();
    for line in lines {
        let place = *places.entry(line.item).or_insert(sums.len());
        if place == sums.len() {
            sums.push((line.item, 0));
        }
        sums[place].1 += line.delta.get();
    }
    let delta = |(item, sum): (ItemIndex, i64)| {
        let delta = Delta::new(sum).ok().filter(|delta| delta.get() != 0)?;
        Some(AdjustedLine { item, delta })
    };
    sums.into_iter().filter_map(delta).collect()
}
