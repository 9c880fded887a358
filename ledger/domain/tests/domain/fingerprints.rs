//! The fingerprint is stored in every log and compared for ever, so it stands here in golden form.

use stockledger_domain::command::{
    AdjustStock, AdjustmentLine, CountLine, CountStock, HoldStock, OrderedLine, PlaceOrder, ReleaseHold,
};
use stockledger_domain::{Checked, Command};
use stockledger_schemas::{
    Actor, Context, Delta, Hash, HoldReason, Level, Quantity, Reason, Reference, Scope,
};

use crate::world::{by_somebody, main_site, sku};

fn fingerprint(scope: Scope, command: Command, context: Context) -> String {
    Checked::new(scope, command, context).unwrap().fingerprint().to_string()
}

fn hash_of(json: &str) -> String {
    Hash::of(&[b"stockledger-command-v1", json.as_bytes()]).to_string()
}

fn order() -> Command {
    let line = |name: &str, quantity: i64, price: Option<i64>| OrderedLine {
        sku: sku(name),
        quantity: Quantity::new(quantity).unwrap(),
        unit_price_minor: price.map(|price| Level::new(price).unwrap()),
    };
    Command::PlaceOrder(PlaceOrder {
        order_id: "536365".parse().unwrap(),
        customer: Some("17850".parse().unwrap()),
        currency: Some("GBP".parse().unwrap()),
        lines: vec![line("85123A", 6, Some(255)), line("71053", 6, None)],
    })
}

fn full_context() -> Context {
    Context {
        occurred_at: Some("2009-12-01T07:45:00Z".parse().unwrap()),
        reason: Some(Reason::Other),
        note: Some("as \"ordered\" by phone".parse().unwrap()),
        reference: Some(Reference { kind: "web_order".parse().unwrap(), id: "W-1".parse().unwrap() }),
        correlation_id: Some("basket-7".parse().unwrap()),
        ..by_somebody()
    }
}

const FULL_ORDER: &str = concat!(
    r#"{"scope":{"site":"main"},"command":{"command":"place_order","order_id":"536365","customer":"17850","#,
    r#""currency":"GBP","lines":[{"sku":"85123A","quantity":6,"unit_price_minor":255},{"sku":"71053","quantity":6}]},"#,
    r#""occurred_at":"2009-12-01T07:45:00.000000Z","reason":"other","note":"as \"ordered\" by phone","#,
    r#""reference":{"type":"web_order","id":"W-1"},"correlation_id":"basket-7"}"#,
);

#[test]
fn it_is_the_hash_of_the_version_and_the_canonical_json() {
    assert_eq!(fingerprint(main_site(), order(), full_context()), hash_of(FULL_ORDER));
}

#[test]
fn it_never_changes() {
    let release = Command::ReleaseHold(ReleaseHold { hold_id: "h1".parse().unwrap(), quantity: None });
    let count = Command::CountStock(CountStock {
        lines: vec![CountLine {
            sku: sku("71053"),
            counted: Level::new(0).unwrap(),
            at_position: Some("3.17".parse().unwrap()),
            expected_on_hand: None,
        }],
    });
    let adjust = Command::AdjustStock(AdjustStock {
        lines: vec![AdjustmentLine {
            sku: sku("71053"),
            delta: Delta::new(-2).unwrap(),
            expected_on_hand: Some(Level::new(6).unwrap()),
        }],
    });
    let because_found = Context { reason: Some(Reason::Found), ..by_somebody() };
    let golden = [
        (order(), full_context(), "da5bfd5e9c46c98bb87defdf5603d1efa8b463233ad4dd218a2f6bb779829bc3"),
        (release, by_somebody(), "d58d2615ff21ca3529f06ca783a02c5838472af0024de23092f6a437c733f19f"),
        (count, by_somebody(), "b9ec21de4560b7465555b1b50ce5eea74dc2a2ea52f74b99b3b9c5552abaf98f"),
        (adjust, because_found, "1d900878dd6a29490c9f154bf1c82dbe782288b5fefa49efd54b49b86c774d39"),
    ];
    for (command, context, expected) in golden {
        let kind = command.kind();
        assert_eq!(fingerprint(main_site(), command, context), expected, "{kind}");
    }
}

#[test]
fn everything_that_the_caller_sent_tells_commands_apart() {
    let whole = fingerprint(main_site(), order(), full_context());
    let other_site = Scope::Site("other".parse().unwrap());
    assert_ne!(fingerprint(other_site, order(), full_context()), whole);
    let without = [
        Context { occurred_at: None, ..full_context() },
        Context { reason: None, ..full_context() },
        Context { note: None, ..full_context() },
        Context { reference: None, ..full_context() },
        Context { correlation_id: None, ..full_context() },
    ];
    for context in without {
        assert_ne!(fingerprint(main_site(), order(), context), whole);
    }
}

#[test]
fn a_retry_may_come_with_another_credential() {
    let other_actor = Context { actor: Actor::new("somebody-else").unwrap(), ..full_context() };
    assert_eq!(
        fingerprint(main_site(), order(), other_actor),
        fingerprint(main_site(), order(), full_context())
    );
}

#[test]
fn a_hold_may_repeat_its_reason_or_leave_it_out() {
    let hold = || {
        Command::HoldStock(HoldStock {
            hold_id: "h1".parse().unwrap(),
            sku: sku("71053"),
            quantity: Quantity::new(1).unwrap(),
            reason: HoldReason::SafetyStock,
        })
    };
    let repeated = Context { reason: Some(Reason::SafetyStock), ..by_somebody() };
    assert_eq!(fingerprint(main_site(), hold(), by_somebody()), fingerprint(main_site(), hold(), repeated));
    let checked = Checked::new(main_site(), hold(), by_somebody()).unwrap();
    assert_eq!(checked.context().reason, Some(Reason::SafetyStock));
}
