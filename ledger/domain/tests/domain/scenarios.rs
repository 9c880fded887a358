//! What each command does, told as small histories. Balances are `on_hand/reserved/held`.

use std::collections::BTreeSet;

use stockledger_domain::command::reason;
use stockledger_schemas::{CommandKind, Event, Refusal};

use crate::precedence;
use crate::table::{Shown, check, check_main};
use crate::world::World;

const SITES_AND_ITEMS: &str = "
    # A new site goes to the partition with the fewest sites, then to the one with the lowest number.
    0.1 | open oslo Oslo              | site_registered oslo Oslo on 0
    0.2 | open rome Rome              | site_registered rome Rome on 1
    0.3 | open bern Bern              | site_registered bern Bern on 2
    0.4 | open kyiv Kyiv              | site_registered kyiv Kyiv on 0
    0.5 | open riga Riga              | site_registered riga Riga on 1
    # Opening it again changes nothing, or its name.
    -   | open rome Rome              | nothing since 2
    0.6 | open rome Roma              | site_renamed rome Roma on 1
    # It takes commands only once its own partition has opened it.
    -   | @oslo receive apple 1       | not logged: unknown site
    0.7 | opened oslo                 | site_opened
    -   | opened oslo                 | nothing since 7
    0.8 | @oslo receive apple 1       | stock_received apple +1 = 1/0/0
    # Items are described, and described anew.
    0.9 | item apple Apple each       | item_registered apple Apple each
    -   | item apple Apple each       | nothing since 9
    0.10 | item apple Apple kg        | item_updated apple Apple kg
    0.11 | item apple Pomme kg        | item_updated apple Pomme kg
";

const KEYS: &str = "
    # An API key opens the ledger to somebody, everywhere or at some sites.
    0.3 | key key00001 boss admin               | key_created key00001 boss admin at all sites
    0.4 | key key00002 till stock:read,order:place main | key_created key00002 till stock:read, order:place at main
    # Two may act under one name, as while one takes the place of the other.
    0.5 | key key00003 till order:place         | key_created key00003 till order:place at all sites
    0.6 | revoke key00002                       | key_revoked key00002
    -   | revoke key00002                       | nothing since 6
    # Also the last one that may make others can be revoked: it may be in the wrong hands.
    0.7 | revoke key00001                       | key_revoked key00001
    0.8 | key key00004 heir stock:read          | key_created key00004 heir stock:read at all sites
";

const ANOTHER_PARTITION: &str = "
    # Only the directory's partition decides about sites and items.
    -   | open rome Rome              | not logged: not the directory
    -   | item apple Apple each       | not logged: not the directory
    -   | key key00001 boss admin     | not logged: not the directory
    -   | revoke key00001             | not logged: not the directory
    1.1 | opened rome                 | site_opened
    1.2 | @rome receive apple 2       | stock_received apple +2 = 2/0/0
    # A count names positions of its own partition that were reached.
    -   | @rome count apple 2 at 0.1  | not logged: /lines/0/at_position: must be a position of the site's partition 1, not 0.1
    -   | @rome count apple 2 at 1.3  | not logged: /lines/0/at_position: must be a position that was reached; 1.3 was not
";

const STOCK: &str = "
    # Goods come in; any SKU may, and lines of one SKU are one.
    0.3 | receive apple 10, pear 5, apple 2     | stock_received apple +12 = 12/0/0, pear +5 = 5/0/0
    # A difference is booked; lines of one SKU are one, so they may lie below zero on the way.
    0.4 | adjust apple -20, pear 1, apple 18    | stock_adjusted apple -2 = 10/0/0, pear +1 = 6/0/0
    0.5 | adjust apple -10 if 10                | stock_adjusted apple -10 = 0/0/0
    0.6 | adjust apple 7 if 0, apple 1          | stock_adjusted apple +8 = 8/0/0
    0.7 | note all apples came from one tree    | note_recorded
";

