//! `audit explain`: a stock level set against everything that it came from.

use serde_json::Value;

use crate::cli::output::{self, Format, cell};
use crate::cli::show::{row, warn_if_stale};
use crate::cli::source::{Server, with_source};
use crate::cli::{Context, Exit, Failure};
use crate::text::segment;

/// Which level.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger audit explain uk 85123A
  stockledger audit explain uk 85123A --as-of 2010-06-01T00:00:00Z

The parts are sums of movements, the level is what the tables say. If they disagree, somebody changed the tables, and the \
exit code is 3.")]
pub(in crate::cli) struct Args {
    /// The site
    site: String,
    /// The SKU
    sku: String,
    /// As of this time, such as 2026-03-31T23:59:59Z, or this position, such as 0.17 [default: now]
    #[arg(long, value_name = "WHEN")]
    as_of: Option<String>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let Args { site, sku, as_of, server } = args;
    let query = as_of.map_or_else(String::new, |as_of| format!("?as_of={}", segment(&as_of)));
    let path = format!("/v1/sites/{}/stock/{}/explain{query}", segment(&site), segment(&sku));
    let explanation = with_source(&server, context, async |source| source.get(&path).await).await?;
    match context.format() {
        Format::Json => output::json(&explanation)?,
        Format::Table => print(&explanation)?,
    }
    if explanation.get("adds_up") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let what =
        format!("the parts of {sku} at {site} do not add up to its level: somebody changed the tables");
    Err(Failure::text(Exit::VerificationFailed, what))
}

const BALANCES: [&str; 3] = ["on_hand", "reserved", "held"];

fn print(explanation: &Value) -> Result<(), Failure> {
    warn_if_stale(explanation);
    let member = |name| cell(explanation.get(name));
    output::line(format_args!(
        "{} at {}, as of {} ({})",
        member("sku"),
        member("site"),
        member("position"),
        member("as_of")
    ))?;
    print_parts(explanation)?;
    print_reservations(explanation)?;
    print_holds(explanation)?;
    let verdict = match explanation.get("adds_up") {
        Some(Value::Bool(true)) => "The parts add up to the level, and so do reservations and holds.",
        _ => "THE PARTS DO NOT ADD UP TO THE LEVEL.",
    };
    Ok(output::line(verdict)?)
}

/// The opening balance, what was added to it, what that makes, and what the level says.
fn print_parts(explanation: &Value) -> Result<(), Failure> {
    let mut rows = Vec::new();
    if let Some(opening) = explanation.get("opening") {
        rows.push(part("opening balance", opening));
    }
    for item in list(explanation.get("parts")) {
        let what = [item.get("type"), item.get("reason")].map(cell).join(" ");
        rows.push(part(what.trim(), item));
    }
    let total = |what: &str, value: Option<&Value>| {
        let balances = BALANCES.map(|name| cell(value.and_then(|value| value.get(name))));
        let blank = std::iter::repeat_n(String::new(), 4);
        std::iter::once(what.to_owned()).chain(balances).chain(blank).collect::<Vec<_>>()
    };
    rows.push(total("= sum of the parts", explanation.get("sums")));
    rows.push(total("= level", Some(explanation)));
    let heading = ["", "on_hand", "reserved", "held", "movements", "orders", "first", "last"];
    Ok(output::table(&heading, &rows)?)
}

fn part(what: &str, part: &Value) -> Vec<String> {
    let columns = [
        "delta.on_hand",
        "delta.reserved",
        "delta.held",
        "movements",
        "orders",
        "first.position",
        "last.position",
    ];
    std::iter::once(what.to_owned()).chain(row(part, &columns)).collect()
}

fn print_reservations(explanation: &Value) -> Result<(), Failure> {
    let Some(reservations) = explanation.get("reservations") else { return Ok(()) };
    let oldest = list(reservations.get("oldest"));
    if oldest.is_empty() {
        return Ok(());
    }
    let member = |name| cell(reservations.get(name));
    output::line(format_args!(
        "\nReserved: {} for {} orders, the oldest first",
        member("quantity"),
        member("orders")
    ))?;
    let columns = ["order_id", "quantity", "position", "recorded_at"];
    let rows: Vec<Vec<String>> = oldest.iter().map(|reservation| row(reservation, &columns)).collect();
    Ok(output::table(&columns, &rows)?)
}

fn print_holds(explanation: &Value) -> Result<(), Failure> {
    let holds = list(explanation.get("holds"));
    if holds.is_empty() {
        return Ok(());
    }
    output::line("\nHeld:")?;
    let columns = ["reason", "quantity", "set_aside", "released", "movements"];
    let rows: Vec<Vec<String>> = holds.iter().map(|hold| row(hold, &columns)).collect();
    Ok(output::table(&columns, &rows)?)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
