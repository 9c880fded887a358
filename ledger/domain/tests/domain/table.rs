//! Reads the tables: one row is a position, a command and its outcome, parted by `|`. Lines that begin with `#` say
//! what the rows below them show.
//!
//! ```text
//! open SITE NAME            receive SKU N, ...        hold ID SKU N REASON     place ID SKU N, ...
//! opened SITE               adjust SKU N [if N], ...  release ID [N]           ship ID [SKU N, ...]
//! item SKU NAME UNIT        count SKU N [at P], ...   note TEXT                cancel ID
//! key ID NAME SCOPE,.. [SITE]                        revoke ID                 return ID SKU N restock|damaged, ...
//! ```
//!
//! `@SITE` in front of a command sends it to another site than `main`; `max` is the largest quantity. The position
//! stands for the decision's; it is `-` where nothing is logged.

use std::collections::BTreeSet;
use std::str::FromStr;

use stockledger_domain::Command;
use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CancelOrder, CountLine, CountStock, CreateKey, HoldStock, OpenSite,
    OrderedLine, PlaceOrder, ReceiptLine, ReceiveStock, RecordNote, RegisterItem, ReleaseHold, ReturnLine,
    ReturnOrder, RevokeKey, ShipOrder, ShipmentLine,
};
use stockledger_schemas::limits::QUANTITY_MAX;
use stockledger_schemas::{CommandKind, Disposition, Hash, HoldReason, KeyScope, Reason, Scope};

use crate::render;
use crate::world::{Outcome, World, by_somebody, main_site, site_id};

/// What a table showed.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The names of all refusals, with the command that was refused, in the order of the rows.
    pub(crate) refusals: Vec<(CommandKind, &'static str)>,
    /// The names of all events.
    pub(crate) events: BTreeSet<&'static str>,
}

/// Runs a table in a world and compares every row.
///
/// # Panics
/// If a row has another position or outcome; the message is the table as it would be right.
pub(crate) fn check(world: &mut World, table: &str) -> Shown {
    let mut shown = Shown::default();
    let (mut actual, mut wrong) = (String::new(), 0);
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let cells: Vec<String> = row.split('|').map(squeeze).collect();
        let [position, command, expected] = cells.as_slice() else {
            assert!(row.starts_with('#'), "a row has three cells: {row}");
            actual += &format!("{row}\n");
            continue;
        };
        let (kind, outcome) = send(world, command);
        let logged = matches!(outcome, Outcome::Logged(_));
        let at = if logged { format!("{}.{}", world.state.id, world.state.seq) } else { "-".to_owned() };
        let text = squeeze(&render::outcome(&outcome));
        let fits = text == *expected && at == *position;
        wrong += usize::from(!fits);
        actual += &format!("{} {at:5} | {command:36} | {text}\n", if fits { ' ' } else { '>' });
        shown.refusals.extend(kind.zip(render::refusal_name(&outcome)));
        if let Outcome::Logged(event) = &outcome {
            shown.events.insert(event.type_name());
        }
    }
    assert!(wrong == 0, "{wrong} rows differ; this is what happens:\n{actual}");
    shown
}

