//! Outcomes as the short texts of the tables. Balances are `on_hand/reserved/held`.

use stockledger_domain::Undecidable;
use stockledger_schemas::limits::QUANTITY_MAX;
use stockledger_schemas::{Balances, Event, Order, Refusal};

use crate::world::Outcome;

pub(crate) fn outcome(outcome: &Outcome) -> String {
    let text = match outcome {
        Outcome::Invalid(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("invalid {}", problems.join("; "))
        }
        Outcome::Undecidable(undecidable) => format!("not logged: {}", undecidable_text(undecidable)),
        Outcome::Nothing { since } => format!("nothing since {since}"),
        Outcome::Logged(event) => event_text(event),
    };
    text.replace(&QUANTITY_MAX.to_string(), "max")
}

/// The name of a refusal, `None` for everything else.
pub(crate) fn refusal_name(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Logged(event @ Event::OutOfStock(_)) => Some(event.type_name()),
        Outcome::Logged(Event::CommandRefused(refused)) => Some(refused.refusal.type_name()),
        _ => None,
    }
}

fn undecidable_text(undecidable: &Undecidable) -> String {
    match undecidable {
        Undecidable::UnknownSite => "unknown site".to_owned(),
        Undecidable::Changed { last } => format!("changed by {last:?}"),
        Undecidable::NotDirectory => "not the directory".to_owned(),
        Undecidable::CountBases(problems) => problems[0].to_string(),
    }
}

fn event_text(event: &Event) -> String {
    let body = match event {
        Event::SiteRegistered(event) => format!("{} {} on {}", event.site, event.name, event.partition),
        Event::SiteRenamed(event) => format!("{} {} on {}", event.site, event.name, event.partition),
        Event::ItemRegistered(event) => format!("{} {} {}", event.sku, event.name, event.unit),
        Event::ItemUpdated(event) => format!("{} {} {}", event.sku, event.name, event.unit),
        Event::KeyCreated(event) => {
            let sites = event
                .sites
                .as_ref()
                .map_or_else(|| "all sites".to_owned(), |sites| list(sites, ToString::to_string));
            format!("{} {} {} at {sites}", event.key_id, event.name, list(&event.scopes, ToString::to_string))
        }
        Event::KeyRevoked(event) => event.key_id.to_string(),
        Event::SiteOpened(_) | Event::NoteRecorded(_) => String::new(),
        Event::StockReceived(event) => {
            list(&event.lines, |line| format!("{} +{} = {}", line.sku, line.quantity, balances(line.after)))
        }
        Event::StockAdjusted(event) => list(&event.lines, |line| {
            format!("{} {:+} = {}", line.sku, line.delta.get(), balances(line.after))
        }),
        Event::StockCounted(event) => list(&event.lines, |line| {
            format!("{} {:+} = {}", line.sku, line.delta.get(), balances(line.after))
        }),
        Event::StockHeld(event) => {
            format!(
                "{} {} {} {} = {}",
                event.hold_id,
                event.sku,
                event.quantity,
                event.reason,
                balances(event.after)
            )
        }
        Event::HoldReleased(event) => {
            let (id, sku, quantity, left) = (&event.hold_id, &event.sku, event.quantity, event.remaining);
            format!("{id} {sku} {quantity}, {left} left = {}", balances(event.after))
        }
        Event::OrderPlaced(event) => {
            let lines = list(&event.lines, |line| {
                format!("{} {} = {}", line.sku, line.quantity, balances(line.after))
            });
            format!("{}: {lines}", event.order_id)
        }
        Event::OutOfStock(event) => {
            let lines = list(&event.lines, |line| of(&line.sku, line.requested, line.available));
            format!("{}: {lines}", event.order_id)
        }
        Event::OrderShipped(event) => {
            let moves =
                list(&event.moves, |line| moved(&event.order, line.line, line.quantity.get(), line.after));
            format!("{} {}: {moves}", event.order.order_id, event.order.status())
        }
        Event::OrderCancelled(event) => {
            let moves =
                list(&event.moves, |line| moved(&event.order, line.line, line.quantity.get(), line.after));
            format!("{} {}: {moves}", event.order.order_id, event.order.status())
        }
        Event::OrderReturned(event) => {
            let moves = list(&event.moves, |line| {
                let hold = line.hold_id.as_ref().map_or_else(String::new, |hold_id| format!(" ({hold_id})"));
                moved(&event.order, line.line, line.quantity.get(), line.after) + &hold
            });
            format!("{} {}: {moves}", event.order.order_id, event.order.status())
        }
        Event::CommandRefused(event) => return refusal_text(&event.refusal),
    };
    format!("{} {body}", event.type_name())
}

fn refusal_text(refusal: &Refusal) -> String {
    let body = match refusal {
        Refusal::InsufficientStock(refusal) => {
            list(&refusal.shortages, |line| of(&line.sku, line.requested, line.available))
        }
        Refusal::OrderFinished(refusal) => refusal.status.to_string(),
        Refusal::NotInOrder(refusal) => refusal.sku.to_string(),
        Refusal::ExceedsOpen(refusal) => of(&refusal.sku, refusal.requested, refusal.open),
        Refusal::ExceedsReturnable(refusal) => of(&refusal.sku, refusal.requested, refusal.returnable),
        Refusal::ExpectedQuantityStale(refusal) => {
            format!("{} {}, is {}", refusal.sku, refusal.expected, refusal.on_hand)
        }
        Refusal::CountSuperseded(refusal) => format!("{} by {}", refusal.sku, refusal.counted_seq),
        Refusal::ExceedsHold(refusal) => {
            let requested =
                refusal.requested.map_or_else(|| "all".to_owned(), |quantity| quantity.to_string());
            format!("{requested} of {}", refusal.remaining)
        }
        Refusal::QuantityLimit(refusal) => refusal.sku.to_string(),
        Refusal::OrderExists(_)
        | Refusal::UnknownOrder(_)
        | Refusal::HoldExists(_)
        | Refusal::UnknownHold(_)
        | Refusal::KeyExists(_)
        | Refusal::UnknownKey(_)
        | Refusal::FirstKeyNotAdmin(_) => String::new(),
    };
    format!("{} {body}", refusal.type_name())
}

fn balances(balances: Balances) -> String {
    format!("{}/{}/{}", balances.on_hand, balances.reserved, balances.held)
}

fn of(
    sku: impl std::fmt::Display,
    requested: impl std::fmt::Display,
    there: impl std::fmt::Display,
) -> String {
    format!("{sku} {requested} of {there}")
}

fn moved(order: &Order, line: u16, quantity: i64, after: Balances) -> String {
    format!("{} {quantity} = {}", order.lines[usize::from(line)].sku, balances(after))
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(", ")
}
