//! Each thing that must not be is found when it is there, and nothing when it is not.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Balance, Findings, Wrong, check};
use crate::chaos::history::{Action, Attempt, Command, Decided, Entry, Outcome};
use crate::chaos::log::Line;
use crate::chaos::nemesis::Refusing;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn decided(status: u16, position: &str, body: Value) -> Outcome {
    Outcome::Decided(Decided { status, position: position.parse().unwrap(), body })
}

fn attempt(sent: u64, outcome: Outcome) -> Attempt {
    Attempt { node: "a", sent: at(sent), answered: at(sent + 5), outcome }
}

fn entry(key: &str, action: Action, body: Value, attempts: Vec<Attempt>) -> Entry {
    let order_id = Some("1".to_owned());
    let command = Command { key: key.to_owned(), action, site: "north", order_id, path: String::new(), body };
    Entry { command, attempts }
}

fn line(offset: u64, seq: Option<u64>, key: &str, event: &Value) -> Line {
    let recorded_at = format!("2026-01-01T00:00:{offset:02}.000000Z");
    serde_json::from_value(json!({
        "partition": 0, "offset": offset, "position": seq.map(|seq| format!("0.{seq}")),
        "record": {
            "kind": "decision", "term": 1, "recorded_at": recorded_at, "scope": { "site": "north" },
            "request": { "key": key }, "events": [event],
        },
    }))
    .unwrap()
}

fn received(quantity: i64, on_hand: i64) -> Value {
    let after = json!({ "on_hand": on_hand, "reserved": 0, "held": 0 });
    json!({ "type": "stock_received", "lines": [{ "sku": "LAMP", "quantity": quantity, "after": after }] })
}

fn placed(quantity: i64, on_hand: i64) -> Value {
    let after = json!({ "on_hand": on_hand, "reserved": quantity, "held": 0 });
    let lines = json!([{ "sku": "LAMP", "quantity": quantity, "after": after }]);
    json!({ "type": "order_placed", "order_id": "1", "lines": lines })
}

fn asked(quantity: i64) -> Value {
    json!({ "lines": [{ "sku": "LAMP", "quantity": quantity }] })
}

fn told(quantity: i64) -> Value {
    json!({ "lines": [{ "sku": "LAMP", "ordered": quantity }] })
}

/// A receipt of five and an order of two, both acknowledged.
fn good() -> (Vec<Entry>, Vec<Line>) {
    let first = vec![attempt(0, decided(201, "0.1", asked(5)))];
    let second = vec![attempt(10, decided(201, "0.2", told(2)))];
    let entries =
        vec![entry("in", Action::Receive, asked(5), first), entry("out", Action::Place, asked(2), second)];
    (entries, vec![line(0, Some(1), "in", &received(5, 5)), line(1, Some(2), "out", &placed(2, 5))])
}

fn wrong(entries: &[Entry], lines: &[Line]) -> Vec<Wrong> {
    let mut findings = Findings::default();
    check(entries, &[], lines, &mut findings);
    Wrong::ALL.into_iter().filter(|wrong| !findings.of(*wrong).is_empty()).collect()
}

#[test]
fn nothing_is_wrong_with_a_good_run() {
    let (entries, lines) = good();
    let mut findings = Findings::default();
    let stock = check(&entries, &[], &lines, &mut findings);
    assert_eq!(findings, Findings::default());
    let lamp = stock[&("north".to_owned(), "LAMP".to_owned())];
    assert_eq!(lamp, Balance { on_hand: 5, reserved: 2 });
}

#[test]
fn what_is_not_in_the_log_is_lost() {
    let (entries, mut lines) = good();
    lines.pop();
    assert_eq!(wrong(&entries, &lines), [Wrong::Lost]);
}

#[test]
fn what_stands_twice_is_double_and_what_nobody_sent_is_against_the_rules() {
    let (mut entries, mut lines) = good();
    lines[1] = line(1, Some(2), "in", &received(5, 10));
    entries.pop();
    assert_eq!(wrong(&entries, &lines), [Wrong::Double]);
    lines[1] = line(1, Some(2), "other", &received(5, 10));
    assert_eq!(wrong(&entries, &lines), [Wrong::Log]);
}

