//! What was measured, and how it is told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::output::{self, Format};
use crate::text::{rounded, thousands};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Records,
    /// An order line, a movement or a step of an order, each counted once.
    Events,
    /// Accepted orders, whatever became of them.
    Orders,
    Rows,
    /// Accepted orders, by the peer.
    PeerOrders,
}

impl Unit {
    const fn word(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Events => "events",
            Self::Orders | Self::PeerOrders => "orders",
            Self::Rows => "rows",
        }
    }
}

/// One line of the result.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    name: &'static str,
    count: u64,
    unit: Unit,
    seconds: f64,
}

impl Figure {
    pub(super) fn new(name: &'static str, count: u64, unit: Unit, elapsed: Duration) -> Self {
        Self { name, count, unit, seconds: elapsed.as_secs_f64().max(1e-6) }
    }

    fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }
}

pub(super) fn print(figures: &[Figure], format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let figures: Vec<Value> = figures.iter().map(to_json).collect();
        return Ok(output::json(&json!({ "figures": figures }))?);
    }
    let row = |figure: &Figure| {
        vec![
            figure.name.to_owned(),
            thousands(figure.count),
            figure.unit.word().to_owned(),
            format!("{:.2}", figure.seconds),
            rounded(figure.per_second()),
        ]
    };
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    output::table(&["replay", "count", "of", "seconds", "per second"], &rows)?;
    output::line("An event is an order line, a movement or a step of an order, each counted once.")?;
    let of = |unit: Unit| figures.iter().filter(move |figure| figure.unit == unit).map(Figure::per_second);
    if let [bare, loaded] = of(Unit::Rows).collect::<Vec<_>>()[..] {
        output::line(format_args!(
            "History from the log is written at {:.2} of the speed of its statements alone.",
            loaded / bare
        ))?;
    }
    if let (Some(ours), Some(peer)) = (of(Unit::Orders).next(), of(Unit::PeerOrders).next()) {
        output::line(format_args!("Orders a second: {:.0} times those of the peer.", ours / peer))?;
    }
    Ok(())
}

fn to_json(figure: &Figure) -> Value {
    json!({
        "name": figure.name,
        "count": figure.count,
        "unit": figure.unit.word(),
        "seconds": figure.seconds,
        "per_second": figure.per_second().round(),
    })
}
