//! What each decision becomes: small histories, and the rows that they leave.

use crate::common::{
    Ledger, adjust, cancel, count, hold, id, note, order, place, quantity, receive, release, ship, take_back,
};
use stockledger_domain::Command;
use stockledger_domain::command::{CreateKey, RevokeKey};
use stockledger_projections::fold::{Reason, fold};
use stockledger_projections::rows::{MovementRow, OrderRow, StockRow};
use stockledger_projections::{Changes, View};
use stockledger_schemas::event::{OrderShipped, StockReceived};
use stockledger_schemas::{
    Balances, Decision, Disposition, Event, Hash, HoldReason, KeyId, KeyScope, Level, PartitionId, Timestamp,
};

/// What is said of an order of which something changed that never does.
const FIXED: &str = "times, customer, currency or number of lines";
/// The partition that the view is of.
const PARTITION: PartitionId = PartitionId(0);

fn folded(decisions: &[Decision]) -> Changes {
    let mut view = View::of_nothing(PARTITION);
    for decision in decisions {
        fold(&mut view, decision).unwrap();
    }
    view.take_changes()
}

/// A shop on its own partition, and decisions about it.
fn history(commands: impl IntoIterator<Item = Command>) -> (Ledger, Vec<Decision>) {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    let decisions = commands.into_iter().map(|command| ledger.run("shop", command)).collect();
    (ledger, decisions)
}

fn stock(rows: &[StockRow]) -> Vec<String> {
    let show = |row: &StockRow| {
        format!("{} on_hand {} reserved {} held {:?}", row.sku, row.on_hand, row.reserved, row.held)
    };
    rows.iter().map(show).collect()
}

fn movements(rows: &[MovementRow]) -> Vec<String> {
    let show = |row: &MovementRow| {
        format!("{} {} {} {:?} -> {:?}", row.line, row.kind, row.sku, row.delta, row.after)
    };
    rows.iter().map(show).collect()
}

fn orders(rows: &[OrderRow]) -> Vec<String> {
    let show = |row: &OrderRow| {
        format!(
            "{} {} lines {} {} placed {} seq {}",
            row.order_id, row.status, row.line_count, row.lines, row.placed_seq, row.seq
        )
    };
    rows.iter().map(show).collect()
}

#[test]
fn api_keys_are_in_no_table() {
    let key_id: KeyId = "key00001".parse().unwrap();
    let make = Command::CreateKey(CreateKey {
        key_id: key_id.clone(),
        name: "boss".parse().unwrap(),
        secret_hash: Hash::of(&[b"token"]),
        scopes: vec![KeyScope::Admin],
        sites: None,
        expires_at: None,
    });
    let revoke = Command::RevokeKey(RevokeKey { key_id });
    let mut ledger = Ledger::new(1);
    let decisions: Vec<Decision> =
        [make.clone(), make, revoke].into_iter().map(|command| ledger.run_in_directory(command)).collect();
    let types: Vec<&str> = decisions.iter().map(|decision| decision.events[0].type_name()).collect();
    assert_eq!(types, ["key_created", "command_refused", "key_revoked"]);
    assert_eq!(folded(&decisions), Changes::default());
}

#[test]
fn receipts_adjustments_and_counts_change_what_is_on_hand() {
    let (_, decisions) = history([receive(&[("A", 10), ("B", 5)]), adjust(&[("A", -3)]), count("B", 9)]);
    let changes = folded(&decisions);
    assert_eq!(
        stock(&changes.stock),
        ["A on_hand 7 reserved 0 held [0, 0, 0, 0]", "B on_hand 9 reserved 0 held [0, 0, 0, 0]"]
    );
    assert_eq!(
        movements(&changes.movements),
        [
            "0 stock_received A [10, 0, 0] -> [10, 0, 0]",
            "1 stock_received B [5, 0, 0] -> [5, 0, 0]",
            "0 stock_adjusted A [-3, 0, 0] -> [7, 0, 0]",
            "0 stock_counted B [4, 0, 0] -> [9, 0, 0]",
        ]
    );
}

