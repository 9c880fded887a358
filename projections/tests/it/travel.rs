//! The rules of time travel, each on a history of its own.

use std::sync::Arc;

use serde_json::{Value, json};
use stockledger_projections::rebuild::replay_into;
use stockledger_projections::views::{KnownSite, PastOrder};
use stockledger_projections::{Axis, Point, Queries, Then};
use stockledger_schemas::{Disposition, HoldReason, SiteId, Timestamp};

use crate::common::{
    Ledger, TestStore, cancel, hold, id, order, place, receive, release, replay, ship, take_back,
};
use crate::past;

/// Tables that are brought level with a ledger as often as it is asked for.
struct Tables {
    ledger: Ledger,
    store: TestStore,
    queries: Queries,
}

impl Tables {
    async fn of(ledger: Ledger) -> Self {
        let store = TestStore::new().await;
        let queries = Queries::new(Arc::clone(&store.store), None);
        let tables = Self { ledger, store, queries };
        tables.catch_up().await;
        tables
    }

    async fn catch_up(&self) {
        let active = self.store.active().await;
        replay_into(&replay(self.ledger.log(), &self.store.store), active).await.unwrap();
    }

    async fn known(&self, site: &str) -> KnownSite {
        self.queries.site(&SiteId::new(site).unwrap()).await.unwrap().unwrap()
    }

    async fn on_hand(&self, site: &str, sku: &str, then: Then) -> i64 {
        let known = self.known(site).await;
        self.queries.stock_level_then(&known, &id(sku), then).await.unwrap().unwrap().on_hand
    }

    async fn order_then(&self, order_id: &str, then: Then) -> Value {
        let known = self.known("shop").await;
        let found = self.queries.order_then(&known, &order(order_id), then).await.unwrap();
        json!(found.unwrap().value)
    }
}

