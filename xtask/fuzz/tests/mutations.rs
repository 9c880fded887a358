//! The oracles on bytes that were good once: what is kept in the corpora, changed in a few places.
//!
//! The same bytes come in every run; another seed, by `STOCKLEDGER_FUZZ_SEED=N`, gives others. A failure names the seed
//! and shows the smallest bytes that were found to fail.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, TestRunner};
use stockledger_fuzz::{MEMORY_BYTES_MAX, TARGETS};

/// How the seed is given.
const SEED_VARIABLE: &str = "STOCKLEDGER_FUZZ_SEED";
/// Most changes of one input.
const CHANGES_MAX: usize = 6;
/// How many times the cases of a target are tried: all of them take about a minute on one core in the release profile.
const TIMES: u32 = if cfg!(debug_assertions) { 1 } else { 10 };
/// Longest input that is made.
const INPUT_BYTES_MAX: usize = 16 << 10;

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    Splice(Index, Index, Index),
    Truncate(Index),
    Repeat(Index, Index, u8),
    Replace(Index, Vec<u8>),
}

fn any_change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    // Lengths that are too large, and what JSON and text do not expect.
    let words: Vec<Vec<u8>> = [
        &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..],
        &[0xfc, 0xff, 0xff, 0xff, 0xff],
        &[0xff; 8],
        &[0; 8],
        b"9007199254740992",
        b"-1",
        b"1e400",
        b"null",
        b"\"\\u0000\"",
        b"[[[[",
        b"\xf0\x9f\x98\x80",
        b",",
        b".",
        b"\n",
    ]
    .iter()
    .map(|word| word.to_vec())
    .collect();
    let word = prop_oneof![
        prop::sample::select(words),
        prop::collection::vec(any::<u8>(), 1..9),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop_oneof![
        4 => (index(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (index(), word.clone()).prop_map(|(at, word)| Change::Insert(at, word)),
        3 => (index(), word).prop_map(|(at, word)| Change::Replace(at, word)),
        1 => (index(), index()).prop_map(|(from, to)| Change::Delete(from, to)),
        1 => (index(), index(), index()).prop_map(|(other, from, at)| Change::Splice(other, from, at)),
        1 => index().prop_map(Change::Truncate),
        1 => (index(), index(), 1..20_u8).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
    ]
}

/// What is left of the bytes of an input after some changes; `others` is where splices come from.
fn changed(mut bytes: Vec<u8>, changes: &[Change], others: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let range = |one: &Index, other: &Index| place(one).min(place(other))..place(one).max(place(other));
        match change {
            Change::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Change::Flip(..) => {}
            Change::Insert(at, word) => drop(bytes.splice(place(at)..place(at), word.iter().copied())),
            Change::Replace(at, word) => {
                let end = (place(at) + word.len()).min(bytes.len());
                drop(bytes.splice(place(at)..end, word.iter().copied()));
            }
            Change::Delete(from, to) => drop(bytes.drain(range(from, to))),
            Change::Splice(other, from, at) => {
                let other = other.get(others);
                let tail = &other[from.index(other.len() + 1)..];
                drop(bytes.splice(place(at).., tail.iter().copied()));
            }
            Change::Truncate(at) => bytes.truncate(place(at)),
            Change::Repeat(from, to, times) => {
                let range = range(from, to);
                let repeated = bytes[range.clone()].repeat(usize::from(*times));
                drop(bytes.splice(range, repeated));
            }
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

/// The inputs that are kept of a target, by name, so that they stand in the same order everywhere.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&directory).expect("every target has a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", directory.display());
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().expect("the seed is a number"),
        Err(_) => 0,
    })
}

/// Checks so many inputs of a target, and the corpus as it is.
fn withstands(name: &str, cases: u32) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    let corpus = corpus(name);
    for bytes in &corpus {
        (target.check)(bytes);
    }
    let config = ProptestConfig {
        cases: cases * TIMES,
        rng_seed: RngSeed::Fixed(seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let input = (any::<Index>(), prop::collection::vec(any_change(), 1..=CHANGES_MAX));
    let outcome = TestRunner::new(config).run(&input, |(begin, changes)| {
        let bytes = changed(begin.get(&corpus).clone(), &changes, &corpus);
        let shown = bytes.escape_ascii().to_string();
        let mut is_panic = false;
        let used = allocation_counter::measure(|| {
            is_panic = std::panic::catch_unwind(|| (target.check)(&bytes)).is_err();
        });
        prop_assert!(!is_panic, "{shown}");
        prop_assert!(used.bytes_max <= MEMORY_BYTES_MAX, "{} bytes of memory for {shown}", used.bytes_max);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{SEED_VARIABLE}={} {name}: {error}", seed());
    }
}

macro_rules! withstand {
    ($($target:ident: $cases:literal,)+) => {
        $(#[test]
        fn $target() {
            withstands(stringify!($target), $cases);
        })+

        #[test]
        fn every_target_is_here() {
            let here = [$(stringify!($target)),+];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), here);
        }
    };
}

// About as long each, whatever an input costs.
withstand! {
    envelope: 100_000,
    event: 200_000,
    snapshot: 100_000,
    manifest: 200_000,
    segment: 80_000,
    cursor: 150_000,
    position: 300_000,
    idempotency_key: 300_000,
    json_command: 30_000,
}
