//! One round: load and faults for a while, then everything is mended, everybody gets an answer, and everything is compared.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::check::{Findings, Wrong, check, last_positions};
use super::clients::{Load, Target, ask_again};
use super::compare::{by_the_program, export, over_http};
use super::history::{Entry, Outcome, save};
use super::nemesis::strike;
use super::report::{Done, Told};
use super::rig::{Cast, Rig};
use crate::report::say;

const CLIENTS: u64 = 16;
/// Of the commands whose answer is known, how many are asked for once more in the end.
const ASKED_AGAIN_PERCENT: u64 = 5;

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
    let lines = export(&rig.place)?;
    let stock = check(&entries, &struck.refusing, &lines, &mut findings);
    over_http(&rig.projector.url, &last_positions(&lines), &stock, &mut findings)?;
    rig.stop()?;
    let rows = by_the_program(&rig.place, &mut findings);
    for node in rig.nodes() {
        node.ends().wrong.into_iter().for_each(|end| findings.add(Wrong::End, end));
    }
    Ok(Done { seed, time, struck, told, healed, rows, records: lines.len(), findings })
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
