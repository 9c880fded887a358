//! The stock that follows from the decisions, added up once more by other code than the program's.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Findings, Wrong};
use crate::chaos::http::Position;
use crate::chaos::log::{Counted, Scope};

/// What is there of a SKU at a site, and what of it is promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Balance {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

/// By site and SKU.
pub(crate) type Stock = BTreeMap<(String, String), Balance>;

/// A line of an event, as far as it moves stock.
struct Move<'a> {
    sku: &'a str,
    on_hand: i64,
    reserved: i64,
    after: &'a Value,
}

/// Adds up all decisions in order. After each one every balance that it touched is possible and is what the event says.
pub(super) fn fold(decisions: &[Counted], findings: &mut Findings) -> Stock {
    let mut stock = Stock::new();
    for Counted { position, decision } in decisions {
        let Scope::Site(site) = &decision.scope else { continue };
        for event in &decision.events {
            let moves = match event["type"].as_str().unwrap_or_default() {
                "site_opened" => vec![],
                "stock_received" => lines(event, |quantity| (quantity, 0)),
                "order_placed" => lines(event, |quantity| (0, quantity)),
                "order_shipped" => moves(event, |quantity| (-quantity, -quantity)),
                "order_cancelled" => moves(event, |quantity| (0, -quantity)),
                "out_of_stock" => {
                    is_really_short(&stock, *position, site, event, findings);
                    vec![]
                }
                _ => {
                    findings.add(Wrong::Log, format!("{position}: nobody asked for {event}"));
                    vec![]
                }
            };
            for one in moves {
                one.apply(&mut stock, *position, site, findings);
            }
        }
    }
    stock
}

impl Move<'_> {
    fn apply(&self, stock: &mut Stock, position: Position, site: &str, findings: &mut Findings) {
        let balance = stock.entry((site.to_owned(), self.sku.to_owned())).or_default();
        balance.on_hand += self.on_hand;
        balance.reserved += self.reserved;
        let place = || format!("{position}: {} at {site}", self.sku);
        if balance.reserved < 0 || balance.reserved > balance.on_hand {
            findings.add(Wrong::Oversold, format!("{}: {balance:?}", place()));
        }
        if Balance::deserialize(self.after).ok() != Some(*balance) {
            findings.add(Wrong::Log, format!("{}: {balance:?} follows, recorded as {}", place(), self.after));
        }
    }
}

fn lines(event: &Value, change: fn(i64) -> (i64, i64)) -> Vec<Move<'_>> {
    let of = |line| one(line, &line["sku"], change);
    event["lines"].as_array().into_iter().flatten().map(of).collect()
}

/// The moves of a step name the lines of the order by number.
fn moves(event: &Value, change: fn(i64) -> (i64, i64)) -> Vec<Move<'_>> {
    let of = |line: &'_ Value| {
        let index = line["line"].as_u64().and_then(|index| usize::try_from(index).ok());
        index.unwrap_or(usize::MAX)
    };
    let moves = event["moves"].as_array().into_iter().flatten();
    moves.map(|line| one(line, &event["order"]["lines"][of(line)]["sku"], change)).collect()
}

fn one<'a>(line: &'a Value, sku: &'a Value, change: fn(i64) -> (i64, i64)) -> Move<'a> {
    let (on_hand, reserved) = change(line["quantity"].as_i64().unwrap_or_default());
    Move { sku: sku.as_str().unwrap_or_default(), on_hand, reserved, after: &line["after"] }
}

/// A refusal tells what was available, and something of it was too little.
fn is_really_short(stock: &Stock, position: Position, site: &str, event: &Value, findings: &mut Findings) {
    let mut is_short = false;
    for line in event["lines"].as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().unwrap_or_default().to_owned();
        let balance = stock.get(&(site.to_owned(), sku)).copied().unwrap_or_default();
        let (requested, available) = (line["requested"].as_i64(), line["available"].as_i64());
        if available != Some(balance.on_hand - balance.reserved) {
            findings.add(Wrong::Log, format!("{position}: {balance:?} was there, refused with {line}"));
        }
        is_short |= requested > available;
    }
    if !is_short {
        findings.add(Wrong::Log, format!("{position}: refused although nothing is short: {event}"));
    }
}
