//! Which decisions a reader wants, and which it may see.

use std::str::FromStr;

use stockledger_schemas::{Decision, Event, Order, OrderId, Refusal, Scope, SiteId, Sku};

/// A decision passes if it has all that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// About this site.
    pub site: Option<SiteId>,
    /// About this SKU, in any of its events.
    pub sku: Option<Sku>,
    /// About this order.
    pub order: Option<OrderId>,
    /// With an event of this type.
    pub r#type: Option<EventType>,
    /// About one of these sites, since its reader may see no others; all, if absent.
    pub visible: Option<Vec<SiteId>>,
}

/// The name of an event's type, one that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType(&'static str);

/// Why a text is not the name of an event's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no type of event {0:?}; there are {all}", all = all_types())]
pub struct UnknownType(String);

fn all_types() -> String {
    Event::TAGS.iter().map(|(_, _, name)| *name).collect::<Vec<_>>().join(", ")
}

impl FromStr for EventType {
    type Err = UnknownType;

    fn from_str(text: &str) -> Result<Self, UnknownType> {
        let known = Event::TAGS.iter().find(|(_, _, name)| *name == text);
        known.map(|(_, _, name)| Self(name)).ok_or_else(|| UnknownType(text.to_owned()))
    }
}

impl<'de> serde::Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl EventType {
    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

impl Filter {
    /// Whether a decision is wanted and may be seen.
    #[must_use]
    pub fn passes(&self, decision: &Decision) -> bool {
        let site = match &decision.scope {
            Scope::Site(site) => Some(site),
            Scope::Directory => None,
        };
        let events = &decision.events;
        self.visible.as_ref().is_none_or(|visible| site.is_some_and(|site| visible.contains(site)))
            && self.site.as_ref().is_none_or(|wanted| site == Some(wanted))
            && self.r#type.is_none_or(|wanted| events.iter().any(|event| event.type_name() == wanted.0))
            && self
                .order
                .as_ref()
                .is_none_or(|wanted| events.iter().any(|event| event.order_id() == Some(wanted)))
            && self.sku.as_ref().is_none_or(|wanted| events.iter().any(|event| is_about(event, wanted)))
    }
}

/// Whether an event is about a SKU. Of an order it is about those that the step moved.
fn is_about(event: &Event, sku: &Sku) -> bool {
    match event {
        Event::ItemRegistered(registered) => registered.sku == *sku,
        Event::ItemUpdated(updated) => updated.sku == *sku,
        Event::StockReceived(received) => received.lines.iter().any(|line| line.sku == *sku),
        Event::StockAdjusted(adjusted) => adjusted.lines.iter().any(|line| line.sku == *sku),
        Event::StockCounted(counted) => counted.lines.iter().any(|line| line.sku == *sku),
        Event::StockHeld(held) => held.sku == *sku,
        Event::HoldReleased(released) => released.sku == *sku,
        Event::OrderPlaced(placed) => placed.lines.iter().any(|line| line.sku == *sku),
        Event::OutOfStock(refused) => refused.lines.iter().any(|line| line.sku == *sku),
        Event::OrderShipped(step) => moves(&step.order, step.moves.iter().map(|one| one.line), sku),
        Event::OrderCancelled(step) => moves(&step.order, step.moves.iter().map(|one| one.line), sku),
        Event::OrderReturned(step) => moves(&step.order, step.moves.iter().map(|one| one.line), sku),
        Event::CommandRefused(refused) => is_short_of(&refused.refusal, sku),
        Event::SiteRegistered(_)
        | Event::SiteRenamed(_)
        | Event::SiteOpened(_)
        | Event::NoteRecorded(_)
        | Event::KeyCreated(_)
        | Event::KeyRevoked(_) => false,
    }
}

fn moves(order: &Order, mut lines: impl Iterator<Item = u16>, sku: &Sku) -> bool {
    lines.any(|line| order.lines.get(usize::from(line)).is_some_and(|line| line.sku == *sku))
}

fn is_short_of(refusal: &Refusal, sku: &Sku) -> bool {
    match refusal {
        Refusal::InsufficientStock(short) => short.shortages.iter().any(|shortage| shortage.sku == *sku),
        Refusal::NotInOrder(refused) => refused.sku == *sku,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_name_only() {
        assert_eq!("order_placed".parse::<EventType>().unwrap().as_str(), "order_placed");
        let error = "OrderPlaced".parse::<EventType>().unwrap_err().to_string();
        assert!(error.contains("order_placed"), "{error}");
    }
}
