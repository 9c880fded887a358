//! `tail`: the decisions of the log, as every reader of it admits them, from a server or from the local log.

mod blocks;
mod local;
mod remote;

use serde_json::Value;
use stockledger_schemas::{OrderId, PartitionId, Position, SiteId, Sku};

use super::output::{self, Format};
use super::source::Server;
use super::{Context, Exit, Failure};
use crate::feed::{self, Cursor, EventType, Filter};
use crate::text::segment;

/// Which decisions.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  stockledger tail --limit 10
  stockledger tail --from 0.17 --format json
  stockledger tail --site uk --type out_of_stock --follow
  stockledger tail --order 536365 --follow --server http://127.0.0.1:7070")]
pub(super) struct Args {
    /// Begin with this decision, and read its partition only
    #[arg(long, value_name = "POSITION")]
    from: Option<Position>,
    /// Read this partition only
    #[arg(long, value_name = "N", conflicts_with = "from")]
    partition: Option<u16>,
    /// Print the decisions of this site only
    #[arg(long)]
    site: Option<SiteId>,
    /// Print the decisions about this SKU only
    #[arg(long)]
    sku: Option<Sku>,
    /// Print the decisions about this order only
    #[arg(long, value_name = "ID")]
    order: Option<OrderId>,
    /// Print the decisions with an event of this type only, such as order_placed
    #[arg(long, value_name = "TYPE")]
    r#type: Option<EventType>,
    /// Stop after so many decisions
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on with what comes
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut printer = Printer { format: context.format(), left: args.limit };
    match args.server.client(context)? {
        Some(client) => remote::run(&args, &client, &mut printer).await,
        None => local::run(&args, context, &mut printer).await,
    }
}

impl Args {
    /// Behind what to begin, if not before everything.
    fn after(&self) -> Option<Position> {
        let before = |from: Position| Position { seq: from.seq.saturating_sub(1), ..from };
        self.from.map(before).or(self.partition.map(|partition| Position::new(PartitionId(partition), 0)))
    }

    fn filter(&self) -> Filter {
        let (site, sku, order) = (self.site.clone(), self.sku.clone(), self.order.clone());
        Filter { site, sku, order, r#type: self.r#type, visible: None }
    }

    /// The same as parameters of a query string.
    fn query(&self) -> String {
        let Filter { site, sku, order, r#type, .. } = self.filter();
        let parameters = [
            ("after", self.after().map(|after| after.to_string())),
            ("site", site.map(|site| site.to_string())),
            ("sku", sku.map(|sku| sku.to_string())),
            ("order", order.map(|order| order.to_string())),
            ("type", r#type.map(|r#type| r#type.as_str().to_owned())),
        ];
        let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.map(|(name, value)| format!("&{name}={}", segment(&value))).collect()
    }
}

/// Prints decisions, so many of them at most.
struct Printer {
    format: Format,
    left: Option<u64>,
}

impl Printer {
    /// Whether no more are wanted.
    fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Prints a decision, given as its JSON, if one more is wanted.
    fn print(&mut self, json: &[u8]) -> Result<(), Failure> {
        if self.is_done() {
            return Ok(());
        }
        self.left = self.left.map(|left| left - 1);
        let value: Value = serde_json::from_slice(json).map_err(|error| Failure::new(Exit::Failed, error))?;
        if self.format == Format::Json {
            return Ok(output::json_line(&value)?);
        }
        let decision = &value["decision"];
        let scope = decision["scope"]["site"].as_str().unwrap_or("directory");
        let events = decision["events"].as_array().into_iter().flatten();
        let events: Vec<&str> = events.filter_map(|event| event["type"].as_str()).collect();
        let text = |value: &'static str| output::cell(decision.pointer(value));
        Ok(output::line(format_args!(
            "{:<12} {}  {scope:<16} {:<18} {}",
            output::cell(value.get("position")),
            text("/recorded_at"),
            events.join("+"),
            text("/context/actor"),
        ))?)
    }
}

/// A partition that must not be read past.
fn stopped(stopped: &feed::Stopped) -> Failure {
    Failure::text(Exit::VerificationFailed, &stopped.reason)
}

/// Every partition, or the one that is asked for.
fn begin(args: &Args, partitions: u16) -> Result<Vec<Cursor>, Failure> {
    match args.after() {
        Some(after) if after.partition.0 >= partitions => {
            let what = format!("partition {} does not exist: the log has {partitions}", after.partition);
            Err(Failure::text(Exit::Usage, what))
        }
        Some(after) => Ok(vec![Cursor::Partition(after)]),
        None if args.follow => Ok(vec![Cursor::begin(partitions)]),
        None => {
            let begin = |partition| Cursor::Partition(Position::new(PartitionId(partition), 0));
            Ok((0..partitions).map(begin).collect())
        }
    }
}
