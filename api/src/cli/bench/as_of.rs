//! What a stock level of the past costs, against one of the present: through the queries alone, without HTTP.

use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::json;
use stockledger_projections::views::KnownSite;
use stockledger_projections::{Point, Queries, Then};
use stockledger_schemas::{Sku, Timestamp};

use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};
use crate::storage::{self, Access};
use crate::text::thousands;

/// Items that are asked for, of all sites together.
const ITEMS_MAX: usize = 20_000;
/// Sites and levels that one statement lists.
const PAGE: u32 = 500;
/// Questions before those that count.
const WARM_UP: u64 = 500;

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Questions of each kind
    #[arg(long, default_value_t = 5_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    questions: u64,
    /// Where the choice of items and instants begins
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

/// Something to ask for, and the time in which there was something to tell of it.
struct Item {
    known: KnownSite,
    sku: Sku,
    last: Timestamp,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let store = storage::open_store(&context.settings, Access::Read).await?;
    let queries = Queries::new(store.clone(), None);
    let measured = measure(&queries, &args).await;
    store.close().await;
    let (items, now, then) = measured?;
    print(context, items, &now, &then)
}

/// The questions alternate, so that both kinds meet the same caches and the same neighbours.
async fn measure(queries: &Queries, args: &Args) -> Result<(usize, Histogram<u64>, Histogram<u64>), Failure> {
    let failed = |error| Failure::new(Exit::Failed, error);
    let mut random = Random(args.seed);
    let items = items(queries).await?;
    let Some(first) = first_instant(queries, &items).await? else {
        return Err(Failure::text(Exit::Failed, "the ledger has no stock to ask for"));
    };
    let mut kinds = [histogram()?, histogram()?];
    for number in 0..2 * (WARM_UP + args.questions) {
        let item = &items[random.below(items.len())];
        let begun;
        if number % 2 == 0 {
            begun = Instant::now();
            queries.stock_level(&item.known, &item.sku).await.map_err(failed)?;
        } else {
            let point = Point::Instant(random.between(first, item.last));
            begun = Instant::now();
            queries.stock_level_then(&item.known, &item.sku, Then::Recorded(point)).await.map_err(failed)?;
        }
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if number >= 2 * WARM_UP {
            let failed = |error| Failure::new(Exit::Failed, error);
            kinds[usize::from(number % 2 == 1)].record(nanos).map_err(failed)?;
        }
    }
    let [now, then] = kinds;
    Ok((items.len(), now, then))
}

/// Levels of every site, until there are enough.
async fn items(queries: &Queries) -> Result<Vec<Item>, Failure> {
    let failed = |error| Failure::new(Exit::Failed, error);
    let mut items = Vec::new();
    let mut after_site = None;
    loop {
        let sites = queries.sites(after_site.as_ref(), PAGE).await.map_err(failed)?.value;
        for site in sites.data {
            let known = KnownSite { site: site.site, partition: site.partition };
            let mut after = None;
            loop {
                let levels = queries.stock_levels(&known, after.as_ref(), PAGE).await.map_err(failed)?;
                if let Some(last) = levels.at.as_of {
                    let item = |sku| Item { known: known.clone(), sku, last };
                    items.extend(levels.value.data.into_iter().map(|level| item(level.sku)));
                }
                after = levels.value.next;
                if after.is_none() || items.len() >= ITEMS_MAX {
                    break;
                }
            }
        }
        after_site = sites.next;
        if after_site.is_none() || items.len() >= ITEMS_MAX {
            return Ok(items);
        }
    }
}

/// When the first movement of some item was recorded; nothing without items.
async fn first_instant(queries: &Queries, items: &[Item]) -> Result<Option<Timestamp>, Failure> {
    let failed = |error| Failure::new(Exit::Failed, error);
    let Some(Item { known, sku, last }) = items.first() else { return Ok(None) };
    let oldest = stockledger_projections::Direction::OldestFirst;
    let all = stockledger_projections::MovementFilter::default();
    let movements = queries.movements((known, sku), &all, oldest, None, 1).await.map_err(failed)?;
    Ok(Some(movements.value.data.first().map_or(*last, |movement| movement.recorded_at)))
}

fn histogram() -> Result<Histogram<u64>, Failure> {
    Histogram::new(3).map_err(|error| Failure::new(Exit::Failed, error))
}

fn print(
    context: &Context,
    items: usize,
    now: &Histogram<u64>,
    then: &Histogram<u64>,
) -> Result<(), Failure> {
    let p50 = |kind: &Histogram<u64>| kind.value_at_quantile(0.5) as f64 / 1_000.0;
    let p99 = |kind: &Histogram<u64>| kind.value_at_quantile(0.99) as f64 / 1_000.0;
    let ratio = p50(then) / p50(now);
    if context.format() == Format::Json {
        let figures = |kind| json!({ "p50_us": p50(kind), "p99_us": p99(kind) });
        let figures = json!({
            "items": items, "questions": now.len(), "now": figures(now), "then": figures(then), "p50_ratio": ratio,
        });
        return Ok(output::json(&figures)?);
    }
    let row =
        |what: &str, kind| vec![what.to_owned(), format!("{:.1}", p50(kind)), format!("{:.1}", p99(kind))];
    let rows = [row("as it is", now), row("as of a random instant", then)];
    output::table(&["one stock level", "p50 us", "p99 us"], &rows)?;
    Ok(output::line(format_args!(
        "Of {} items, {} questions of each kind: p50 of the past is {ratio:.2} times that of the present.",
        thousands(i128::try_from(items).unwrap_or(i128::MAX)),
        thousands(now.len()),
    ))?)
}

/// Numbers that look like chance and come again with the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn between(&mut self, first: Timestamp, last: Timestamp) -> Timestamp {
        let span = u64::try_from(last.micros().saturating_sub(first.micros())).unwrap_or(0);
        let after = i64::try_from(self.next() % span.max(1)).unwrap_or(0);
        Timestamp::from_micros(first.micros().saturating_add(after)).unwrap_or(last)
    }
}
