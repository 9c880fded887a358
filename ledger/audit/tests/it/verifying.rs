//! What a verification says: of good logs, of impossible histories, and of what others remember.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;

use bytes::Bytes;
use stockledger_audit::verify::{Fault, Remembered};
use stockledger_chain::{State, Verdict, admit, decision_hash};
use stockledger_domain::Breach;
use stockledger_log::Log;
use stockledger_schemas::{Decision, Disposition, Event, Level, Position, Record, Timestamp, envelope};

use crate::support::{
    Dice, Shop, busy_shop, heads, log_of, partition, place, receive, ship, take_back, verified,
    verified_against,
};

/// The same history with some decision changed, and the whole chain behind it made anew: what only somebody who writes
/// the log can do. Claims stay where they are.
fn forged(records: &[Bytes], mut change: impl FnMut(&mut Decision)) -> Vec<Bytes> {
    let mut state = State::begin(&records[0], partition(0)).unwrap();
    let mut forged = vec![records[0].clone()];
    for record in &records[1..] {
        let mut bytes = record.clone();
        if let Record::Decision(mut decision) = envelope::decode(record).unwrap() {
            change(&mut decision);
            decision.prev_hash = state.hash;
            bytes = envelope::encode_decision(&decision).unwrap().into();
        }
        state = admit(&state, state.next_offset, &bytes).unwrap().next;
        forged.push(bytes);
    }
    forged
}

/// A ledger of one partition with an order that was shipped and then returned.
async fn small_shop() -> Shop {
    let mut shop = Shop::open(1).await;
    shop.open_site("uk").await;
    shop.run("uk", receive(&[("LAMP", 10), ("DESK", 5)])).await;
    shop.run("uk", place("o-1", &[("LAMP", 3), ("DESK", 1)])).await;
    shop.run("uk", ship("o-1", None)).await;
    shop.run("uk", place("o-2", &[("DESK", 99)])).await;
    shop.run("uk", take_back("o-1", "LAMP", Disposition::Restock)).await;
    shop.run("uk", take_back("o-1", "LAMP", Disposition::Damaged)).await;
    shop.stop().await;
    shop
}

/// The fault of a forged history, and the decision that it is found at.
async fn fault_of(change: impl FnMut(&mut Decision)) -> (Fault, u64) {
    let shop = small_shop().await;
    let records = shop.records().await;
    let report = verified(log_of(&[forged(&records[0], change)])).await;
    let failure = report.failures().next().expect("the forgery is found").clone();
    assert_eq!(failure.after.seq + 2, failure.offset, "genesis and claim stand before the decisions");
    (failure.fault, failure.after.seq + 1)
}

fn breach_of(fault: &Fault) -> &Breach {
    let Fault::Impossible(impossible) = fault else { panic!("{fault}") };
    &impossible.breach
}

#[tokio::test]
async fn a_good_log_is_counted_and_its_heads_are_told() {
    let shop = busy_shop().await;
    let records = shop.records().await;
    let report = verified(Arc::new(shop.log.clone())).await;
    assert!(report.is_good(), "{report:?}");
    for (one, records) in report.partitions.iter().zip(&records) {
        let decoded: Vec<Record> = records.iter().map(|bytes| envelope::decode(bytes).unwrap()).collect();
        let decisions: Vec<&Decision> = decoded
            .iter()
            .filter_map(|record| match record {
                Record::Decision(decision) => Some(decision),
                _ => None,
            })
            .collect();
        assert_eq!(one.tally.records, records.len() as u64);
        assert_eq!(one.tally.decisions, decisions.len() as u64);
        assert_eq!(one.tally.terms, 4);
        assert_eq!(one.tally.events, decisions.iter().map(|decision| decision.event_count()).sum::<u64>());
        let (first, last) = (one.first.unwrap(), one.last.unwrap());
        assert_eq!(first.position, Position::new(one.partition, 1));
        assert_eq!(last.position, Position::new(one.partition, decisions.len() as u64));
        assert_eq!(last.recorded_at, decisions.last().unwrap().recorded_at);
        let head = one.head.unwrap();
        assert_eq!((head.seq, head.next_offset), (last.position.seq, one.tally.records));
        assert_eq!(head.hash, decision_hash(records.last().unwrap()));
        assert_eq!((one.vouched.as_ref(), one.unvouched()), (None, head.seq), "nobody vouches for anything");
    }
    let kinds: BTreeMap<&str, usize> = kinds(&records);
    for kind in
        ["order_shipped", "order_returned", "order_cancelled", "stock_held", "hold_released", "stock_counted"]
    {
        assert!(kinds.contains_key(kind), "the log has no {kind}: {kinds:?}");
    }
}

fn kinds(records: &[Vec<Bytes>]) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for record in records.iter().flatten() {
        if let Record::Decision(decision) = envelope::decode(record).unwrap() {
            *kinds.entry(decision.events[0].type_name()).or_default() += 1;
        }
    }
    kinds
}

