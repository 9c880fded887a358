//! `demo`: a month of a real retailer, from invoices to answers, in one command.

use std::sync::Arc;

use serde_json::{Value, json};
use stockledger_projections::compare::{Comparison, compare};
use stockledger_projections::rebuild::{Replay, replay_into};
use stockledger_projections::store::Store;
use stockledger_projections::{SqliteStore, Version, read};
use stockledger_writer::{Environment, SystemEnvironment};

use super::import::{into_node, local_actor};
use super::output::{self, Format, Progress};
use super::rebuild::progress::told_as_one;
use super::show::print_trail;
use super::source::Source as Answers;
use super::{Context, Exit, Failure, serve};
use crate::config::{Roles, Source};
use crate::http;
use crate::import::{OpeningStock, Options, Report, Source as Input};
use crate::node::Node;
use crate::text::{rounded, thousands};

const SITE: &str = "uk";
const OPENING_STOCK: &str = "90%";

/// What to do after the import.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger demo
  stockledger demo --exit --data-dir ./demo-data

The data lives in a temporary directory that is removed at the end, unless --data-dir names one to keep. Other settings \
of where data lives are not used: the demo never touches a ledger that somebody runs.")]
pub(super) struct Args {
    /// Stop after the summary instead of serving
    #[arg(long)]
    exit: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let temporary = tempfile::Builder::new().prefix("stockledger-demo-").tempdir()?;
    // Never into a ledger that somebody runs: only a directory that was named for the demo itself is kept.
    let named = context.settings.data_dir.source == Source::Flag;
    let directory =
        if named { context.settings.data_dir.value.clone() } else { temporary.path().to_path_buf() };
    let settings = context.settings.moved_to(&directory);
    // A ledger of its own, which has no keys.
    settings.check_listen(false, false)?;
    let context = Context { settings, rows: context.rows };
    let tls = context.settings.edge.server_tls()?;
    let listener = if args.exit { None } else { Some(serve::bind(&context).await?) };
    let node = Node::start(&context.settings, Roles::ALL, None).await?;
    let shown = tokio::select! {
        shown = show(&node, &context, temporary.path()) => shown,
        signal = serve::next_signal() => Err(Failure::text(Exit::Failed, format!("ended by {}", signal?))),
    };
    if let Err(failure) = shown {
        node.stop().await;
        return Err(failure);
    }
    match listener {
        None => {
            node.stop().await;
            Ok(())
        }
        Some(listener) => {
            suggest(&serve::url(serve::scheme(&context), &listener));
            node.verify_regularly(context.settings.verify_every.value);
            serve::until_signal(node, listener, serve::serving(&context, tls)).await
        }
    }
}

async fn show(node: &Node, context: &Context, scratch: &std::path::Path) -> Result<(), Failure> {
    let options = Options {
        source: Input::demo(),
        site: SITE.parse().map_err(|error| Failure::new(Exit::Failed, error))?,
        opening: opening_stock()?,
        force: false,
        actor: local_actor()?,
    };
    let report = into_node(options, node).await?;
    let answers = Answers::Local(http::router(node.app_for_itself()));
    let refused = example(&answers, "refused").await?;
    let shipped = example(&answers, "shipped").await?;
    let comparison = replay_and_compare(node, scratch).await?;
    match context.format() {
        Format::Json => output::json(&json!({
            "report": report,
            "refused_order": refused,
            "shipped_order": shipped,
            "replay": { "equal": comparison.difference.is_none(), "rows": comparison.rows() },
        }))?,
        Format::Table => {
            output::line(summary(&report))?;
            print_example("A refused order", refused.as_ref(), context)?;
            print_example("A shipped order", shipped.as_ref(), context)?;
        }
    }
    match &comparison.difference {
        None => {
            if context.format() == Format::Table {
                let rows = thousands(comparison.rows());
                output::line(format_args!(
                    "\nReplayed the whole log into fresh read tables: all {rows} rows equal the live ones."
                ))?;
            }
            Ok(())
        }
        Some(difference) => Err(Failure::text(
            Exit::VerificationFailed,
            format!("the replayed tables (second) differ from the live ones (first): {difference}"),
        )),
    }
}

fn opening_stock() -> Result<OpeningStock, Failure> {
    OPENING_STOCK.parse().map_err(|error| Failure::new(Exit::Failed, error))
}