#[test]
fn a_count_that_confirms_moves_nothing_but_stands_in_the_trail() {
    let (_, decisions) = history([receive(&[("A", 10)]), count("A", 10)]);
    let changes = folded(&decisions);
    assert_eq!(movements(&changes.movements).len(), 1);
    assert_eq!(changes.trail[1].detail.as_deref(), Some(r#"{"lines":[{"sku":"A","counted":10}]}"#));
    assert_eq!(changes.stock[0].seq, i64::try_from(decisions[1].seq).unwrap());
}

#[test]
fn holds_are_counted_by_reason() {
    let (_, decisions) = history([
        receive(&[("A", 10)]),
        hold("h1", "A", 4, HoldReason::QualityControl),
        hold("h2", "A", 2, HoldReason::SafetyStock),
        release("h1", 1),
    ]);
    let changes = folded(&decisions);
    assert_eq!(stock(&changes.stock), ["A on_hand 10 reserved 0 held [0, 3, 2, 0]"]);
    assert_eq!(
        movements(&changes.movements)[1..],
        [
            "0 stock_held A [0, 0, 4] -> [10, 0, 4]",
            "0 stock_held A [0, 0, 2] -> [10, 0, 6]",
            "0 hold_released A [0, 0, -1] -> [10, 0, 5]",
        ]
    );
    assert_eq!(changes.trail[1].reason.map(|reason| reason.as_str()), Some("quality_control"));
    let held: Vec<_> = changes
        .movements
        .iter()
        .map(|row| (row.held_by_reason.as_deref(), row.held_reason.map(HoldReason::as_str)))
        .collect();
    let quality = Some("quality_control");
    let expected = [
        (None, None),
        (Some("0,4,0,0"), quality),
        (Some("0,4,2,0"), Some("safety_stock")),
        (Some("0,3,2,0"), quality),
    ];
    assert_eq!(held, expected);
    assert_eq!((changes.stock[0].first_seq, changes.stock[0].seq), (3, 6));
}

#[test]
fn a_row_of_stock_keeps_when_the_first_thing_happened_to_it() {
    let mut ledger = Ledger::new(1);
    ledger.open_site("shop");
    let first = ledger.run("shop", receive(&[("A", 10)]));
    let mut decisions = vec![first.clone()];
    for micros in [1_000, -1_000, 0] {
        let occurred_at = Timestamp::from_micros(first.recorded_at.micros() + micros).unwrap();
        decisions.push(ledger.run_late("shop", receive(&[("A", 1)]), occurred_at));
    }
    let row = folded(&decisions).stock.remove(0);
    assert_eq!(row.first_occurred_at.micros(), first.recorded_at.micros() - 1_000);
    assert_eq!((row.first_seq, row.seq), (3, 6));
}

#[test]
fn an_order_goes_its_way() {
    let (_, decisions) = history([
        receive(&[("A", 10), ("B", 10)]),
        place("o-1", &[("A", 4), ("B", 2)]),
        ship("o-1", Some(&[("A", 3)])),
        cancel("o-1"),
        take_back("o-1", "A", 2, Disposition::Damaged),
    ]);
    let changes = folded(&decisions);
    assert_eq!(
        movements(&changes.movements)[2..],
        [
            "0 order_placed A [0, 4, 0] -> [10, 4, 0]",
            "1 order_placed B [0, 2, 0] -> [10, 2, 0]",
            "0 order_shipped A [-3, -3, 0] -> [7, 1, 0]",
            "0 order_cancelled A [0, -1, 0] -> [7, 0, 0]",
            "1 order_cancelled B [0, -2, 0] -> [10, 0, 0]",
            "0 order_returned A [2, 0, 2] -> [9, 0, 2]",
        ]
    );
    assert_eq!(
        orders(&changes.orders),
        [r#"o-1 shipped lines 2 [["A",4,3,1,2,250],["B",2,0,2,0,250]] placed 4 seq 7"#]
    );
    assert_eq!(stock(&changes.stock)[0], "A on_hand 9 reserved 0 held [2, 0, 0, 0]");
    let kinds: Vec<&str> = changes.trail.iter().map(|row| row.kind).collect();
    assert_eq!(
        kinds,
        ["stock_received", "order_placed", "order_shipped", "order_cancelled", "order_returned"]
    );
}

#[test]
fn a_refused_order_is_overwritten_by_its_next_attempt() {
    let (_, decisions) = history([
        receive(&[("A", 10)]),
        place("o-1", &[("A", 1), ("B", 1), ("C", 1)]),
        place("o-1", &[("A", 2)]),
    ]);
    let refused = folded(&decisions[..2]);
    let lines = r#"[["A",1,0,0,0,250],["B",1,0,0,0,250],["C",1,0,0,0,250]]"#;
    assert_eq!(orders(&refused.orders), [format!("o-1 refused lines 3 {lines} placed 4 seq 4")]);
    assert_eq!(
        refused.trail[1].detail.as_deref(),
        Some(
            r#"{"customer":"c-1","currency":"GBP","lines":[{"sku":"A","requested":1,"available":10,"unit_price_minor":250},{"sku":"B","requested":1,"available":0,"unit_price_minor":250},{"sku":"C","requested":1,"available":0,"unit_price_minor":250}]}"#
        )
    );
    let changes = folded(&decisions);
    assert_eq!(orders(&changes.orders), [r#"o-1 placed lines 1 [["A",2,0,0,0,250]] placed 5 seq 5"#]);
}

#[test]
fn a_refused_command_says_why_and_changes_nothing() {
    let (_, decisions) = history([ship("nowhere", None), note()]);
    let changes = folded(&decisions);
    assert!(changes.movements.is_empty() && changes.orders.is_empty() && changes.stock.is_empty());
    assert_eq!(changes.trail[0].order_id, Some(order("nowhere")));
    let detail = changes.trail[0].detail.as_deref().unwrap();
    assert!(detail.contains(r#""command":"ship_order""#) && detail.contains("unknown_order"), "{detail}");
    assert_eq!(changes.trail[1].note.as_ref().map(|note| note.as_str()), Some("größer als üblich"));
}

#[test]
fn a_view_names_what_it_misses_once() {
    let (_, decisions) = history([
        receive(&[("B", 5), ("A", 5)]),
        place("o-1", &[("A", 1)]),
        ship("o-1", None),
        ship("o-9", None),
    ]);
    let missing = View::new(PARTITION).missing(&decisions);
    let (_, skus) = missing.stock.into_iter().next().unwrap();
    let (_, order_ids) = missing.orders.into_iter().next().unwrap();
    assert_eq!((skus, order_ids), (vec![id("A"), id("B")], vec![order("o-1")]));
    assert!(View::of_nothing(PARTITION).missing(&decisions).is_empty());
}

#[test]
fn changes_are_taken_once() {
    let (_, decisions) = history([receive(&[("A", 10)])]);
    let mut view = View::of_nothing(PARTITION);
    fold(&mut view, &decisions[0]).unwrap();
    assert_eq!(view.take_changes().rows(), 3);
    assert_eq!(view.take_changes(), Changes::default());
}

/// Folds `before`, then says why `decision` is impossible.
fn refusal(before: &[Decision], decision: &Decision) -> Reason {
    let mut view = View::of_nothing(PARTITION);
    for decision in before {
        fold(&mut view, decision).unwrap();
    }
    fold(&mut view, decision).unwrap_err().reason
}

#[test]
fn a_balance_that_does_not_add_up_is_impossible() {
    let (_, mut decisions) = history([receive(&[("A", 10)]), receive(&[("A", 5)])]);
    let Event::StockReceived(StockReceived { lines }) = &mut decisions[1].events[0] else { panic!() };
    lines[0].after.on_hand = Level::new(14).unwrap();
    let expected = Reason::Balance { sku: id("A"), balance: "on_hand", computed: 15, recorded: 14 };
    assert_eq!(refusal(&decisions[..1], &decisions[1]), expected);
}

#[test]
fn shipping_more_than_was_reserved_is_impossible() {
    let (_, mut decisions) = history([receive(&[("A", 10)]), place("o-1", &[("A", 2)]), ship("o-1", None)]);
    let Event::OrderShipped(OrderShipped { moves, .. }) = &mut decisions[2].events[0] else { panic!() };
    moves[0].quantity = quantity(3);
    let expected = Reason::OutOfBounds { sku: id("A"), balance: "reserved", computed: -1 };
    assert_eq!(refusal(&decisions[..2], &decisions[2]), expected);
}

#[test]
fn reserving_more_than_is_there_is_impossible() {
    let (_, mut decisions) = history([receive(&[("A", 10)]), place("o-1", &[("A", 2)])]);
    let Event::OrderPlaced(placed) = &mut decisions[1].events[0] else { panic!() };
    placed.lines[0].quantity = quantity(11);
    placed.lines[0].after = Balances { reserved: Level::new(11).unwrap(), ..placed.lines[0].after };
    let expected = Reason::Oversold { sku: id("A"), available: -1 };
    assert_eq!(refusal(&decisions[..1], &decisions[1]), expected);
}

#[test]
fn steps_of_orders_that_were_not_accepted_are_impossible() {
    let (_, decisions) = history([receive(&[("A", 10)]), place("o-1", &[("A", 2)]), ship("o-1", None)]);
    let unknown = Reason::OrderUnknown { order_id: order("o-1") };
    assert_eq!(refusal(&decisions[..1], &decisions[2]), unknown);
    let exists = Reason::OrderExists { order_id: order("o-1") };
    assert_eq!(refusal(&decisions[..2], &decisions[1]), exists);
}

#[test]
fn an_order_that_contradicts_itself_is_impossible() {
    let (_, decisions) = history([receive(&[("A", 10)]), place("o-1", &[("A", 2)]), ship("o-1", None)]);
    let tampered = |change: fn(&mut OrderShipped)| {
        let mut decision = decisions[2].clone();
        let Event::OrderShipped(shipped) = &mut decision.events[0] else { panic!() };
        change(shipped);
        refusal(&decisions[..2], &decision)
    };
    let contradicts = |what| Reason::OrderContradicts { order_id: order("o-1"), what };
    assert_eq!(tampered(|shipped| shipped.moves[0].line = 1), contradicts("line numbers"));
    assert_eq!(tampered(|shipped| shipped.order.customer = None), contradicts(FIXED));
    assert_eq!(tampered(|shipped| shipped.order.lines.clear()), contradicts(FIXED));
    let too_much = |shipped: &mut OrderShipped| shipped.order.lines[0].shipped = Level::new(3).unwrap();
    assert_eq!(tampered(too_much), contradicts("quantities"));
}

#[test]
fn an_event_in_the_wrong_scope_is_impossible() {
    let (_, mut decisions) = history([receive(&[("A", 10)])]);
    decisions[0].scope = stockledger_schemas::Scope::Directory;
    assert_eq!(refusal(&[], &decisions[0]), Reason::WrongScope { event: "stock_received" });
}
