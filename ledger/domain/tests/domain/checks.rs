//! What is wrong with a command, and where: all of it at once.

use stockledger_domain::command::reason::{self, allowed};
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, CountLine, CountStock, CreateKey, HoldStock, OpenSite,
    OrderedLine, PlaceOrder, ReceiptLine, ReceiveStock, RecordNote, RegisterItem, ReleaseHold, ReturnLine,
    ReturnOrder, RevokeKey, ShipOrder, ShipmentLine,
};
use stockledger_domain::{Checked, Command};
use stockledger_schemas::limits::{KEY_SITES_MAX, LINES_MAX, QUANTITY_MAX};
use stockledger_schemas::{
    CommandKind, Context, Delta, Disposition, Hash, HoldReason, KeyScope, Level, Quantity, Reason, Scope,
    SiteId,
};

use crate::table::is_of_directory;
use crate::world::{by_somebody, main_site, site_id, sku};

fn receipt(lines: &[(&str, i64)]) -> Command {
    let line =
        |(name, quantity): &(&str, i64)| ReceiptLine { sku: sku(name), quantity: quantity_of(*quantity) };
    Command::ReceiveStock(ReceiveStock { lines: lines.iter().map(line).collect() })
}

fn adjustment(lines: &[(&str, i64, Option<i64>)]) -> Command {
    let line = |(name, delta, expected): &(&str, i64, Option<i64>)| AdjustmentLine {
        sku: sku(name),
        delta: Delta::new(*delta).unwrap(),
        expected_on_hand: expected.map(|level| Level::new(level).unwrap()),
    };
    Command::AdjustStock(AdjustStock { lines: lines.iter().map(line).collect() })
}

fn count(names: &[&str]) -> Command {
    let line = |name: &&str| CountLine {
        sku: sku(name),
        counted: Level::ZERO,
        at_position: None,
        expected_on_hand: None,
    };
    Command::CountStock(CountStock { lines: names.iter().map(line).collect() })
}

fn hold(id: &str) -> Command {
    Command::HoldStock(HoldStock {
        hold_id: id.parse().unwrap(),
        sku: sku("apple"),
        quantity: quantity_of(1),
        reason: HoldReason::Damaged,
    })
}

fn quantity_of(number: i64) -> Quantity {
    Quantity::new(number).unwrap()
}

fn key(scopes: &[KeyScope]) -> CreateKey {
    CreateKey {
        key_id: "key00001".parse().unwrap(),
        name: "till".parse().unwrap(),
        secret_hash: Hash::of(&[b"token"]),
        scopes: scopes.to_vec(),
        sites: None,
        expires_at: None,
    }
}

fn because(reason: Reason) -> Context {
    Context { reason: Some(reason), ..by_somebody() }
}

/// One well-formed command of each kind, in the order of [`CommandKind::ALL`].
fn one_of_each() -> Vec<Command> {
    let order_id = || "o1".parse().unwrap();
    let apple = || sku("apple");
    let quantity = quantity_of(1);
    vec![
        Command::OpenSite(OpenSite { site: "main".parse().unwrap(), name: "Main".parse().unwrap() }),
        Command::RegisterItem(RegisterItem {
            sku: apple(),
            name: "Apple".parse().unwrap(),
            unit: "each".parse().unwrap(),
        }),
        receipt(&[("apple", 1)]),
        adjustment(&[("apple", 1, None)]),
        count(&["apple"]),
        hold("h1"),
        Command::ReleaseHold(ReleaseHold { hold_id: "return:0.7:1".parse().unwrap(), quantity: None }),
        Command::PlaceOrder(PlaceOrder {
            order_id: order_id(),
            customer: None,
            currency: None,
            lines: vec![OrderedLine { sku: apple(), quantity, unit_price_minor: None }],
        }),
        Command::ShipOrder(ShipOrder {
            order_id: order_id(),
            lines: Some(vec![ShipmentLine { sku: apple(), quantity }]),
        }),
        Command::CancelOrder(CancelOrder { order_id: order_id() }),
        Command::ReturnOrder(ReturnOrder {
            order_id: order_id(),
            lines: vec![ReturnLine { sku: apple(), quantity, disposition: Disposition::Restock }],
        }),
        Command::RecordNote(RecordNote {}),
        Command::CreateKey(key(&[KeyScope::StockRead])),
        Command::RevokeKey(RevokeKey { key_id: "key00001".parse().unwrap() }),
    ]
}

