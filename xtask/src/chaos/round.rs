//! One round: load and faults for a while, then everything is mended, everybody gets an answer, and everything is compared.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::check::{Balance, Findings, Stock, Wrong, check, last_positions};
use super::clients::{Load, Target, ask_again};
use super::history::{Entry, Outcome, save};
use super::http::{Client, Position};
use super::log;
use super::nemesis::strike;
use super::report::{Done, Told};
use super::rig::{Cast, Rig, SITES};
use crate::report::say;

const CLIENTS: u64 = 16;
/// Of the commands whose answer is known, how many are asked for once more in the end.
const ASKED_AGAIN_PERCENT: u64 = 5;
/// More SKUs than any site has.
const LIST_LIMIT: usize = 500;

/// Runs one round.
pub(crate) fn run(root: &'static Path, time: Duration, seed: u64) -> Result<Done> {
    let rig = Rig::start(root, Cast::Full)?;
    let target = Target { nodes: rig.writers.clone(), began: Instant::now() };
    let load = Load::start(&target, CLIENTS, seed);
    let struck = strike(&rig, target.began, seed, time);
    let mut entries = load.stop()?;
    let struck = struck?;
    let told = told(&entries);
    say(&format!("chaos: {} kills, {} commands; mending", struck.kills, entries.len()));
    let healing = Instant::now();
    rig.heal()?;
    let healed = healing.elapsed();
    let first = Target { nodes: vec![rig.first_writer()?.clone()], began: target.began };
    ask_again(&first, &mut entries, ASKED_AGAIN_PERCENT, seed)?;
    save(&entries, &rig.place.directory.join("history.ndjson"))?;

    let mut findings = Findings::default();
    let lines = export(&rig)?;
    let stock = check(&entries, &struck.refusing, &lines, &mut findings);
    let rows = compare(&rig, &last_positions(&lines), &stock, &mut findings)?;
    for node in rig.nodes() {
        node.ends().wrong.into_iter().for_each(|end| findings.add(Wrong::End, end));
    }
    Ok(Done { seed, time, struck, told, healed, rows, records: lines.len(), findings })
}

/// The log, as the program writes it down for others.
pub(super) fn export(rig: &Rig) -> Result<Vec<log::Line>> {
    let directory = rig.place.directory.join("log");
    let _ = std::fs::remove_dir_all(&directory);
    let to = directory.to_str().context("a path is no UTF-8")?;
    rig.place.run(&["export", "--as", "json", "--to", to])?;
    log::read(&directory)
}

/// Holds the tables against our own fold, over HTTP, and lets the program compare them with its own, row by row. How many
/// rows it found equal.
pub(super) fn compare(
    rig: &Rig,
    positions: &[Position],
    stock: &Stock,
    findings: &mut Findings,
) -> Result<u64> {
    let client = Client::new(Duration::from_secs(60));
    let mut shown = Stock::new();
    for site in SITES {
        let url = format!("{}/v1/sites/{site}/stock?limit={LIST_LIMIT}", rig.projector.url);
        let answer = client.get(&url, positions).ok().context("the projector does not answer")?;
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
    rig.stop()?;
    match rig.place.run(&["verify"]) {
        Ok(verified) => Ok(verified["projections"]["equal_rows"].as_u64().unwrap_or_default()),
        Err(error) => {
            findings.add(Wrong::Rows, format!("{error:#}"));
            Ok(0)
        }
    }
}

/// What clients were told while there were faults.
fn told(entries: &[Entry]) -> Told {
    let mut told = Told { commands: entries.len(), ..Told::default() };
    for entry in entries {
        told.attempts += entry.attempts.len();
        match entry.decided() {
            Some((_, decided)) => {
                told.decided += 1;
                told.refused += usize::from(decided.status == 409);
            }
            None if entry.is_nothing() => told.nothing += 1,
            None => told.unknown += 1,
        }
        for attempt in &entry.attempts {
            if let Outcome::Nothing(code) | Outcome::Unknown(code) = &attempt.outcome {
                *told.codes.entry(code.clone()).or_default() += 1;
            }
        }
    }
    told
}
