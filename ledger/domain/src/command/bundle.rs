//! Bundles: several commands of one site that are done together or not at all.
//!
//! A bundle is decided once and stands in the log as one decision whose events are those of its commands. So it can hold only
//! what one decision can say: one site, one idempotency key, one who-and-why for all, and one step of one order, because the
//! trail of a site has one row for each decision, and that row is found by its order. And no two of its commands move one
//! SKU: then each is decided as if it came alone, and a refusal tells the truth about the state that it is recorded in
//! (`docs/adr/0025-bundles-are-one-decision.md`).

use std::collections::HashSet;

use serde::Serialize;
use stockledger_schemas::limits::EVENTS_MAX;
use stockledger_schemas::{CommandKind, Context, Event, Hash, HoldId, OrderId, Scope, Sku};

use super::fingerprint::Said;
use super::{Checked, Command, Invalid};

const VERSION: &str = "stockledger-bundle-v1";

/// Several commands of one site, well formed together. Made by [`Bundle::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    first: Checked,
    rest: Vec<Checked>,
}

/// One command of a bundle that does not fit beside the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("command {index}: {invalid}")]
pub struct Misfit {
    /// Which one, from 0.
    pub index: usize,
    /// Why; the pointer is into the command's body, or empty.
    pub invalid: Invalid,
}

/// By what a refusal is known to be that of one command.
#[derive(PartialEq, Eq)]
struct Mark<'a>(CommandKind, Option<&'a OrderId>, Option<&'a HoldId>);

impl Bundle {
    /// Takes commands that fit together.
    ///
    /// # Errors
    /// Every command that does not fit beside those before it; all of them, if there are too many; none, if there are none.
    pub fn new(commands: Vec<Checked>) -> Result<Self, Vec<Misfit>> {
        let misfits: Vec<Misfit> = commands
            .iter()
            .enumerate()
            .filter_map(|(index, command)| {
                let invalid = misfit(&commands[..index], command)?;
                Some(Misfit { index, invalid })
            })
            .collect();
        let mut commands = commands.into_iter();
        match commands.next().filter(|_| misfits.is_empty()) {
            Some(first) => Ok(Self { first, rest: commands.collect() }),
            None => Err(misfits),
        }
    }

    /// The site.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.first.scope
    }

    /// Who, why and what for, of all commands.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.first.context
    }

    /// The first of its commands.
    #[must_use]
    pub const fn first(&self) -> &Checked {
        &self.first
    }

    /// The commands, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Checked> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// How many lines they have together.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.commands().map(|command| command.command().lines().max(1)).sum()
    }

    /// The order that one of them is about.
    #[must_use]
    pub fn order_id(&self) -> Option<&OrderId> {
        self.commands().find_map(|command| command.command().order_id())
    }

    /// Which of them, from 0, an event refuses; none, if it is no refusal.
    #[must_use]
    pub fn refused_by(&self, event: &Event) -> Option<usize> {
        let refused = match event {
            Event::OutOfStock(event) => Mark(CommandKind::PlaceOrder, Some(&event.order_id), None),
            Event::CommandRefused(event) => {
                Mark(event.command, event.order_id.as_ref(), event.hold_id.as_ref())
            }
            _ => return None,
        };
        self.commands().position(|command| mark_of(command.command()) == refused)
    }

    /// As [`Checked::fingerprint`], of all of them; never that of a single command.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        #[derive(Serialize)]
        struct Canonical<'a> {
            commands: Vec<Said<'a>>,
        }
        let canonical = Canonical { commands: self.commands().map(Checked::said).collect() };
        let json = serde_json::to_vec(&canonical).expect("a command has only texts and whole numbers");
        Hash::of(&[VERSION.as_bytes(), &json])
    }
}

const fn mark_of(command: &Command) -> Mark<'_> {
    Mark(command.kind(), command.order_id(), command.hold_id())
}

