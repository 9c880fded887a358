//! Bundles: one decision, whatever goes wrong around it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use stockledger_domain::command::{Bundle, Command, HoldStock};
use stockledger_log::memory::{Answer, Fate};
use stockledger_schemas::{Event, HoldReason, IdempotencyKey, Quantity};
use stockledger_writer::{CommandError, Reply};
use support::{Shop, at_site, happened, order, receive, ship, take_back};

/// Sets another item aside, of which there is nothing unless the hold is of the lamp.
fn hold(id: &str, sku: &str) -> Command {
    let (hold_id, sku) = (id.parse().unwrap(), sku.parse().unwrap());
    let quantity = Quantity::new(1).unwrap();
    Command::HoldStock(HoldStock { hold_id, sku, quantity, reason: HoldReason::Other })
}

fn bundle(commands: Vec<Command>) -> Bundle {
    let with_reason = |command: Command| {
        let context = stockledger_schemas::Context {
            reason: Some(stockledger_schemas::Reason::Other),
            ..at_site(receive(1)).context().clone()
        };
        stockledger_domain::Checked::new(at_site(receive(1)).scope().clone(), command, context).unwrap()
    };
    Bundle::new(commands.into_iter().map(with_reason).collect()).unwrap()
}

async fn ask(shop: &Shop, commands: Vec<Command>, key: &str) -> Result<Reply, CommandError> {
    shop.ledger.submit_bundle(bundle(commands), IdempotencyKey::new(key).unwrap()).await
}

fn kinds(reply: &Reply) -> Vec<&'static str> {
    reply.decision.events.iter().map(Event::type_name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bundle_is_one_record_and_is_answered_the_same_after_a_restart() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    let first = ask(&shop, vec![order("o-1", 4)], "order").await.unwrap();
    assert_eq!(kinds(&first), ["order_placed"]);
    let refused = ask(&shop, vec![receive(1), hold("h", "CHAIR")], "short").await.unwrap();
    assert_eq!(kinds(&refused), ["command_refused"]);
    let shop = shop.stop_and_reopen().await;
    let again = ask(&shop, vec![receive(1), hold("h", "CHAIR")], "short").await.unwrap();
    assert_eq!((again.position, again.replayed), (refused.position, true));
    assert_eq!(shop.ask(receive(1), "short").await.unwrap_err(), CommandError::KeyReused);
    assert_eq!(shop.times_decided("short").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_order_is_found_again_in_the_middle_of_a_bundle() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    shop.ask(order("o-1", 4), "place").await.unwrap();
    let chair = || stockledger_domain::command::ReceiptLine {
        sku: "CHAIR".parse().unwrap(),
        quantity: Quantity::new(1).unwrap(),
    };
    let chairs = || Command::ReceiveStock(stockledger_domain::command::ReceiveStock { lines: vec![chair()] });
    let shipped = ask(&shop, vec![chairs(), ship("o-1")], "ship").await.unwrap();
    assert_eq!(kinds(&shipped), ["stock_received", "order_shipped"]);
    let shop = shop.stop_and_reopen().await;
    let back = ask(&shop, vec![hold("h", "CHAIR"), take_back("o-1", 1)], "back").await.unwrap();
    assert_eq!(kinds(&back), ["stock_held", "order_returned"]);
    assert_eq!(happened(&shop.ask(take_back("o-1", 4), "too much").await.unwrap()), "command_refused");
}

#[tokio::test(start_paused = true)]
async fn a_bundle_whose_outcome_is_unknown_happens_once_or_not_at_all() {
    let shop = Shop::open().await;
    shop.receive(10, "goods").await;
    shop.faults.plan(0, Fate::answer(Answer::Unknown));
    let done = ask(&shop, vec![order("o-1", 4), hold("h", "CHAIR")], "one").await.unwrap();
    assert_eq!(kinds(&done), ["command_refused"]);
    shop.faults.plan(0, Fate::answer(Answer::Unknown));
    let done = ask(&shop, vec![order("o-1", 4)], "two").await.unwrap();
    assert_eq!(kinds(&done), ["order_placed"], "nothing of the refused one happened");
    for key in ["one", "two"] {
        assert_eq!(shop.times_decided(key).await, 1);
    }
}