const COUNTS: &str = "
    0.3 | receive apple 10                      | stock_received apple +10 = 10/0/0
    # A count states what is there; the difference is booked, also when it is none.
    0.4 | count apple 8, fig 3                  | stock_counted apple -2 = 8/0/0, fig +3 = 3/0/0
    0.5 | count apple 8                         | stock_counted apple +0 = 8/0/0
    # What moved after the counted position is kept: 8 were expected at 0.5, 6 were found, 5 came since.
    0.6 | receive apple 5                       | stock_received apple +5 = 13/0/0
    0.7 | count apple 6 at 0.5                  | stock_counted apple -2 = 11/0/0
    # Two counts cannot both stand on the same base, but one may stand on the count before it.
    0.8 | count apple 6 at 0.5                  | count_superseded apple by 7
    0.9 | count apple 12 at 0.7                 | stock_counted apple +1 = 12/0/0
    # Before it was first seen nothing of a SKU was on hand.
    0.10 | receive plum 4                       | stock_received plum +4 = 4/0/0
    0.11 | count plum 1 at 0.9                  | stock_counted plum +1 = 5/0/0
    # Promised goods are not counted away.
    0.12 | place o1 apple 10                    | order_placed o1: apple 10 = 12/10/0
    0.13 | count apple 9                        | insufficient_stock apple 3 of 2
    0.14 | count apple 10                       | stock_counted apple -2 = 10/10/0
";

const HOLDS: &str = "
    0.3 | receive apple 10                      | stock_received apple +10 = 10/0/0
    # What is held is on hand and not for sale.
    0.4 | hold h1 apple 3 quality_control       | stock_held h1 apple 3 quality_control = 10/0/3
    0.5 | hold h2 apple 2 damaged               | stock_held h2 apple 2 damaged = 10/0/5
    0.6 | place o1 apple 6                      | out_of_stock o1: apple 6 of 5
    0.7 | adjust apple -6                       | insufficient_stock apple 6 of 5
    # It is released in parts, or all that is left.
    0.8 | release h1 1                          | hold_released h1 apple 1, 2 left = 10/0/4
    0.9 | release h1                            | hold_released h1 apple 2, 0 left = 10/0/2
    # Nothing is left of it, and its id stays taken.
    0.10 | release h1                           | exceeds_hold all of 0
    0.11 | release h1 1                         | exceeds_hold 1 of 0
    0.12 | hold h1 apple 1 other                | hold_exists
    0.13 | place o1 apple 8                     | order_placed o1: apple 8 = 10/8/2
";

const ORDERS: &str = "
    0.3 | receive apple 10, pear 5              | stock_received apple +10 = 10/0/0, pear +5 = 5/0/0
    # An order is accepted whole or not at all; lines of one SKU are one.
    0.4 | place o1 apple 4, pear 5, apple 1     | order_placed o1: apple 5 = 10/5/0, pear 5 = 5/5/0
    0.5 | place o2 apple 2, pear 1              | out_of_stock o2: apple 2 of 5, pear 1 of 0
    0.6 | place o2 apple 3, apple 3             | out_of_stock o2: apple 6 of 5
    # The id of a refused order may be placed again, that of an accepted one never.
    0.7 | place o2 apple 2                      | order_placed o2: apple 2 = 10/7/0
    0.8 | place o2 apple 1                      | order_exists
    # It is shipped in parts, or all that is open.
    0.9 | ship o1 apple 2, apple 1              | order_shipped o1 partially_shipped: apple 3 = 7/4/0
    0.10 | ship o1                              | order_shipped o1 shipped: apple 2 = 5/2/0, pear 5 = 0/0/0
    0.11 | ship o1                              | order_finished shipped
    # What is not shipped can be given up.
    0.12 | receive pear 3                       | stock_received pear +3 = 3/0/0
    0.13 | place o3 pear 2, apple 3             | order_placed o3: pear 2 = 3/2/0, apple 3 = 5/5/0
    0.14 | ship o3 apple 1                      | order_shipped o3 partially_shipped: apple 1 = 4/4/0
    0.15 | cancel o3                            | order_cancelled o3 shipped: pear 2 = 3/0/0, apple 2 = 4/2/0
    0.16 | cancel o3                            | order_finished shipped
    0.17 | ship o3                              | order_finished shipped
    0.18 | cancel o2                            | order_cancelled o2 cancelled: apple 2 = 4/0/0
    0.19 | place o2 apple 1                     | order_exists