#[test]
fn more_than_is_there_cannot_be_promised() {
    let (mut entries, mut lines) = good();
    entries[1].command.body = asked(6);
    entries[1].attempts = vec![attempt(10, decided(201, "0.2", told(6)))];
    lines[1] = line(1, Some(2), "out", &placed(6, 5));
    assert_eq!(wrong(&entries, &lines), [Wrong::Oversold]);
}

#[test]
fn an_order_without_a_line_is_torn() {
    let (mut entries, lines) = good();
    let more = json!({ "lines": [{ "sku": "LAMP", "quantity": 2 }, { "sku": "CHAIR", "quantity": 1 }] });
    let both = json!({ "lines": [{ "sku": "LAMP", "ordered": 2 }, { "sku": "CHAIR", "ordered": 1 }] });
    entries[1] = entry("out", Action::Place, more, vec![attempt(10, decided(201, "0.2", both))]);
    assert_eq!(wrong(&entries, &lines), [Wrong::Torn]);
}

#[test]
fn what_was_refused_for_good_must_not_stand_there_and_what_is_open_must_be_answered() {
    let (mut entries, lines) = good();
    entries[1].attempts = vec![attempt(10, Outcome::Nothing("not-applied".to_owned()))];
    assert_eq!(wrong(&entries, &lines), [Wrong::Applied]);
    entries[1].attempts.push(attempt(20, Outcome::Unknown("outcome-unknown".to_owned())));
    assert_eq!(wrong(&entries, &lines), [Wrong::Open]);
    entries[1].attempts.push(attempt(30, decided(201, "0.2", told(2))));
    assert_eq!(wrong(&entries, &lines), []);
}

#[test]
fn two_answers_to_one_command_contradict_each_other() {
    let (mut entries, lines) = good();
    entries[1].attempts.push(attempt(20, decided(201, "0.2", told(1))));
    assert_eq!(wrong(&entries, &lines), [Wrong::Contradicted]);
}

#[test]
fn a_refusal_is_not_an_order() {
    let (mut entries, lines) = good();
    entries[1].attempts = vec![attempt(10, decided(409, "0.2", json!({ "code": "insufficient-stock" })))];
    assert_eq!(wrong(&entries, &lines), [Wrong::Contradicted]);
}

#[test]
fn what_was_acknowledged_before_stands_before() {
    let (mut entries, lines) = good();
    // The order was acknowledged before the receipt was sent, and stands behind it.
    entries[0].attempts = vec![attempt(100, decided(201, "0.1", asked(5)))];
    assert_eq!(wrong(&entries, &lines), [Wrong::Order]);
    // If both were under way at once, either order is right.
    entries[0].attempts = vec![attempt(12, decided(201, "0.1", asked(5)))];
    assert_eq!(wrong(&entries, &lines), []);
}

#[test]
fn an_answer_that_no_correct_command_gets_is_wrong() {
    let (mut entries, lines) = good();
    entries[1].attempts.insert(0, attempt(8, Outcome::Wrong("500".to_owned())));
    assert_eq!(wrong(&entries, &lines), [Wrong::Answer]);
}

#[test]
fn a_node_with_a_wrong_clock_decides_nothing() {
    let (entries, lines) = good();
    let mut findings = Findings::default();
    let refusing = |from, to| Refusing { node: "a", during: at(from)..at(to) };
    check(&entries, &[refusing(12, 100)], &lines, &mut findings);
    assert_eq!(findings, Findings::default());
    check(&entries, &[refusing(8, 100)], &lines, &mut findings);
    assert_eq!(findings.of(Wrong::Clock).len(), 1);
}

#[test]
fn gaps_and_balances_that_do_not_add_up_are_seen_in_the_log_alone() {
    let (entries, mut lines) = good();
    lines[1].offset = 2;
    assert_eq!(wrong(&entries, &lines), [Wrong::Log]);
    let (entries, mut lines) = good();
    lines[1] = line(1, Some(2), "out", &placed(2, 4));
    assert_eq!(wrong(&entries, &lines), [Wrong::Log]);
    let (entries, mut lines) = good();
    lines[1].position = Some("0.3".parse().unwrap());
    assert_eq!(wrong(&entries, &lines), [Wrong::Lost, Wrong::Log]);
}
