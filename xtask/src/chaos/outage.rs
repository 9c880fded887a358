//! What clients notice while all brokers are away for a while, and then the database.
//!
//! Without brokers nothing can be decided: whoever asks is refused at once and reads go on, and say that they may be old.
//! Without the database everything is decided and nothing is read. Both times all is well again without hands.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use serde_json::json;

use super::check::{Findings, check, last_positions};
use super::clients::{Target, ask_again};
use super::compare::{by_the_program, export, over_http};
use super::history::{Action, Attempt, Command, Entry, Outcome};
use super::http::Client;
use super::node::Node;
use super::rig::{Cast, Rig, SITES, readiness};
use crate::report::say;
use crate::services::Kind;
use crate::wait;

const CLIENTS: u64 = 8;
/// How long clients work before a server goes away and after it is back.
const BEFORE: Duration = Duration::from_secs(3);
/// Whoever asks later than this after the brokers went is refused at once: the silence of the log is known by then.
const NOTICED_AFTER: Duration = Duration::from_secs(2);
/// Longer than the program may take to say that it does not know.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// A refusal is no wait; the margin is for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);
const RECOVERED_WITHIN: Duration = Duration::from_secs(120);

/// Takes each away for so long.
pub(crate) fn run(root: &'static Path, time: Duration) -> Result<()> {
    let rig = Rig::start(root, Cast::Plain)?;
    let began = Instant::now();
    let mut entries = vec![];
    for kind in [Kind::Kafka3, Kind::MysqlFaulty] {
        let outage = outage(&rig, kind, time, began)?;
        outage.say();
        outage.ensure_good()?;
        entries.extend(outage.entries);
    }
    let target = Target { nodes: rig.writers.clone(), began };
    ask_again(&target, &mut entries, 10, 1)?;
    let mut findings = Findings::default();
    let lines = export(&rig.place)?;
    let stock = check(&entries, &[], &lines, &mut findings);
    over_http(&rig.projector.url, &last_positions(&lines), &stock, &mut findings)?;
    rig.stop()?;
    let rows = by_the_program(&rig.place, &mut findings);
    ensure!(findings.is_empty(), "what must not be: {findings:?}");
    say(&format!("chaos: {} commands stand in the log once each, {rows} rows equal it", entries.len()));
    Ok(())
}

/// What was seen while a server was away.
struct Outage {
    kind: Kind,
    /// Since the run began.
    gone: Duration,
    back: Duration,
    /// Until commands were decided again, and until every node was ready.
    decided_after: Duration,
    ready_after: Duration,
    entries: Vec<Entry>,
    seen: Seen,
}

/// What was seen besides commands.
#[derive(Default)]
struct Seen {
    reads: usize,
    reads_answered: usize,
    /// Of those that were answered.
    reads_stale: usize,
    /// The longest time until one was not, but for the first, which found out.
    refused_after: Duration,
    is_alive: bool,
    /// What the writer and the projector said last of not being ready.
    writer: Option<String>,
    projector: Option<String>,
}

fn outage(rig: &Rig, kind: Kind, time: Duration, began: Instant) -> Result<Outage> {
    let target = Target { nodes: rig.writers.clone(), began };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (target, stop) = (&target, &stop);
                scope.spawn(move || receive(target, stop, &format!("{kind}-{number}")))
            })
            .collect();
        let suffer = || -> Result<_> {
            wait::until(BEFORE, || false);
            let gone = began.elapsed();
            rig.kill(kind, None)?;
            let seen = watch(rig, time)?;
            rig.restart(kind, None)?;
            let back = began.elapsed();
            let (decided_after, probe) = until_decided(&target, kind)?;
            for node in rig.nodes() {
                rig.until_ready(&node)?;
            }
            let ready_after = began.elapsed().saturating_sub(back);
            wait::until(BEFORE, || false);
            Ok((gone, back, decided_after, ready_after, seen, probe))
        };
        let suffered = suffer();
        stop.store(true, Ordering::Release);
        let mut entries = vec![];
        for client in clients {
            entries.extend(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        let (gone, back, decided_after, ready_after, seen, probe) = suffered?;
        entries.push(probe);
        entries.sort_by_key(Entry::first_sent);
        Ok(Outage { kind, gone, back, decided_after, ready_after, entries, seen })
    })
}

/// One unit after the other, each once.
fn receive(target: &Target, stop: &AtomicBool, name: &str) -> Vec<Entry> {
    let client = Client::new(ANSWER_TIME_MAX);
    let mut entries = vec![];
    while !stop.load(Ordering::Acquire) {
        let command = receipt(format!("{name}-{}", entries.len()), SITES[entries.len() % SITES.len()]);
        let attempt = target.send(&client, 0, &command);
        entries.push(Entry { command, attempts: vec![attempt] });
        thread::park_timeout(Duration::from_millis(20));
    }
    entries
}

fn receipt(key: String, site: &'static str) -> Command {
    let body = json!({ "lines": [{ "sku": "LAMP", "quantity": 1 }] });
    let path = format!("/v1/sites/{site}/receipts");
    Command { key, action: Action::Receive, site, order_id: None, path, body }
}