fn micros(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn at(instant: Timestamp) -> Then {
    Then::Recorded(Point::Instant(instant))
}

fn at_seq(seq: u64) -> Then {
    Then::Recorded(Point::Seq(seq))
}

fn shop() -> Ledger {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_event_there_is_nothing() {
    let mut ledger = shop();
    let first = ledger.run("shop", receive(&[("A", 10)]));
    ledger.run("shop", place("o-1", &[("A", 1)]));
    let tables = Tables::of(ledger).await;
    let known = tables.known("shop").await;
    let before =
        [at(Timestamp::MIN), at_seq(0), at(micros(first.recorded_at.micros() - 1)), at_seq(first.seq - 1)];
    for then in before {
        let level = tables.queries.stock_level_then(&known, &id("A"), then).await.unwrap().unwrap();
        assert_eq!((level.on_hand, level.reserved, level.available), (0, 0, 0), "{then:?}");
        let list = tables.queries.stock_levels_then(&known, then, None, None, 50).await.unwrap();
        assert_eq!(list.value.data, [], "{then:?}");
        assert_eq!(list.at, level.at);
        let found = tables.queries.order_then(&known, &order("o-1"), then).await.unwrap().unwrap();
        assert!(matches!(found.value, PastOrder::NotYet(_)), "{then:?}");
        assert_eq!(tables.queries.stock_level_then(&known, &id("never"), then).await.unwrap(), None);
        assert_eq!(tables.queries.order_then(&known, &order("never"), then).await.unwrap(), None);
    }
    let beginning = tables.queries.stock_level_then(&known, &id("A"), before[0]).await.unwrap().unwrap();
    assert_eq!((beginning.at.position.seq, beginning.at.as_of), (0, None));
    let occurred = Then::Occurred(micros(first.recorded_at.micros() - 1));
    assert_eq!(tables.on_hand("shop", "A", occurred).await, 0);
    let list = tables.queries.stock_levels_then(&known, occurred, None, None, 50).await.unwrap();
    assert_eq!(list.value.data, []);
    let item = (Axis::Recorded, Timestamp::MIN);
    let (everywhere, _) = tables.queries.stock_of_item_then(&id("A"), item, None, None, 50).await.unwrap();
    assert_eq!(everywhere.data, []);
    assert_eq!(
        tables.order_then("o-1", at_seq(0)).await,
        json!({"site": "shop", "order_id": "o-1", "status": null, "customer": null, "currency": null, "lines": [],
               "placed_at": null, "occurred_at": null, "position": null})
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_future_is_the_present_and_says_so() {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    ledger.open_site("other");
    ledger.run("shop", receive(&[("A", 10)]));
    ledger.run("shop", hold("h", "A", 3, HoldReason::Damaged));
    ledger.run("shop", place("o-1", &[("A", 1)]));
    let last = ledger.run("other", receive(&[("A", 5)]));
    let tables = Tables::of(ledger).await;
    let known = tables.known("shop").await;
    let now = tables.queries.stock_level(&known, &id("A")).await.unwrap();
    assert_eq!(now.as_ref().map(|level| level.at.position.seq), Some(last.seq));
    for then in [at(Timestamp::MAX), at(last.recorded_at), at_seq(last.seq), at_seq(u64::MAX)] {
        assert_eq!(tables.queries.stock_level_then(&known, &id("A"), then).await.unwrap(), now, "{then:?}");
        let levels = tables.queries.stock_levels_then(&known, then, None, None, 50).await.unwrap();
        assert_eq!(levels, tables.queries.stock_levels(&known, None, 50).await.unwrap(), "{then:?}");
        let found = tables.queries.order_then(&known, &order("o-1"), then).await.unwrap().unwrap();
        let expected = tables.queries.order(&known, &order("o-1")).await.unwrap().unwrap();
        assert_eq!((found.at, json!(found.value)), (expected.at, json!(expected.value)), "{then:?}");
    }
    let future = (Axis::Recorded, Timestamp::MAX);
    let (everywhere, _) = tables.queries.stock_of_item_then(&id("A"), future, None, None, 50).await.unwrap();
    assert_eq!(everywhere, tables.queries.stock_of_item(&id("A"), None, 50).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instant_stands_for_the_last_decision_recorded_by_then() {
    let mut ledger = shop();
    ledger.open_site("other");
    let first = ledger.run("shop", receive(&[("A", 1)]));
    ledger.stop_clock_once();
    let second = ledger.run("shop", receive(&[("A", 2)]));
    ledger.run("other", receive(&[("A", 100)]));
    let third = ledger.run("shop", receive(&[("A", 4)]));
    ledger.run("shop", receive(&[("A", 8)]));
    let tables = Tables::of(ledger).await;
    let known = tables.known("shop").await;
    assert_eq!(first.recorded_at, second.recorded_at);
    let just_before = micros(third.recorded_at.micros() - 1);
    for (instant, on_hand, seq) in
        [(second.recorded_at, 3, second.seq), (just_before, 3, second.seq), (third.recorded_at, 7, third.seq)]
    {
        let level = tables.queries.stock_level_then(&known, &id("A"), at(instant)).await.unwrap().unwrap();
        assert_eq!((level.on_hand, level.at.position.seq), (on_hand, seq), "{instant}");
        let recorded_at = if seq == third.seq { third.recorded_at } else { second.recorded_at };
        assert_eq!(level.at.as_of, Some(recorded_at));
    }
    // Between two decisions of one instant only a position tells.
    assert_eq!(tables.on_hand("shop", "A", at_seq(first.seq)).await, 1);
    // A position of another site of the partition is one of this site too.
    let level =
        tables.queries.stock_level_then(&known, &id("A"), at_seq(third.seq - 1)).await.unwrap().unwrap();
    assert_eq!((level.on_hand, level.at.position.seq), (3, third.seq - 1));
    assert_eq!(level.at.as_of, Some(second.recorded_at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_fact_is_on_one_axis_and_not_on_the_other() {
    let mut ledger = shop();
    let monday = ledger.run("shop", receive(&[("A", 10)]));
    let tuesday = micros(monday.recorded_at.micros() + 500);
    let wednesday = ledger.run("shop", receive(&[("A", 1)]));
    let tables = Tables::of(ledger).await;
    assert_eq!(tables.on_hand("shop", "A", Then::Occurred(tuesday)).await, 10);
    let mut tables = tables;
    tables.ledger.run_late("shop", receive(&[("A", 5)]), tuesday);
    tables.catch_up().await;
    assert_eq!(tables.on_hand("shop", "A", at(tuesday)).await, 10);
    assert_eq!(tables.on_hand("shop", "A", at(wednesday.recorded_at)).await, 11);
    assert_eq!(tables.on_hand("shop", "A", Then::Occurred(tuesday)).await, 15);
    assert_eq!(tables.on_hand("shop", "A", Then::Occurred(micros(tuesday.micros() - 1))).await, 10);
    assert_eq!(tables.on_hand("shop", "A", Then::Occurred(wednesday.recorded_at)).await, 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_that_left_before_they_came_are_negative_by_occurrence_only() {
    let mut ledger = shop();
    let received = ledger.run("shop", receive(&[("A", 10)]));
    ledger.run("shop", place("o-1", &[("A", 4)]));
    ledger.run_late("shop", ship("o-1", None), micros(received.recorded_at.micros() - 100));
    let tables = Tables::of(ledger).await;
    let known = tables.known("shop").await;
    let then = Then::Occurred(micros(received.recorded_at.micros() - 50));
    let level = tables.queries.stock_level_then(&known, &id("A"), then).await.unwrap().unwrap();
    assert_eq!((level.on_hand, level.reserved, level.available), (-4, -4, 0));
    // What had not been placed yet is not there, though goods of it had left.
    assert_eq!(tables.order_then("o-1", then).await["status"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_in_which_facts_are_recorded_does_not_matter_by_occurrence() {
    let facts = || {
        let mut facts = vec![receive(&[("A", 1_000), ("B", 1_000)])];
        for number in 0..20 {
            let order_id = format!("o-{number}");
            facts.push(place(&order_id, &[("A", 1 + number), ("B", 2)]));
            facts.push(ship(&order_id, Some(&[("A", 1)])));
            facts.push(hold(
                &format!("h-{number}"),
                "B",
                1 + number,
                HoldReason::ALL[3 - usize::try_from(number).unwrap() % 4],
            ));
            facts.push(if number % 2 == 0 {
                cancel(&order_id)
            } else {
                take_back(&order_id, "A", 1, Disposition::Damaged)
            });
            facts.push(release(&format!("h-{number}"), 1));
        }
        facts.into_iter().zip(0..).map(|(fact, number)| (micros(1_000 * number), fact))
    };
    let mut in_order = shop();
    facts().for_each(|(when, fact)| drop(in_order.run_late("shop", fact, when)));
    // Each order with its hold is recorded whole, and the orders from last to first.
    let mut facts: Vec<_> = facts().collect();
    let mut shuffled = shop();
    let (when, first) = facts.remove(0);
    shuffled.run_late("shop", first, when);
    for steps in facts.chunks(5).rev() {
        steps.iter().for_each(|(when, fact)| drop(shuffled.run_late("shop", fact.clone(), *when)));
    }
    let (in_order, shuffled) = (Tables::of(in_order).await, Tables::of(shuffled).await);
    let known = in_order.known("shop").await;
    let mut last = Vec::new();
    for number in -1..101 {
        let then = Then::Occurred(micros(1_000 * number));
        let mut answers = Vec::new();
        for tables in [&in_order, &shuffled] {
            let levels = tables.queries.stock_levels_then(&known, then, None, None, 50).await.unwrap().value;
            let levels: Vec<_> = levels
                .data
                .iter()
                .map(|level| (level.sku.to_string(), level.on_hand, level.reserved, level.held_by_reason))
                .collect();
            let mut orders = Vec::new();
            for number in 0..20 {
                let order = tables.order_then(&format!("o-{number}"), then).await;
                orders.push((order["status"].clone(), order["lines"].clone()));
            }
            answers.push((levels, orders));
        }
        assert_eq!(answers[0], answers[1], "{number}");
        assert!(number < 0 || answers[0].0 != last, "{number}");
        last.clone_from(&answers[0].0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_an_order_is_seen_as_of_then() {
    let mut ledger = shop();
    ledger.run("shop", receive(&[("A", 10), ("B", 1)]));
    let refused = ledger.run("shop", place("o-1", &[("A", 11), ("C", 2)]));
    let again = ledger.run("shop", place("o-1", &[("B", 2)]));
    let placed = ledger.run("shop", place("o-1", &[("A", 4), ("B", 1)]));
    let shipped = ledger.run("shop", ship("o-1", Some(&[("A", 3)])));
    let denied = ledger.run("shop", ship("o-1", Some(&[("A", 30)])));
    let cancelled = ledger.run("shop", cancel("o-1"));
    let returned = ledger.run("shop", take_back("o-1", "A", 2, Disposition::Restock));
    let tables = Tables::of(ledger).await;
    let seen = [
        (refused.seq, "refused", refused.seq, json!([["A", 11, 0, 0, 0], ["C", 2, 0, 0, 0]])),
        (again.seq, "refused", again.seq, json!([["B", 2, 0, 0, 0]])),
        (placed.seq, "placed", placed.seq, json!([["A", 4, 0, 0, 0], ["B", 1, 0, 0, 0]])),
        (shipped.seq, "partially_shipped", shipped.seq, json!([["A", 4, 3, 0, 0], ["B", 1, 0, 0, 0]])),
        (denied.seq, "partially_shipped", shipped.seq, json!([["A", 4, 3, 0, 0], ["B", 1, 0, 0, 0]])),
        (cancelled.seq, "shipped", cancelled.seq, json!([["A", 4, 3, 1, 0], ["B", 1, 0, 1, 0]])),
        (returned.seq, "shipped", returned.seq, json!([["A", 4, 3, 1, 2], ["B", 1, 0, 1, 0]])),
    ];
    for (seq, status, position, lines) in seen {
        let found = tables.order_then("o-1", at_seq(seq)).await;
        let line = |line: &Value| {
            json!([line["sku"], line["ordered"], line["shipped"], line["cancelled"], line["returned"]])
        };
        let found_lines: Vec<Value> = found["lines"].as_array().unwrap().iter().map(line).collect();
        assert_eq!((&found["status"], json!(found_lines)), (&json!(status), lines), "{seq}");
        assert_eq!(found["position"], format!("0.{position}"), "{seq}");
        assert_eq!(
            (&found["customer"], &found["lines"][0]["unit_price_minor"]),
            (&json!("c-1"), &json!(250))
        );
    }
    let found = tables.order_then("o-1", at_seq(again.seq)).await;
    assert_eq!(found["placed_at"], json!(again.recorded_at));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_site_are_of_one_state_whatever_is_recorded_meanwhile() {
    let mut ledger = shop();
    ledger.run("shop", receive(&[("A", 1), ("B", 1), ("D", 1)]));
    let mut tables = Tables::of(ledger).await;
    let known = tables.known("shop").await;
    for then in [at(Timestamp::MAX), Then::Occurred(Timestamp::MAX)] {
        let whole = tables.queries.stock_levels_then(&known, then, None, None, 50).await.unwrap();
        let first = tables.queries.stock_levels_then(&known, then, None, None, 1).await.unwrap();
        tables.ledger.run("shop", receive(&[("A", 100), ("B", 100), ("C", 100), ("D", 100)]));
        tables.catch_up().await;
        let after = first.value.next.clone();
        let kept = Some(first.at.clone());
        let rest = tables.queries.stock_levels_then(&known, then, kept, after.as_ref(), 50).await.unwrap();
        assert_eq!(rest.at, first.at);
        let paged: Vec<_> = first.value.data.into_iter().chain(rest.value.data).collect();
        assert_eq!(paged, whole.value.data, "{then:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_an_item_are_of_one_state_whatever_is_recorded_meanwhile() {
    let sites = ["a", "b", "c", "d", "e"];
    for axis in [Axis::Recorded, Axis::Occurred] {
        let mut ledger = Ledger::new(3);
        for site in sites {
            ledger.open_site(site);
            ledger.run(site, receive(&[("A", 1)]));
        }
        ledger.open_site("bb");
        let mut tables = Tables::of(ledger).await;
        let then = (axis, Timestamp::MAX);
        let (whole, _) = tables.queries.stock_of_item_then(&id("A"), then, None, None, 50).await.unwrap();
        let (first, kept) = tables.queries.stock_of_item_then(&id("A"), then, None, None, 2).await.unwrap();
        for site in sites.into_iter().chain(["bb"]) {
            tables.ledger.run(site, receive(&[("A", 100)]));
        }
        tables.catch_up().await;
        assert_eq!(tables.queries.stock_of_item(&id("A"), None, 50).await.unwrap().data.len(), 6);
        let after = first.next.as_ref();
        let rest = tables.queries.stock_of_item_then(&id("A"), then, Some(kept), after, 50).await.unwrap();
        let paged: Vec<_> = first.data.into_iter().chain(rest.0.data).collect();
        assert_eq!((paged.len(), paged), (5, whole.data), "{axis:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_listed_at_the_sites_that_had_seen_it() {
    let mut ledger = Ledger::new(2);
    let mut first = Vec::new();
    for site in ["c", "a", "b"] {
        ledger.open_site(site);
        first.push(ledger.run(site, receive(&[("A", 1)])));
        ledger.run(site, receive(&[("A", 1)]));
    }
    let tables = Tables::of(ledger).await;
    let listed = async |instant, limit| {
        let (page, _) = tables
            .queries
            .stock_of_item_then(&id("A"), (Axis::Recorded, instant), None, None, limit)
            .await
            .unwrap();
        let found: Vec<_> = page.data.iter().map(|level| (level.site.to_string(), level.on_hand)).collect();
        (found, page.next.is_some())
    };
    let site = |site: &str, on_hand| (site.to_owned(), on_hand);
    assert_eq!(listed(first[0].recorded_at, 50).await, (vec![site("c", 1)], false));
    assert_eq!(listed(first[1].recorded_at, 50).await, (vec![site("a", 1), site("c", 2)], false));
    assert_eq!(listed(first[1].recorded_at, 1).await, (vec![site("a", 1)], true));
    assert_eq!(listed(Timestamp::MAX, 50).await.0, [site("a", 2), site("b", 2), site("c", 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_random_positions_answer_as_folds_that_stopped_there() {
    let store = TestStore::new().await;
    past::answers_are_those_of_a_fold_that_stopped_there(Arc::clone(&store.store), 2_000, 1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_by_occurrence_are_the_sums_of_what_had_happened() {
    let store = TestStore::new().await;
    past::sums_by_occurrence_are_those_of_the_events(Arc::clone(&store.store), 1_200, 120).await;
}