fn summary(report: &Report) -> String {
    let per_second = report.new_events as f64 / report.seconds.max(0.001);
    format!(
        "Imported December 2009 of a real online retailer, with an opening stock of {OPENING_STOCK} of what it sold:\n\
         \x20 {:>10} orders shipped, {} units\n\
         \x20 {:>10} orders refused for lack of stock\n\
         \x20 {:>10} units on hand of {} items\n\
         \x20 {:>10} events in {:.1} s, {} events per second",
        thousands(report.orders_shipped),
        thousands(report.units_shipped),
        thousands(report.orders_refused),
        thousands(report.units_on_hand),
        thousands(report.items),
        thousands(report.events),
        report.seconds,
        rounded(per_second),
    )
}

/// An order of this status that is short enough to look at, with its trail.
async fn example(answers: &Answers, status: &str) -> Result<Option<Value>, Failure> {
    let orders = answers.get(&format!("/v1/sites/{SITE}/orders?status={status}&limit=200")).await?;
    let orders = orders.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let lines = |order: &Value| order.get("lines").and_then(Value::as_array).map_or(0, Vec::len);
    let Some(order) = orders.iter().filter(|order| lines(order) >= 2).min_by_key(|order| lines(order)) else {
        return Ok(None);
    };
    let id = order.get("order_id").and_then(Value::as_str).unwrap_or_default();
    let trail = answers.get(&format!("/v1/sites/{SITE}/orders/{id}/trail")).await?;
    Ok(Some(json!({ "order_id": id, "trail": trail })))
}

fn print_example(what: &str, example: Option<&Value>, context: &Context) -> Result<(), Failure> {
    let Some(example) = example else { return Ok(()) };
    let id = example.get("order_id").and_then(Value::as_str).unwrap_or_default();
    output::line(format_args!("\n{what}, step by step: {id}"))?;
    example.get("trail").map_or(Ok(()), |trail| print_trail(context, trail))
}

/// Folds the whole log again into tables of their own and compares them with the live ones, row by row.
async fn replay_and_compare(node: &Node, scratch: &std::path::Path) -> Result<Comparison, Failure> {
    let failed = |error: stockledger_projections::store::Error| Failure::new(Exit::Failed, error);
    let fresh = Arc::new(SqliteStore::open(&scratch.join("replayed.sqlite")).await.map_err(failed)?);
    fresh.create_version(Version::FIRST, SystemEnvironment.now()).await.map_err(failed)?;
    let progress = Arc::new(Progress::new("replay", "records"));
    let replay =
        Replay { on_progress: told_as_one(progress.clone()), ..Replay::new(node.log(), fresh.clone()) };
    let replayed = replay_into(&replay, Version::FIRST).await;
    progress.done();
    replayed.map_err(|error| Failure::new(Exit::VerificationFailed, error))?;
    let live = node.store().ok_or_else(|| Failure::text(Exit::Failed, "this node has no read tables"))?;
    let mut snapshot = live.snapshot().await.map_err(failed)?;
    let active = read::active(snapshot.as_mut()).await.map_err(failed)?.unwrap_or(Version::FIRST);
    drop(snapshot);
    let comparison =
        compare((live.as_ref(), active), (fresh.as_ref(), Version::FIRST)).await.map_err(failed)?;
    fresh.close().await;
    Ok(comparison)
}

fn suggest(url: &str) {
    output::say(format!(
        "\nServing on {url}. Try:\n\
         \x20 curl {url}/v1/sites/uk/stock/85123A\n\
         \x20 curl {url}/v1/sites/uk/stock/85123A/movements?limit=3\n\
         \x20 curl '{url}/v1/sites/uk/orders?status=refused&limit=3'\n\
         \x20 curl -X POST {url}/v1/sites/uk/orders -H 'Idempotency-Key: my-first' \\\n\
         \x20      -H 'Content-Type: application/json' \\\n\
         \x20      -d '{{\"order_id\": \"my-1\", \"lines\": [{{\"sku\": \"85123A\", \"quantity\": 2}}]}}'\n\
         \x20 curl {url}/v1/sites/uk/orders/my-1/trail\n\
         Ctrl-C ends it."
    ));
}
