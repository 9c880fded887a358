//! `bench order-steps`: the steps of the first accepted orders of a log, one JSON line each, so that other software can
//! be given the same orders (`xtask/peers/`).

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use stockledger_chain::{Verdict, admit};
use stockledger_log::Log;
use stockledger_schemas::event::LineMove;
use stockledger_schemas::{Decision, Event, Order, OrderId, PartitionId, Quantity, Scope, SiteId, Sku};
use stockledger_writer::genesis;

use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};
use crate::storage::{self, Access};
use crate::text::thousands;

/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);
const READ_RECORDS: usize = 1_024;

/// Which orders, and where to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Orders, the first ones of partition 0, then of partition 1, and so on
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// The file to write; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Written {
    /// Different orders.
    pub(super) orders: u64,
    /// Steps of them, one line each.
    pub(super) steps: u64,
}

/// One step of an order; a line of the file.
#[derive(Serialize)]
struct Step<'a> {
    site: &'a SiteId,
    order_id: &'a OrderId,
    #[serde(rename = "type")]
    kind: &'static str,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    sku: &'a Sku,
    quantity: Quantity,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let mut file = BufWriter::new(File::create(&args.out)?);
    let written = write(log.as_ref(), args.count, &mut file).await;
    log.close().await;
    let written = written?;
    file.flush()?;
    let path = args.out.display();
    match context.format() {
        Format::Json => Ok(output::json(&written)?),
        Format::Table => Ok(output::line(format_args!(
            "Wrote {} steps of {} orders to {path}.",
            thousands(written.steps),
            thousands(written.orders)
        ))?),
    }
}

/// Writes all steps of the first `count` accepted orders, in the order of the log.
///
/// # Errors
/// If the log does not answer or a partition cannot be read past some record, and if the writing fails.
pub(super) async fn write(log: &dyn Log, count: u64, out: &mut impl Write) -> Result<Written, Failure> {
    let mut written = Written::default();
    for partition in (0..log.partitions()).map(PartitionId) {
        if written.orders < count {
            write_partition(log, partition, count, out, &mut written).await?;
        }
    }
    Ok(written)
}

async fn write_partition(
    log: &dyn Log,
    partition: PartitionId,
    count: u64,
    out: &mut impl Write,
    written: &mut Written,
) -> Result<(), Failure> {
    let failed = |error: stockledger_log::Error| Failure::new(Exit::NotReady, error);
    let begun = genesis::begin(log, partition).await;
    let mut chain = begun.map_err(crate::node::Error::from)?;
    let end = log.bounds(partition.0).await.map_err(failed)?.end;
    let mut reader = log.reader(partition.0, chain.next_offset).await.map_err(failed)?;
    let mut chosen: HashSet<(SiteId, OrderId)> = HashSet::new();
    while chain.next_offset < end {
        for record in reader.next(READ_RECORDS, PATIENCE).await.map_err(failed)? {
            let admission = admit(&chain, record.offset, &record.value)
                .map_err(|halt| Failure::new(Exit::VerificationFailed, halt))?;
            chain = admission.next;
            let Verdict::Decision(decision) = admission.verdict else { continue };
            for step in steps(&decision) {
                let order = (step.site.clone(), step.order_id.clone());
                if step.kind == "placed" && written.orders < count && chosen.insert(order.clone()) {
                    written.orders += 1;
                }
                if chosen.contains(&order) {
                    written.steps += 1;
                    serde_json::to_writer(&mut *out, &step)
                        .map_err(|error| Failure::new(Exit::Failed, error))?;
                    out.write_all(b"\n")?;
                }
            }
        }
    }
    Ok(())
}

/// What a decision did to an accepted order.
fn steps(decision: &Decision) -> impl Iterator<Item = Step<'_>> {
    let site = match &decision.scope {
        Scope::Site(site) => Some(site),
        Scope::Directory => None,
    };
    decision.events.iter().filter_map(move |event| step(site?, event))
}

fn step<'a>(site: &'a SiteId, event: &'a Event) -> Option<Step<'a>> {
    let (order_id, kind, lines) = match event {
        Event::OrderPlaced(placed) => {
            let lines = placed.lines.iter().map(|line| Line { sku: &line.sku, quantity: line.quantity });
            (&placed.order_id, "placed", lines.collect())
        }
        Event::OrderShipped(shipped) => {
            (&shipped.order.order_id, "shipped", moved(&shipped.order, &shipped.moves))
        }
        Event::OrderCancelled(cancelled) => {
            (&cancelled.order.order_id, "cancelled", moved(&cancelled.order, &cancelled.moves))
        }
        Event::OrderReturned(returned) => {
            let moves = returned.moves.iter().map(|back| (back.line, back.quantity));
            (&returned.order.order_id, "returned", lines_of(&returned.order, moves))
        }
        _ => return None,
    };
    Some(Step { site, order_id, kind, lines })
}

fn moved<'a>(order: &'a Order, moves: &'a [LineMove]) -> Vec<Line<'a>> {
    lines_of(order, moves.iter().map(|line_move| (line_move.line, line_move.quantity)))
}

fn lines_of(order: &Order, moves: impl Iterator<Item = (u16, Quantity)>) -> Vec<Line<'_>> {
    let line = |(line, quantity): (u16, Quantity)| {
        Some(Line { sku: &order.lines.get(usize::from(line))?.sku, quantity })
    };
    moves.filter_map(line).collect()
}
