//! Writing while nothing goes wrong: answers, idempotency, order, and what memory no longer holds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use stockledger_log::Log;
use stockledger_log::memory::{Answer, Fate};
use stockledger_schemas::{IdempotencyKey, PartitionId, Position, Record};
use stockledger_writer::{CommandError, Ledger, Options, WriterState, genesis};
use support::{
    Shop, at_site, cancel, count, happened, key, on_hand, open_site, order, receive, revoked_key, scratch,
    ship, take_back,
};

#[tokio::test(start_paused = true)]
async fn answers_with_the_decision_that_stands_in_the_log() {
    let shop = Shop::open().await;
    let reply = shop.receive(5, "a").await;
    assert_eq!((happened(&reply), on_hand(&reply), reply.replayed), ("stock_received", 5, false));
    let stored = shop.valid_decisions().await;
    assert_eq!(stored.last(), Some(reply.decision.as_ref()));
    assert_eq!(reply.position, Position::new(PartitionId(0), stored.len() as u64));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_gets_the_same_answer_for_ever_and_changes_nothing() {
    let shop = Shop::open().await;
    let first = shop.receive(5, "a").await;
    for _ in 0..3 {
        let again = shop.receive(5, "a").await;
        assert_eq!(
            (again.position, again.decision, again.replayed),
            (first.position, first.decision.clone(), true)
        );
    }
    let shop = shop.stop_and_reopen().await;
    let again = shop.receive(5, "a").await;
    assert_eq!((again.position, again.replayed), (first.position, true), "also after a restart");
    assert_eq!(shop.ask(receive(6), "a").await.unwrap_err(), CommandError::KeyReused);
    assert_eq!(shop.times_decided("a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_also_when_stock_has_come_since() {
    let shop = Shop::open().await;
    let refused = shop.ask(order("o-1", 5), "first").await.unwrap();
    assert_eq!(happened(&refused), "out_of_stock");
    shop.receive(10, "goods").await;
    let again = shop.ask(order("o-1", 5), "first").await.unwrap();
    assert_eq!((happened(&again), again.position, again.replayed), ("out_of_stock", refused.position, true));
    let new_key = shop.ask(order("o-1", 5), "second").await.unwrap();
    assert_eq!(happened(&new_key), "order_placed");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_with_one_key_share_one_decision() {
    let shop = Shop::open().await;
    let asked: Vec<_> = (0..100).map(|_| shop.send(receive(1), "same")).collect();
    let other = shop.send(receive(2), "same");
    let mut new = 0;
    for pending in asked {
        let reply = pending.wait().await.unwrap();
        new += usize::from(!reply.replayed);
        assert_eq!(on_hand(&reply), 1);
    }
    assert_eq!(new, 1);
    assert_eq!(other.wait().await.unwrap_err(), CommandError::KeyReused);
    assert_eq!(shop.times_decided("same").await, 1);
}

#[tokio::test(start_paused = true)]
async fn commands_are_decided_in_the_order_in_which_they_were_sent() {
    let shop = Shop::open().await;
    let sent: Vec<_> = (0..2_000).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    for (number, pending) in sent.into_iter().enumerate() {
        assert_eq!(on_hand(&pending.wait().await.unwrap()), i64::try_from(number).unwrap() + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn several_batches_are_in_flight_and_nobody_is_answered_before_them() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    for _ in 0..4 {
        shop.faults.plan(0, Fate::answer(Answer::Held));
    }
    let mut sent = Vec::new();
    for number in 0..4_usize {
        sent.push(shop.send(receive(1), &format!("key-{number}")));
        shop.faults.until_in_flight(0, number + 1).await;
    }
    // The last acknowledgement comes first, and answers nobody.
    assert!(shop.faults.release(0, 3));
    assert_eq!(shop.status().position.seq, 3);
    for _ in 0..3 {
        assert!(shop.faults.release(0, 0));
    }
    for (number, pending) in sent.into_iter().enumerate() {
        assert_eq!(on_hand(&pending.wait().await.unwrap()), i64::try_from(number).unwrap() + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_decision_of_a_term_travels_alone() {
    let shop = Shop::open().await.stop_and_reopen().await;
    let before = shop.log.bounds(0).await.unwrap().end;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let sent: Vec<_> = (0..10).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    shop.faults.until_in_flight(0, 1).await;
    tokio::task::yield_now().await;
    assert_eq!(shop.log.bounds(0).await.unwrap().end, before + 1);
    assert!(shop.faults.release(0, 0));
    for pending in sent {
        pending.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_order_is_read_again_from_the_log() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    shop.ask(order("o-1", 4), "place").await.unwrap();
    shop.ask(ship("o-1"), "ship").await.unwrap();
    let shop = shop.stop_and_reopen().await;
    let back = shop.ask(take_back("o-1", 1), "back").await.unwrap();
    assert_eq!((happened(&back), on_hand(&back)), ("order_returned", 7));
    let too_much = shop.ask(take_back("o-1", 4), "too much").await.unwrap();
    assert_eq!(happened(&too_much), "command_refused");
    let rest = shop.ask(take_back("o-1", 3), "rest").await.unwrap();
    assert_eq!((happened(&rest), on_hand(&rest)), ("order_returned", 10));
    let taken = shop.ask(order("o-1", 1), "again").await.unwrap();
    assert_eq!(happened(&taken), "command_refused", "the id of an accepted order is taken for ever");
    let finished = shop.ask(cancel("o-1"), "cancel").await.unwrap();
    assert_eq!(happened(&finished), "command_refused");
}

#[tokio::test(start_paused = true)]
async fn a_count_keeps_what_moved_after_its_position() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    let counted_at = shop.ask(order("o-1", 4), "place").await.unwrap().position;
    shop.ask(ship("o-1"), "ship").await.unwrap();
    shop.receive(3, "more").await;
    // 9 of the 10 were found before 4 left and 3 came: 8 are there now.
    let booked = shop.ask(count(9, Some(counted_at)), "count").await.unwrap();
    assert_eq!((happened(&booked), on_hand(&booked)), ("stock_counted", 8));
    let twice = shop.ask(count(9, Some(counted_at)), "count twice").await.unwrap();
    assert_eq!(happened(&twice), "command_refused", "two counts cannot rest on one base");

    let future = Position::new(PartitionId(0), 1_000);
    let elsewhere = Position::new(PartitionId(1), 1);
    for unfit in [future, elsewhere] {
        let error = shop.ask(count(9, Some(unfit)), "unfit").await.unwrap_err();
        assert!(
            matches!(&error, CommandError::Invalid(why) if why[0].pointer == "/lines/0/at_position"),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_already_is_answered_with_the_decision_that_did_it() {
    let shop = Shop::open().await;
    let first = shop.ledger.submit(open_site("shop"), None).await.unwrap();
    let again = shop.ledger.submit(open_site("shop"), None).await.unwrap();
    assert_eq!((first.replayed, again.replayed, again.position), (false, true, first.position));
    assert_eq!(happened(&again), "site_registered");
}

#[tokio::test(start_paused = true)]
async fn a_site_that_was_never_opened_takes_nothing() {
    let shop = Shop::open().await;
    let elsewhere = stockledger_schemas::Scope::Site("nowhere".parse().unwrap());
    let context = stockledger_schemas::Context::by(support::actor());
    let command = stockledger_domain::Checked::new(elsewhere, receive(1), context).unwrap();
    let end = shop.log.bounds(0).await.unwrap().end;
    let error = shop.ledger.submit(command, None).await.unwrap_err();
    assert_eq!(error, CommandError::UnknownSite("nowhere".parse().unwrap()));
    assert_eq!(shop.log.bounds(0).await.unwrap().end, end, "nothing is logged");
}

#[tokio::test(start_paused = true)]
async fn sites_are_spread_over_partitions_and_a_half_opened_one_is_completed() {
    let log = stockledger_log::memory::MemoryLog::new(3);
    let environment = Arc::new(support::TestEnvironment::default());
    genesis::initialise(&log, environment.as_ref()).await.unwrap();
    let shop = Shop::reopen(log, environment).await;
    for site in ["a", "b", "c", "d"] {
        shop.ledger.submit(open_site(site), None).await.unwrap();
    }
    let seqs: Vec<u64> = shop.ledger.status().iter().map(|status| status.position.seq).collect();
    assert_eq!(seqs, [4 + 2, 1, 1], "four directory decisions; two sites live on partition 0");

    // The directory's decision lands, the site's own partition never hears of it: as after a crash in between.
    shop.faults.set_clock_ms(0);
    shop.faults.plan(1, Fate { landing: stockledger_log::memory::Landing::Without(0), answer: Answer::Held });
    let ledger = shop.ledger.clone();
    let opening = tokio::spawn(async move { ledger.submit(open_site("e"), None).await });
    shop.faults.until_in_flight(1, 1).await;
    opening.abort();
    let (log, environment) = (shop.log.clone(), shop.environment.clone());
    shop.ledger.stop().await;
    let shop = Shop::reopen(log, environment).await;
    shop.faults.until_end(1, 6).await;
    let site = stockledger_schemas::Scope::Site("e".parse().unwrap());
    let context = stockledger_schemas::Context::by(support::actor());
    let command = stockledger_domain::Checked::new(site, receive(1), context).unwrap();
    let key = Some(IdempotencyKey::new("first").unwrap());
    assert_eq!(shop.ledger.submit(command, key).await.unwrap().position.partition, PartitionId(1));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_given_up_while_it_waited_is_never_applied() {
    let seconds = std::time::Duration::from_secs;
    let (answer_within, stall_after) = (seconds(2), seconds(60));
    let shop = Shop::open_with(|options| Options { answer_within, stall_after, ..options }).await;
    shop.receive(1, "first of the term").await;
    for _ in 0..4 {
        shop.faults.plan(0, Fate::answer(Answer::Held));
    }
    let mut in_flight = Vec::new();
    for number in 0..4_usize {
        in_flight.push(shop.send(receive(1), &format!("key-{number}")));
        shop.faults.until_in_flight(0, number + 1).await;
    }
    // No batch may be sent any more, so this one waits, and its caller loses patience.
    let waiting = shop.send(receive(1), "given up");
    assert!(matches!(waiting.wait().await, Err(CommandError::NotApplied(_))));
    for pending in in_flight {
        assert_eq!(
            pending.wait().await.unwrap_err(),
            CommandError::OutcomeUnknown,
            "these may be in the log"
        );
    }
    while shop.faults.release(0, 0) {}
    shop.receive(1, "last").await;
    assert_eq!(shop.times_decided("given up").await, 0);
    assert_eq!(shop.times_decided("key-3").await, 1);
}

#[tokio::test(start_paused = true)]
async fn stopping_answers_everything_that_was_taken() {
    let shop = Shop::open().await;
    let sent: Vec<_> = (0..500).map(|number| shop.send(receive(1), &format!("key-{number}"))).collect();
    shop.ledger.stop().await;
    for pending in sent {
        pending.wait().await.unwrap();
    }
    assert_eq!(shop.state(), WriterState::Stopped);
    let refused = shop.ledger.try_enqueue(at_site(receive(1)), None).unwrap_err();
    assert!(matches!(refused, CommandError::NotApplied(_)));
    assert_eq!(shop.valid_decisions().await.len(), 502);
}

#[tokio::test(start_paused = true)]
async fn too_many_open_commands_are_refused_at_once() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let mut open = vec![shop.send(receive(1), "held")];
    shop.faults.until_in_flight(0, 1).await;
    let overloaded = loop {
        match shop.ledger.try_enqueue(at_site(receive(1)), None) {
            Ok(pending) => open.push(pending),
            Err(error) => break error,
        }
    };
    assert_eq!(overloaded, CommandError::Overloaded);
    assert_eq!(open.len(), 8_192);
    assert!(shop.faults.release(0, 0));
    for pending in open {
        pending.wait().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn recorded_time_never_falls() {
    let shop = Shop::open().await;
    shop.environment.set_micros(5_000_000);
    let late = shop.receive(1, "late").await.decision.recorded_at;
    shop.environment.set_micros(1_000_000);
    assert_eq!(shop.receive(1, "early").await.decision.recorded_at, late);
    shop.environment.set_micros(6_000_000);
    assert!(shop.receive(1, "later").await.decision.recorded_at > late);
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_from_the_snapshot() {
    let (_directory, path) = scratch();
    let with_snapshots = |options| Options { snapshots: Some(path.clone()), ..options };
    let shop = Shop::open_with(with_snapshots).await;
    shop.receive(10, "goods").await;
    shop.ask(order("o-1", 4), "place").await.unwrap();
    shop.ask(ship("o-1"), "ship").await.unwrap();
    shop.ask(order("o-2", 1), "open").await.unwrap();
    shop.ledger.stop().await;

    let file = path.join("partition-0.snapshot");
    assert!(file.exists());
    let shop = Shop::reopen_with(shop.log, shop.environment, with_snapshots).await;
    assert!(shop.receive(10, "goods").await.replayed);
    assert_eq!(happened(&shop.ask(take_back("o-1", 4), "back").await.unwrap()), "order_returned");
    assert_eq!(happened(&shop.ask(ship("o-2"), "ship 2").await.unwrap()), "order_shipped");
    shop.ledger.stop().await;

    // A torn snapshot, or one of an earlier version, is only a cache that is lost.
    let bytes = std::fs::read(&file).unwrap();
    let earlier = [&bytes[..8], &1_u32.to_le_bytes(), &bytes[12..]].concat();
    let mut shop = shop;
    for lost in [&bytes[..bytes.len() / 2], &earlier] {
        std::fs::write(&file, lost).unwrap();
        shop = Shop::reopen_with(shop.log, shop.environment, with_snapshots).await;
        assert!(shop.receive(10, "goods").await.replayed);
        shop.ledger.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_remembers_api_keys() {
    let (_directory, path) = scratch();
    let with_snapshots = |options| Options { snapshots: Some(path.clone()), ..options };
    let shop = Shop::open_with(with_snapshots).await;
    let ask = async |shop: &Shop, command, key: &str| {
        shop.ledger.submit(command, Some(IdempotencyKey::new(key).unwrap())).await.unwrap()
    };
    assert_eq!(happened(&ask(&shop, key("boss"), "make").await), "key_created");
    let revoked = ask(&shop, revoked_key(), "revoke").await;
    shop.ledger.stop().await;
    assert!(path.join("partition-0.snapshot").exists());
    let shop = Shop::reopen_with(shop.log, shop.environment, with_snapshots).await;
    assert_eq!(happened(&ask(&shop, key("thief"), "make again").await), "command_refused");
    let again = ask(&shop, revoked_key(), "revoke again").await;
    assert_eq!((again.position, again.replayed), (revoked.position, true));
    shop.ledger.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_fit_its_snapshot_is_refused() {
    let (_directory, path) = scratch();
    let with_snapshots = |options| Options { snapshots: Some(path.clone()), ..options };
    let shop = Shop::open_with(with_snapshots).await;
    shop.receive(10, "goods").await;
    shop.ledger.stop().await;

    let start = async |log| {
        let options = with_snapshots(Options::new("test".parse().unwrap()));
        let error = Ledger::start(Arc::new(log), shop.environment.clone(), options).await.unwrap_err();
        error.to_string()
    };
    // The same log, one record short.
    let end = shop.log.bounds(0).await.unwrap().end;
    let last = shop.log.fetch(0, end - 1).await.unwrap().unwrap();
    shop.faults.cut_off(0, end - 1);
    assert!(start(shop.log.clone()).await.contains("lost records"));
    // The same length, another last record.
    let other = shop.log.fetch(0, end - 2).await.unwrap().unwrap();
    let entry = |value| stockledger_log::Entry::new(bytes::Bytes::new(), value);
    shop.faults.land(0, entry(other.value));
    assert!(start(shop.log.clone()).await.contains("history was changed"));
    shop.faults.cut_off(0, end - 1);
    shop.faults.land(0, entry(last.value));
    // Another ledger altogether.
    let another = stockledger_log::memory::MemoryLog::new(1);
    genesis::initialise(&another, shop.environment.as_ref()).await.unwrap();
    assert!(start(another).await.contains("another log"));
    // And the right one is still taken.
    Shop::reopen_with(shop.log, shop.environment, with_snapshots).await;
}

#[tokio::test(start_paused = true)]
async fn a_ledger_is_made_once_and_checked_ever_after() {
    let log = stockledger_log::memory::MemoryLog::new(3);
    let environment = support::TestEnvironment::default();
    assert!(matches!(genesis::check(&log).await, Err(genesis::Error::Empty(PartitionId(0)))));
    let made = genesis::initialise(&log, &environment).await.unwrap();
    assert_eq!(genesis::initialise(&log, &environment).await.unwrap(), made);
    for partition in 0..3 {
        assert_eq!(log.bounds(partition).await.unwrap().end, 1);
    }
    // Two that made it at once left two records, and were struck before they came to the other partitions.
    let copy = log.fetch(0, 0).await.unwrap().unwrap().value;
    log.faults().land(0, stockledger_log::Entry::new(bytes::Bytes::new(), copy));
    // A partition that the making did not come to is completed.
    log.faults().cut_off(2, 0);
    assert_eq!(genesis::initialise(&log, &environment).await.unwrap(), made);

    let foreign = stockledger_log::memory::MemoryLog::new(3);
    genesis::initialise(&foreign, &environment).await.unwrap();
    log.faults().cut_off(1, 0);
    log.faults().land(
        1,
        stockledger_log::Entry::new(bytes::Bytes::new(), foreign.fetch(1, 0).await.unwrap().unwrap().value),
    );
    assert!(matches!(genesis::check(&log).await, Err(genesis::Error::Mixed { .. })));
}

#[tokio::test(start_paused = true)]
async fn every_start_claims_a_higher_term() {
    let mut shop = Shop::open().await;
    for expected in 2..5 {
        shop = shop.stop_and_reopen().await;
        assert_eq!(shop.status().term, expected);
    }
    let claims = shop.records().await.into_iter().filter(|record| matches!(record, Record::Claim(_))).count();
    assert_eq!(claims, 4);
}
