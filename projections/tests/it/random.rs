//! Commands by chance, for ledgers that nobody thought up.

use proptest::prelude::{Strategy, prop, prop_oneof};
use stockledger_domain::Command;
use stockledger_schemas::{Disposition, HoldReason};

use crate::common::{Ledger, adjust, cancel, count, hold, note, place, receive, release, ship, take_back};

pub(crate) const SITES: [&str; 3] = ["north", "south", "west"];
pub(crate) const SKUS: [&str; 4] = ["A", "B", "C", "a"];

pub(crate) fn ledger_with_sites(partitions: u16) -> Ledger {
    let mut ledger = Ledger::new(partitions);
    for site in SITES {
        ledger.open_site(site);
    }
    ledger.register_item("A", "Apfel");
    ledger
}

fn any_sku() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&SKUS[..])
}

fn any_order(orders: u8) -> impl Strategy<Value = String> {
    (0..orders).prop_map(|number| format!("o-{number}"))
}

/// Commands of every kind, about so many orders; many are refused, which is a fact too.
pub(crate) fn any_command(orders: u8) -> impl Strategy<Value = Command> {
    let lines = prop::collection::vec((any_sku(), 1..20_i64), 1..4);
    let hold_id = || (0..5_u8).prop_map(|number| format!("h-{number}"));
    let reason = prop::sample::select(HoldReason::ALL);
    let disposition = prop::sample::select(vec![Disposition::Restock, Disposition::Damaged]);
    prop_oneof![
        3 => prop::collection::vec((any_sku(), 1..40_i64), 1..4).prop_map(|lines| receive(&lines)),
        1 => (any_sku(), -20..20_i64).prop_filter("not zero", |(_, delta)| *delta != 0)
            .prop_map(|line| adjust(&[line])),
        1 => (any_sku(), 0..30_i64).prop_map(|(sku, counted)| count(sku, counted)),
        1 => (hold_id(), any_sku(), 1..10_i64, reason)
            .prop_map(|(hold_id, sku, quantity, reason)| hold(&hold_id, sku, quantity, reason)),
        1 => (hold_id(), 1..10_i64).prop_map(|(hold_id, quantity)| release(&hold_id, quantity)),
        4 => (any_order(orders), lines).prop_map(|(order_id, lines)| place(&order_id, &lines)),
        3 => any_order(orders).prop_map(|order_id| ship(&order_id, None)),
        2 => (any_order(orders), any_sku(), 1..5_i64).prop_map(|(order_id, sku, quantity)| ship(&order_id, Some(&[(sku, quantity)]))),
        1 => any_order(orders).prop_map(|order_id| cancel(&order_id)),
        2 => (any_order(orders), any_sku(), 1..5_i64, disposition)
            .prop_map(|(order_id, sku, quantity, disposition)| take_back(&order_id, sku, quantity, disposition)),
        1 => prop::strategy::Just(note()),
    ]
}