/// Looks around until it is time.
fn watch(rig: &Rig, time: Duration) -> Result<Seen> {
    let (client, writer) = (Client::new(ANSWER_TIME_MAX), rig.first_writer()?);
    let mut seen = Seen { is_alive: true, ..Seen::default() };
    let began = Instant::now();
    while began.elapsed() < time {
        let asked = Instant::now();
        let read = client.get(&format!("{}/v1/sites/north/stock/LAMP", rig.projector.url), &[]);
        seen.reads += 1;
        if let Some(answer) = read.ok().filter(|answer| answer.status == 200) {
            seen.reads_answered += 1;
            seen.reads_stale += usize::from(answer.body["stale"] == true);
        } else if seen.reads > 1 {
            seen.refused_after = seen.refused_after.max(asked.elapsed());
        }
        for node in rig.nodes() {
            let alive = client.get(&format!("{}/livez", node.url), &[]);
            seen.is_alive &= alive.is_ok_and(|answer| answer.status == 200);
        }
        seen.writer = unready(writer);
        seen.projector = unready(&rig.projector);
        wait::until(Duration::from_millis(200), || false);
    }
    Ok(seen)
}

/// Why a node is not ready, as it says itself; none if it is.
fn unready(node: &Node) -> Option<String> {
    let answer = readiness(node).filter(|answer| answer.status != 200)?;
    let checks = answer.body["checks"].as_array().cloned().unwrap_or_default();
    let first = checks.into_iter().find(|check| check["ready"] == false)?;
    let text = |member: &str| first[member].as_str().unwrap_or_default().to_owned();
    Some(format!("{} {}: {}", text("role"), text("state"), text("reason")))
}

fn until_decided(target: &Target, kind: Kind) -> Result<(Duration, Entry)> {
    let (client, began) = (Client::new(ANSWER_TIME_MAX), Instant::now());
    // One command under one key, until it is decided.
    let mut probe = Entry { command: receipt(format!("probe-{kind}"), "north"), attempts: vec![] };
    let is_decided = wait::until(RECOVERED_WITHIN, || {
        probe.attempts.push(target.send(&client, 0, &probe.command));
        probe.decided().is_some()
    });
    ensure!(is_decided, "nothing is decided {RECOVERED_WITHIN:?} after {kind} is back");
    Ok((began.elapsed(), probe))
}

impl Outage {
    /// Attempts that began and ended while the server was known to be away.
    fn during(&self) -> impl Iterator<Item = &Attempt> {
        let attempts = self.entries.iter().flat_map(|entry| &entry.attempts);
        attempts.filter(|attempt| attempt.sent > self.gone + NOTICED_AFTER && attempt.answered < self.back)
    }

    fn say(&self) {
        let mut lines = vec![format!(
            "{} away for {:.1} s",
            self.kind,
            self.back.saturating_sub(self.gone).as_secs_f64()
        )];
        let of = |is_one: fn(&Outcome) -> bool| {
            let mut times: Vec<Duration> = self
                .during()
                .filter(|attempt| is_one(&attempt.outcome))
                .map(|attempt| attempt.answered.saturating_sub(attempt.sent))
                .collect();
            times.sort();
            let at = |percent: usize| times.get(times.len() * percent / 100).or(times.last()).copied();
            let shown = |time: Option<Duration>| {
                time.map_or_else(|| "-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
            };
            format!(
                "{:>7}, median {}, p99 {}, longest {}",
                times.len(),
                shown(at(50)),
                shown(at(99)),
                shown(at(100))
            )
        };
        lines
            .push(format!("  commands decided:    {}", of(|outcome| matches!(outcome, Outcome::Decided(_)))));
        lines
            .push(format!("  commands refused:    {}", of(|outcome| matches!(outcome, Outcome::Nothing(_)))));
        lines
            .push(format!("  outcome not known:   {}", of(|outcome| matches!(outcome, Outcome::Unknown(_)))));
        let Seen { reads, reads_answered, reads_stale, refused_after, is_alive, writer, projector } =
            &self.seen;
        let refused_ms = refused_after.as_secs_f64() * 1e3;
        let or_ready = |said: &Option<String>| said.clone().unwrap_or_else(|| "ready".to_owned());
        lines.extend([
            format!("  reads: {reads_answered} of {reads} answered, {reads_stale} of them marked as stale"),
            format!("  reads refused: after {refused_ms:.1} ms at most, but for the first"),
            format!("  /livez: {}", if *is_alive { "always 200" } else { "not always 200" }),
            format!("  /readyz of the writer, at the end:    {}", or_ready(writer)),
            format!("  /readyz of the projector, at the end: {}", or_ready(projector)),
            format!(
                "  decided again {:.1} s, all ready {:.1} s after the servers answered",
                self.decided_after.as_secs_f64(),
                self.ready_after.as_secs_f64()
            ),
        ]);
        lines.iter().for_each(|line| say(line));
    }

    fn ensure_good(&self) -> Result<()> {
        let Seen { reads, reads_answered, is_alive, writer, projector, .. } = &self.seen;
        ensure!(*is_alive, "a node was not alive");
        ensure!(projector.is_some(), "the projector was ready without {}", self.kind);
        if self.kind == Kind::Kafka3 {
            ensure!(reads == reads_answered, "{reads_answered} of {reads} reads were answered");
            ensure!(writer.as_ref().is_some_and(|reason| !reason.ends_with(": ")), "no reason: {writer:?}");
            for attempt in self.during().filter(|attempt| matches!(attempt.outcome, Outcome::Nothing(_))) {
                let took = attempt.answered.saturating_sub(attempt.sent);
                ensure!(took < REFUSED_WITHIN, "a command was refused only after {took:?}");
            }
        } else {
            ensure!(writer.is_none(), "the writer needs no database, and says {writer:?}");
            let refused = self.during().find(|attempt| !matches!(attempt.outcome, Outcome::Decided(_)));
            ensure!(refused.is_none(), "not decided without the database: {refused:?}");
            let longest = self.seen.refused_after;
            ensure!(longest < REFUSED_WITHIN, "a read was refused only after {longest:?}");
        }
        Ok(())
    }
}