#[tokio::test]
async fn balances_that_do_not_follow_are_named_with_their_position() {
    let (fault, seq) = fault_of(|decision| {
        if let Event::OrderPlaced(placed) = &mut decision.events[0] {
            placed.lines[1].after.reserved = Level::ZERO;
        }
    })
    .await;
    assert!(matches!(breach_of(&fault), Breach::WrongBalances { .. }), "{fault}");
    assert_eq!(seq, 4, "registered, opened, received, placed");
    assert_eq!(fault.expected(), "DESK: 5 on hand, 1 reserved, 0 held");
    assert!(
        fault.found().starts_with("DESK: 5 on hand, 0 reserved, 0 held (decision 0.4"),
        "{}",
        fault.found()
    );
}

#[tokio::test]
async fn a_return_of_a_closed_order_must_be_of_the_order_that_was_closed() {
    let (fault, seq) = fault_of(|decision| {
        if let Event::OrderReturned(returned) = &mut decision.events[0] {
            returned.order.customer = Some("c-2".parse().unwrap());
        }
    })
    .await;
    assert_eq!((breach_of(&fault), seq), (&Breach::WrongOrder, 7));

    // Found the second time as well: what was returned once is remembered as it is then.
    let (fault, seq) = fault_of(|decision| {
        if let (8, Event::OrderReturned(returned)) = (decision.seq, &mut decision.events[0]) {
            returned.order.lines[1].unit_price_minor = None;
        }
    })
    .await;
    assert_eq!((breach_of(&fault), seq), (&Breach::WrongOrder, 8));

    let (fault, seq) = fault_of(|decision| {
        if let Event::OrderReturned(returned) = &mut decision.events[0] {
            returned.order.order_id = "o-9".parse().unwrap();
        }
    })
    .await;
    assert_eq!((breach_of(&fault), seq), (&Breach::UnknownOrder, 7));
}

#[tokio::test]
async fn an_order_that_was_closed_is_not_refused_for_lack_of_stock() {
    let (fault, seq) = fault_of(|decision| {
        if let Event::OutOfStock(refused) = &mut decision.events[0] {
            refused.order_id = "o-1".parse().unwrap();
        }
    })
    .await;
    assert_eq!((breach_of(&fault), seq), (&Breach::OrderExists, 6));
}

#[tokio::test]
async fn an_order_that_was_closed_is_not_placed_again() {
    let mut shop = Shop::open(1).await;
    shop.open_site("uk").await;
    shop.run("uk", receive(&[("LAMP", 10)])).await;
    shop.run("uk", place("o-1", &[("LAMP", 3)])).await;
    shop.run("uk", ship("o-1", None)).await;
    shop.run("uk", place("o-2", &[("LAMP", 3)])).await;
    shop.stop().await;
    let records = shop.records().await.remove(0);
    let forged = forged(&records, |decision| {
        if let (6, Event::OrderPlaced(placed)) = (decision.seq, &mut decision.events[0]) {
            placed.order_id = "o-1".parse().unwrap();
        }
    });
    let report = verified(log_of(&[forged])).await;
    assert_eq!(breach_of(&report.failures().next().unwrap().fault), &Breach::OrderExists);
}

#[tokio::test]
async fn time_that_falls_is_found() {
    let (fault, seq) = fault_of(|decision| {
        if decision.seq == 3 {
            decision.recorded_at = Timestamp::from_micros(-1).unwrap();
        }
    })
    .await;
    assert!(matches!(fault, Fault::TimeFell { .. }), "{fault}");
    assert_eq!(seq, 3);
}

#[tokio::test]
async fn every_partition_is_looked_at_and_each_failure_reported() {
    let mut shop = Shop::open(3).await;
    for site in ["a", "b", "c"] {
        shop.open_site(site).await;
        shop.trade(site, 5, &mut Dice(3)).await;
    }
    shop.stop().await;
    let mut records = shop.records().await;
    for number in [0, 2] {
        let mut bytes = records[number][4].to_vec();
        bytes[20] ^= 1;
        records[number][4] = bytes.into();
    }
    let report = verified(log_of(&records)).await;
    let failures: Vec<(u16, u64)> =
        report.failures().map(|failure| (failure.partition.0, failure.offset)).collect();
    assert_eq!(failures, [(0, 4), (2, 4)]);
    assert!(report.partitions[1].tally.decisions > 10, "the one between them was read to its end");
    assert_eq!(report.partitions[0].tally.records, 4, "what stands before a failure is told");
}

