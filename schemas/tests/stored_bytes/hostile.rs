//! Every golden file, damaged in every way that can be listed: an error or another valid record, never a panic.

use stockledger_schemas::{codec, envelope};

use crate::forge::{record, sealed, spliced};
use crate::golden;

const HEADER_BYTES: usize = 8;

/// Decoding gives an error, or a record of which these bytes are the one encoding.
fn assert_error_or_canonical(bytes: &[u8], what: &str) {
    if let Ok(record) = envelope::decode(bytes) {
        let again = envelope::encode(&record).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(again, bytes, "{what}: two encodings of one record");
    }
}

#[test]
fn a_truncated_record_is_an_error() {
    for golden in golden::all() {
        for length in 0..golden.bytes.len() {
            let truncated = &golden.bytes[..length];
            assert!(envelope::decode(truncated).is_err(), "{} cut to {length} bytes", golden.name);
        }
    }
}

#[test]
fn a_truncated_record_with_a_repaired_checksum_is_an_error() {
    for golden in golden::all() {
        for length in HEADER_BYTES..golden.bytes.len() {
            let error = envelope::decode(&sealed(golden.bytes[..length].to_vec()));
            let truncated = Err(envelope::Error::Body(codec::Error::Truncated));
            assert_eq!(error, truncated, "{} cut to {length} bytes", golden.name);
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error() {
    for golden in golden::all() {
        for bit in 0..golden.bytes.len() * 8 {
            let mut bytes = golden.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(envelope::decode(&bytes).is_err(), "{} with bit {bit} flipped", golden.name);
        }
    }
}

#[test]
fn a_flipped_bit_with_a_repaired_checksum_never_makes_a_second_encoding() {
    for golden in golden::all() {
        for bit in HEADER_BYTES * 8..golden.bytes.len() * 8 {
            let mut bytes = golden.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_error_or_canonical(&sealed(bytes), &format!("{} with bit {bit} flipped", golden.name));
        }
    }
}

#[test]
fn a_huge_length_in_any_place_never_makes_a_second_encoding() {
    let bombs: [&[u8]; 3] = [
        &[253, 255, 255, 255, 255, 255, 255, 255, 127],
        &[253, 0, 0, 0, 0, 0, 1, 0, 0],
        &[252, 255, 255, 15, 0],
    ];
    for golden in golden::all() {
        for at in HEADER_BYTES..golden.bytes.len() {
            for bomb in bombs {
                let bytes = spliced(&golden.bytes, at..at + 1, bomb);
                assert_error_or_canonical(&bytes, &format!("{} with {bomb:?} at {at}", golden.name));
            }
        }
    }
}

#[test]
fn a_number_stored_wider_than_needed_never_makes_a_second_encoding() {
    for golden in golden::all() {
        for at in HEADER_BYTES..golden.bytes.len() {
            let byte = golden.bytes[at];
            for wide in [vec![251, byte, 0], vec![252, byte, 0, 0, 0], vec![253, byte, 0, 0, 0, 0, 0, 0, 0]] {
                let bytes = spliced(&golden.bytes, at..at + 1, &wide);
                assert_error_or_canonical(&bytes, &format!("{} with {wide:?} at {at}", golden.name));
            }
        }
    }
}

#[test]
fn bytes_behind_the_record_are_an_error() {
    for golden in golden::all() {
        for rest in [&[0_u8][..], &[1, 2, 3]] {
            let error =
                envelope::decode(&record(golden.bytes[3], &[&golden.bytes[HEADER_BYTES..], rest].concat()));
            let trailing = codec::Error::Trailing { count: rest.len() };
            assert_eq!(error, Err(envelope::Error::Body(trailing)), "{}", golden.name);
        }
    }
}
