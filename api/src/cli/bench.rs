//! `bench`: figures that anyone can repeat, with the limit of what is below measured in the same run.

mod append;
mod as_of;
mod bulk;
mod callers;
mod generate;
mod load;
mod order_steps;
mod overload;
mod place;
mod readers;
mod replay;
mod server;
mod slow_clients;

use std::time::Duration;

use serde_json::{Value, json};

use super::output::{self, Format};
use super::{Context, Failure};
use crate::text::rounded;
use append::Append;
use load::Load;
use place::Place;
use server::Server;

/// Connections that are measured, if nobody says others.
const CONNECTIONS_DEFAULT: [usize; 3] = [1, 32, 256];

/// How the orders are placed of which a bare producer gets the records.
const SAMPLE_CONNECTIONS: usize = 8;
const SAMPLE_LASTS: Duration = Duration::from_millis(500);

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Bench {
    /// Three-line orders over HTTP in a closed loop, and what the log alone can do
    #[command(after_help = "Example: stockledger bench orders --seconds 10

The server is a process of its own, with log and read tables of its own beside those that the settings name; they are \
removed afterwards. Load and server share the machine. The log alone takes records of orders that were placed before. \
Latencies are from sending a request to having its answer; every order is durable before it is answered.")]
    Orders(Orders),
    /// One request of very many lines to bulk, and the memory that it takes
    #[command(after_help = "Example: stockledger bench bulk --lines 1000000

The server is a process of its own, as with `bench orders`. Each line is a receipt of one SKU under a key of its own; every \
one is durable before it is answered. Memory is that of the server before and at most: the keys, which it keeps for ever, \
take about 28 bytes each of it.")]
    Bulk(bulk::Args),
    /// A ledger as warehouses might have made it, of any size, the same for the same seed
    #[command(after_help = "Example: stockledger bench generate --events 10000000 --seed 1 --data-dir big

Writes into the log that the settings name, which must be new. First the items are registered and the sites opened and \
stocked, which takes about as many events as there are items at all sites. Then come orders of so many lines, shipped, \
partly shipped, cancelled, returned or refused; deliveries, counts, adjustments and holds; some facts are late. Times begin \
with the year 2024 and go on for about a year. The same options with as many partitions make the same records, byte for byte.")]
    Generate(generate::Args),
    /// The steps of the first accepted orders of the log as JSON lines, for other software to replay
    #[command(
        after_help = "Example: stockledger bench order-steps --count 5000 --out orders.ndjson --data-dir big

A line has the members site, order_id, type (placed, shipped, cancelled or returned) and lines, each with sku and quantity; \
all lines of an order stand in the order in which they happened."
    )]
    OrderSteps(order_steps::Args),
    /// Replaying an existing log: into memory and into tables, and what the log and the statements alone can do
    #[command(after_help = "Example: stockledger bench generate --events 10000000 --data-dir big
         stockledger bench replay --data-dir big --projections mysql://me@127.0.0.1:3306/ledger

The log that the settings name is read. Tables are made in a place of their own beside those that the settings name and are \
removed afterwards. History is written twice from memory and twice from the log, in turn.")]
    Replay(replay::Args),
    /// Stock levels as of random instants, and as they are
    #[command(after_help = "Example: stockledger bench as-of --questions 20000

The tables that the settings name are asked, as they are and without HTTP; nothing is changed.")]
    AsOf(as_of::Args),
    /// Three times as many orders as can be done, for long
    #[command(after_help = "Example: stockledger bench overload --seconds 60

First the peak is measured: a closed loop of so many connections. Then a new server is offered three times as many orders, at \
times of their own. An order waits up to a second for one of the connections. Load and server share the machine.")]
    Overload(overload::Args),
    /// Hundreds of slow clients beside some that are not
    #[command(after_help = "Example: stockledger bench slow-clients --clients 500

A quarter each sends a head byte by byte, a body byte by byte, nothing after a first request, and requests of which it never \
reads the answers.")]
    SlowClients(slow_clients::Args),
    /// A thousand streams of all events beside those who place the orders
    #[command(after_help = "Example: stockledger bench readers --readers 1000 --rate 100

Each reader gets every decision as a server-sent event; readers, server and load share the machine.")]
    Readers(readers::Args),
}

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Orders {
    /// How long each figure is measured
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections, one after the other
    #[arg(long, value_delimiter = ',', default_values_t = CONNECTIONS_DEFAULT, value_name = "N,..")]
    connections: Vec<usize>,
}

/// One line of the result.
struct Figure {
    name: String,
    load: Load,
    until_level: Option<Duration>,
}

