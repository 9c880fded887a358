//! Properties over random bytes and random valid records.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;
use stockledger_schemas::{Event, Record, Refusal, codec, envelope};

use crate::arbitrary;
use crate::forge;

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        let _ = envelope::decode(&bytes);
    }

    #[test]
    fn random_bodies_decode_to_an_error_or_are_canonical(kind in 1_u8..=4, body in vec(any::<u8>(), 0..256)) {
        let bytes = forge::record(kind, &body);
        if let Ok(record) = envelope::decode(&bytes) {
            prop_assert_eq!(envelope::encode(&record), Ok(bytes));
        }
    }

    #[test]
    fn random_small_bytes_behind_a_valid_head_decode_to_an_error_or_are_canonical(
        events in vec(0_u8..40, 1..120),
    ) {
        // Small bytes are often lengths, tags and codes that exist, so that these go deep into the decoder.
        let head = [&[1, 1][..], &[0; 32], &[0, 0, 0, 1, b'a', 0, 0, 0, 0, 0, 1]].concat();
        let bytes = forge::record(3, &[head, events].concat());
        if let Ok(record) = envelope::decode(&bytes) {
            prop_assert_eq!(envelope::encode(&record), Ok(bytes));
        }
    }

    #[test]
    fn a_decision_reads_back_as_it_was_written(decision in arbitrary::decision()) {
        let bytes = envelope::encode_decision(&decision).expect("a valid decision encodes");
        prop_assert_eq!(envelope::decode(&bytes), Ok(Record::Decision(decision)));
    }

    #[test]
    fn an_event_reads_back_as_it_was_written(event in arbitrary::event()) {
        let mut bytes = vec![];
        codec::encode_into(&event, &mut bytes).expect("a valid event encodes");
        prop_assert_eq!(codec::decode(&bytes), Ok(event));
    }
}

#[test]
fn random_events_are_of_every_type() {
    let (mut runner, strategy) = (TestRunner::deterministic(), arbitrary::event());
    let mut seen = BTreeSet::new();
    for _ in 0..4_000 {
        let event = strategy.new_tree(&mut runner).expect("a valid event").current();
        seen.insert(event.type_name());
        if let Event::CommandRefused(refused) = event {
            seen.insert(refused.refusal.type_name());
        }
    }
    for (.., name) in Event::TAGS.iter().chain(Refusal::TAGS) {
        assert!(seen.contains(name), "{name} is never made");
    }
}
