//! Sites and items: opening and describing them, and looking at them.

use axum::http::Method;
use serde_json::{Value, json};

use super::act::{Said, WRITES};
use super::show::{print_one, show_list, show_one};
use super::source::{Command, Server, decide};
use super::{Context, Failure};
use crate::text::segment;

/// Places that hold stock.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Site {
    /// Open a site, or rename it
    #[command(after_help = "Example: stockledger site open uk --name 'United Kingdom'")]
    Open {
        /// What the site is called in paths, for ever
        site: String,
        /// What people call it
        #[arg(long)]
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// List sites
    #[command(after_help = "Examples:
  stockledger site list
  stockledger site list --format csv --limit 1000")]
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// Show a site
    #[command(after_help = "Example: stockledger site show uk")]
    Show {
        /// The site
        site: String,
        #[command(flatten)]
        server: Server,
    },
    /// Put a remark about a site on record, for whoever audits it
    #[command(after_help = "Example: stockledger site remark uk --note 'stocktaking has begun'")]
    Remark {
        /// The site
        site: String,
        #[command(flatten)]
        said: Said,
    },
}

/// What is counted.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Item {
    /// Describe an item, or describe it anew
    #[command(after_help = "Examples:
  stockledger item put LAMP --name 'Lamp, brass'
  stockledger item put ROPE --name Rope --unit metre")]
    Put {
        /// The SKU
        sku: String,
        /// What people call it
        #[arg(long)]
        name: String,
        /// What a quantity of it counts [default: each]
        #[arg(long)]
        unit: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// List items that were described
    #[command(after_help = "Examples:
  stockledger item list
  stockledger item list --format ndjson --limit 1000000")]
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
    /// Show an item
    #[command(after_help = "Example: stockledger item show 85123A")]
    Show {
        /// The SKU
        sku: String,
        #[command(flatten)]
        server: Server,
    },
    /// List how much of an item each site has
    #[command(after_help = "Example: stockledger item stock 85123A")]
    Stock {
        /// The SKU
        sku: String,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: Server,
    },
}

/// The last of them is no part of a decision's answer.
const SITE: &[&str] = &["site", "name", "partition", "position", "recorded_at"];
/// The last of them is no part of a decision's answer.
const ITEM: &[&str] = &["sku", "name", "unit", "position", "recorded_at"];
const STOCK: &[&str] = &["site", "on_hand", "reserved", "held", "incoming", "available", "position"];

pub(super) async fn site(command: Site, context: &Context) -> Result<(), Failure> {
    let at = |site: &str| format!("/v1/sites/{}", segment(site));
    match command {
        Site::Open { site, name, server } => {
            let opened = put(&server, context, &at(&site), &json!({ "name": name })).await?;
            print_one(context, &opened, &SITE[..4])
        }
        Site::List { limit, server } => show_list("/v1/sites", limit, SITE, &server, context).await,
        Site::Show { site, server } => show_one(&at(&site), SITE, &server, context).await,
        Site::Remark { site, said } => {
            let answer = said.send(context, &format!("{}/notes", at(&site)), json!({})).await?;
            print_one(context, &answer, &["site", "note", "position", "recorded_at"])
        }
    }
}

pub(super) async fn item(command: Item, context: &Context) -> Result<(), Failure> {
    let of = |sku: &str| format!("/v1/items/{}", segment(sku));
    match command {
        Item::Put { sku, name, unit, server } => {
            let mut body = json!({ "name": name });
            if let Some(unit) = unit {
                body["unit"] = unit.into();
            }
            print_one(context, &put(&server, context, &of(&sku), &body).await?, &ITEM[..4])
        }
        Item::List { limit, server } => show_list("/v1/items", limit, ITEM, &server, context).await,
        Item::Show { sku, server } => show_one(&of(&sku), ITEM, &server, context).await,
        Item::Stock { sku, limit, server } => {
            show_list(&format!("/v1/stock/{}", segment(&sku)), limit, STOCK, &server, context).await
        }
    }
}

async fn put(server: &Server, context: &Context, path: &str, body: &Value) -> Result<Value, Failure> {
    decide(server, context, WRITES, &Command { method: Method::PUT, path, key: None, body }).await
}
