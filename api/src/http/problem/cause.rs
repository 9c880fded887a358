//! The one place where what the ledger, a decision or the store says becomes a problem.

use stockledger_audit::proofs;
use stockledger_projections::store;
use stockledger_schemas::event::{CommandRefused, OutOfStock, RefusedLine};
use stockledger_schemas::refusal::{
    CountSuperseded, ExceedsHold, ExceedsOpen, ExceedsReturnable, ExpectedQuantityStale, InsufficientStock,
    NotInOrder, OrderFinished, QuantityLimit, Shortage,
};
use stockledger_schemas::{CommandKind, Event, Position, Refusal, SiteId};
use stockledger_writer::CommandError;

use crate::http::paths;
use crate::http::problem::{Code, Problem};

/// Shortages that are spelled out in a detail; the member `shortages` has all.
const SHORTAGES_SPELLED_OUT: usize = 3;

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::UnknownSite(site) => Self::unknown_site(&site),
            CommandError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "this Idempotency-Key was used before for another command; use a new key for a new command",
            ),
            CommandError::Invalid(errors) => Self::invalid(errors),
            CommandError::Changed { last } => Self::new(Code::PreconditionFailed, changed(last)),
            CommandError::Misfit(misfit) => Self::invalid(vec![misfit.invalid]),
            CommandError::TooLarge(_) => Self::new(Code::BodyTooLarge, text),
            CommandError::Overloaded => Self::new(Code::Overloaded, text),
            CommandError::NotApplied(_) => Self::new(Code::NotApplied, text),
            CommandError::Recovering(_) => Self::new(Code::WriterRecovering, text),
            CommandError::NotOwner { url, .. } => Self::new(Code::NotPartitionOwner, text).with_owner(url),
            CommandError::Halted { partition, .. } => {
                let detail =
                    format!("partition {partition} has stopped and takes no commands; an operator must look");
                Self::new(Code::PartitionHalted, detail).because(text)
            }
            CommandError::OutcomeUnknown => Self::new(Code::OutcomeUnknown, text),
            CommandError::Internal(_) => Self::internal(text),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if error.is_retryable() {
            let detail =
                "the database of the read tables does not answer at the moment; try again a little later";
            Self::new(Code::ProjectionUnavailable, detail).because(error)
        } else {
            Self::internal(error)
        }
    }
}

impl From<proofs::Error> for Problem {
    fn from(error: proofs::Error) -> Self {
        let text = error.to_string();
        match error {
            proofs::Error::NoSuchPartition { .. } | proofs::Error::Undecided { .. } => {
                Self::new(Code::NotFound, text)
            }
            proofs::Error::Backwards { .. } => Self::new(Code::MalformedRequest, text),
            proofs::Error::NotSignedYet { .. } | proofs::Error::Unavailable { .. } => {
                Self::new(Code::AuditUnavailable, text)
            }
            proofs::Error::Inconsistent { .. } => Self::new(Code::AuditInconsistent, text),
            proofs::Error::Log(_) => {
                Self::new(Code::AuditUnavailable, "the log does not answer at the moment").because(error)
            }
        }
    }
}

/// The problem that a decision stands for, if it is a refusal.
pub(in crate::http) fn refusal(site: Option<&SiteId>, event: &Event) -> Option<Problem> {
    match event {
        Event::OutOfStock(refused) => Some(out_of_stock(site, refused)),
        Event::CommandRefused(refused) => Some(command_refused(refused)),
        _ => None,
    }
}

fn out_of_stock(site: Option<&SiteId>, refused: &OutOfStock) -> Problem {
    let short = |line: &RefusedLine| Shortage {
        sku: line.sku.clone(),
        requested: line.requested,
        available: line.available,
    };
    let shortages = refused.lines.iter().filter(|line| line.is_short()).map(short).collect();
    let what = format!("order {} was refused as a whole", refused.order_id);
    let problem = insufficient_stock(&what, shortages);
    match site {
        Some(site) => problem.with_instance(paths::order(site, &refused.order_id)),
        None => problem,
    }
}

fn changed(last: Option<Position>) -> String {
    match last {
        Some(last) => format!("decision {last} changed it since; read it again and decide anew"),
        None => "there is no such thing yet that could be based on".to_owned(),
    }
}

fn insufficient_stock(what: &str, shortages: Vec<Shortage>) -> Problem {
    let spelled: Vec<String> = shortages.iter().take(SHORTAGES_SPELLED_OUT).map(in_words).collect();
    let more = match shortages.len().saturating_sub(SHORTAGES_SPELLED_OUT) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let detail = format!("{what}, nothing of it was done: {}{more}", spelled.join(", "));
    Problem::new(Code::InsufficientStock, detail).with_shortages(shortages)
}

