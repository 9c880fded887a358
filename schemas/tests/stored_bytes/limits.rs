//! Every type takes its smallest and its largest value and refuses the next one; every record that can be written can be
//! read back.

use stockledger_schemas::event::{LineMove, OrderShipped, StockAdjusted};
use stockledger_schemas::limits::{QUANTITY_MAX, RECORD_BYTES_MAX};
use stockledger_schemas::{
    Actor, Balances, Context, CorrelationId, Currency, CustomerId, Decision, Delta, Event, HoldId,
    IdempotencyKey, Level, Name, Note, Order, OrderId, Quantity, Record, ReferenceId, ReferenceType, SiteId,
    Sku, Timestamp, Unit, codec, envelope,
};

use crate::samples;

macro_rules! assert_length {
    ($text:ty, $min:literal, $max:literal) => {
        let of_length = |length: usize| <$text>::new("A".repeat(length));
        let what = stringify!($text);
        assert_eq!(<$text>::BYTES_MAX, $max, "{what}");
        assert!(of_length($min).is_ok(), "{what} refuses {} bytes", $min);
        assert!(of_length($max).is_ok(), "{what} refuses {} bytes", $max);
        assert!(of_length($min - 1).is_err(), "{what} takes {} bytes", $min - 1);
        assert!(of_length($max + 1).is_err(), "{what} takes {} bytes", $max + 1);
    };
}

#[test]
fn every_text_takes_its_longest_value_and_no_longer_one() {
    assert_length!(SiteId, 1, 64);
    assert_length!(Sku, 1, 64);
    assert_length!(OrderId, 1, 64);
    assert_length!(HoldId, 1, 64);
    assert_length!(CustomerId, 1, 64);
    assert_length!(Actor, 1, 64);
    assert_length!(IdempotencyKey, 1, 255);
    assert_length!(CorrelationId, 1, 128);
    assert_length!(Note, 1, 500);
    assert_length!(Name, 1, 200);
    assert_length!(Unit, 1, 32);
    assert_length!(Currency, 3, 3);
    assert_length!(ReferenceType, 1, 64);
    assert_length!(ReferenceId, 1, 128);
}

#[test]
fn a_text_is_measured_in_bytes() {
    assert!(Note::new("ä".repeat(250)).is_ok());
    assert!(Note::new("ä".repeat(251)).is_err());
}

#[test]
fn every_number_takes_its_bounds_and_nothing_beyond() {
    assert!(Quantity::new(1).is_ok() && Quantity::new(QUANTITY_MAX).is_ok());
    assert!(Quantity::new(0).is_err() && Quantity::new(QUANTITY_MAX + 1).is_err());
    assert!(Level::new(0).is_ok() && Level::new(QUANTITY_MAX).is_ok());
    assert!(Level::new(-1).is_err() && Level::new(QUANTITY_MAX + 1).is_err());
    assert!(Delta::new(-QUANTITY_MAX).is_ok() && Delta::new(QUANTITY_MAX).is_ok());
    assert!(Delta::new(-QUANTITY_MAX - 1).is_err() && Delta::new(QUANTITY_MAX + 1).is_err());
}

#[test]
fn every_instant_shows_and_reads_back_at_its_bounds() {
    for time in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(Timestamp::from_micros(time.micros()), Ok(time));
    }
    assert!(Timestamp::from_micros(Timestamp::MIN.micros() - 1).is_err());
    assert!(Timestamp::from_micros(Timestamp::MAX.micros() + 1).is_err());
}

fn decision(event: Event) -> Decision {
    Decision {
        term: 1,
        seq: 1,
        prev_hash: samples::hash_after_claim(),
        recorded_at: Timestamp::MIN,
        scope: stockledger_schemas::Scope::Directory,
        request: None,
        context: Context::by(Actor::new("a").expect("valid")),
        events: vec![event],
    }
}

/// A decision whose lines take as little room as a line can, so that they are as many as a record can hold.
fn dense(lines: usize) -> Decision {
    let order = Order {
        order_id: OrderId::new("1").expect("valid"),
        customer: None,
        currency: None,
        placed_at: Timestamp::MIN,
        occurred_at: Timestamp::MIN,
        lines: vec![],
    };
    let one = LineMove { line: 0, quantity: Quantity::new(1).expect("valid"), after: Balances::ZERO };
    decision(OrderShipped { order, moves: vec![one; lines] }.into())
}

#[test]
fn the_densest_record_that_can_be_written_can_be_read_back() {
    let overhead = envelope::encode_decision(&dense(70_000)).expect("encodes").len() - 70_000 * 5;
    let most = (RECORD_BYTES_MAX - overhead) / 5;
    let record = Record::Decision(dense(most));
    let bytes = envelope::encode(&record).expect("the largest that fits");
    assert!(bytes.len() > RECORD_BYTES_MAX - 5);
    assert_eq!(envelope::decode(&bytes), Ok(record));
    assert_eq!(envelope::encode_decision(&dense(most + 1)), Err(codec::Error::TooLarge));
}

#[test]
fn a_record_over_the_limit_is_refused_by_both_sides() {
    assert!(matches!(envelope::encode_decision(&dense(300_000)), Err(codec::Error::TooLarge)));
    let long = vec![0; RECORD_BYTES_MAX + 1];
    assert_eq!(envelope::decode(&long), Err(envelope::Error::TooLong { found: RECORD_BYTES_MAX + 1 }));
    assert_eq!(codec::decode::<Event>(&long), Err(codec::Error::TooLarge));
}

#[test]
fn a_decision_without_events_and_one_with_too_many_cannot_be_written() {
    let rule = codec::Error::Invalid("a decision has from 1 to 16 events".to_owned());
    let event = Event::from(StockAdjusted { lines: vec![] });
    for count in [0, 17] {
        let events = vec![event.clone(); count];
        let decision = Decision { events, ..decision(event.clone()) };
        assert_eq!(envelope::encode_decision(&decision), Err(rule.clone()));
    }
}
