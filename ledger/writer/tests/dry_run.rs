//! Dry runs: decided against what the next command would meet, and never seen by anybody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use stockledger_domain::command::Command;
use stockledger_log::Log;
use stockledger_log::memory::{Answer, Fate, Landing};
use stockledger_schemas::IdempotencyKey;
use stockledger_writer::{CommandError, PendingReply, Reply};
use support::{Shop, at_site, cancel, happened, on_hand, order, receive, ship, take_back};

fn idempotency_key(key: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey::new(key).unwrap())
}

async fn dry_run(shop: &Shop, command: Command, key: &str) -> Result<Reply, CommandError> {
    shop.ledger.dry_run(at_site(command), idempotency_key(key)).await
}

async fn send_dry(shop: &Shop, command: Command, key: &str) -> PendingReply {
    shop.ledger.enqueue_dry_run(at_site(command), idempotency_key(key)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_the_decision_that_its_command_then_comes_to() {
    let shop = Shop::open().await;
    shop.receive(5, "goods").await;
    let end = shop.log.bounds(0).await.unwrap().end;
    for (command, what) in [
        (receive(2), "stock_received"),
        (order("o-1", 9), "out_of_stock"),
        (order("o-2", 3), "order_placed"),
        (ship("o-3"), "command_refused"),
    ] {
        let position = shop.status().position;
        let foretold = dry_run(&shop, command.clone(), what).await.unwrap();
        assert_eq!((happened(&foretold), foretold.replayed), (what, false));
        assert_eq!(shop.status().position, position, "{what}");
        assert_eq!(shop.times_decided(what).await, 0);
        let real = shop.ask(command, what).await.unwrap();
        assert_eq!(
            (real.position, real.decision.events.clone()),
            (foretold.position, foretold.decision.events.clone())
        );
    }
    assert_eq!(shop.log.bounds(0).await.unwrap().end, end + 4, "only the real ones stand in the log");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_meets_what_is_in_flight_and_is_answered_when_that_is_certain() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let real = shop.send(receive(5), "in flight");
    shop.faults.until_in_flight(0, 1).await;
    let mut foretold = tokio::spawn(send_dry(&shop, receive(2), "dry").await.wait());
    let early = tokio::time::timeout(Duration::from_millis(500), &mut foretold).await;
    assert!(early.is_err(), "it rests on what may still be lost");
    assert!(shop.faults.release(0, 0));
    assert_eq!(on_hand(&real.wait().await.unwrap()), 6);
    assert_eq!(on_hand(&foretold.await.unwrap().unwrap()), 8);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_rested_on_what_never_happened_is_found_anew() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    let term = shop.status().term;
    shop.faults.plan(0, Fate { landing: Landing::Held, answer: Answer::Unknown });
    let lost = shop.send(receive(5), "lost");
    shop.faults.until_in_flight(0, 1).await;
    let foretold = send_dry(&shop, receive(2), "dry").await;
    // The term ends with an unknown outcome, and in the next one both are decided again, in some order: the answer tells of
    // the state before its position, not of the record that is gone.
    let (foretold, lost) = (foretold.wait().await.unwrap(), lost.wait().await.unwrap());
    let expected = if foretold.position > lost.position { 8 } else { 3 };
    assert_eq!((on_hand(&lost), on_hand(&foretold)), (6, expected));
    assert_eq!(shop.times_decided("lost").await, 1);
    assert_eq!(shop.status().term, term + 1, "both were decided in a term that did not last");
    assert_eq!(shop.times_decided("dry").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_waits_for_a_command_with_its_key_and_is_answered_as_its_repetition() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let real = shop.send(receive(5), "same");
    shop.faults.until_in_flight(0, 1).await;
    let same = send_dry(&shop, receive(5), "same").await;
    let other = send_dry(&shop, receive(6), "same").await;
    assert!(shop.faults.release(0, 0));
    let (real, same) = (real.wait().await.unwrap(), same.wait().await.unwrap());
    assert_eq!((same.position, same.replayed), (real.position, true));
    assert_eq!(other.wait().await.unwrap_err(), CommandError::KeyReused);
}

#[tokio::test(start_paused = true)]
async fn a_command_does_not_wait_for_a_dry_run_with_its_key() {
    let shop = Shop::open().await;
    let foretold = send_dry(&shop, receive(2), "same").await;
    let real = shop.send(receive(5), "same");
    assert_eq!(on_hand(&foretold.wait().await.unwrap()), 2);
    let real = real.wait().await.unwrap();
    assert_eq!((on_hand(&real), real.replayed), (5, false));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_about_a_closed_order_leaves_it_as_it_was() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    shop.ask(order("o-1", 4), "place").await.unwrap();
    shop.ask(ship("o-1"), "ship").await.unwrap();
    for _ in 0..2 {
        let foretold = dry_run(&shop, take_back("o-1", 3), "back").await.unwrap();
        assert_eq!((happened(&foretold), on_hand(&foretold)), ("order_returned", 9));
    }
    let refused = dry_run(&shop, take_back("o-1", 5), "too much").await.unwrap();
    assert_eq!(happened(&refused), "command_refused");
    let back = shop.ask(take_back("o-1", 4), "back").await.unwrap();
    assert_eq!((happened(&back), on_hand(&back)), ("order_returned", 10));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_between_the_closing_of_an_order_and_its_confirmation_loses_nothing() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    shop.ask(order("o-1", 4), "place").await.unwrap();
    shop.faults.plan(0, Fate::answer(Answer::Held));
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let shipped = shop.send(ship("o-1"), "ship");
    shop.faults.until_in_flight(0, 1).await;
    let foretold = send_dry(&shop, cancel("o-1"), "dry").await;
    let back = shop.send(take_back("o-1", 1), "back");
    shop.faults.until_in_flight(0, 2).await;
    assert!(shop.faults.release(0, 0));
    assert!(shop.faults.release(0, 0));
    assert_eq!(happened(&shipped.wait().await.unwrap()), "order_shipped");
    assert_eq!(happened(&foretold.wait().await.unwrap()), "command_refused");
    assert_eq!(happened(&back.wait().await.unwrap()), "order_returned");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_is_not_answered_in_time_is_known_to_have_written_nothing() {
    let shop = Shop::open().await;
    shop.receive(1, "first of the term").await;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let real = shop.send(receive(5), "in flight");
    shop.faults.until_in_flight(0, 1).await;
    let error = send_dry(&shop, receive(2), "dry").await.wait().await.unwrap_err();
    assert!(matches!(error, CommandError::NotApplied(_)), "{error:?}");
    drop(real);
}
