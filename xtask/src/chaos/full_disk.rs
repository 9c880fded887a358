//! The embedded log on a disk that is full now and then, and on which the process dies while it is: commands are refused as
//! not applied, half a record is never there, and all is well once there is space.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::check::{Findings, Wrong, check, last_positions};
use super::clients::{Load, Target, ask_again};
use super::compare::{by_the_program, export, over_http};
use super::disk::SmallDisk;
use super::history::{Entry, Outcome};
use super::http::Client;
use super::node::{Node, Supervisor};
use super::place::Place;
use super::rig::{SITES, readiness};
use crate::report::say;
use crate::services::Ports;
use crate::wait;

const CLIENTS: u64 = 8;
/// How often the disk is filled; the process dies while it is full every second time.
const TIMES: usize = 4;
const LASTS: Duration = Duration::from_secs(3);
const HEAL_TIME_MAX: Duration = Duration::from_secs(60);

/// Fills the disk under load, and fails if anything that was told is not true.
pub(crate) fn run(root: &Path, seed: u64) -> Result<()> {
    let directory = root.join("target/chaos/a");
    let Some(disk) = SmallDisk::mount(&directory)? else {
        say("chaos: no disk is full, since this process may not mount one");
        return Ok(());
    };
    let file = |name: &str| format!("sqlite:{}", directory.join(name).display());
    let place = Place::new(root, file("log.sqlite"), file("projections.sqlite"))?;
    let said = place.directory.join("a.log");
    let _ = std::fs::remove_file(&said);
    place.run(&["init", "--partitions", "2"])?;
    let settings = place.settings("a", &place.log, &place.tables);
    let node = Arc::new(Node::new("a", Ports::new().take()?, &place.program, said).with(settings));
    node.start()?;
    let supervisor = Supervisor::start(vec![node.clone()]);
    until_ready(&node)?;
    let client = Client::new(Duration::from_secs(15));
    for site in SITES {
        let opened = client.put(&format!("{}/v1/sites/{site}", node.url), &json!({ "name": site }));
        ensure!(opened.is_ok_and(|answer| answer.status == 201), "site {site} cannot be opened");
    }
    let target = Target { nodes: vec![node.clone()], began: Instant::now() };
    let load = Load::start(&target, CLIENTS, seed);
    let suffered = suffer(&disk, &node);
    let mut entries = load.stop()?;
    suffered?;
    until_ready(&node)?;
    ask_again(&target, &mut entries, 10, seed)?;

    let mut findings = Findings::default();
    let lines = export(&place)?;
    let stock = check(&entries, &[], &lines, &mut findings);
    over_http(&node.url, &last_positions(&lines), &stock, &mut findings)?;
    node.terminate()?;
    drop(supervisor);
    let rows = by_the_program(&place, &mut findings);
    node.ends().wrong.into_iter().for_each(|end| findings.add(Wrong::End, end));
    let refused = entries.iter().flat_map(|entry| &entry.attempts);
    let refused = refused.filter(|attempt| !matches!(attempt.outcome, Outcome::Decided(_))).count();
    let decided = entries.iter().filter_map(Entry::decided).count();
    say(&format!(
        "chaos: the disk of the embedded log was full {TIMES} times under {} commands, of which {decided} are decided in \
         the end, after {refused} attempts that decided nothing; {rows} rows of tables equal the log",
        entries.len()
    ));
    ensure!(findings.is_empty(), "what must not be, with seed {seed}: {findings:?}");
    ensure!(refused > 0, "nobody noticed that the disk was full");
    Ok(())
}

fn suffer(disk: &SmallDisk, node: &Node) -> Result<()> {
    for time in 0..TIMES {
        wait::until(LASTS, || false);
        disk.fill()?;
        wait::until(LASTS, || false);
        if time % 2 == 1 {
            node.kill()?;
            node.start()?;
            wait::until(LASTS, || false);
        }
        disk.free()?;
        until_ready(node)?;
    }
    wait::until(LASTS, || false);
    Ok(())
}

fn until_ready(node: &Node) -> Result<()> {
    let mut last = None;
    let is_ready = wait::until(HEAL_TIME_MAX, || {
        last = readiness(node);
        last.as_ref().is_some_and(|answer| answer.status == 200)
    });
    let said = last.map(|answer| answer.body.to_string()).context("nothing");
    ensure!(is_ready, "it is not ready {HEAL_TIME_MAX:?} after there was space, and says {said:?}");
    Ok(())
}
