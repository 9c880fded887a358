//! Answers as people and programs get to see them.

use serde_json::Value;

use super::output::{self, Rows, cell};
use super::source::{Server, with_source};
use super::{Context, Failure};

/// Tells people, whose tables have no place for it, that what they see does not go on.
pub(super) fn warn_if_stale(value: &Value) {
    if let Some(reason) = value.get("stale_reason").and_then(Value::as_str) {
        output::say(format!("This is stale, because the tables have stopped: {reason}"));
    }
}

/// Asks for one thing, and prints it.
pub(super) async fn show_one(
    path: &str,
    columns: &[&str],
    server: &Server,
    context: &Context,
) -> Result<(), Failure> {
    let shown = with_source(server, context, async |source| source.get(path).await).await?;
    print_one(context, &shown, columns)
}

/// Asks for a list, and prints it.
pub(super) async fn show_list(
    path: &str,
    limit: usize,
    columns: &[&str],
    server: &Server,
    context: &Context,
) -> Result<(), Failure> {
    let list = with_source(server, context, async |source| source.list(path, limit).await).await?;
    print_list(context, &list, columns)
}

pub(super) fn print_one(context: &Context, value: &Value, columns: &[&str]) -> Result<(), Failure> {
    match context.rows {
        Rows::Json => Ok(output::json(value)?),
        Rows::Ndjson => Ok(output::json_line(value)?),
        Rows::Csv => Ok(output::csv(columns, &[row(value, columns)])?),
        Rows::Table => {
            warn_if_stale(value);
            Ok(output::table(columns, &[row(value, columns)])?)
        }
    }
}

fn print_list(context: &Context, list: &Value, columns: &[&str]) -> Result<(), Failure> {
    print_rows(context, list, data(list), columns, |value| row(value, columns))?;
    if context.rows != Rows::Json && list.get("has_more") == Some(&Value::Bool(true)) {
        output::say(format!("There is more than these {}; see more with --limit.", data(list).len()));
    }
    Ok(())
}

/// Prints the rows of an answer, which is what JSON shows of them.
pub(super) fn print_rows(
    context: &Context,
    answer: &Value,
    rows: &[Value],
    columns: &[&str],
    cells: impl Fn(&Value) -> Vec<String>,
) -> Result<(), Failure> {
    let cells = || rows.iter().map(&cells).collect::<Vec<_>>();
    match context.rows {
        Rows::Json => output::json(answer)?,
        Rows::Ndjson => rows.iter().try_for_each(output::json_line)?,
        Rows::Csv => output::csv(columns, &cells())?,
        Rows::Table => {
            warn_if_stale(answer);
            output::table(columns, &cells())?;
        }
    }
    Ok(())
}

/// The columns of an order.
pub(super) const ORDER: [&str; 7] =
    ["order_id", "status", "customer", "currency", "placed_at", "occurred_at", "position"];
const ORDER_LINE: [&str; 6] = ["sku", "ordered", "shipped", "cancelled", "returned", "unit_price_minor"];

/// An order and its lines; as CSV, a row for each line.
pub(super) fn print_order(context: &Context, order: &Value) -> Result<(), Failure> {
    let lines = members(order, "lines");
    match context.rows {
        Rows::Json | Rows::Ndjson => print_one(context, order, &ORDER),
        Rows::Csv => {
            let of_order = row(order, &ORDER);
            let cells = |line| of_order.iter().cloned().chain(row(line, &ORDER_LINE)).collect();
            Ok(output::csv(
                &[&ORDER[..], &ORDER_LINE].concat(),
                &lines.iter().map(cells).collect::<Vec<_>>(),
            )?)
        }
        Rows::Table => {
            print_one(context, order, &ORDER)?;
            let cells = lines.iter().map(|line| row(line, &ORDER_LINE));
            Ok(output::table(&ORDER_LINE, &cells.collect::<Vec<_>>())?)
        }
    }
}

const STEP: [&str; 13] = [
    "position",
    "type",
    "recorded_at",
    "occurred_at",
    "actor",
    "reason",
    "reference.type",
    "reference.id",
    "idempotency_key",
    "correlation_id",
    "causation",
    "note",
    "refused",
];

/// The steps, oldest first; for people, each with what it did to stock or what was short.
pub(super) fn print_trail(context: &Context, trail: &Value) -> Result<(), Failure> {
    if context.rows != Rows::Table {
        return print_rows(context, trail, data(trail), &STEP, |step| row(step, &STEP));
    }
    warn_if_stale(trail);
    for step in data(trail) {
        output::line(step_in_words(step))?;
        let lines = members(step, "lines");
        let was_refused = lines.iter().any(|line| line.get("requested").is_some());
        if was_refused {
            output::table(&REFUSED_COLUMNS, &lines.iter().map(refused_row).collect::<Vec<_>>())?;
        } else if !lines.is_empty() {
            let cells = lines.iter().map(|line| row(line, &MOVED_COLUMNS));
            output::table(&MOVED_COLUMNS, &cells.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

const REFUSED_COLUMNS: [&str; 4] = ["sku", "requested", "available", "short"];
const MOVED_COLUMNS: [&str; 8] = [
    "sku",
    "quantity",
    "delta.on_hand",
    "delta.reserved",
    "delta.held",
    "after.on_hand",
    "after.reserved",
    "after.held",
];

/// A line of a refused order, and how much of it was missing; nothing of a line that was not short.
fn refused_row(line: &Value) -> Vec<String> {
    let number = |name: &str| line.get(name).and_then(Value::as_i64).unwrap_or_default();
    let short = number("requested").saturating_sub(number("available"));
    let short = if short > 0 { short.to_string() } else { String::new() };
    let members = row(line, &REFUSED_COLUMNS[..REFUSED_COLUMNS.len() - 1]);
    members.into_iter().chain([short]).collect()
}

/// What, where, when, who and why, in one line.
fn step_in_words(step: &Value) -> String {
    let member = |name: &str| cell(step.get(name));
    let mut words = format!(
        "{} at {}, recorded {}, occurred {}, by {}",
        member("type"),
        member("position"),
        member("recorded_at"),
        member("occurred_at"),
        member("actor"),
    );
    let of_reference = |name| cell(step.get("reference").and_then(|reference| reference.get(name)));
    let more = [
        ("reason", member("reason")),
        ("for", format!("{} {}", of_reference("type"), of_reference("id")).trim().to_owned()),
        ("key", member("idempotency_key")),
        ("part of", member("correlation_id")),
        ("following from", member("causation")),
        ("note", member("note")),
        ("refused", member("refused")),
    ];
    for (what, text) in more {
        if !text.is_empty() {
            words.push_str(&format!(", {what} {text}"));
        }
    }
    words
}

/// The rows of a list.
pub(super) fn data(list: &Value) -> &[Value] {
    members(list, "data")
}

/// The values of a member that is a list.
pub(super) fn members<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The members of an object as cells; `a.b` names a member of a member.
pub(super) fn row(value: &Value, columns: &[&str]) -> Vec<String> {
    let member = |column: &&str| cell(column.split('.').try_fold(value, |value, name| value.get(name)));
    columns.iter().map(member).collect()
}
