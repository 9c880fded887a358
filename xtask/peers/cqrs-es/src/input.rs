//! The orders that are replayed: lines of `stockledger bench order-steps`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::order::{Line, OrderEvent};

/// One line of the file.
#[derive(Debug, Deserialize)]
struct Step {
    site: String,
    order_id: String,
    #[serde(rename = "type")]
    kind: Kind,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Placed,
    Shipped,
    Cancelled,
    Returned,
}

/// An event of one order, as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) aggregate_id: String,
    /// From 1 in its order.
    pub(crate) sequence: i64,
    pub(crate) event: OrderEvent,
}

/// Everything that is replayed.
#[derive(Debug, Default)]
pub(crate) struct Input {
    /// In the order of the log.
    pub(crate) events: Vec<Stored>,
    /// How many events each order has.
    pub(crate) orders: HashMap<String, i64>,
}

impl Input {
    /// The first `count` orders of the file, with all their steps.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not a step of an order that was placed before.
    pub(crate) fn read(path: &Path, count: usize) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let mut input = Self::default();
        for (index, line) in BufReader::new(file).lines().enumerate() {
            let at = || format!("{} line {}", path.display(), index + 1);
            let step: Step = serde_json::from_str(&line.with_context(at)?).with_context(at)?;
            input.take(step, count).with_context(at)?;
        }
        ensure!(!input.orders.is_empty(), "{} has no orders", path.display());
        Ok(input)
    }

    /// How many events these are where an order line and an order step each count one.
    pub(crate) fn counted(&self) -> usize {
        self.events.iter().map(|stored| 1 + stored.event.lines().len()).sum()
    }

    fn take(&mut self, step: Step, count: usize) -> Result<()> {
        let Step { site, order_id, kind, lines } = step;
        let aggregate_id = format!("{site}/{order_id}");
        let is_new = !self.orders.contains_key(&aggregate_id);
        if is_new && self.orders.len() >= count {
            return Ok(());
        }
        let event = match kind {
            Kind::Placed => OrderEvent::Placed { site, order_id, lines },
            Kind::Shipped => OrderEvent::Shipped { lines },
            Kind::Cancelled => OrderEvent::Cancelled { lines },
            Kind::Returned => OrderEvent::Returned { lines },
        };
        let is_placed = matches!(event, OrderEvent::Placed { .. });
        ensure!(is_new == is_placed, "order {aggregate_id} is not placed exactly once, and first of all");
        let sequence = self.orders.entry(aggregate_id.clone()).or_default();
        *sequence += 1;
        self.events.push(Stored { aggregate_id, sequence: *sequence, event });
        Ok(())
    }
}
