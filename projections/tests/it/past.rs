//! What answers about the past are held against: a fold that stops there, and the sums of what had happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{Strategy, any, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use stockledger_projections::fold::fold;
use stockledger_projections::rebuild::replay_into;
use stockledger_projections::rows::{OrderRow, StockRow};
use stockledger_projections::views::{KnownSite, PastOrder, StockLevel};
use stockledger_projections::{Axis, Changes, Point, Queries, Store, Then, View, lines};
use stockledger_schemas::{Decision, Event, HoldReason, OrderId, PartitionId, Scope, SiteId, Sku, Timestamp};

use crate::common::{Ledger, now, order, replay};
use crate::random::{SITES, SKUS, any_command, ledger_with_sites};

/// Orders of a random ledger.
const ORDERS: u8 = 60;

/// A ledger of so many decisions by chance, the same on every run, and its decisions. Some were recorded at the instant
/// of the one before; with `late`, most happened at other times than they were recorded at.
pub(crate) fn random_ledger(count: usize, late: bool) -> (Ledger, Vec<Decision>) {
    let mut runner = TestRunner::deterministic();
    let step = (0..SITES.len(), any_command(ORDERS), 0..10_u8, prop::option::of(0..2_000_000_i64));
    let steps = prop::collection::vec(step, count).new_tree(&mut runner).unwrap().current();
    let mut ledger = ledger_with_sites(2);
    let run = |(site, command, pause, occurred): (usize, _, u8, Option<i64>)| {
        if pause == 0 {
            ledger.stop_clock_once();
        }
        match occurred.filter(|_| late) {
            Some(micros) => ledger.run_late(SITES[site], command, instant(micros)),
            None => ledger.run(SITES[site], command),
        }
    };
    let decisions = steps.into_iter().map(run).collect();
    (ledger, decisions)
}

/// So long after the clock of a test ledger began.
fn instant(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000_000_000 + micros).unwrap()
}

/// What a fold of some decisions leaves behind.
#[derive(Default)]
struct Folded {
    stock: BTreeMap<(SiteId, Sku), StockRow>,
    orders: BTreeMap<(SiteId, OrderId), OrderRow>,
}

impl Folded {
    fn take(&mut self, changes: Changes) {
        self.stock.extend(changes.stock.into_iter().map(|row| ((row.site.clone(), row.sku.clone()), row)));
        self.orders
            .extend(changes.orders.into_iter().map(|row| ((row.site.clone(), row.order_id.clone()), row)));
    }

    fn levels(&self, site: &SiteId) -> Vec<Value> {
        self.stock.values().filter(|row| row.site == *site).map(level_of_row).collect()
    }

    fn order(&self, site: &SiteId, order_id: &OrderId, partition: PartitionId) -> Option<Value> {
        let row = self.orders.get(&(site.clone(), order_id.clone()))?;
        Some(json!({
            "site": row.site, "order_id": row.order_id, "status": row.status, "customer": row.customer,
            "currency": row.currency, "lines": lines::from_text(&row.lines).unwrap(), "placed_at": row.placed_at,
            "occurred_at": row.occurred_at, "position": format!("{partition}.{}", row.seq),
        }))
    }
}

fn level_of_row(row: &StockRow) -> Value {
    let [damaged, quality_control, safety_stock, other] = row.held;
    balances(&row.sku, row.on_hand, row.reserved, [damaged, quality_control, safety_stock, other])
}

fn balances(sku: &Sku, on_hand: i64, reserved: i64, held: [i64; 4]) -> Value {
    let sum: i64 = held.iter().sum();
    let [damaged, quality_control, safety_stock, other] = held;
    json!({
        "sku": sku, "on_hand": on_hand, "reserved": reserved, "held": sum, "available": on_hand - reserved - sum,
        "held_by_reason": {
            "damaged": damaged, "quality_control": quality_control, "safety_stock": safety_stock, "other": other,
        },
    })
}

fn level_of_answer(level: &StockLevel) -> Value {
    let mut value = json!(level);
    let members = value.as_object_mut().unwrap();
    for member in ["site", "incoming", "position", "as_of"] {
        members.remove(member).unwrap();
    }
    value
}