fn misfit(before: &[Checked], command: &Checked) -> Option<Invalid> {
    let invalid = |detail: String| Some(Invalid { pointer: String::new(), detail });
    let kind = command.command.kind();
    if before.len() >= EVENTS_MAX {
        return invalid(format!("at most {EVENTS_MAX} commands are done together; send the others apart"));
    }
    if !can_be_bundled(kind) {
        return invalid(format!("{kind} is not done together with others; send it apart"));
    }
    let first = before.first()?;
    if first.scope != command.scope {
        return invalid("commands that are done together are of one site".to_owned());
    }
    if command.command.order_id().is_some() && before.iter().any(|other| other.command.order_id().is_some()) {
        return invalid("one decision is about one order; send this step apart".to_owned());
    }
    if before.iter().any(|other| mark_of(&other.command) == mark_of(&command.command)) {
        return invalid(format!(
            "{kind} stands there twice; make it one command of more lines, or send it apart"
        ));
    }
    let of_others: HashSet<&Sku> = before.iter().flat_map(|other| skus(&other.command)).collect();
    if let Some(sku) = skus(&command.command).into_iter().find(|sku| of_others.contains(*sku)) {
        return invalid(overlap(sku));
    }
    let member = differing(&first.context, &command.context)?;
    let detail =
        format!("one decision says its {member} once: it must be the same in all commands, or in none");
    Some(Invalid { pointer: format!("/{member}"), detail })
}

/// What moves goods, and steps of orders. A count states what is there whatever else is decided, and its numbers stand in the
/// one row that the trail has for a decision; the directory and remarks have nothing that could half happen.
const fn can_be_bundled(kind: CommandKind) -> bool {
    match kind {
        CommandKind::ReceiveStock
        | CommandKind::AdjustStock
        | CommandKind::HoldStock
        | CommandKind::ReleaseHold
        | CommandKind::PlaceOrder
        | CommandKind::ShipOrder
        | CommandKind::CancelOrder
        | CommandKind::ReturnOrder => true,
        CommandKind::OpenSite
        | CommandKind::RegisterItem
        | CommandKind::CountStock
        | CommandKind::RecordNote
        | CommandKind::CreateKey
        | CommandKind::RevokeKey => false,
    }
}

/// What is wrong with a command that moves a SKU which another one of its bundle moves.
pub(crate) fn overlap(sku: &Sku) -> String {
    format!("{sku} is moved by another command of these too; send one of them apart")
}

/// The SKUs that a command says it moves.
pub(crate) fn skus(command: &Command) -> Vec<&Sku> {
    match command {
        Command::ReceiveStock(command) => command.lines.iter().map(|line| &line.sku).collect(),
        Command::AdjustStock(command) => command.lines.iter().map(|line| &line.sku).collect(),
        Command::CountStock(command) => command.lines.iter().map(|line| &line.sku).collect(),
        Command::PlaceOrder(command) => command.lines.iter().map(|line| &line.sku).collect(),
        Command::ShipOrder(command) => command.lines.iter().flatten().map(|line| &line.sku).collect(),
        Command::ReturnOrder(command) => command.lines.iter().map(|line| &line.sku).collect(),
        Command::HoldStock(command) => vec![&command.sku],
        Command::OpenSite(_)
        | Command::RegisterItem(_)
        | Command::ReleaseHold(_)
        | Command::CancelOrder(_)
        | Command::RecordNote(_)
        | Command::CreateKey(_)
        | Command::RevokeKey(_) => Vec::new(),
    }
}

/// What two contexts say differently.
fn differing(one: &Context, other: &Context) -> Option<&'static str> {
    let Context { actor: _, occurred_at, reason, note, reference, correlation_id } = one;
    [
        ("occurred_at", *occurred_at == other.occurred_at),
        ("reason", *reason == other.reason),
        ("note", *note == other.note),
        ("reference", *reference == other.reference),
        ("correlation_id", *correlation_id == other.correlation_id),
    ]
    .into_iter()
    .find(|(_, is_same)| !is_same)
    .map(|(member, _)| member)
}
