//! What the program itself has to show: its log written down for others, its tables over HTTP, and its own verification.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize as _;

use super::check::{Balance, Findings, Stock, Wrong};
use super::http::{Client, Position};
use super::log;
use super::place::Place;
use super::rig::SITES;

/// More SKUs than any site has.
const LIST_LIMIT: usize = 500;
/// How often tables that wait for a position are asked: each time they wait for as long as they may.
const ASKED_MAX: usize = 20;

/// The log, as the program writes it down for others.
pub(crate) fn export(place: &Place) -> Result<Vec<log::Line>> {
    let directory = place.directory.join("log");
    let _ = std::fs::remove_dir_all(&directory);
    let to = directory.to_str().context("a path is no UTF-8")?;
    place.run(&["export", "--as", "json", "--to", to])?;
    log::read(&directory)
}

/// Holds the tables, once they have reached these positions, against our own fold.
pub(crate) fn over_http(
    url: &str,
    positions: &[Position],
    stock: &Stock,
    findings: &mut Findings,
) -> Result<()> {
    let client = Client::new(Duration::from_secs(60));
    let mut shown = Stock::new();
    for site in SITES {
        let url = format!("{url}/v1/sites/{site}/stock?limit={LIST_LIMIT}");
        let mut answers = (0..ASKED_MAX).filter_map(|_| client.get(&url, positions).ok());
        let answer = answers.find(|answer| answer.status == 200);
        let answer = answer.with_context(|| format!("the tables do not reach {positions:?}"))?;
        for level in answer.body["data"].as_array().with_context(|| answer.body.to_string())? {
            let sku = level["sku"].as_str().unwrap_or_default().to_owned();
            shown.insert((site.to_owned(), sku), Balance::deserialize(level)?);
        }
    }
    for key in stock.keys().chain(shown.keys().filter(|key| !stock.contains_key(*key))) {
        let (folded, table) = (stock.get(key), shown.get(key));
        if folded != table {
            findings.add(Wrong::Rows, format!("{key:?}: {folded:?} by the log, {table:?} in the tables"));
        }
    }
    Ok(())
}

/// Lets the program verify its log and compare its tables with it, row by row; how many rows it found equal.
pub(crate) fn by_the_program(place: &Place, findings: &mut Findings) -> u64 {
    match place.run(&["verify"]) {
        Ok(verified) => verified["projections"]["equal_rows"].as_u64().unwrap_or_default(),
        Err(error) => {
            findings.add(Wrong::Rows, format!("{error:#}"));
            0
        }
    }
}