pub(crate) async fn projected(ledger: &Ledger, store: &Arc<dyn Store>) -> Queries {
    let version = stockledger_projections::projector::ensure_active(&**store, now()).await;
    replay_into(&replay(ledger.log(), store), version.unwrap()).await.unwrap();
    Queries::new(Arc::clone(store), None)
}

async fn known(queries: &Queries, site: &SiteId) -> KnownSite {
    queries.site(site).await.unwrap().unwrap()
}

/// Compares all answers about a site at one moment with a fold that stopped there.
async fn assert_as_folded(queries: &Queries, known: &KnownSite, folded: &Folded, point: Point, which: usize) {
    let then = Then::Recorded(point);
    let levels = queries.stock_levels_then(known, then, None, None, 500).await.unwrap().value.data;
    let found: Vec<Value> = levels.iter().map(level_of_answer).collect();
    assert_eq!(found, folded.levels(&known.site), "{} {point:?}", known.site);
    let sku: Sku = SKUS[which % SKUS.len()].parse().unwrap();
    let level = queries.stock_level_then(known, &sku, then).await.unwrap();
    let expected = match folded.stock.get(&(known.site.clone(), sku.clone())) {
        Some(row) => level_of_row(row),
        None => balances(&sku, 0, 0, [0; 4]),
    };
    assert_eq!(level.as_ref().map(level_of_answer), Some(expected), "{} {sku} {point:?}", known.site);
    let order_id = order(&format!("o-{}", which % usize::from(ORDERS)));
    let Some(answer) = queries.order_then(known, &order_id, then).await.unwrap() else {
        assert_eq!(queries.order(known, &order_id).await.unwrap(), None);
        return;
    };
    match folded.order(&known.site, &order_id, known.partition) {
        Some(expected) => assert_eq!(json!(answer.value), expected, "{} {point:?}", known.site),
        None => assert!(matches!(answer.value, PastOrder::NotYet(_)), "{answer:?} {point:?}"),
    }
}

/// For so many moments by chance, as positions and as instants, everything that is asked is as a fold gives it that
/// stopped there.
pub(crate) async fn answers_are_those_of_a_fold_that_stopped_there(
    store: Arc<dyn Store>,
    decisions: usize,
    moments: usize,
) {
    let (ledger, decided) = random_ledger(decisions, false);
    let queries = projected(&ledger, &store).await;
    let mut runner = TestRunner::deterministic();
    let picks = prop::collection::vec((0..decided.len(), any::<usize>()), moments);
    let mut picks = picks.new_tree(&mut runner).unwrap().current();
    picks.sort_unstable();
    let mut views = [0, 1].map(|partition| View::of_nothing(PartitionId(partition)));
    let mut folded = Folded::default();
    let mut next = 0;
    for (index, which) in picks {
        for decision in &decided[next..=index] {
            let Scope::Site(site) = &decision.scope else { panic!() };
            let view = &mut views[usize::from(ledger.home(site.as_str()).0)];
            fold(view, decision).unwrap();
            folded.take(view.take_changes());
        }
        next = index + 1;
        let decision = &decided[index];
        let Scope::Site(site) = &decision.scope else { panic!() };
        let known = known(&queries, site).await;
        assert_as_folded(&queries, &known, &folded, Point::Seq(decision.seq), which).await;
        let is_last_of_instant =
            decided.get(next).is_none_or(|following| following.recorded_at > decision.recorded_at);
        if is_last_of_instant {
            let instant = decision.recorded_at.micros() + i64::try_from(which % 1_000).unwrap();
            let instant = Timestamp::from_micros(instant).unwrap();
            assert_as_folded(&queries, &known, &folded, Point::Instant(instant), which).await;
        }
    }
}

