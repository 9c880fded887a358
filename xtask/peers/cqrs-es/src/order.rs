//! Orders as an aggregate of cqrs-es: their events, and the views that are made of them.

use std::collections::HashMap;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent, EventEnvelope, View};
use serde::{Deserialize, Serialize};

/// Some of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
}

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OrderEvent {
    Placed { site: String, order_id: String, lines: Vec<Line> },
    Shipped { lines: Vec<Line> },
    Cancelled { lines: Vec<Line> },
    Returned { lines: Vec<Line> },
}

impl OrderEvent {
    pub(crate) fn lines(&self) -> &[Line] {
        match self {
            Self::Placed { lines, .. }
            | Self::Shipped { lines }
            | Self::Cancelled { lines }
            | Self::Returned { lines } => lines,
        }
    }
}

impl DomainEvent for OrderEvent {
    fn event_type(&self) -> String {
        let name = match self {
            Self::Placed { .. } => "OrderPlaced",
            Self::Shipped { .. } => "OrderShipped",
            Self::Cancelled { .. } => "OrderCancelled",
            Self::Returned { .. } => "OrderReturned",
        };
        name.to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

/// The aggregate. Nothing is decided here: the orders were accepted before, and a replay never asks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Order {
    view: OrderView,
}

/// No command is ever refused, because none is taken.
#[derive(Debug)]
pub(crate) struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("orders are only replayed here")
    }
}

impl std::error::Error for Never {}

impl Aggregate for Order {
    const TYPE: &'static str = "Order";
    type Command = ();
    type Event = OrderEvent;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _sink: &EventSink<Self>) -> Result<(), Never> {
        Err(Never)
    }

    fn apply(&mut self, event: OrderEvent) {
        self.view.take(&event);
    }
}

/// The read model of an order: its status, and how far each line is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderView {
    pub(crate) site: String,
    pub(crate) order_id: String,
    pub(crate) status: String,
    pub(crate) lines: HashMap<String, Progress>,
}

/// How far a line is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) ordered: i64,
    pub(crate) shipped: i64,
    pub(crate) cancelled: i64,
    pub(crate) returned: i64,
}

impl OrderView {
    /// Carries an event out.
    pub(crate) fn take(&mut self, event: &OrderEvent) {
        if let OrderEvent::Placed { site, order_id, .. } = event {
            self.site.clone_from(site);
            self.order_id.clone_from(order_id);
        }
        for Line { sku, quantity } in event.lines() {
            let line = self.lines.entry(sku.clone()).or_default();
            match event {
                OrderEvent::Placed { .. } => line.ordered += quantity,
                OrderEvent::Shipped { .. } => line.shipped += quantity,
                OrderEvent::Cancelled { .. } => line.cancelled += quantity,
                OrderEvent::Returned { .. } => line.returned += quantity,
            }
        }
        let is_open = self.lines.values().any(|line| line.ordered > line.shipped + line.cancelled);
        let is_shipped = self.lines.values().any(|line| line.shipped > 0);
        let status = match (is_open, is_shipped) {
            (true, false) => "placed",
            (true, true) => "partially_shipped",
            (false, true) => "shipped",
            (false, false) => "cancelled",
        };
        status.clone_into(&mut self.status);
    }
}

impl View<Order> for OrderView {
    fn update(&mut self, event: &EventEnvelope<Order>) {
        self.take(&event.payload);
    }
}