fn in_words(Shortage { sku, requested, available }: &Shortage) -> String {
    format!("{requested} of {sku} requested but {available} available")
}

fn command_refused(refused: &CommandRefused) -> Problem {
    match &refused.refusal {
        Refusal::InsufficientStock(InsufficientStock { shortages }) => {
            insufficient_stock(&format!("{} was refused as a whole", refused.command), shortages.clone())
        }
        other => Problem::new(code_of(other), detail_of(other, refused)),
    }
}

fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::InsufficientStock(_) => Code::InsufficientStock,
        Refusal::OrderExists(_) => Code::OrderExists,
        Refusal::UnknownOrder(_) => Code::UnknownOrder,
        Refusal::OrderFinished(_)
        | Refusal::NotInOrder(_)
        | Refusal::ExceedsOpen(_)
        | Refusal::ExceedsReturnable(_) => Code::OrderState,
        Refusal::ExpectedQuantityStale(_) | Refusal::CountSuperseded(_) => Code::ExpectedQuantityStale,
        Refusal::HoldExists(_) => Code::HoldExists,
        Refusal::UnknownHold(_) => Code::UnknownHold,
        Refusal::ExceedsHold(_) => Code::HoldState,
        Refusal::QuantityLimit(_) => Code::QuantityLimit,
        Refusal::KeyExists(_) => Code::KeyExists,
        Refusal::UnknownKey(_) => Code::UnknownKey,
        Refusal::FirstKeyNotAdmin(_) => Code::FirstKeyNotAdmin,
    }
}

fn detail_of(refusal: &Refusal, refused: &CommandRefused) -> String {
    let order = refused.order_id.as_ref().map_or("", |id| id.as_str());
    let hold = refused.hold_id.as_ref().map_or("", |id| id.as_str());
    match refusal {
        Refusal::InsufficientStock(_) => "less is available than the command needs".to_owned(),
        Refusal::OrderExists(_) => format!("order {order} was accepted before; choose another order_id"),
        Refusal::UnknownOrder(_) => format!("no order {order} was ever accepted at this site"),
        Refusal::OrderFinished(OrderFinished { status }) => {
            let step = if refused.command == CommandKind::ReturnOrder { "return" } else { "ship or cancel" };
            format!("order {order} is {status}: nothing of it is left to {step}")
        }
        Refusal::NotInOrder(NotInOrder { sku }) => format!("order {order} has no line of {sku}"),
        Refusal::ExceedsOpen(ExceedsOpen { sku, requested, open }) => {
            format!("{requested} of {sku} is more than what is open of order {order}, which is {open}")
        }
        Refusal::ExceedsReturnable(ExceedsReturnable { sku, requested, returnable }) => {
            format!(
                "{requested} of {sku} is more than what can be returned of order {order}, which is {returnable}"
            )
        }
        Refusal::ExpectedQuantityStale(ExpectedQuantityStale { sku, expected, on_hand }) => {
            format!(
                "{expected} of {sku} was expected on hand but {on_hand} is there; read it again and decide anew"
            )
        }
        Refusal::CountSuperseded(CountSuperseded { sku, counted_seq }) => {
            format!(
                "{sku} was counted again by decision {counted_seq}, after the position that this count names"
            )
        }
        Refusal::HoldExists(_) => format!("hold {hold} exists; choose another hold_id"),
        Refusal::UnknownHold(_) => format!("no hold {hold} exists at this site"),
        Refusal::ExceedsHold(ExceedsHold { requested: Some(requested), remaining }) => {
            format!("{requested} is more than what is left of hold {hold}, which is {remaining}")
        }
        Refusal::ExceedsHold(ExceedsHold { requested: None, .. }) => {
            format!("nothing is left of hold {hold}")
        }
        Refusal::KeyExists(_) => "an API key with this key_id exists; make another token".to_owned(),
        Refusal::UnknownKey(_) => "no API key with this key_id exists; GET /v1/keys lists them".to_owned(),
        Refusal::FirstKeyNotAdmin(_) => {
            "the first API key must have the scope admin: from then on nobody makes another one without it"
                .to_owned()
        }
        Refusal::QuantityLimit(QuantityLimit { sku }) => {
            format!("a balance of {sku} would go beyond the largest quantity of the ledger, 2^53 - 1")
        }
    }
}
