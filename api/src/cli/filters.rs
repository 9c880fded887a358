//! What lists are asked about: the parameters of the HTTP interface as options.

use crate::text::segment;

/// The name of a parameter and its value, if it is given.
pub(super) type Parameter<'a> = (&'static str, Option<&'a str>);

/// A path with those of the parameters that are given.
pub(super) fn asked<'a>(path: &str, parameters: impl IntoIterator<Item = Parameter<'a>>) -> String {
    let given = parameters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", segment(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// Which stock levels.
#[derive(Debug, clap::Args)]
pub(super) struct LevelFilter {
    /// Only those of which fewer are on hand
    #[arg(long, value_name = "N")]
    below: Option<String>,
    /// Only those of which fewer are available
    #[arg(long, value_name = "N")]
    available_lt: Option<String>,
    /// Only those whose SKU begins like this
    #[arg(long, value_name = "TEXT")]
    sku_prefix: Option<String>,
    /// Sort by sku, on_hand or available; with a minus in front, the largest first
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
}

impl LevelFilter {
    pub(super) fn parameters(&self) -> [Parameter<'_>; 4] {
        [
            ("below", self.below.as_deref()),
            ("available_lt", self.available_lt.as_deref()),
            ("sku_prefix", self.sku_prefix.as_deref()),
            ("sort", self.sort.as_deref()),
        ]
    }
}

/// Of when, and which end comes first.
#[derive(Debug, clap::Args)]
struct Period {
    /// From this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The oldest first instead of the newest
    #[arg(long)]
    oldest_first: bool,
}

impl Period {
    fn parameters(&self) -> [Parameter<'_>; 3] {
        let first = self.oldest_first.then_some("oldest");
        [("from", self.from.as_deref()), ("to", self.to.as_deref()), ("first", first)]
    }
}

/// Which orders.
#[derive(Debug, clap::Args)]
pub(super) struct OrderFilter {
    /// Only those that stand like this, such as placed or refused
    #[arg(long)]
    status: Option<String>,
    /// Only those of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only those with this SKU
    #[arg(long)]
    sku: Option<String>,
    #[command(flatten)]
    period: Period,
}

impl OrderFilter {
    pub(super) fn parameters(&self) -> impl Iterator<Item = Parameter<'_>> {
        let own = [
            ("status", self.status.as_deref()),
            ("customer", self.customer.as_deref()),
            ("sku", self.sku.as_deref()),
        ];
        own.into_iter().chain(self.period.parameters())
    }
}

/// Which movements.
#[derive(Debug, clap::Args)]
pub(super) struct MovementFilter {
    /// Only those of this type, such as stock_received
    #[arg(long)]
    r#type: Option<String>,
    /// Only those for this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only those by this actor
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    #[command(flatten)]
    period: Period,
}

impl MovementFilter {
    pub(super) fn parameters(&self) -> impl Iterator<Item = Parameter<'_>> {
        let own = [
            ("type", self.r#type.as_deref()),
            ("reason", self.reason.as_deref()),
            ("actor", self.actor.as_deref()),
        ];
        own.into_iter().chain(self.period.parameters())
    }
}