#[tokio::test]
async fn a_site_that_the_directory_does_not_know_is_found() {
    let mut shop = Shop::open(2).await;
    shop.open_site("a").await;
    shop.open_site("b").await;
    shop.run("b", receive(&[("LAMP", 1)])).await;
    shop.stop().await;
    let mut records = shop.records().await;
    records[0].truncate(4);
    let report = verified(log_of(&records)).await;
    let failure = report.failures().next().unwrap();
    assert_eq!(failure.partition, partition(1));
    assert!(
        matches!(&failure.fault, Fault::Unregistered { site, registered: None, .. } if site.as_str() == "b")
    );
}

#[tokio::test]
async fn logs_that_do_not_belong_together_are_told_apart() {
    let one = small_and_wide(0).await;
    let mixed = verified(log_of(&[one[0].clone(), small_and_wide(1).await[1].clone()])).await;
    let failure = mixed.failures().next().unwrap();
    assert_eq!(failure.partition, partition(1));
    assert!(matches!(failure.fault, Fault::OtherLedger { .. }), "{failure}");
    let short = verified(log_of(&one[..1])).await;
    assert!(matches!(
        short.failures().next().unwrap().fault,
        Fault::PartitionCount { expected: 2, found: 1 }
    ));
    let empty = verified(log_of(&[one[0].clone(), Vec::new()])).await;
    assert_eq!(empty.failures().next().unwrap().fault, Fault::Empty);
    let log = log_of(&one);
    log.faults().delete_before(1, 1);
    let deleted = verified(log).await;
    assert_eq!(deleted.failures().next().unwrap().fault, Fault::Deleted { begin: 1 });
}

/// The records of a ledger to which nothing has happened.
async fn small_and_wide(nonce: u64) -> Vec<Vec<Bytes>> {
    let shop = Shop::open_with(2, nonce).await;
    shop.stop().await;
    shop.records().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_superseded_writer_wrote_is_named_as_void() {
    let mut shop = Shop::open(1).await;
    shop.open_site("uk").await;
    let old = shop.take_over().await;
    shop.run("uk", receive(&[("LAMP", 1)])).await;
    let late = stockledger_domain::Checked::new(
        stockledger_schemas::Scope::Site("uk".parse().unwrap()),
        receive(&[("LAMP", 1)]),
        stockledger_schemas::Context::by("tester".parse().unwrap()),
    );
    old.submit(late.unwrap(), Some("late".parse().unwrap())).await.unwrap_err();
    old.stop().await;
    shop.stop().await;
    let log: Arc<dyn Log> = Arc::new(shop.log.clone());
    let report = verified(log.clone()).await;
    assert!(report.is_good(), "{report:?}");
    let one = &report.partitions[0];
    assert!(one.void_records.iter().any(|void| void.why == "superseded_writer"), "{:?}", one.void_records);
    assert_eq!(one.tally.void, one.void_records.len() as u64);
    let of_log = verified_against(log.clone(), heads(log).await).await;
    assert!(of_log.is_good(), "void records are part of what a head remembers");
}

#[tokio::test]
async fn a_head_vouches_for_what_it_includes_and_no_more() {
    let shop = small_shop().await;
    let records = shop.records().await.remove(0);
    let earlier = heads(log_of(&[records[..6].to_vec()])).await;
    let log = log_of(from_ref(&records));
    let report = verified_against(log.clone(), earlier.clone()).await;
    assert!(report.is_good());
    let one = &report.partitions[0];
    assert_eq!(one.vouched.as_ref().map(|vouched| vouched.seq), Some(4));
    assert_eq!(one.unvouched(), 4);

    // A history that was made anew from some decision on is found at the first head that knows better.
    let forged = forged(&records, |decision| {
        if decision.seq == 3 {
            decision.context.note = Some("changed".parse().unwrap());
        }
    });
    let report = verified_against(log_of(from_ref(&forged)), earlier.clone()).await;
    let failure = report.failures().next().unwrap();
    assert!(matches!(&failure.fault, Fault::Differs { remembered_seq: 4, .. }), "{failure}");
    let unplaced = earlier.into_iter().map(|head| Remembered { next_offset: None, ..head }).collect();
    let report = verified_against(log_of(from_ref(&forged)), unplaced).await;
    assert!(matches!(report.failures().next().unwrap().fault, Fault::Differs { seq: 4, .. }));
    assert!(verified(log_of(&[forged])).await.is_good(), "the log alone cannot show it");
}

#[tokio::test]
async fn a_verdict_of_the_forging_helper_itself() {
    // The helper must give a chain that counts, or the tests above would prove nothing.
    let shop = small_shop().await;
    let records = shop.records().await.remove(0);
    let same = forged(&records, |_| {});
    assert_eq!(same, records);
    let mut state = State::begin(&same[0], partition(0)).unwrap();
    for (offset, record) in (1..).zip(&same[1..]) {
        let admission = admit(&state, offset, record).unwrap();
        assert!(!matches!(admission.verdict, Verdict::Void(_)));
        state = admission.next;
    }
}
