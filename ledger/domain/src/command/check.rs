//! What the types of a command cannot say: how its lines fit together, which reasons it takes, where it belongs.
//!
//! All problems are found at once, so that a caller mends a command in one go.

use std::collections::HashMap;

use stockledger_schemas::limits::{KEY_SITES_MAX, LINES_MAX, QUANTITY_MAX};
use stockledger_schemas::{
    CommandKind, Context, Delta, HoldId, KeyScope, Level, Quantity, Reason, Scope, Sku,
};

use crate::command::reason;
use crate::command::{AdjustmentLine, Checked, Command, CountLine, CreateKey, HoldStock, Invalid};
use crate::lines::{Sum, sum_by};

/// How the ids of holds begin that the ledger itself makes for damaged goods of a return.
pub(crate) const RETURN_HOLD_PREFIX: &str = "return:";

/// Who acts without a key: callers while there are no keys, and the ledger itself. A key of such a name could not be told
/// from them in a trail.
const KEYLESS_ACTORS: [&str; 2] = ["local", "stockledger"];

impl Checked {
    /// Checks a command and takes it.
    ///
    /// A hold says why in [`HoldStock::reason`]. Its context may repeat that reason or leave it out, but not say
    /// another; it is filled in here, so that the trail of every decision says why in the same place and both ways of
    /// asking have one fingerprint.
    ///
    /// # Errors
    /// Everything that is wrong, in the order: scope, ids, lines or rights, reason, note.
    pub fn new(scope: Scope, command: Command, mut context: Context) -> Result<Self, Vec<Invalid>> {
        if let Command::HoldStock(hold) = &command {
            context.reason.get_or_insert(hold.reason.into());
        }
        let mut problems = Problems::default();
        problems.check_scope(&scope, command.kind());
        problems.check_command(&command);
        match &command {
            Command::HoldStock(hold) => problems.check_hold_reason(hold, context.reason),
            _ => problems.check_reason(command.kind(), context.reason),
        }
        problems.check_note(command.kind(), &context);
        if problems.0.is_empty() {
            Ok(Self { scope, command, context, basis: None })
        } else {
            Err(problems.0)
        }
    }

    /// What it is about.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The command itself.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// Who, why and what for.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }
}

