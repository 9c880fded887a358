//! Which refusal comes first. In each table one kind of command meets all of its refusals: every row breaks its own rule
//! and, wherever that is possible, all rules below it. The order is the one that `decide` documents.

use std::collections::BTreeMap;

use stockledger_schemas::CommandKind;

use crate::table::check_main;

/// One table per command that can be refused.
pub(crate) const TABLES: [(CommandKind, &str); 11] = [
    (
        CommandKind::CreateKey,
        "
        # The two exclude each other: where a key exists, the next one is not the first.
        0.3 | key key00001 till stock:read      | first_key_not_admin
        0.4 | key key00001 boss admin           | key_created key00001 boss admin at all sites
        0.5 | key key00001 till stock:read      | key_exists
        ",
    ),
    (
        CommandKind::RevokeKey,
        "
        0.3 | revoke key00001                   | unknown_key
        ",
    ),
    (
        CommandKind::ReceiveStock,
        "
        0.3 | receive apple max                 | stock_received apple +max = max/0/0
        0.4 | receive pear 1, apple 1           | quantity_limit apple
        0.5 | receive pear 1                    | stock_received pear +1 = 1/0/0
        ",
    ),
    (
        CommandKind::AdjustStock,
        "
        0.3 | receive apple max, pear 2, fig 2  | stock_received apple +max = max/0/0, pear +2 = 2/0/0, fig +2 = 2/0/0
        # The first stale line is named, every short one.
        0.4 | adjust apple 1, pear -3 if 3, fig -4 if 4 | expected_quantity_stale pear 3, is 2
        0.5 | adjust apple 1, pear -3 if 2, fig -4 if 4 | expected_quantity_stale fig 4, is 2
        0.6 | adjust apple 1, pear -3 if 2, fig -4 if 2 | insufficient_stock pear 3 of 2, fig 4 of 2
        0.7 | adjust apple 1, pear -2 if 2      | quantity_limit apple
        0.8 | adjust apple -1, pear -2 if 2     | stock_adjusted apple -1 = 9007199254740990/0/0, pear -2 = 0/0/0
        ",
    ),
    (
        CommandKind::CountStock,
        "
        0.3 | count pear 2                      | stock_counted pear +2 = 2/0/0
        0.4 | receive apple max                 | stock_received apple +max = max/0/0
        0.5 | hold h1 pear 1 other              | stock_held h1 pear 1 other = 2/0/1
        0.6 | count apple 1 at 0.3, pear 0 at 0.2 if 3, fig 1 if 1 | expected_quantity_stale pear 3, is 2
        0.7 | count apple 1 at 0.3, pear 0 at 0.2 if 2, fig 1 at 0.2 | count_superseded pear by 3
        0.8 | count apple 1 at 0.3, pear 0 at 0.3 if 2 | insufficient_stock pear 2 of 1
        0.9 | count apple 1 at 0.3, pear 1 at 0.3 | quantity_limit apple
        0.10 | count apple 0 at 0.3, pear 1 at 0.3 if 2 | stock_counted apple +0 = max/0/0, pear -1 = 1/0/1
        ",
    ),
    (
        CommandKind::HoldStock,
        "
        0.3 | receive apple 2                   | stock_received apple +2 = 2/0/0
        0.4 | hold h1 apple 1 damaged           | stock_held h1 apple 1 damaged = 2/0/1
        0.5 | hold h1 apple 2 damaged           | hold_exists
        0.6 | hold h2 apple 2 damaged           | insufficient_stock apple 2 of 1
        0.7 | hold h2 apple 1 safety_stock      | stock_held h2 apple 1 safety_stock = 2/0/2
        ",
    ),
    (
        CommandKind::ReleaseHold,
        "
        0.3 | receive apple 2                   | stock_received apple +2 = 2/0/0
        0.4 | release h1 3                      | unknown_hold
        0.5 | hold h1 apple 2 other             | stock_held h1 apple 2 other = 2/0/2
        0.6 | release h1 3                      | exceeds_hold 3 of 2
        0.7 | release h1 2                      | hold_released h1 apple 2, 0 left = 2/0/0
        ",
    ),
    (
        CommandKind::PlaceOrder,
        "
        0.3 | receive apple 2                   | stock_received apple +2 = 2/0/0
        0.4 | place o1 apple 1                  | order_placed o1: apple 1 = 2/1/0
        0.5 | place o1 apple 2                  | order_exists
        0.6 | place o2 apple 2                  | out_of_stock o2: apple 2 of 1
        0.7 | place o2 apple 1                  | order_placed o2: apple 1 = 2/2/0
        ",
    ),
    (
        CommandKind::ShipOrder,
        "
        0.3 | receive apple 9, pear 9           | stock_received apple +9 = 9/0/0, pear +9 = 9/0/0
        0.4 | place o1 apple 2                  | order_placed o1: apple 2 = 9/2/0
        0.5 | cancel o1                         | order_cancelled o1 cancelled: apple 2 = 9/0/0
        0.6 | place o2 apple 2, pear 1          | order_placed o2: apple 2 = 9/2/0, pear 1 = 9/1/0
        0.7 | ship o9 apple 3, fig 1            | unknown_order
        0.8 | ship o1 apple 3, fig 1            | order_finished cancelled
        0.9 | ship o2 apple 3, fig 1            | not_in_order fig
        0.10 | ship o2 apple 3, pear 2          | exceeds_open apple 3 of 2
        0.11 | ship o2 apple 2, pear 2          | exceeds_open pear 2 of 1
        0.12 | ship o2 apple 2, pear 1          | order_shipped o2 shipped: apple 2 = 7/0/0, pear 1 = 8/0/0
        ",
    ),
    (
        CommandKind::CancelOrder,
        "
        0.3 | receive apple 9                   | stock_received apple +9 = 9/0/0
        0.4 | cancel o1                         | unknown_order
        0.5 | place o1 apple 2                  | order_placed o1: apple 2 = 9/2/0
        0.6 | ship o1                           | order_shipped o1 shipped: apple 2 = 7/0/0
        0.7 | cancel o1                         | order_finished shipped
        0.8 | place o2 apple 2                  | order_placed o2: apple 2 = 7/2/0
        0.9 | cancel o2                         | order_cancelled o2 cancelled: apple 2 = 7/0/0
        ",
    ),
    (
        CommandKind::ReturnOrder,
        "
        0.3 | receive apple 2, pear 9           | stock_received apple +2 = 2/0/0, pear +9 = 9/0/0
        0.4 | place o1 apple 2, pear 1          | order_placed o1: apple 2 = 2/2/0, pear 1 = 9/1/0
        0.5 | return o9 apple 3 restock, fig 1 restock | unknown_order
        0.6 | return o1 apple 3 restock, fig 1 restock | order_finished placed
        0.7 | ship o1                           | order_shipped o1 shipped: apple 2 = 0/0/0, pear 1 = 8/0/0
        0.8 | receive apple max                 | stock_received apple +max = max/0/0
        0.9 | return o1 apple 3 restock, fig 1 restock | not_in_order fig
        0.10 | return o1 apple 2 restock, apple 1 damaged | exceeds_returnable apple 3 of 2
        0.11 | return o1 pear 1 restock, apple 1 damaged | quantity_limit apple
        0.12 | return o1 pear 1 restock         | order_returned o1 shipped: pear 1 = 9/0/0
        ",
    ),
];

/// The table in the documentation of `decide`: per command its refusals, in order.
fn documented() -> BTreeMap<String, Vec<String>> {
    let source = include_str!("../../src/decide.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let row = |row: &str| {
        let (command, cell) = row.split_once('`').unwrap();
        let refusals = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (command.to_owned(), refusals)
    };
    rows.map(row).collect()
}

#[test]
fn refusals_come_in_the_documented_order() {
    let mut documented = documented();
    for (command, table) in TABLES {
        let shown = check_main(table);
        let mut refusals: Vec<&str> =
            shown.refusals.iter().filter(|(of, _)| *of == command).map(|(_, refusal)| *refusal).collect();
        refusals.dedup();
        assert_eq!(documented.remove(command.as_str()).unwrap(), refusals, "{command}");
    }
    for (command, refusals) in documented {
        assert!(refusals.is_empty(), "{command} has no table of its refusals");
    }
}

#[test]
fn every_command_is_documented() {
    let documented = documented();
    for command in CommandKind::ALL {
        assert!(documented.contains_key(command.as_str()), "{command}");
    }
}
