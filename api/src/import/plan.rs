//! The commands of an import, one after the other, made when they are asked for.
//!
//! The order is part of the contract: items by SKU, the opening receipts, then for each document its receipt, its
//! adjustment, its order. What opens the site and marks it as imported comes before ([`super::run()`]), and the shipment of
//! an order follows when it is known to be accepted. The same file always gives the same commands under the same keys.

use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, Checked, Command, Invalid, OpenSite, OrderedLine, PlaceOrder, ReceiptLine,
    ReceiveStock, RecordNote, RegisterItem, ShipOrder,
};
use stockledger_schemas::limits::LINES_MAX;
use stockledger_schemas::{
    Actor, Context, CorrelationId, Currency, IdempotencyKey, Name, Note, Quantity, Reason, Reference,
    ReferenceId, ReferenceType, Scope, SiteId, Sku, Timestamp, Unit,
};

use super::online_retail::{Document, Input, Item, ItemIndex};
use super::opening::OpeningStock;
use super::target::Submission;

/// How the keys and the correlation id of every such import begin.
const PREFIX: &str = "online-retail";
/// How many hex digits of the file's digest tell it from others in a key.
const TAG_DIGITS: usize = 16;

/// What is the same in all commands of one import.
#[derive(Debug, Clone)]
pub struct Plan<'i> {
    input: &'i Input,
    opening: OpeningStock,
    /// By SKU.
    opening_lines: Vec<ReceiptLine>,
    site: SiteId,
    actor: Actor,
    correlation_id: CorrelationId,
    currency: Currency,
    unit: Unit,
    invoice_type: ReferenceType,
}

/// Whether the site was imported before from something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// This is the import of the site, or its continuation.
    First,
    /// Another import was there before, and this one was forced on top of it.
    OnTop,
}

/// One command of an import and what it is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is sent.
    pub submission: Submission,
    /// What it is there for.
    pub part: Part,
    /// How many documents are through once it is answered.
    pub documents_done: usize,
}

impl Step {
    /// What a message calls it: its key, or what it describes.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.submission.key, self.submission.command.command()) {
            (Some(key), _) => format!("the command with the key {key}"),
            (None, Command::RegisterItem(item)) => format!("item {}", item.sku),
            (None, command) => command.kind().to_string(),
        }
    }

    /// How many lines its command has, which is what it costs to send and to decide.
    #[must_use]
    pub const fn lines(&self) -> usize {
        match self.submission.command.command() {
            Command::ReceiveStock(receipt) => receipt.lines.len(),
            Command::AdjustStock(adjustment) => adjustment.lines.len(),
            Command::PlaceOrder(order) => order.lines.len(),
            _ => 1,
        }
    }
}

/// What a command of an import is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An item gets its description.
    Item,
    /// Stock that is there at first.
    Opening,
    /// Goods that a customer sent back.
    Receipt,
    /// Differences of stock.
    Adjustment,
    /// An order, of the document with this index.
    Order(usize),
    /// The goods of an accepted order leave; so many units.
    Shipment(i64),
}

/// Why a command cannot be made. A file that was read and checked gives none of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The opening stock of an item is beyond what a ledger counts.
    #[error("the opening stock of {sku} is more than {}", Quantity::MAX)]
    OpeningTooLarge {
        /// The item.
        sku: Sku,
    },
    /// A text that is made of the file's is not one that the ledger takes.
    #[error(transparent)]
    Text(#[from] stockledger_schemas::text::InvalidText),
    /// The ledger would not take the command.
    #[error("a command of the import is not well formed: {}", list(.0))]
    Command(Vec<Invalid>),
}

