//! Having things done: the commands of the HTTP interface, sent to a server or, without one, decided in the local data
//! directory, which then no other process may use.

use axum::http::Method;
use serde_json::{Map, Value, json};
use stockledger_schemas::IdempotencyKey;
use uuid::Uuid;

use super::lines::{Columns, Lines};
use super::output;
use super::show::{members, print_one, print_order, print_rows, row};
use super::source::{Command, Server, decide};
use super::{Context, Exit, Failure};
use crate::config::Roles;
use crate::text::segment;

/// What a node of this process is that decides: read tables show what it decided.
pub(super) const WRITES: Roles = Roles { writer: true, projector: true, api: false };

/// What every command may say.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Said {
    /// Why, such as purchase or damaged; a wrong one is answered with those that there are
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// A remark for people who read the trail
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Makes sure that it happens once however often it is sent [default: a new one, which is shown]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Say what would come of it, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

/// Changes of stock.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Stock {
    /// Receive goods at a site
    #[command(after_help = "Examples:
  stockledger stock receive uk LAMP=10 CHAIR=4 --reason purchase
  stockledger stock receive uk --file delivery.csv --note 'from the harbour'

Columns of the file: sku, quantity.")]
    Receive {
        /// The site
        site: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Correct what is on hand by a difference
    #[command(after_help = "Examples:
  stockledger stock adjust uk LAMP=-2 --reason damaged
  stockledger stock adjust uk --file found.csv --reason found

Columns of the file: sku, delta, expected_on_hand.")]
    Adjust {
        /// The site
        site: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Say what was counted; the difference is booked
    #[command(after_help = "Examples:
  stockledger stock count uk LAMP=7
  stockledger stock count uk --file shelf.csv --reason cycle_count

Columns of the file: sku, counted, at_position, expected_on_hand.")]
    Count {
        /// The site
        site: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Set goods aside, so that nobody is promised them
    #[command(after_help = "Example: stockledger stock hold uk h-1 LAMP=2 --reason quality_control")]
    Hold {
        /// The site
        site: String,
        /// What the hold is called, to release it
        hold_id: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Give goods of a hold free again
    #[command(after_help = "Examples:
  stockledger stock release uk h-1
  stockledger stock release uk h-1 --quantity 1")]
    Release {
        /// The site
        site: String,
        /// The hold
        hold_id: String,
        /// How many [default: all that are left]
        #[arg(long, value_name = "N")]
        quantity: Option<i64>,
        #[command(flatten)]
        said: Said,
    },
}

/// Steps of orders.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Order {
    /// Place an order: all of it is promised, or nothing
    #[command(after_help = "Examples:
  stockledger order place uk o-1001 LAMP=2 CHAIR=1 --customer c-7
  stockledger order place uk o-1002 --file order.csv --currency GBP

Columns of the file: sku, quantity, unit_price_minor.")]
    Place {
        /// The site
        site: String,
        /// What the order is called
        order_id: String,
        /// An opaque id of who ordered
        #[arg(long, value_name = "ID")]
        customer: Option<String>,
        /// The currency of the prices, such as GBP
        #[arg(long, value_name = "CODE")]
        currency: Option<String>,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Ship what is open of an order, or some of it
    #[command(after_help = "Examples:
  stockledger order ship uk o-1001
  stockledger order ship uk o-1001 LAMP=1")]
    Ship {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
    /// Give up what is open of an order
    #[command(after_help = "Example: stockledger order cancel uk o-1001 --reason customer_request")]
    Cancel {
        /// The site
        site: String,
        /// The order
        order_id: String,
        #[command(flatten)]
        said: Said,
    },
    /// Take goods of an order back
    #[command(after_help = "Examples:
  stockledger order return uk o-1001 LAMP=1
  stockledger order return uk o-1001 LAMP=1 --disposition damaged")]
    Return {
        /// The site
        site: String,
        /// The order
        order_id: String,
        /// Whether the goods can be sold again
        #[arg(long, value_name = "WHAT", value_parser = ["restock", "damaged"], default_value = "restock")]
        disposition: String,
        #[command(flatten)]
        lines: Lines,
        #[command(flatten)]
        said: Said,
    },
}

pub(super) async fn stock(command: Stock, context: &Context) -> Result<(), Failure> {
    let at = |site: &str, what: &str| format!("/v1/sites/{}/{what}", segment(site));
    match command {
        Stock::Receive { site, lines, said } => {
            let body = json!({ "lines": lines.require(Columns::only("quantity"))? });
            let answer = said.send(context, &at(&site, "receipts"), body).await?;
            print_change(context, &answer, &["sku", "quantity"])
        }
        Stock::Adjust { site, lines, said } => {
            let columns = Columns { quantity: "delta", numbers: &["expected_on_hand"], words: &[] };
            let body = json!({ "lines": lines.require(columns)? });
            let answer = said.send(context, &at(&site, "adjustments"), body).await?;
            print_change(context, &answer, &["sku", "delta"])
        }
        Stock::Count { site, lines, said } => {
            let columns =
                Columns { quantity: "counted", numbers: &["expected_on_hand"], words: &["at_position"] };
            let body = json!({ "lines": lines.require(columns)? });
            let answer = said.send(context, &at(&site, "counts"), body).await?;
            print_change(context, &answer, &["sku", "counted", "delta"])
        }
        Stock::Hold { site, hold_id, lines, said } => {
            let mut lines = lines.require(Columns::only("quantity"))?;
            let (Some(mut body), true) = (lines.pop(), lines.is_empty()) else {
                return Err(Failure::text(Exit::Usage, "a hold is of one SKU; make one for each"));
            };
            body["hold_id"] = hold_id.into();
            let answer = said.send(context, &at(&site, "holds"), body).await?;
            print_one(context, &answer, HOLD)
        }
        Stock::Release { site, hold_id, quantity, said } => {
            let body = quantity.map_or_else(|| json!({}), |quantity| json!({ "quantity": quantity }));
            let path = at(&site, &format!("holds/{}/release", segment(&hold_id)));
            print_one(context, &said.send(context, &path, body).await?, HOLD)
        }
    }
}

pub(super) async fn order(command: Order, context: &Context) -> Result<(), Failure> {
    let of = |site: &str, order: &str, step: &str| {
        format!("/v1/sites/{}/orders/{}/{step}", segment(site), segment(order))
    };
    let answer = match command {
        Order::Place { site, order_id, customer, currency, lines, said } => {
            let columns = Columns { quantity: "quantity", numbers: &["unit_price_minor"], words: &[] };
            let mut body = json!({ "order_id": order_id, "lines": lines.require(columns)? });
            for (name, value) in [("customer", customer), ("currency", currency)] {
                if let Some(value) = value {
                    body[name] = value.into();
                }
            }
            said.send(context, &format!("/v1/sites/{}/orders", segment(&site)), body).await?
        }
        Order::Ship { site, order_id, lines, said } => {
            let lines = lines.read(Columns::only("quantity"))?;
            let body = if lines.is_empty() { json!({}) } else { json!({ "lines": lines }) };
            said.send(context, &of(&site, &order_id, "shipments"), body).await?
        }
        Order::Cancel { site, order_id, said } => {
            said.send(context, &of(&site, &order_id, "cancellation"), json!({})).await?
        }
        Order::Return { site, order_id, disposition, lines, said } => {
            let columns = Columns { quantity: "quantity", numbers: &[], words: &["disposition"] };
            let mut lines = lines.require(columns)?;
            for line in lines.iter_mut().filter_map(Value::as_object_mut) {
                line.entry("disposition").or_insert_with(|| disposition.as_str().into());
            }
            said.send(context, &of(&site, &order_id, "returns"), json!({ "lines": lines })).await?
        }
    };
    print_order(context, &answer)
}

const HOLD: &[&str] =
    &["hold_id", "site", "sku", "reason", "quantity", "released", "remaining", "status", "position"];

/// The balances after a change of stock.
fn print_change(context: &Context, answer: &Value, columns: &[&str]) -> Result<(), Failure> {
    let after = ["after.on_hand", "after.reserved", "after.held", "after.available"];
    let columns: Vec<&str> = columns.iter().copied().chain(after).collect();
    print_rows(context, answer, members(answer, "lines"), &columns, |line| row(line, &columns))
}

impl Said {
    /// Has a command done, with what was said of it.
    pub(super) async fn send(self, context: &Context, path: &str, mut body: Value) -> Result<Value, Failure> {
        let more = [("reason", self.reason), ("note", self.note)];
        let more = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        if let Some(members) = body.as_object_mut() {
            members.extend(more.collect::<Map<String, Value>>());
        }
        let is_new = self.idempotency_key.is_none();
        let key = self.idempotency_key.unwrap_or_else(|| format!("cli-{}", Uuid::new_v4()));
        let key = IdempotencyKey::new(&key).map_err(|error| Failure::new(Exit::Usage, error))?;
        if self.dry_run {
            output::say("A dry run: nothing is changed.");
        } else if is_new {
            // Before it is sent: whoever loses the answer still has the key.
            output::say(format!(
                "Idempotency key {}; to repeat this very command: --idempotency-key",
                key.as_str()
            ));
        }
        let is_dry_run = self.dry_run;
        let command = Command { method: Method::POST, path, key: Some(&key), body: &body, is_dry_run };
        decide(&self.server, context, WRITES, &command).await
    }
}