#[derive(Default)]
struct Problems(Vec<Invalid>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Invalid { pointer: pointer.into(), detail: detail.into() });
    }

    fn add_at(&mut self, line: usize, member: &str, detail: impl Into<String>) {
        self.add(format!("/lines/{line}/{member}"), detail);
    }

    fn check_scope(&mut self, scope: &Scope, kind: CommandKind) {
        let of_directory = matches!(
            kind,
            CommandKind::OpenSite
                | CommandKind::RegisterItem
                | CommandKind::CreateKey
                | CommandKind::RevokeKey
        );
        match scope {
            Scope::Site(_) if of_directory => self.add("", format!("{kind} is not a command of a site")),
            Scope::Directory if !of_directory => self.add("", format!("{kind} is a command of a site")),
            Scope::Directory | Scope::Site(_) => {}
        }
    }

    fn check_command(&mut self, command: &Command) {
        match command {
            Command::ReceiveStock(receipt) => {
                self.check_quantities(receipt.lines.iter().map(|line| (&line.sku, line.quantity)));
            }
            Command::AdjustStock(adjustment) => self.check_adjustment(&adjustment.lines),
            Command::CountStock(count) => self.check_count(&count.lines),
            Command::HoldStock(hold) => self.check_hold_id(&hold.hold_id),
            Command::PlaceOrder(order) => {
                self.check_quantities(order.lines.iter().map(|line| (&line.sku, line.quantity)));
            }
            Command::ShipOrder(shipment) => {
                if let Some(lines) = &shipment.lines {
                    self.check_quantities(lines.iter().map(|line| (&line.sku, line.quantity)));
                }
            }
            Command::ReturnOrder(goods) => {
                self.check_quantities(goods.lines.iter().map(|line| (&line.sku, line.quantity)));
            }
            Command::CreateKey(key) => self.check_key(key),
            Command::OpenSite(_)
            | Command::RegisterItem(_)
            | Command::RevokeKey(_)
            | Command::ReleaseHold(_)
            | Command::CancelOrder(_)
            | Command::RecordNote(_) => {}
        }
    }

    fn check_hold_id(&mut self, hold_id: &HoldId) {
        if hold_id.as_str().starts_with(RETURN_HOLD_PREFIX) {
            let detail =
                format!("must not begin with {RETURN_HOLD_PREFIX} which is kept for damaged returns");
            self.add("/hold_id", detail);
        }
    }

    /// A key for some sites must not reach beyond them, so it cannot have rights over the ledger as a whole.
    fn check_key(&mut self, key: &CreateKey) {
        if KEYLESS_ACTORS.contains(&key.name.as_str()) {
            self.add("/name", format!("must not be {}, which acts without a key", key.name));
        }
        if key.scopes.is_empty() {
            let all: Vec<&str> = KeyScope::ALL.iter().map(|scope| scope.as_str()).collect();
            self.add("/scopes", format!("must have at least one of {}", all.join(", ")));
        }
        for (index, scope) in key.scopes.iter().enumerate() {
            if key.scopes[..index].contains(scope) {
                self.add(format!("/scopes/{index}"), format!("{scope} stands there already"));
            }
        }
        let Some(sites) = &key.sites else { return };
        if !(1..=KEY_SITES_MAX).contains(&sites.len()) {
            let detail = format!("must name from 1 to {KEY_SITES_MAX} sites, or be absent for all of them");
            return self.add("/sites", detail);
        }
        for (index, site) in sites.iter().enumerate() {
            if sites[..index].contains(site) {
                self.add(format!("/sites/{index}"), format!("{site} stands there already"));
            }
        }
        if key.scopes.contains(&KeyScope::Admin) {
            self.add("/sites", "must be absent: a key with the scope admin is for all sites");
        }
    }

    fn check_line_count(&mut self, count: usize) {
        if !(1..=LINES_MAX).contains(&count) {
            self.add("/lines", format!("must have from 1 to {LINES_MAX} lines, not {count}"));
        }
    }

    fn check_quantities<'a>(&mut self, lines: impl ExactSizeIterator<Item = (&'a Sku, Quantity)>) {
        self.check_line_count(lines.len());
        for sum in sum_by(lines.map(|(sku, quantity)| (sku, quantity.get()))) {
            if sum.total_as::<Quantity>().is_none() {
                self.add_too_much(&sum, "quantity");
            }
        }
    }

    fn check_adjustment(&mut self, lines: &[AdjustmentLine]) {
        self.check_line_count(lines.len());
        for (index, _) in lines.iter().enumerate().filter(|(_, line)| line.delta.get() == 0) {
            self.add_at(index, "delta", "must not be 0");
        }
        for sum in sum_by(lines.iter().map(|line| (&line.sku, line.delta.get()))) {
            if sum.total_as::<Delta>().is_none() {
                self.add_too_much(&sum, "delta");
            } else if sum.total == 0 && lines[sum.first].delta.get() != 0 {
                self.add_at(sum.first, "delta", format!("the lines of {} cancel each other out", sum.key));
            }
        }
        self.check_expectations(lines);
    }

    /// Lines of one SKU may leave their expectation out, but must not differ in it.
    fn check_expectations(&mut self, lines: &[AdjustmentLine]) {
        let mut expectations: HashMap<&Sku, Level> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            let Some(expected) = line.expected_on_hand else { continue };
            let first = *expectations.entry(&line.sku).or_insert(expected);
            if first != expected {
                let detail = format!("an earlier line of {} expects {first}", line.sku);
                self.add_at(index, "expected_on_hand", detail);
            }
        }
    }

    fn check_count(&mut self, lines: &[CountLine]) {
        self.check_line_count(lines.len());
        let mut first_lines: HashMap<&Sku, usize> = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            let first = *first_lines.entry(&line.sku).or_insert(index);
            if first != index {
                let detail =
                    format!("{} is counted in line {first} already; a count states it once", line.sku);
                self.add_at(index, "sku", detail);
            }
        }
    }

    fn check_reason(&mut self, kind: CommandKind, reason: Option<Reason>) {
        match reason {
            Some(reason) if !reason::allowed(kind).contains(&reason) => {
                self.add("/reason", format!("{reason} is not a reason of {kind}: {}", choice(kind)));
            }
            None if reason::is_required(kind) => {
                self.add("/reason", format!("{kind} must say why: {}", choice(kind)));
            }
            Some(_) | None => {}
        }
    }

    fn check_hold_reason(&mut self, hold: &HoldStock, reason: Option<Reason>) {
        if reason != Some(hold.reason.into()) {
            self.add("/reason", format!("must be absent or the reason of the hold, {}", hold.reason));
        }
    }

    fn check_note(&mut self, kind: CommandKind, context: &Context) {
        if kind == CommandKind::RecordNote && context.note.is_none() {
            self.add("/note", "must be there: the note is what is recorded");
        }
    }

    fn add_too_much(&mut self, sum: &Sum<&Sku>, member: &str) {
        let detail = format!("the lines of {} add up to more than {QUANTITY_MAX}", sum.key);
        self.add_at(sum.first, member, detail);
    }
}

fn choice(kind: CommandKind) -> String {
    let words: Vec<&str> = reason::allowed(kind).iter().map(|reason| reason.as_str()).collect();
    format!("use one of {}", words.join(", "))
}
