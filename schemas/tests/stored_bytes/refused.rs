//! Bad bytes, one kind of damage each, and the error that a person reads.

use stockledger_schemas::limits::RECORD_BYTES_MAX;
use stockledger_schemas::{codec, envelope};

use crate::forge::{record, replaced, sealed};
use crate::golden;

fn bare() -> Vec<u8> {
    golden::read("note_recorded.v1-bare").bytes
}

fn full(name: &str) -> Vec<u8> {
    golden::read(name).bytes
}

fn error_of(bytes: &[u8]) -> envelope::Error {
    envelope::decode(bytes).expect_err("these bytes are no record")
}

/// The first bytes of the bare decision's body: term, seq, and the first bytes of `prev_hash`.
const HEAD: &[u8] = &[1, 1, 0x8d, 0x11];
/// The last bytes of the bare decision: five absent options, one event with tag 6 and version 1.
const TAIL: &[u8] = &[0, 0, 0, 0, 0, 1, 6, 1];

fn with_tail(tail: &[u8]) -> Vec<u8> {
    replaced(&bare(), TAIL, tail)
}

#[test]
fn names_what_is_wrong_with_an_envelope() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = bare();
        bytes[at] = byte;
        sealed(bytes)
    };
    let cases = [
        (vec![], "record of 0 bytes is too short for its envelope of 8 bytes"),
        (b"SL\x01\x03\0\0\0".to_vec(), "record of 7 bytes is too short for its envelope of 8 bytes"),
        (vec![0; RECORD_BYTES_MAX + 1], "record of 1048577 bytes is longer than 1048576"),
        (changed(0, b'X'), "record does not begin with the letters SL: not a stockledger record"),
        (changed(2, 2), "record has format 2, this program reads up to 1: upgrade this program"),
        (
            changed(3, 4),
            "record kind 4 is unknown: a newer version of stockledger wrote it; upgrade this program",
        ),
        (
            changed(3, 0),
            "record kind 0 is unknown: a newer version of stockledger wrote it; upgrade this program",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(error_of(&bytes).to_string(), message);
    }
}

#[test]
fn names_both_checksums_of_a_damaged_record() {
    let mut bytes = bare();
    bytes[70] ^= 1;
    assert!(
        matches!(error_of(&bytes), envelope::Error::Checksum { found: 0xb01c_a8a1, expected } if expected != 0)
    );
}

#[test]
fn asks_for_an_upgrade_when_a_tag_version_or_code_is_unknown() {
    let reason_99 = with_tail(&[0, 1, 99, 0, 0, 0, 1, 6, 1]);
    let cases = [
        (with_tail(&[0, 0, 0, 0, 0, 1, 99, 1]), "event 99 version 1 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 6, 2]), "event 6 version 2 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 6, 0]), "event 6 version 0 is unknown"),
        (reason_99, "reason 99 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 30, 1, 99, 0, 0, 2, 1]), "command 99 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 30, 1, 8, 0, 0, 99, 1]), "refusal 99 version 1 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 30, 1, 8, 0, 0, 2, 2]), "refusal 2 version 2 is unknown"),
        (with_tail(&[0, 0, 0, 0, 0, 1, 30, 1, 8, 0, 0, 4, 1, 6]), "order status 6 is unknown"),
        (
            replaced(&full("key_created.v1"), &[6, 1, 2, 3, 4, 5, 6], &[6, 1, 2, 3, 4, 5, 7]),
            "key scope 7 is unknown",
        ),
        (replaced(&bare(), b"\0\0\x09anonymous", b"\x02\0\x09anonymous"), "scope 2 is unknown"),
        (replaced(&full("stock_held.v1"), b"22041\x05\x09", b"22041\x05\x01"), "hold reason 1 is unknown"),
        (
            replaced(&full("order_returned.v1-bare"), &[0, 1, 1, 0, 95], &[0, 1, 3, 0, 95]),
            "disposition 3 is unknown",
        ),
    ];
    for (bytes, message) in cases {
        let error = error_of(&bytes);
        assert!(error.to_string().contains(message), "{error} should say {message}");
        assert!(error.to_string().ends_with("upgrade this program") && error.is_newer());
    }
}