pub(super) async fn run(command: Bench, context: &Context) -> Result<(), Failure> {
    match command {
        Bench::Orders(args) => orders(args, context).await,
        Bench::Bulk(args) => bulk::run(args, context).await,
        Bench::Generate(args) => generate::run(args, context).await,
        Bench::OrderSteps(args) => order_steps::run(args, context).await,
        Bench::Replay(args) => replay::run(args, context).await,
        Bench::AsOf(args) => as_of::run(args, context).await,
        Bench::Overload(args) => overload::run(args, context).await,
        Bench::SlowClients(args) => slow_clients::run(args, context).await,
        Bench::Readers(args) => readers::run(args, context).await,
    }
}

async fn orders(args: Orders, context: &Context) -> Result<(), Failure> {
    let lasting = Duration::from_secs(args.seconds);
    output::say("measuring what the log alone can do ...");
    let append = log_alone(context, lasting).await?;
    let mut figures = Vec::new();
    for projector in [false, true] {
        for connections in &args.connections {
            let with = if projector { "on" } else { "off" };
            output::say(format!("measuring {connections} connections, projector {with} ..."));
            let measured = Place::with(&context.settings, async |place| {
                let server = Server::start(place, projector).await?;
                let load = load::run(&server, *connections, lasting).await?;
                let until_level = if projector { Some(server.until_level().await?) } else { None };
                server.stop().await?;
                let name = format!("{connections} connections, projector {with}");
                Ok(Figure { name, load, until_level })
            });
            figures.push(measured.await?);
        }
    }
    print(context, &append, &figures)
}

/// What a bare producer does with the records of some real orders.
async fn log_alone(context: &Context, lasting: Duration) -> Result<Append, Failure> {
    let sample = Place::with(&context.settings, async |place| {
        let server = Server::start(place, false).await?;
        load::run(&server, SAMPLE_CONNECTIONS, SAMPLE_LASTS).await?;
        server.stop().await?;
        place.sample().await
    });
    let sample = sample.await?;
    Place::with(&context.settings, async |place| append::measure(place, &sample, lasting).await).await
}

fn print(context: &Context, append: &Append, figures: &[Figure]) -> Result<(), Failure> {
    if context.format() == Format::Json {
        let figures: Vec<Value> = figures.iter().map(to_json).collect();
        let append = json!({
            "record_bytes": append.record_bytes,
            "one_at_a_time_p50_us": append.one_at_a_time.p50_us(),
            "one_at_a_time_p99_us": append.one_at_a_time.p99_us(),
            "in_batches_per_second": append.in_batches_per_second.round(),
        });
        return Ok(output::json(&json!({ "log_append": append, "orders": figures }))?);
    }
    let milliseconds = |micros: u64| format!("{}.{:03}", micros / 1_000, micros % 1_000);
    let mut rows = vec![vec![
        format!("log alone, {} bytes, one at a time", append.record_bytes),
        rounded(append.one_at_a_time.per_second()),
        milliseconds(append.one_at_a_time.p50_us()),
        milliseconds(append.one_at_a_time.p99_us()),
        milliseconds(append.one_at_a_time.p999_us()),
        String::new(),
    ]];
    rows.push(vec![
        format!("log alone, {} bytes, in batches", append.record_bytes),
        rounded(append.in_batches_per_second),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
    ]);
    for figure in figures {
        rows.push(vec![
            figure.name.clone(),
            rounded(figure.load.per_second()),
            milliseconds(figure.load.p50_us()),
            milliseconds(figure.load.p99_us()),
            milliseconds(figure.load.p999_us()),
            figure.until_level.map(|time| format!("{:.2}", time.as_secs_f64())).unwrap_or_default(),
        ]);
    }
    output::table(
        &["three-line orders", "per second", "p50 ms", "p99 ms", "p99.9 ms", "level after s"],
        &rows,
    )?;
    if let Some(one) = figures.iter().find(|figure| figure.load.connections == 1) {
        let ratio = one.load.p50_us() as f64 / append.one_at_a_time.p50_us().max(1) as f64;
        output::line(format_args!(
            "p50 of an order at 1 connection is {ratio:.2} times that of a bare append."
        ))?;
    }
    Ok(())
}

fn to_json(figure: &Figure) -> Value {
    json!({
        "name": figure.name,
        "connections": figure.load.connections,
        "orders": figure.load.requests(),
        "orders_per_second": figure.load.per_second().round(),
        "p50_us": figure.load.p50_us(),
        "p99_us": figure.load.p99_us(),
        "p999_us": figure.load.p999_us(),
        "seconds_until_level": figure.until_level.map(|time| time.as_secs_f64()),
    })
}
