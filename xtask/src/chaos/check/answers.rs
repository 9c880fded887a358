//! What clients were told, held against the log and against itself.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{Findings, Places, Wrong};
use crate::chaos::history::{Action, Attempt, Command, Decided, Entry, Outcome};
use crate::chaos::log::Counted;
use crate::chaos::nemesis::Refusing;

/// Every command stands in the log as often as its answers say, and every decision was asked for.
pub(super) fn agree(entries: &[Entry], places: &Places, findings: &mut Findings) {
    let mut sent = HashSet::new();
    for entry in entries {
        let command = &entry.command;
        sent.insert((command.site, command.key.as_str()));
        let found = places.get(&(command.site, command.key.as_str())).map_or(&[][..], Vec::as_slice);
        one_agrees(entry, found, findings);
    }
    for (site, key) in places.keys().filter(|place| !sent.contains(*place)) {
        findings.add(Wrong::Log, format!("nobody sent key {key} to site {site}"));
    }
}

fn one_agrees(entry: &Entry, found: &[&Counted], findings: &mut Findings) {
    let Command { key, site, .. } = &entry.command;
    let evidence = |what: &str| format!("key {key} of site {site}: {what}");
    let places: Vec<String> = found.iter().map(|one| one.position.to_string()).collect();
    let places = places.join(", ");
    for attempt in &entry.attempts {
        if let Outcome::Wrong(answer) = &attempt.outcome {
            findings.add(Wrong::Answer, evidence(&format!("{} answered {answer}", attempt.node)));
        }
    }
    if found.len() > 1 {
        findings.add(Wrong::Double, evidence(&format!("it stands at {places}")));
    }
    let Some((_, first)) = entry.decided() else {
        if !entry.is_nothing() {
            findings.add(Wrong::Open, evidence(&format!("never answered, in the log at [{places}]")));
        } else if !found.is_empty() {
            findings.add(Wrong::Applied, evidence(&format!("it stands at {places}")));
        }
        return;
    };
    for Attempt { node, outcome, .. } in &entry.attempts {
        if let Outcome::Decided(again) = outcome
            && (again.position, &again.body) != (first.position, &first.body)
        {
            let what = format!(
                "{} at {}, then by {node} {} at {}",
                first.body, first.position, again.body, again.position
            );
            findings.add(Wrong::Contradicted, evidence(&what));
        }
    }
    match found.iter().find(|one| one.position == first.position) {
        None => {
            let what = format!("acknowledged at {}, in the log at [{places}]", first.position);
            findings.add(Wrong::Lost, evidence(&what));
        }
        Some(one) => says_the_same(&entry.command, first, one, findings),
    }
}

/// The answer is what the log says, and the decision is about all that the command was about.
fn says_the_same(command: &Command, answer: &Decided, decided: &Counted, findings: &mut Findings) {
    let event = decided.decision.events.first().unwrap_or(&Value::Null);
    let (kind, body) = (event["type"].as_str().unwrap_or_default(), &answer.body);
    let expected = match (command.action, answer.status) {
        (Action::Receive, 200 | 201) => "stock_received",
        (Action::Place, 200 | 201) => "order_placed",
        (Action::Place, 409) => "out_of_stock",
        (Action::Ship, 200 | 201) => "order_shipped",
        (Action::Cancel, 200 | 201) => "order_cancelled",
        _ => "something else",
    };
    let evidence = |what: &str| format!("key {} of site {}: {what}", command.key, command.site);
    if kind != expected || decided.decision.events.len() != 1 {
        let what = format!("answered with {} {body}, recorded as {event}", answer.status);
        findings.add(Wrong::Contradicted, evidence(&what));
        return;
    }
    let asked = quantities(&command.body["lines"], "quantity");
    let (recorded, told) = match expected {
        "stock_received" => (quantities(&event["lines"], "quantity"), quantities(&body["lines"], "quantity")),
        "order_placed" => (quantities(&event["lines"], "quantity"), quantities(&body["lines"], "ordered")),
        "out_of_stock" => (quantities(&event["lines"], "requested"), asked.clone()),
        step => {
            if quantities_of_moves(event) != quantities(&event["order"]["lines"], "ordered") {
                findings.add(Wrong::Torn, evidence(&format!("{event}")));
            }
            let member = if step == "order_shipped" { "shipped" } else { "cancelled" };
            let (recorded, told) =
                (quantities(&event["order"]["lines"], member), quantities(&body["lines"], member));
            if recorded != told {
                findings.add(Wrong::Contradicted, evidence(&format!("{body}, recorded as {event}")));
            }
            return;
        }
    };
    if recorded != asked {
        findings.add(Wrong::Torn, evidence(&format!("asked for {}, recorded as {event}", command.body)));
    }
    if told != asked {
        findings.add(Wrong::Contradicted, evidence(&format!("asked for {}, told {body}", command.body)));
    }
}

/// How much of each SKU lines are about; equal ones are one.
fn quantities(lines: &Value, member: &str) -> BTreeMap<String, i64> {
    let mut quantities = BTreeMap::new();
    for line in lines.as_array().into_iter().flatten() {
        let sku = line["sku"].as_str().unwrap_or_default().to_owned();
        *quantities.entry(sku).or_default() += line[member].as_i64().unwrap_or(i64::MIN / 2);
    }
    quantities
}

/// How much of each SKU the moves of a step of an order are about; they name its lines by number.
fn quantities_of_moves(event: &Value) -> BTreeMap<String, i64> {
    let mut quantities = BTreeMap::new();
    for one in event["moves"].as_array().into_iter().flatten() {
        let line = one["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(usize::MAX);
        let sku = event["order"]["lines"][line]["sku"].as_str().unwrap_or_default().to_owned();
        *quantities.entry(sku).or_default() += one["quantity"].as_i64().unwrap_or(i64::MIN / 2);
    }
    quantities
}

/// A node whose clock is too wrong decides nothing.
pub(super) fn nobody_decided_while_refusing(
    entries: &[Entry],
    refusing: &[Refusing],
    findings: &mut Findings,
) {
    for entry in entries {
        for Attempt { node, sent, answered, outcome } in &entry.attempts {
            let had_to_refuse =
                |one: &&Refusing| one.node == *node && one.during.start < *sent && *answered < one.during.end;
            if matches!(outcome, Outcome::Decided(_)) && refusing.iter().any(|one| had_to_refuse(&one)) {
                let what = format!("key {} was answered by {node} after {answered:?}", entry.command.key);
                findings.add(Wrong::Clock, what);
            }
        }
    }
}
