//! Short ways to write valid values down.

use stockledger_schemas::{
    Balances, Currency, CustomerId, Delta, HoldId, KeyId, Level, Name, OrderId, Quantity, SiteId, Sku,
    Timestamp, Unit,
};

pub(crate) fn site() -> SiteId {
    SiteId::new("uk").expect("valid")
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text).expect("valid")
}

pub(crate) fn order_id() -> OrderId {
    OrderId::new("489434").expect("valid")
}

pub(crate) fn hold_id() -> HoldId {
    HoldId::new("hold 1").expect("valid")
}

pub(crate) fn customer() -> CustomerId {
    CustomerId::new("13085").expect("valid")
}

pub(crate) fn currency() -> Currency {
    Currency::new("GBP").expect("valid")
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("valid")
}

pub(crate) fn unit(text: &str) -> Unit {
    Unit::new(text).expect("valid")
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("valid")
}

pub(crate) fn quantity(number: i64) -> Quantity {
    Quantity::new(number).expect("valid")
}

pub(crate) fn level(number: i64) -> Level {
    Level::new(number).expect("valid")
}

pub(crate) fn delta(number: i64) -> Delta {
    Delta::new(number).expect("valid")
}

pub(crate) fn balances(on_hand: i64, reserved: i64, held: i64) -> Balances {
    Balances { on_hand: level(on_hand), reserved: level(reserved), held: level(held) }
}

pub(crate) fn key_id() -> KeyId {
    KeyId::new("3f9c0a11d2e4b567").expect("valid")
}