/// What moved until an instant, summed up from the events alone.
fn occurred(decisions: &[Decision], site: &SiteId, until: Timestamp) -> BTreeMap<Sku, (i64, i64, [i64; 4])> {
    let mut levels: BTreeMap<Sku, (i64, i64, [i64; 4])> = BTreeMap::new();
    let of_site = |decision: &&Decision| decision.scope == Scope::Site(site.clone());
    for decision in decisions.iter().filter(of_site).filter(|decision| decision.occurred_at() <= until) {
        let mut add = |sku: &Sku, on_hand: i64, reserved: i64, held: Option<(HoldReason, i64)>| {
            let level = levels.entry(sku.clone()).or_default();
            level.0 += on_hand;
            level.1 += reserved;
            if let Some((reason, quantity)) = held {
                level.2[reason.index()] += quantity;
            }
        };
        match &decision.events[0] {
            Event::StockReceived(event) => {
                event.lines.iter().for_each(|line| add(&line.sku, line.quantity.get(), 0, None));
            }
            Event::StockAdjusted(event) => {
                event.lines.iter().for_each(|line| add(&line.sku, line.delta.get(), 0, None));
            }
            Event::StockCounted(event) => {
                event.lines.iter().for_each(|line| add(&line.sku, line.delta.get(), 0, None));
            }
            Event::StockHeld(event) => add(&event.sku, 0, 0, Some((event.reason, event.quantity.get()))),
            Event::HoldReleased(event) => add(&event.sku, 0, 0, Some((event.reason, -event.quantity.get()))),
            Event::OrderPlaced(event) => {
                event.lines.iter().for_each(|line| add(&line.sku, 0, line.quantity.get(), None));
            }
            Event::OrderShipped(event) => event.moves.iter().for_each(|moved| {
                let (line, quantity) = (&event.order.lines[usize::from(moved.line)], moved.quantity.get());
                add(&line.sku, -quantity, -quantity, None);
            }),
            Event::OrderCancelled(event) => event.moves.iter().for_each(|moved| {
                add(&event.order.lines[usize::from(moved.line)].sku, 0, -moved.quantity.get(), None);
            }),
            Event::OrderReturned(event) => event.moves.iter().for_each(|moved| {
                let (line, quantity) = (&event.order.lines[usize::from(moved.line)], moved.quantity.get());
                let damaged = moved.disposition == stockledger_schemas::Disposition::Damaged;
                add(&line.sku, quantity, 0, damaged.then_some((HoldReason::Damaged, quantity)));
            }),
            _ => {}
        }
    }
    levels
}

pub(crate) async fn sums_by_occurrence_are_those_of_the_events(
    store: Arc<dyn Store>,
    decisions: usize,
    instants: i64,
) {
    let (ledger, decided) = random_ledger(decisions, true);
    let queries = projected(&ledger, &store).await;
    for number in 0..instants {
        let until = instant(2_100_000 * number / instants - 50_000);
        let then = Then::Occurred(until);
        let site = SiteId::new(SITES[usize::try_from(number).unwrap() % SITES.len()]).unwrap();
        let known = known(&queries, &site).await;
        let expected = occurred(&decided, &site, until);
        for sku in SKUS.map(|sku| sku.parse::<Sku>().unwrap()) {
            let (on_hand, reserved, held) = expected.get(&sku).copied().unwrap_or_default();
            let level = queries.stock_level_then(&known, &sku, then).await.unwrap().unwrap();
            assert_eq!(level_of_answer(&level), balances(&sku, on_hand, reserved, held), "{site} {until}");
        }
        let levels = queries.stock_levels_then(&known, then, None, None, 500).await.unwrap().value.data;
        let found: BTreeMap<Sku, Value> =
            levels.iter().map(|level| (level.sku.clone(), level_of_answer(level))).collect();
        for (sku, (on_hand, reserved, held)) in expected {
            assert_eq!(found[&sku], balances(&sku, on_hand, reserved, held), "{site} {until}");
        }
        for (sku, level) in &found {
            let everywhere =
                queries.stock_of_item_then(sku, (Axis::Occurred, until), None, None, 500).await.unwrap().0;
            let here = everywhere.data.iter().find(|level| level.site == site).unwrap();
            assert_eq!(level_of_answer(here), *level);
        }
    }
}