fn list(problems: &[Invalid]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl<'i> Plan<'i> {
    /// The plan of importing `input` into `site`.
    ///
    /// # Errors
    /// [`Error::OpeningTooLarge`].
    pub fn new(input: &'i Input, opening: OpeningStock, site: SiteId, actor: Actor) -> Result<Self, Error> {
        let sku = |item: ItemIndex| input.items[item].sku.clone();
        let quantities =
            opening.quantities(input).map_err(|item| Error::OpeningTooLarge { sku: sku(item) })?;
        let opening_line = |(item, quantity)| ReceiptLine { sku: sku(item), quantity };
        Ok(Self {
            input,
            opening,
            opening_lines: quantities.into_iter().map(opening_line).collect(),
            site,
            actor,
            correlation_id: CorrelationId::new(format!("{PREFIX}:{}", tag(input)))?,
            currency: Currency::new("GBP")?,
            unit: Unit::new("each")?,
            invoice_type: ReferenceType::new("invoice")?,
        })
    }

    /// Opens the site under its own id as its name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open_site(&self) -> Result<Checked, Error> {
        let open = OpenSite { site: self.site.clone(), name: Name::new(&self.site)? };
        checked(Scope::Directory, Command::OpenSite(open), self.context())
    }

    /// Says on the site's own record what is imported into it. The same import again replays it; any other one finds its
    /// key used.
    ///
    /// # Errors
    /// [`Error`].
    pub fn marker(&self, turn: Turn) -> Result<Submission, Error> {
        let (sha256, opening) = (self.input.sha256, self.opening);
        let note =
            format!("import of an online-retail file with SHA-256 {sha256} and opening stock {opening}");
        let context = Context { note: Some(Note::new(note)?), ..self.context() };
        let key = match turn {
            Turn::First => format!("{PREFIX}:import"),
            Turn::OnTop => format!("{PREFIX}:import:{}:{opening}", tag(self.input)),
        };
        self.submission(Command::RecordNote(RecordNote {}), context, key)
    }

    /// All commands that do not depend on an answer, in order.
    pub fn steps(&self, turn: Turn) -> impl Iterator<Item = Result<Step, Error>> {
        let items = self.input.items_by_sku().into_iter().map(|item| self.item(&self.input.items[item]));
        let receipts = (1..).zip(self.opening_lines.chunks(LINES_MAX));
        let openings = receipts.map(move |(number, lines)| self.opening(turn, number, lines.to_vec()));
        let documents = self.input.documents.iter().enumerate();
        items.chain(openings).chain(documents.flat_map(|(index, document)| self.document(index, document)))
    }

    /// The shipment of everything in the order of a document.
    ///
    /// # Errors
    /// [`Error`].
    pub fn shipment(&self, document: usize) -> Result<Step, Error> {
        let source = &self.input.documents[document];
        let ship = ShipOrder { order_id: source.invoice.clone(), lines: None };
        let part = Part::Shipment(source.ordered_units());
        self.step(Command::ShipOrder(ship), self.said_by(source)?, source, "shipment", part, document)
    }

    /// How many units are received before the first document.
    #[must_use]
    pub fn opening_units(&self) -> i64 {
        self.opening_lines.iter().map(|line| line.quantity.get()).sum()
    }

    fn item(&self, item: &Item) -> Result<Step, Error> {
        let name = item.name.clone().map_or_else(|| Name::new(&item.sku), Ok)?;
        let register = RegisterItem { sku: item.sku.clone(), name, unit: self.unit.clone() };
        let command = checked(Scope::Directory, Command::RegisterItem(register), self.context())?;
        Ok(Step { submission: Submission { command, key: None }, part: Part::Item, documents_done: 0 })
    }

    /// It happened when the first thing in the file did: whoever asks by `occurred_at` sees the goods before they leave.
    fn opening(&self, turn: Turn, number: usize, lines: Vec<ReceiptLine>) -> Result<Step, Error> {
        let first: Option<Timestamp> = self.input.documents.iter().map(|document| document.occurred_at).min();
        let reason = Some(Reason::OpeningBalance);
        let context = Context { occurred_at: first, reason, ..self.context() };
        let key = match turn {
            Turn::First => format!("{PREFIX}:opening:{number}"),
            Turn::OnTop => format!("{PREFIX}:opening:{}:{}:{number}", tag(self.input), self.opening),
        };
        let submission = self.submission(Command::ReceiveStock(ReceiveStock { lines }), context, key)?;
        Ok(Step { submission, part: Part::Opening, documents_done: 0 })
    }

    fn document(&self, index: usize, document: &Document) -> impl Iterator<Item = Result<Step, Error>> {
        [self.receipt(index, document), self.adjustment(index, document), self.order(index, document)]
            .into_iter()
            .flatten()
    }

    fn receipt(&self, index: usize, document: &Document) -> Option<Result<Step, Error>> {
        let line = |line: &super::online_retail::ReceivedLine| ReceiptLine {
            sku: self.input.items[line.item].sku.clone(),
            quantity: line.quantity,
        };
        let lines: Vec<_> = document.receipt.iter().map(line).collect();
        (!lines.is_empty()).then(|| {
            let context = Context { reason: Some(Reason::CustomerReturn), ..self.said_by(document)? };
            let command = Command::ReceiveStock(ReceiveStock { lines });
            self.step(command, context, document, "receipt", Part::Receipt, index)
        })
    }

    /// Differences that come to nothing are not sent: the ledger takes no empty adjustment.
    fn adjustment(&self, index: usize, document: &Document) -> Option<Result<Step, Error>> {
        let adjustment = document.adjustment.as_ref().filter(|adjustment| !adjustment.lines.is_empty())?;
        let line = |line: &super::online_retail::AdjustedLine| AdjustmentLine {
            sku: self.input.items[line.item].sku.clone(),
            delta: line.delta,
            expected_on_hand: None,
        };
        let command =
            Command::AdjustStock(AdjustStock { lines: adjustment.lines.iter().map(line).collect() });
        let context = self.said_by(document).map(|context| Context {
            reason: Some(adjustment.reason),
            note: adjustment.note.clone(),
            ..context
        });
        Some(
            context.and_then(|context| {
                self.step(command, context, document, "adjustment", Part::Adjustment, index)
            }),
        )
    }

    fn order(&self, index: usize, document: &Document) -> Option<Result<Step, Error>> {
        let line = |line: &super::online_retail::OrderedLine| OrderedLine {
            sku: self.input.items[line.item].sku.clone(),
            quantity: line.quantity,
            unit_price_minor: Some(line.unit_price_minor),
        };
        (!document.order.is_empty()).then(|| {
            let command = Command::PlaceOrder(PlaceOrder {
                order_id: document.invoice.clone(),
                customer: document.customer.clone(),
                currency: Some(self.currency.clone()),
                lines: document.order.iter().map(line).collect(),
            });
            self.step(command, self.said_by(document)?, document, "order", Part::Order(index), index)
        })
    }

    fn step(
        &self,
        command: Command,
        context: Context,
        document: &Document,
        part_name: &str,
        part: Part,
        index: usize,
    ) -> Result<Step, Error> {
        let key = format!("{PREFIX}:{}:{part_name}", document.invoice);
        Ok(Step { submission: self.submission(command, context, key)?, part, documents_done: index + 1 })
    }

    fn submission(&self, command: Command, context: Context, key: String) -> Result<Submission, Error> {
        let command = checked(Scope::Site(self.site.clone()), command, context)?;
        Ok(Submission { command, key: Some(IdempotencyKey::new(key)?) })
    }

    fn context(&self) -> Context {
        Context { correlation_id: Some(self.correlation_id.clone()), ..Context::by(self.actor.clone()) }
    }

    /// The context of what a document says.
    fn said_by(&self, document: &Document) -> Result<Context, Error> {
        let id = ReferenceId::new(&document.invoice)?;
        let reference = Some(Reference { kind: self.invoice_type.clone(), id });
        Ok(Context { occurred_at: Some(document.occurred_at), reference, ..self.context() })
    }
}

fn checked(scope: Scope, command: Command, context: Context) -> Result<Checked, Error> {
    Checked::new(scope, command, context).map_err(Error::Command)
}

/// What tells the file from others, in few characters.
fn tag(input: &Input) -> String {
    let mut digits = input.sha256.to_string();
    digits.truncate(TAG_DIGITS);
    digits
}