";

const RETURNS: &str = "
    0.3 | receive apple 10, pear 1              | stock_received apple +10 = 10/0/0, pear +1 = 1/0/0
    0.4 | place o1 pear 1, apple 8              | order_placed o1: pear 1 = 1/1/0, apple 8 = 10/8/0
    0.5 | ship o1 apple 6                       | order_shipped o1 partially_shipped: apple 6 = 4/2/0
    # Restocked goods are for sale at once, damaged ones are held until somebody releases them.
    0.6 | return o1 apple 1 restock             | order_returned o1 partially_shipped: apple 1 = 5/2/0
    0.7 | return o1 apple 1 damaged, apple 1 restock, apple 1 damaged | order_returned o1 partially_shipped: apple 2 = 7/2/2 (return:0.7:1), apple 1 = 8/2/2
    # Never more than was shipped, however it comes back.
    0.8 | return o1 apple 1 damaged, apple 2 restock | exceeds_returnable apple 3 of 2
    0.9 | release return:0.7:1 1                | hold_released return:0.7:1 apple 1, 1 left = 8/2/1
    0.10 | ship o1                              | order_shipped o1 shipped: pear 1 = 0/0/0, apple 2 = 6/0/1
";

fn shown() -> Vec<Shown> {
    let mut elsewhere = World::empty(1);
    let mut shown =
        vec![check(&mut World::empty(0), SITES_AND_ITEMS), check(&mut elsewhere, ANOTHER_PARTITION)];
    shown.extend([KEYS, STOCK, COUNTS, HOLDS, ORDERS, RETURNS].map(check_main));
    shown.extend(precedence::TABLES.map(|(_, table)| check_main(table)));
    shown
}

#[test]
fn sites_and_items_are_described_once() {
    check(&mut World::empty(0), SITES_AND_ITEMS);
}

#[test]
fn keys_are_made_and_revoked() {
    check_main(KEYS);
}

#[test]
fn another_partition_knows_only_its_own_sites() {
    check(&mut World::empty(1), ANOTHER_PARTITION);
}

#[test]
fn stock_comes_in_and_is_adjusted() {
    check_main(STOCK);
}

#[test]
fn a_count_keeps_what_moved_after_it() {
    check_main(COUNTS);
}

#[test]
fn held_goods_are_not_for_sale() {
    check_main(HOLDS);
}

#[test]
fn an_order_is_all_or_nothing() {
    check_main(ORDERS);
}

#[test]
fn never_more_comes_back_than_was_shipped() {
    check_main(RETURNS);
}

#[test]
fn every_event_and_every_refusal_stands_in_some_table() {
    let shown = shown();
    let events: BTreeSet<&str> = shown.iter().flat_map(|shown| shown.events.iter().copied()).collect();
    let refusals: BTreeSet<&str> =
        shown.iter().flat_map(|shown| shown.refusals.iter().map(|(_, refusal)| *refusal)).collect();
    assert_eq!(events, Event::TAGS.iter().map(|(_, _, name)| *name).collect());
    let out_of_stock = ["out_of_stock"];
    assert_eq!(refusals, Refusal::TAGS.iter().map(|(_, _, name)| *name).chain(out_of_stock).collect());
}

#[test]
fn every_command_takes_the_reason_other() {
    for command in CommandKind::ALL {
        assert!(reason::allowed(*command).contains(&stockledger_schemas::Reason::Other), "{command}");
    }
}