fn scope_of(kind: CommandKind) -> Scope {
    if is_of_directory(kind) { Scope::Directory } else { main_site() }
}

/// The problems of a command at the site `main`, as `pointer: detail`.
fn problems(command: Command, context: Context) -> Vec<String> {
    match Checked::new(main_site(), command, context) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn pointers(command: Command, context: Context) -> Vec<String> {
    match Checked::new(main_site(), command, context) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.pointer).collect(),
    }
}

#[test]
fn all_problems_are_found_at_once() {
    let lines = [
        ("apple", 1, Some(4)),
        ("pear", 0, None),
        ("apple", -1, Some(5)),
        ("fig", QUANTITY_MAX, None),
        ("fig", 1, None),
    ];
    assert_eq!(
        problems(adjustment(&lines), because(Reason::Purchase)),
        [
            "/lines/1/delta: must not be 0",
            "/lines/0/delta: the lines of apple cancel each other out",
            "/lines/3/delta: the lines of fig add up to more than 9007199254740991",
            "/lines/2/expected_on_hand: an earlier line of apple expects 4",
            "/reason: purchase is not a reason of adjust_stock: use one of damaged, shrinkage, found, correction, \
             quality_control, promotion, other",
        ]
    );
}

#[test]
fn a_command_belongs_to_the_directory_or_to_a_site() {
    for command in one_of_each() {
        let kind = command.kind();
        let context = Context { note: Some("because".parse().unwrap()), ..because_required(kind) };
        let wrong = if scope_of(kind) == Scope::Directory { main_site() } else { Scope::Directory };
        let right = Checked::new(scope_of(kind), command.clone(), context.clone());
        assert!(right.is_ok(), "{kind}: {right:?}");
        let problems = Checked::new(wrong, command, context).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].pointer, "");
    }
}

fn because_required(kind: CommandKind) -> Context {
    match kind {
        CommandKind::AdjustStock => because(Reason::Found),
        _ => by_somebody(),
    }
}

#[test]
fn one_of_each_is_one_of_each() {
    let kinds: Vec<CommandKind> = one_of_each().iter().map(Command::kind).collect();
    assert_eq!(kinds, CommandKind::ALL);
}

#[test]
fn a_reason_must_be_of_the_command() {
    let note = Some("because".parse().unwrap());
    for command in one_of_each().into_iter().filter(|command| command.kind() != CommandKind::HoldStock) {
        let kind = command.kind();
        for reason in Reason::ALL {
            let context = Context { note: note.clone(), ..because(*reason) };
            let accepted = Checked::new(scope_of(kind), command.clone(), context).is_ok();
            assert_eq!(accepted, allowed(kind).contains(reason), "{kind} because {reason}");
        }
        let context = Context { note: note.clone(), ..by_somebody() };
        let accepted = Checked::new(scope_of(kind), command, context).is_ok();
        assert_eq!(accepted, !reason::is_required(kind), "{kind} without a reason");
    }
}

#[test]
fn a_hold_has_one_reason() {
    for reason in Reason::ALL {
        let accepted = pointers(hold("h1"), because(*reason)).is_empty();
        assert_eq!(accepted, *reason == Reason::Damaged, "{reason}");
    }
    assert_eq!(
        allowed(CommandKind::HoldStock),
        HoldReason::ALL.iter().map(|reason| (*reason).into()).collect::<Vec<Reason>>()
    );
}

#[test]
fn hold_ids_of_returns_are_reserved() {
    assert_eq!(pointers(hold("return:0.7:1"), by_somebody()), ["/hold_id"]);
    assert_eq!(pointers(hold("returned"), by_somebody()), [""; 0]);
}

/// The pointers of the problems of a key.
fn of_key(key: CreateKey) -> Vec<String> {
    let checked = Checked::new(Scope::Directory, Command::CreateKey(key), by_somebody());
    checked.err().unwrap_or_default().into_iter().map(|problem| problem.pointer).collect()
}