/// Runs a table in a world with the open site `main`, whose own decisions are 0.1 and 0.2.
pub(crate) fn check_main(table: &str) -> Shown {
    check(&mut World::with_main_site(), table)
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn send(world: &mut World, text: &str) -> (Option<CommandKind>, Outcome) {
    let (scope, text) = match text.strip_prefix('@').and_then(|text| text.split_once(' ')) {
        Some((site, text)) => (Scope::Site(site_id(site)), text),
        None => (main_site(), text),
    };
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    if verb == "opened" {
        return (None, world.open_here(rest));
    }
    let command = parse(verb, rest);
    let scope = if is_of_directory(command.kind()) { Scope::Directory } else { scope };
    let mut context = by_somebody();
    match command.kind() {
        CommandKind::AdjustStock => context.reason = Some(Reason::Correction),
        CommandKind::RecordNote => context.note = Some(of(rest)),
        _ => {}
    }
    (Some(command.kind()), world.send(scope, command, context))
}

/// Whether a command is about the ledger as a whole.
pub(crate) fn is_of_directory(kind: CommandKind) -> bool {
    use CommandKind::{CreateKey, OpenSite, RegisterItem, RevokeKey};
    matches!(kind, OpenSite | RegisterItem | CreateKey | RevokeKey)
}

fn parse(verb: &str, rest: &str) -> Command {
    let words: Vec<&str> = rest.split(' ').collect();
    let (id, after_id) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "open" => Command::OpenSite(OpenSite { site: of(id), name: of(after_id) }),
        "item" => Command::RegisterItem(RegisterItem { sku: of(id), name: of(words[1]), unit: of(words[2]) }),
        "receive" => Command::ReceiveStock(ReceiveStock {
            lines: lines(rest, |words| ReceiptLine { sku: of(words[0]), quantity: number(words[1]) }),
        }),
        "adjust" => Command::AdjustStock(AdjustStock { lines: lines(rest, adjustment_line) }),
        "count" => Command::CountStock(CountStock { lines: lines(rest, count_line) }),
        "hold" => Command::HoldStock(HoldStock {
            hold_id: of(id),
            sku: of(words[1]),
            quantity: number(words[2]),
            reason: HoldReason::from_word(words[3]).unwrap(),
        }),
        "release" => Command::ReleaseHold(ReleaseHold {
            hold_id: of(id),
            quantity: words.get(1).map(|word| number(word)),
        }),
        "place" => Command::PlaceOrder(PlaceOrder {
            order_id: of(id),
            customer: None,
            currency: None,
            lines: lines(after_id, |words| OrderedLine {
                sku: of(words[0]),
                quantity: number(words[1]),
                unit_price_minor: None,
            }),
        }),
        "ship" => {
            let line = |words: &[&str]| ShipmentLine { sku: of(words[0]), quantity: number(words[1]) };
            let lines = (!after_id.is_empty()).then(|| lines(after_id, line));
            Command::ShipOrder(ShipOrder { order_id: of(id), lines })
        }
        "cancel" => Command::CancelOrder(CancelOrder { order_id: of(id) }),
        "return" => {
            Command::ReturnOrder(ReturnOrder { order_id: of(id), lines: lines(after_id, return_line) })
        }
        "key" => Command::CreateKey(CreateKey {
            key_id: of(id),
            name: of(words[1]),
            secret_hash: Hash::of(&[id.as_bytes()]),
            scopes: words[2].split(',').map(|word| KeyScope::from_word(word).unwrap()).collect(),
            sites: words.get(3).map(|site| vec![of(site)]),
            expires_at: None,
        }),
        "revoke" => Command::RevokeKey(RevokeKey { key_id: of(id) }),
        "note" => Command::RecordNote(RecordNote {}),
        other => panic!("no command {other}"),
    }
}

fn adjustment_line(words: &[&str]) -> AdjustmentLine {
    let expected_on_hand = (words.get(2) == Some(&"if")).then(|| number(words[3]));
    AdjustmentLine { sku: of(words[0]), delta: number(words[1]), expected_on_hand }
}

fn count_line(words: &[&str]) -> CountLine {
    let behind = |word: &str| words.iter().position(|other| *other == word).map(|place| words[place + 1]);
    let (at_position, expected_on_hand) = (behind("at").map(of), behind("if").map(number));
    CountLine { sku: of(words[0]), counted: number(words[1]), at_position, expected_on_hand }
}

fn return_line(words: &[&str]) -> ReturnLine {
    let disposition = Disposition::from_word(words[2]).unwrap();
    ReturnLine { sku: of(words[0]), quantity: number(words[1]), disposition }
}

fn lines<T>(text: &str, line: impl Fn(&[&str]) -> T) -> Vec<T> {
    text.split(", ").map(|text| line(&text.split(' ').collect::<Vec<_>>())).collect()
}

fn of<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn number<N: TryFrom<i64, Error: std::fmt::Debug>>(text: &str) -> N {
    let number = if text == "max" { QUANTITY_MAX } else { text.parse().unwrap() };
    number.try_into().unwrap()
}
