//! Replays orders of a ledger into a MySQL view with cqrs-es and mysql-es, as their documentation does it, and prints how
//! fast that was as one line of JSON. See `README.md` beside it.

mod database;
mod input;
mod order;
mod stock;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use cqrs_es::Query;
use cqrs_es::persist::{GenericQuery, PersistenceError, QueryErrorHandler, QueryReplay};
use mysql_es::{MysqlEventRepository, MysqlViewRepository};
use serde_json::json;

use database::{Database, ORDER_VIEW, STOCK_VIEW};
use input::Input;
use order::{Order, OrderView};
use stock::StockQuery;

/// Replays orders with cqrs-es and mysql-es.
#[derive(Debug, Parser)]
struct Args {
    /// The server, whose account may make a database: mysql://USER:PASSWORD@HOST:PORT
    #[arg(long, env = "PEER_MYSQL", hide_env_values = true)]
    mysql: String,
    /// The orders: what `stockledger bench order-steps` wrote
    #[arg(long)]
    orders: PathBuf,
    /// How many of them
    #[arg(long, default_value_t = 5_000)]
    count: usize,
    /// Make a view of stock levels as well, in a second replay
    #[arg(long)]
    stock: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let input = Input::read(&args.orders, args.count)?;
    let database = Database::make(&args.mysql).await?;
    let measured = measure(&database, &input, args.stock).await;
    let removed = database.remove().await;
    let took = measured?;
    removed?;
    let seconds = took.as_secs_f64();
    let (orders, events) = (input.orders.len(), input.counted());
    let result = json!({
        "orders": orders,
        "steps": input.events.len(),
        "events": events,
        "seconds": rounded(seconds, 1_000.0),
        "orders_per_second": rounded(orders as f64 / seconds, 10.0),
        "events_per_second": rounded(events as f64 / seconds, 10.0),
    });
    println!("{result}");
    Ok(())
}

fn rounded(number: f64, to: f64) -> f64 {
    (number * to).round() / to
}

/// Loads the events, replays them, and proves that the views have them all; says how long the replays took.
async fn measure(database: &Database, input: &Input, stock: bool) -> Result<Duration> {
    database.load(&input.events).await?;
    let failures = Arc::new(AtomicU64::new(0));
    let mut orders = GenericQuery::new(Arc::new(order_views(database)));
    orders.use_error_handler(counting(&failures));
    let mut took = replay(database, orders, &failures).await?;
    check_orders(database, input).await?;
    if stock {
        let views = MysqlViewRepository::new(STOCK_VIEW, database.pool.clone());
        took += replay(database, StockQuery { views, failures: failures.clone() }, &failures).await?;
        let lines = input.events.iter().map(|stored| stored.event.lines().len()).sum();
        check(database, STOCK_VIEW, None, lines).await?;
    }
    Ok(took)
}

fn order_views(database: &Database) -> MysqlViewRepository<OrderView, Order> {
    MysqlViewRepository::new(ORDER_VIEW, database.pool.clone())
}

async fn replay(
    database: &Database,
    query: impl Query<Order>,
    failures: &Arc<AtomicU64>,
) -> Result<Duration> {
    let mut replay = QueryReplay::new(MysqlEventRepository::new(database.pool.clone()), query);
    replay.use_error_handler(counting(failures));
    let began = Instant::now();
    replay.replay_all().await.map_err(|error| anyhow!("the replay failed: {error}"))?;
    let took = began.elapsed();
    let failed = failures.load(Ordering::Relaxed);
    ensure!(failed == 0, "{failed} events were not replayed");
    Ok(took)
}

fn counting(failures: &Arc<AtomicU64>) -> Box<QueryErrorHandler> {
    let failures = failures.clone();
    Box::new(move |error: PersistenceError| {
        eprintln!("{error}");
        failures.fetch_add(1, Ordering::Relaxed);
    })
}

/// Every order must have its view, and each must say what the events say.
async fn check_orders(database: &Database, input: &Input) -> Result<()> {
    use cqrs_es::persist::ViewRepository;

    check(database, ORDER_VIEW, Some(input.orders.len()), input.events.len()).await?;
    let views = order_views(database);
    let samples = input.orders.keys().step_by(1 + input.orders.len() / 100);
    for aggregate_id in samples {
        let mut expected = OrderView::default();
        let events = input.events.iter().filter(|stored| stored.aggregate_id == *aggregate_id);
        events.for_each(|stored| expected.take(&stored.event));
        let found = views.load(aggregate_id).await?.context("a view is missing")?;
        ensure!(found == expected, "the view of {aggregate_id} is {found:?}, not {expected:?}");
    }
    Ok(())
}

/// A view counts the events that it took in its version.
async fn check(database: &Database, table: &str, views: Option<usize>, updates: usize) -> Result<()> {
    let statement = format!("SELECT COUNT(*), CAST(SUM(version) AS SIGNED) FROM {table}");
    let (found, version): (i64, i64) = sqlx::query_as(&statement).fetch_one(&database.pool).await?;
    let expected = views.map_or(Ok(found), i64::try_from)?;
    ensure!(found == expected, "{table} has {found} views of {expected}");
    ensure!(version == i64::try_from(updates)?, "{table} took {version} updates of {updates}");
    Ok(())
}