#[test]
fn a_key_has_rights_once_each_and_none_beyond_its_sites() {
    let at = |scopes: &[KeyScope], sites: Vec<SiteId>| CreateKey { sites: Some(sites), ..key(scopes) };
    let (uk, fr) = (site_id("uk"), site_id("fr"));
    let all_but_admin: Vec<KeyScope> =
        KeyScope::ALL.iter().copied().filter(|scope| *scope != KeyScope::Admin).collect();
    let numbered = |count: usize| (0..count).map(|number| site_id(&format!("s{number}"))).collect::<Vec<_>>();
    let cases = [
        (key(KeyScope::ALL), vec![]),
        (at(&all_but_admin, vec![uk.clone(), fr.clone()]), vec![]),
        (key(&[]), vec!["/scopes"]),
        (key(&[KeyScope::Admin, KeyScope::StockRead, KeyScope::Admin]), vec!["/scopes/2"]),
        (at(&all_but_admin, vec![]), vec!["/sites"]),
        (at(&all_but_admin, vec![uk.clone(), fr, uk.clone()]), vec!["/sites/2"]),
        (at(&all_but_admin, numbered(KEY_SITES_MAX)), vec![]),
        (at(&all_but_admin, numbered(KEY_SITES_MAX + 1)), vec!["/sites"]),
        (at(&[KeyScope::Admin], vec![uk]), vec!["/sites"]),
    ];
    for (key, pointers) in cases {
        assert_eq!(of_key(key.clone()), pointers, "{key:?}");
    }
}

#[test]
fn a_key_does_not_act_under_a_name_that_acts_without_one() {
    for name in ["local", "stockledger"] {
        let key = CreateKey { name: name.parse().unwrap(), ..key(&[KeyScope::StockRead]) };
        assert_eq!(of_key(key), ["/name"], "{name}");
    }
}

#[test]
fn a_note_must_say_something() {
    assert_eq!(pointers(Command::RecordNote(RecordNote {}), by_somebody()), ["/note"]);
}

#[test]
fn a_count_states_a_sku_once() {
    assert_eq!(
        problems(count(&["apple", "pear", "apple"]), by_somebody()),
        ["/lines/2/sku: apple is counted in line 0 already; a count states it once"]
    );
}

#[test]
fn there_are_from_one_to_the_largest_number_of_lines() {
    let lines = |count: usize| vec![("apple", 1); count];
    assert_eq!(pointers(receipt(&lines(0)), by_somebody()), ["/lines"]);
    assert_eq!(pointers(receipt(&lines(LINES_MAX)), by_somebody()), [""; 0]);
    assert_eq!(pointers(receipt(&lines(LINES_MAX + 1)), by_somebody()), ["/lines"]);
    let ship_nothing = ShipOrder { order_id: "o1".parse().unwrap(), lines: Some(Vec::new()) };
    assert_eq!(pointers(Command::ShipOrder(ship_nothing), by_somebody()), ["/lines"]);
    let ship_all = ShipOrder { order_id: "o1".parse().unwrap(), lines: None };
    assert_eq!(pointers(Command::ShipOrder(ship_all), by_somebody()), [""; 0]);
}

#[test]
fn lines_of_one_sku_keep_within_the_largest_quantity() {
    let lines = [("pear", 1), ("apple", QUANTITY_MAX), ("pear", QUANTITY_MAX - 1)];
    assert_eq!(pointers(receipt(&lines), by_somebody()), [""; 0]);
    let lines = [("pear", 1), ("apple", QUANTITY_MAX), ("pear", QUANTITY_MAX), ("apple", 1)];
    assert_eq!(pointers(receipt(&lines), by_somebody()), ["/lines/0/quantity", "/lines/1/quantity"]);
}

#[test]
fn lines_of_both_signs_may_go_beyond_their_sum_on_the_way() {
    let mut lines = vec![("apple", QUANTITY_MAX, None); LINES_MAX / 2];
    lines.extend(vec![("apple", -QUANTITY_MAX, None); LINES_MAX / 2 - 1]);
    assert_eq!(pointers(adjustment(&lines), because(Reason::Found)), [""; 0]);
    lines.push(("apple", -QUANTITY_MAX, None));
    assert_eq!(pointers(adjustment(&lines), because(Reason::Found)), ["/lines/0/delta"]);
}
