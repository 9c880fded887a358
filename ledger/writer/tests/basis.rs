//! Commands that are based on what their callers have seen.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use stockledger_domain::command::{Basis, Command};
use stockledger_log::memory::{Answer, Fate, Landing};
use stockledger_schemas::{IdempotencyKey, Position};
use stockledger_writer::{CommandError, PendingReply, Reply};
use support::{Shop, at_site, count, happened, on_hand, order, receive, ship, take_back};

/// Sends a command that is based on what a decision left.
fn send_based(shop: &Shop, command: Command, key: &str, seen: Position) -> PendingReply {
    let command = at_site(command).based_on(Basis::ChangedLastBy(vec![seen])).unwrap();
    shop.ledger.try_enqueue(command, Some(IdempotencyKey::new(key).unwrap())).unwrap()
}

fn changed_by(outcome: Result<Reply, CommandError>) -> Position {
    match outcome {
        Err(CommandError::Changed { last: Some(last) }) => last,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_is_decided_only_on_what_it_is_based_on() {
    let shop = Shop::open().await;
    let seen = shop.receive(5, "goods").await.position;
    let newer = shop.receive(5, "more goods").await.position;
    let end = shop.status().position;
    assert_eq!(changed_by(send_based(&shop, count(3, None), "count", seen).wait().await), newer);
    assert_eq!((shop.status().position, shop.times_decided("count").await), (end, 0));
    let counted = send_based(&shop, count(3, None), "count", newer).wait().await.unwrap();
    assert_eq!((on_hand(&counted), counted.replayed), (3, false));
    let again = send_based(&shop, count(3, None), "count", seen).wait().await.unwrap();
    assert_eq!((again.position, again.replayed), (counted.position, true), "it was decided, and stays so");
}

#[tokio::test(start_paused = true)]
async fn that_something_changed_is_told_when_it_is_certain() {
    let shop = Shop::open().await;
    let seen = shop.receive(5, "goods").await.position;
    shop.faults.plan(0, Fate::answer(Answer::Held));
    let changing = shop.send(receive(1), "in flight");
    shop.faults.until_in_flight(0, 1).await;
    let mut based = tokio::spawn(send_based(&shop, count(3, None), "count", seen).wait());
    let early = tokio::time::timeout(Duration::from_millis(500), &mut based).await;
    assert!(early.is_err(), "what changed it may still be lost");
    assert!(shop.faults.release(0, 0));
    let changing = changing.wait().await.unwrap();
    assert_eq!(changed_by(based.await.unwrap()), changing.position);
}

#[tokio::test(start_paused = true)]
async fn a_command_is_decided_anew_if_what_changed_its_basis_never_happened() {
    let shop = Shop::open().await;
    let seen = shop.receive(5, "goods").await.position;
    shop.faults.plan(0, Fate { landing: Landing::Held, answer: Answer::Unknown });
    let lost = shop.send(receive(1), "lost");
    shop.faults.until_in_flight(0, 1).await;
    let based = send_based(&shop, count(3, None), "count", seen);
    // The term ends with an unknown outcome; what is in the next one is what stands in the log.
    let (based, lost) = (based.wait().await, lost.wait().await.unwrap());
    match based {
        Ok(counted) => assert!(counted.position < lost.position, "nothing had changed it"),
        refused => assert_eq!(changed_by(refused), lost.position),
    }
    assert_eq!(shop.times_decided("lost").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_as_it_was_seen_also_when_memory_no_longer_holds_it() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    let placed = shop.ask(order("o-1", 4), "place").await.unwrap().position;
    let shipped = shop.ask(ship("o-1"), "ship").await.unwrap().position;
    for _ in 0..2 {
        let refused = send_based(&shop, take_back("o-1", 1), "back", placed).wait().await;
        assert_eq!(changed_by(refused), shipped);
    }
    let back = send_based(&shop, take_back("o-1", 1), "back", shipped).wait().await.unwrap();
    assert_eq!((happened(&back), on_hand(&back)), ("order_returned", 7));
    let stale = send_based(&shop, take_back("o-1", 1), "more back", shipped).wait().await;
    assert_eq!(changed_by(stale), back.position);
}
