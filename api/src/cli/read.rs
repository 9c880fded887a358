//! Looking at stock and orders; having things done is `act.rs`.

use super::filters::{LevelFilter, MovementFilter, OrderFilter, asked};
use super::past::Past;
use super::show::{ORDER, print_order, print_trail, show_list, show_one};
use super::source::{Server, with_source};
use super::{Context, Failure, act};
use crate::text::segment;

/// Stock levels and movements.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Stock {
    /// What changes it.
    #[command(flatten)]
    Act(act::Stock),
    /// Show the level of one SKU at a site
    #[command(after_help = "Examples:
  stockledger stock show uk 85123A
  stockledger stock show uk 85123A --as-of 2010-12-01T00:00:00Z --axis occurred")]
    Show {
        /// The site
        site: String,
        /// The SKU
        sku: String,
        #[command(flatten)]
        past: Past,
        #[command(flatten)]
        server: Server,
    },
    /// List the levels of a site
    #[command(after_help = "Examples:
  stockledger stock list uk --limit 20
  stockledger stock list uk --available-lt 10 --sort available
  stockledger stock list uk --as-of 2010-12-01T00:00:00Z --format csv")]
    List {
        /// The site
        site: String,
        #[command(flatten)]
        levels: LevelFilter,
        #[command(flatten)]
        past: Past,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// List what moved of one SKU at a site, newest first
    #[command(after_help = "Examples:
  stockledger stock movements uk 85123A
  stockledger stock movements uk 85123A --reason damaged --from 2010-01-01T00:00:00Z")]
    Movements {
        /// The site
        site: String,
        /// The SKU
        sku: String,
        #[command(flatten)]
        movements: MovementFilter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
}

/// Orders and their trails.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Order {
    /// What changes them.
    #[command(flatten)]
    Act(act::Order),
    /// Show an order
    #[command(after_help = "Examples:
  stockledger order show uk 489434
  stockledger order show uk 489434 --as-of 0.170")]
    Show {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        past: Past,
        #[command(flatten)]
        server: Server,
    },
    /// Show every step of an order: what, when, who and why
    #[command(after_help = "Example: stockledger order trail uk 489434")]
    Trail {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        server: Server,
    },
    /// List the orders of a site, newest first
    #[command(after_help = "Examples:
  stockledger order list uk --limit 20
  stockledger order list uk --status refused --sku 85123A")]
    List {
        /// The site
        site: String,
        #[command(flatten)]
        orders: OrderFilter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
}

const LEVEL: &[&str] =
    &["site", "sku", "on_hand", "reserved", "held", "incoming", "available", "position", "as_of"];
const LEVELS: &[&str] = &["sku", "on_hand", "reserved", "held", "incoming", "available"];
const MOVEMENTS: &[&str] = &[
    "position",
    "occurred_at",
    "type",
    "reason",
    "delta.on_hand",
    "delta.reserved",
    "delta.held",
    "after.on_hand",
    "after.reserved",
    "after.held",
    "order_id",
    "actor",
];

pub(super) async fn stock(command: Stock, context: &Context) -> Result<(), Failure> {
    let of = |site: &str, sku: &str| format!("/v1/sites/{}/stock/{}", segment(site), segment(sku));
    match command {
        Stock::Act(command) => act::stock(command, context).await,
        Stock::Show { site, sku, past, server } => {
            show_one(&past.path(&of(&site, &sku)), LEVEL, &server, context).await
        }
        Stock::List { site, levels, past, limit, server } => {
            let parameters = levels.parameters().into_iter().chain(past.parameters());
            let path = asked(&format!("/v1/sites/{}/stock", segment(&site)), parameters);
            show_list(&path, limit, LEVELS, &server, context).await
        }
        Stock::Movements { site, sku, movements, limit, server } => {
            let path = asked(&format!("{}/movements", of(&site, &sku)), movements.parameters());
            show_list(&path, limit, MOVEMENTS, &server, context).await
        }
    }
}

pub(super) async fn order(command: Order, context: &Context) -> Result<(), Failure> {
    let of = |site: &str, order: &str| format!("/v1/sites/{}/orders/{}", segment(site), segment(order));
    match command {
        Order::Act(command) => act::order(command, context).await,
        Order::Show { site, order_id, past, server } => {
            let path = past.path(&of(&site, &order_id));
            let order = with_source(&server, context, async |source| source.get(&path).await).await?;
            print_order(context, &order)
        }
        Order::Trail { site, order_id, server } => {
            let path = format!("{}/trail", of(&site, &order_id));
            let trail =
                with_source(&server, context, async |source| source.list(&path, usize::MAX).await).await?;
            print_trail(context, &trail)
        }
        Order::List { site, orders, limit, server } => {
            let path = asked(&format!("/v1/sites/{}/orders", segment(&site)), orders.parameters());
            show_list(&path, limit, &ORDER, &server, context).await
        }
    }
}
