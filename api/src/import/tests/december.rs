//! A month of real invoices through a real ledger, against a computation that knows no ledger.

use std::collections::BTreeMap;

use stockledger_schemas::{Event, Reason};

use super::shop::{Shop, import, options};
use super::{december, naive};
use crate::import::{Report, Source};

/// The opening stock in hundredths of what was missing at worst.
fn opening(invoices: &[naive::Invoice], percent: i64) -> BTreeMap<String, i64> {
    let missing = naive::missing_at_worst(invoices);
    missing.into_iter().map(|(sku, units)| (sku, units * percent / 100)).collect()
}

fn sums(report: &Report) -> naive::Sums {
    naive::Sums {
        orders_shipped: report.orders_shipped,
        orders_refused: report.orders_refused,
        order_lines: report.order_lines,
        units_shipped: report.units_shipped,
        returns: report.returns,
        adjustments: report.adjustments,
        adjustments_refused: report.adjustments_refused,
        units_on_hand: report.units_on_hand,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comes_to_the_same_as_a_computation_without_a_ledger() {
    let text = december();
    let (invoices, skipped) = naive::invoices(&text);
    for (setting, percent) in [("auto", 100), ("90%", 90)] {
        let opening = opening(&invoices, percent);
        let expected = naive::simulate(&invoices, &opening);
        assert_eq!(expected.orders_refused == 0, setting == "auto", "{setting}: only auto refuses nothing");
        let shop = Shop::open().await;
        let report = import(options(Source::demo(), setting), &shop.local()).await.expect("an import");
        assert_eq!(sums(&report), expected, "{setting}");
        assert_eq!(report.opening_units, opening.values().sum::<i64>(), "{setting}");
        assert_eq!((report.documents, report.lines, report.skipped_lines), (2_330, 45_228, skipped));
        assert_eq!(report.items, u64::try_from(opening.len()).expect("a count"));
        let decisions = shop.decisions().await;
        let events: usize = decisions.iter().map(|decision| decision.events.len()).sum();
        assert_eq!(report.events, u64::try_from(events).expect("a count"), "{setting}");
        assert_eq!(report.new_events, report.events);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stands_in_the_log_as_the_documentation_says() {
    let shop = Shop::open().await;
    import(options(Source::demo(), "90%"), &shop.local()).await.expect("an import");
    let decisions = shop.decisions().await;
    let kinds: Vec<&str> = decisions.iter().take(4).map(|decision| decision.events[0].type_name()).collect();
    assert_eq!(kinds, ["site_registered", "site_opened", "note_recorded", "item_registered"]);

    let hash = "3ff8b316268003112925300dd3dfec102841af14ba201d4844381b47837e0972";
    let note = decisions[2].context.note.as_ref().expect("a note").as_str();
    assert!(note.contains(hash) && note.ends_with("90%"), "{note}");
    let of_import = decisions.iter().filter(|decision| decision.events[0].type_name() != "site_opened");
    for decision in of_import {
        let correlation_id = decision.context.correlation_id.as_ref().expect("a correlation id");
        assert_eq!(correlation_id.as_str(), format!("online-retail:{}", &hash[..16]));
    }

    let by_key = |key: &str| {
        let found = decisions
            .iter()
            .filter(|decision| decision.key.as_ref().is_some_and(|found| found.as_str() == key));
        found.collect::<Vec<_>>()
    };
    let openings = [by_key("online-retail:opening:1"), by_key("online-retail:opening:2")];
    assert!(openings.iter().all(|found| found.len() == 1), "3,084 items take two receipts");
    let lines: Vec<_> = openings
        .iter()
        .flatten()
        .map(|decision| match &decision.events[0] {
            Event::StockReceived(received) => {
                received.lines.iter().map(|line| line.sku.clone()).collect::<Vec<_>>()
            }
            other => panic!("{}", other.type_name()),
        })
        .collect();
    assert_eq!(lines[0].len(), 2_000);
    assert!(lines.concat().is_sorted());
    assert_eq!(openings[0][0].context.reason, Some(Reason::OpeningBalance));

    let [placed] = by_key("online-retail:489434:order")[..] else { panic!("one order 489434") };
    let [shipped] = by_key("online-retail:489434:shipment")[..] else { panic!("one shipment of 489434") };
    assert_eq!(
        [&placed.events[0], &shipped.events[0]].map(Event::type_name),
        ["order_placed", "order_shipped"]
    );
    assert_eq!(placed.context.occurred_at.expect("a time").to_string(), "2009-12-01T07:45:00.000000Z");
    let reference = shipped.context.reference.as_ref().expect("a reference");
    assert_eq!((reference.kind.as_str(), reference.id.as_str()), ("invoice", "489434"));
}