#[test]
fn names_the_rule_that_a_text_breaks() {
    let actor = |text: &[u8]| {
        let length = u8::try_from(text.len()).expect("short");
        replaced(&bare(), b"\x09anonymous", &[&[length], text].concat())
    };
    let note = |text: &[u8]| with_tail(&[&[0, 0, 1, 3], text, &[0, 0, 1, 6, 1]].concat());
    let site = |text: &[u8]| replaced(&full("site_opened.v1"), b"\x02uk", text);
    let printable = "an actor must be 1 to 64 printable ASCII characters without a space at either end";
    let prose = "a note must be 1 to 500 bytes of text without control characters";
    let code = "a site must be 1 to 64 characters of A-Z a-z 0-9 . _ -";
    let cases = [
        (actor(b""), printable),
        (actor(b" a"), printable),
        (actor(b"a "), printable),
        (actor(b"a\nb"), printable),
        (actor(b"a\xffb"), printable),
        (actor("ä".as_bytes()), printable),
        (actor(&[b'a'; 65]), printable),
        (note(b"a\0b"), prose),
        (note(b"   "), prose),
        (note(b"\xed\xa0\x80"), prose),
        (site(b"\x02u/"), code),
        (site(b"\x00"), code),
        (
            replaced(&full("order_placed.v1"), b"\x03GBP", b"\x03gbp"),
            "a currency must be three capital letters",
        ),
        (
            replaced(&full("order_placed.v1"), b"\x03GBP", b"\x02GB"),
            "a currency must be three capital letters",
        ),
    ];
    for (bytes, rule) in cases {
        assert_eq!(error_of(&bytes).to_string(), format!("record body: invalid value: {rule}"));
    }
}

#[test]
fn names_the_range_that_a_number_leaves() {
    let too_much = [253, 0, 0, 0, 0, 0, 0, 32, 0];
    let received = |quantity: &[u8]| {
        replaced(
            &full("stock_received.v1"),
            b"\x0685123A\x0c\x0c",
            &[b"\x0685123A", quantity, b"\x0c"].concat(),
        )
    };
    let time = |micros: &[u8]| with_tail(&[&[1], micros, &[0, 0, 0, 0, 1, 6, 1]].concat());
    let cases = [
        (received(&[0]), "a quantity must be a whole number from 1 to 9007199254740991, not 0"),
        (
            received(&too_much),
            "a quantity must be a whole number from 1 to 9007199254740991, not 9007199254740992",
        ),
        (
            received(&[253, 255, 255, 255, 255, 255, 255, 255, 255]),
            "a quantity must be a whole number from 1 to",
        ),
        (time(&[253, 255, 255, 255, 255, 255, 255, 255, 255]), "a time must be RFC 3339 from year 1 to 9999"),
        (
            record(1, &[&[7; 16][..], &[252, 0, 0, 1, 0, 8, 1]].concat()),
            "a number is stored wider than its type",
        ),
        (record(1, &[&[7; 16][..], &[254, 8, 1]].concat()), "a number is stored wider than its type"),
    ];
    for (bytes, rule) in cases {
        let error = error_of(&bytes).to_string();
        assert!(error.starts_with("record body: invalid value: ") && error.contains(rule), "{error}");
    }
}

#[test]
fn refuses_a_decision_without_events_and_one_with_too_many() {
    let seventeen = [&[0, 0, 0, 0, 0, 17][..], &[6, 1].repeat(17)].concat();
    for tail in [&[0, 0, 0, 0, 0, 0][..], &seventeen] {
        let message = "record body: invalid value: a decision has from 1 to 16 events";
        assert_eq!(error_of(&with_tail(tail)).to_string(), message);
    }
}

#[test]
fn refuses_an_option_that_is_neither_absent_nor_present() {
    let error = error_of(&with_tail(&[2, 0, 0, 0, 0, 1, 6, 1])).to_string();
    assert!(error.ends_with("the first byte of an optional value must be 0 or 1, not 2"), "{error}");
}

#[test]
fn refuses_a_second_way_to_write_a_number() {
    for wide in [&[251, 1, 0][..], &[252, 1, 0, 0, 0], &[253, 1, 0, 0, 0, 0, 0, 0, 0]] {
        let bytes = replaced(&bare(), HEAD, &[wide, &HEAD[1..]].concat());
        assert_eq!(error_of(&bytes), envelope::Error::Body(codec::Error::NotCanonical));
    }
}

#[test]
fn refuses_lengths_that_no_record_can_hold() {
    let huge = [253, 255, 255, 255, 255, 255, 255, 255, 127];
    let events = with_tail(&[&[0, 0, 0, 0, 0], &huge[..]].concat());
    assert_eq!(error_of(&events), envelope::Error::Body(codec::Error::TooLarge));
    let lines = with_tail(&[&[0, 0, 0, 0, 0, 1, 10, 1], &huge[..]].concat());
    assert_eq!(error_of(&lines), envelope::Error::Body(codec::Error::TooLarge));
    let actor = error_of(&replaced(&bare(), b"\x09anonymous", &huge)).to_string();
    assert!(actor.contains("an actor must be 1 to 64"), "{actor}");
}
