//! Many clients want one thing of which there is little: exactly as much is sold as there is.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;

use super::check::{Balance, Findings, check, last_positions};
use super::clients::Target;
use super::compare::{by_the_program, export, over_http};
use super::history::{Action, Command, Entry, Outcome};
use super::http::Client;
use super::rig::{Cast, Rig};
use crate::report::say;

const CLIENTS: u64 = 64;
const UNITS: u64 = 1_000;
const SITE: &str = "north";
const SKU: &str = "LAMP";
/// How often a client asks again for what it does not know.
const ATTEMPTS_MAX: usize = 50;

/// Sells one unit after the other, and fails unless just as many are sold as there are.
pub(crate) fn run(root: &'static Path, attempts: u64) -> Result<()> {
    let rig = Rig::start(root, Cast::Plain)?;
    let target = Target { nodes: rig.writers.clone(), began: Instant::now() };
    let receipt = command("stock".to_owned(), Action::Receive, None);
    let mut entries = vec![ask(&target, &Client::new(Duration::from_secs(15)), receipt)];
    let began = Instant::now();
    entries.extend(sell(&target, attempts)?);
    let took = began.elapsed();
    entries.sort_by_key(Entry::first_sent);

    let mut findings = Findings::default();
    let lines = export(&rig.place)?;
    let stock = check(&entries, &[], &lines, &mut findings);
    over_http(&rig.projector.url, &last_positions(&lines), &stock, &mut findings)?;
    rig.stop()?;
    let rows = by_the_program(&rig.place, &mut findings);
    let statuses = entries.iter().filter(|entry| entry.command.action == Action::Place);
    let statuses: Vec<u16> = statuses.filter_map(|entry| Some(entry.decided()?.1.status)).collect();
    let sold = statuses.iter().filter(|status| **status == 201).count();
    let refused = statuses.iter().filter(|status| **status == 409).count();
    say(&format!(
        "chaos: {CLIENTS} clients tried {attempts} times to order one of {UNITS} units in {:.1} s: {sold} sold, {refused} \
         refused, {rows} rows of tables equal the log",
        took.as_secs_f64()
    ));
    let count = u64::try_from(sold + refused).context("counting answers")?;
    let expected = UNITS.min(attempts);
    ensure!(findings.is_empty(), "what must not be: {findings:?}");
    ensure!(count == attempts, "{count} of {attempts} attempts were decided");
    ensure!(u64::try_from(sold)? == expected, "{sold} units sold, and {expected} were there");
    let left = stock.get(&(SITE.to_owned(), SKU.to_owned())).copied();
    let all = Some(Balance { on_hand: UNITS.cast_signed(), reserved: expected.cast_signed() });
    ensure!(left == all, "{left:?} is left");
    Ok(())
}

fn sell(target: &Target, attempts: u64) -> Result<Vec<Entry>> {
    let next = AtomicU64::new(0);
    let one_client = || {
        let client = Client::new(Duration::from_secs(15));
        let mut entries = vec![];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= attempts {
                return entries;
            }
            let order = format!("order-{number}");
            entries.push(ask(target, &client, command(order.clone(), Action::Place, Some(order))));
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one_client)).collect();
        let mut all = vec![];
        for client in clients {
            all.extend(client.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        Ok(all)
    })
}

fn ask(target: &Target, client: &Client, command: Command) -> Entry {
    let mut attempts = vec![];
    loop {
        attempts.push(target.send(client, 0, &command));
        let is_settled = attempts
            .last()
            .is_some_and(|last| matches!(last.outcome, Outcome::Decided(_) | Outcome::Wrong(_)));
        if is_settled || attempts.len() >= ATTEMPTS_MAX {
            return Entry { command, attempts };
        }
        thread::park_timeout(Duration::from_millis(100));
    }
}

fn command(key: String, action: Action, order_id: Option<String>) -> Command {
    let (what, quantity) = if action == Action::Place { ("orders", 1) } else { ("receipts", UNITS) };
    let mut body = json!({ "lines": [{ "sku": SKU, "quantity": quantity }] });
    if let Some(order_id) = &order_id {
        body["order_id"] = json!(order_id);
    }
    Command { key, action, site: SITE, order_id, path: format!("/v1/sites/{SITE}/{what}"), body }
}
