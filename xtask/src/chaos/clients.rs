//! Clients that keep the ledger busy, with little stock and little patience, and remember everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};

use super::history::{Action, Attempt, Command, Entry, Outcome};
use super::http::Client;
use super::node::Node;
use super::random::Random;
use super::rig::SITES;

/// How long a client waits for an answer; shorter than the server may take, so that it often asks again too soon.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(4);
/// How long a patient client goes on asking.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two requests of a client, and after one that decided nothing.
const PAUSE_MS: u64 = 15;
const PAUSE_AFTER_FAILURE_MS: u64 = 60;
const SKUS: [&str; 5] = ["LAMP", "CHAIR", "TABLE", "CLOCK", "VASE"];

/// What clients that have begun share.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Entry>>>,
}

/// Where commands go, and since when.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) began: Instant,
}

impl Load {
    /// So many clients begin.
    pub(crate) fn start(target: &Target, count: u64, seed: u64) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let client = |number: u64| {
            let (target, stop) = (target.clone(), stop.clone());
            thread::spawn(move || Shopper::new(target, seed, number).shop(&stop))
        };
        let clients = (0..count).map(client).collect();
        Self { stop, clients }
    }

    /// Ends after the commands that are under way; what was done and told.
    pub(crate) fn stop(self) -> Result<Vec<Entry>> {
        self.stop.store(true, Ordering::Release);
        let mut all = vec![];
        for client in self.clients {
            all.extend(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        all.sort_by_key(Entry::first_sent);
        Ok(all)
    }
}

impl Target {
    /// Sends a command once.
    pub(crate) fn send(&self, client: &Client, node: usize, command: &Command) -> Attempt {
        let node = &self.nodes[node % self.nodes.len()];
        let sent = self.began.elapsed();
        let answer = client.post(&format!("{}{}", node.url, command.path), &command.key, &command.body);
        let outcome = Outcome::of(answer);
        Attempt { node: node.name, sent, answered: self.began.elapsed(), outcome }
    }
}

/// What a client does about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Asks until it knows.
    Patient,
    /// Asks once and goes on, whatever came back.
    Hasty,
    /// Asks until it knows, and then once more, elsewhere.
    Forgetful,
}

struct Shopper {
    target: Target,
    client: Client,
    random: Random,
    number: u64,
    sent: u64,
    /// Where this client was served last.
    node: usize,
    /// Orders that were placed and that this client did nothing more about.
    open: Vec<(&'static str, String)>,
}

impl Shopper {
    fn new(target: Target, seed: u64, number: u64) -> Self {
        let client = Client::new(ANSWER_TIME_MAX);
        Self { target, client, random: Random::new(seed, number), number, sent: 0, node: 0, open: vec![] }
    }

    fn shop(mut self, stop: &AtomicBool) -> Vec<Entry> {
        let mut entries = vec![];
        while !stop.load(Ordering::Acquire) {
            let command = self.next();
            let entry = self.do_it(command, stop);
            if let (Action::Place, Some((_, decided)), Some(order)) =
                (entry.command.action, entry.decided(), &entry.command.order_id)
                && decided.status == 201
            {
                self.open.push((entry.command.site, order.clone()));
            }
            entries.push(entry);
            thread::park_timeout(self.random.milliseconds(0..2 * PAUSE_MS));
        }
        entries
    }

    fn do_it(&mut self, command: Command, stop: &AtomicBool) -> Entry {
        let manner = *self.random.pick(&[
            Manner::Patient,
            Manner::Patient,
            Manner::Patient,
            Manner::Hasty,
            Manner::Forgetful,
        ]);
        let began = Instant::now();
        let mut attempts = vec![];
        loop {
            let attempt = self.target.send(&self.client, self.node, &command);
            let is_settled = matches!(attempt.outcome, Outcome::Decided(_) | Outcome::Wrong(_));
            attempts.push(attempt);
            if is_settled {
                break;
            }
            self.node += 1;
            if manner == Manner::Hasty || began.elapsed() > PATIENCE || stop.load(Ordering::Acquire) {
                break;
            }
            thread::park_timeout(self.random.milliseconds(0..2 * PAUSE_AFTER_FAILURE_MS));
        }
        if manner == Manner::Forgetful {
            attempts.push(self.target.send(&self.client, self.node + 1, &command));
        }
        Entry { command, attempts }
    }

    /// Stock comes in about as fast as it is ordered, so that it is short every now and then.
    fn next(&mut self) -> Command {
        self.sent += 1;
        let key = format!("{}-{}", self.number, self.sent);
        match self.random.among(0..100) {
            0..35 => self.receive(key),
            35..80 => self.place(key),
            rest => {
                let action = if rest < 93 { Action::Ship } else { Action::Cancel };
                match self.open.pop() {
                    Some((site, order)) => step(key, action, site, order),
                    None => self.place(key),
                }
            }
        }
    }

    fn receive(&mut self, key: String) -> Command {
        let site = *self.random.pick(&SITES);
        let line = json!({ "sku": self.random.pick(&SKUS), "quantity": self.random.among(1..4) });
        let path = format!("/v1/sites/{site}/receipts");
        Command { key, action: Action::Receive, site, order_id: None, path, body: json!({ "lines": [line] }) }
    }

    fn place(&mut self, key: String) -> Command {
        let site = *self.random.pick(&SITES);
        let count = 1 + self.random.among(0..3);
        let first = self.random.among(0..5);
        let line = |number: u64, random: &mut Random| {
            let index = usize::try_from((first + number) % 5).unwrap_or(0);
            json!({ "sku": SKUS[index], "quantity": random.among(1..3) })
        };
        let lines: Vec<Value> = (0..count).map(|number| line(number, &mut self.random)).collect();
        let order = format!("order-{key}");
        let body = json!({ "order_id": order, "lines": lines });
        let path = format!("/v1/sites/{site}/orders");
        Command { key, action: Action::Place, site, order_id: Some(order), path, body }
    }
}

/// The next and last step of an order.
fn step(key: String, action: Action, site: &'static str, order: String) -> Command {
    let what = if action == Action::Ship { "shipments" } else { "cancellation" };
    let path = format!("/v1/sites/{site}/orders/{order}/{what}");
    Command { key, action, site, order_id: Some(order), path, body: json!({}) }
}

/// Asks a server that is well for everything again: twice what is not known, so that it is, and a share of the rest. Each
/// answer goes into the history, where it is compared with what was said before.
pub(crate) fn ask_again(target: &Target, entries: &mut [Entry], share_percent: u64, seed: u64) -> Result<()> {
    const CLIENTS: usize = 8;
    let per_client = entries.len().div_ceil(CLIENTS).max(1);
    thread::scope(|scope| {
        let parts = entries.chunks_mut(per_client).zip(0..);
        let asking: Vec<_> = parts
            .map(|(part, number)| {
                scope.spawn(move || {
                    let (client, mut random) =
                        (Client::new(Duration::from_secs(30)), Random::new(seed, 1_000 + number));
                    for entry in part.iter_mut() {
                        let times = match entry.decided() {
                            // Only what was never taken may stay so; the first time it may be decided anew.
                            None if !entry.is_nothing() => 2,
                            None => 0,
                            Some(_) if random.percent(share_percent) => 1,
                            Some(_) => 0,
                        };
                        for _ in 0..times {
                            let again = target.send(&client, 0, &entry.command);
                            entry.attempts.push(again);
                        }
                    }
                })
            })
            .collect();
        asking.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a client panicked")))
    })
    .context("asking for everything again")
}
