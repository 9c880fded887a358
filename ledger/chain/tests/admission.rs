//! Every case of the admission rule, one row each, and what follows from the rule as a whole.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use stockledger_chain::{
    Admission, HaltReason, State, Verdict, Void, admit, claim_hash, decision_hash, genesis_hash,
};
use stockledger_schemas::event::SiteOpened;
use stockledger_schemas::{
    Actor, Claim, Context, Decision, Genesis, Hash, LedgerId, Name, Nonce, PartitionId, Record, Scope,
    SiteId, Timestamp, envelope,
};

const WINDOW: u32 = 4;
const LEDGER: LedgerId = LedgerId([7; 16]);
const PARTITION: PartitionId = PartitionId(3);

fn genesis() -> Vec<u8> {
    genesis_of(LEDGER)
}

fn other_genesis() -> Vec<u8> {
    genesis_of(LedgerId([8; 16]))
}

fn genesis_of(ledger_id: LedgerId) -> Vec<u8> {
    let genesis = Genesis { ledger_id, partition: PARTITION, partitions: 8, window: WINDOW };
    envelope::encode(&Record::Genesis(genesis)).unwrap()
}

fn claim_of(ledger_id: LedgerId, partition: PartitionId, term: u64) -> Vec<u8> {
    let claim = Claim {
        ledger_id,
        partition,
        term,
        node: Name::new("node").unwrap(),
        url: None,
        nonce: Nonce([u8::try_from(term % 256).unwrap(); 16]),
        recorded_at: Timestamp::from_micros(0).unwrap(),
    };
    envelope::encode(&Record::Claim(claim)).unwrap()
}

fn claim(term: u64) -> Vec<u8> {
    claim_of(LEDGER, PARTITION, term)
}

fn decision(term: u64, seq: u64, prev_hash: Hash) -> Vec<u8> {
    let decision = Decision {
        term,
        seq,
        prev_hash,
        recorded_at: Timestamp::from_micros(1).unwrap(),
        scope: Scope::Site(SiteId::new("uk").unwrap()),
        request: None,
        context: Context::by(Actor::new("local").unwrap()),
        events: vec![SiteOpened {}.into()],
    };
    envelope::encode(&Record::Decision(decision)).unwrap()
}

/// The state in which every row of the table begins: term 5 with decisions 1 to 10, the last of them confirmed in term 5.
fn start() -> State {
    let begun = State::begin(&genesis(), PARTITION).unwrap();
    State { term: 5, seq: 10, hash: Hash([9; 32]), next_offset: 20, reach: 3, last_valid_offset: 19, ..begun }
}

fn just_claimed() -> State {
    State { reach: 0, ..start() }
}

enum Expected {
    Valid { term: u64, seq: u64, reach: u64 },
    Void(Void),
    Halt(fn(&HaltReason) -> bool),
}

#[test]
fn every_case_of_the_rule() {
    use Expected::{Halt, Valid, Void as Is};
    let ok = start().hash;
    let wrong = Hash([1; 32]);
    let unclaimed = State { term: 0, seq: 0, ..start() };
    let mut damaged = decision(5, 11, ok);
    damaged[40] ^= 1;
    let mut newer = decision(5, 11, ok);
    newer[2] = envelope::FORMAT + 1;
    #[rustfmt::skip]
    let rows: Vec<(&str, State, u64, Vec<u8>, Expected)> = vec![
        ("1. a hole",                              start(), 21, decision(5, 11, ok), Halt(|r| matches!(r, HaltReason::Hole { expected: 20, found: 21 }))),
        ("1. a record given twice",                start(), 19, decision(5, 11, ok), Halt(|r| matches!(r, HaltReason::Hole { expected: 20, found: 19 }))),
        ("2. a bad checksum",                      start(), 20, damaged,             Halt(|r| matches!(r, HaltReason::Unreadable(envelope::Error::Checksum { .. })))),
        ("2. no bytes",                            start(), 20, vec![],              Halt(|r| matches!(r, HaltReason::Unreadable(envelope::Error::TooShort { .. })))),
        ("2. a newer format",                      start(), 20, newer,               Halt(HaltReason::is_newer)),
        ("2. a claim of another ledger",           start(), 20, claim_of(LedgerId([8; 16]), PARTITION, 6), Halt(|r| matches!(r, HaltReason::ForeignLedger { .. }))),
        ("2. a claim of another partition",        start(), 20, claim_of(LEDGER, PartitionId(4), 6),       Halt(|r| matches!(r, HaltReason::ForeignPartition { .. }))),
        ("2. the same genesis again",              start(), 20, genesis(),           Is(Void::LateGenesis)),
        ("2. another genesis before a claim",      unclaimed, 20, other_genesis(),   Is(Void::LateGenesis)),
        ("2. another genesis after a claim",       start(), 20, other_genesis(),     Halt(|r| matches!(r, HaltReason::SecondGenesis))),
        ("3. a higher claim",                      start(), 20, claim(6),            Valid { term: 6, seq: 10, reach: 0 }),
        ("3. a claim far above",                   start(), 20, claim(5 + (1 << 20)), Valid { term: 5 + (1 << 20), seq: 10, reach: 0 }),
        ("3. a claim too far above",               start(), 20, claim(6 + (1 << 20)), Halt(|r| matches!(r, HaltReason::TermJump { .. }))),
        ("3. an equal claim",                      start(), 20, claim(5),            Is(Void::LateClaim)),
        ("3. a lower claim",                       start(), 20, claim(4),            Is(Void::LateClaim)),
        ("3. the first claim",                     unclaimed, 20, claim(1),          Valid { term: 1, seq: 0, reach: 0 }),
        ("3. a claim of term 0",                   unclaimed, 20, claim(0),          Is(Void::LateClaim)),
        ("4. a decision before the first claim",   unclaimed, 20, decision(0, 1, ok), Halt(|r| matches!(r, HaltReason::ClaimLost { .. }))),
        ("4. a decision of a term never claimed",  start(), 20, decision(6, 11, ok), Halt(|r| matches!(r, HaltReason::ClaimLost { current: 5, found: 6 }))),
        ("4. a lower term, next seq",              start(), 20, decision(4, 11, ok), Is(Void::SupersededWriter)),
        ("4. a lower term, old seq",               start(), 20, decision(4, 2, ok),  Is(Void::SupersededWriter)),
        ("4. a lower term, last seq in window",    start(), 20, decision(4, 14, ok), Is(Void::SupersededWriter)),
        ("4. a lower term, first seq beyond",      start(), 20, decision(4, 15, ok), Halt(|r| matches!(r, HaltReason::SupersededTooFar { next: 11, found: 15, .. }))),
        ("4. a second copy",                       start(), 20, decision(5, 10, ok), Is(Void::SecondCopy)),
        ("4. an old copy",                         start(), 20, decision(5, 1, ok),  Is(Void::SecondCopy)),
        ("4. the next one",                        start(), 20, decision(5, 11, ok), Valid { term: 5, seq: 11, reach: 3 }),
        ("4. the first of a term",                 just_claimed(), 20, decision(5, 11, ok), Valid { term: 5, seq: 11, reach: 3 }),
        ("4. the next one with another hash",      start(), 20, decision(5, 11, wrong), Halt(|r| matches!(r, HaltReason::BrokenChain { seq: 11, .. }))),
        ("4. ahead, the last within reach",        start(), 20, decision(5, 14, wrong), Is(Void::AfterLostRecord)),
        ("4. ahead, the first beyond reach",       start(), 20, decision(5, 15, ok), Halt(|r| matches!(r, HaltReason::BeyondReach { next: 11, found: 15, reach: 3 }))),
        ("4. ahead, before the term's first",      just_claimed(), 20, decision(5, 12, ok), Halt(|r| matches!(r, HaltReason::BeyondReach { reach: 0, .. }))),
    ];
    for (name, state, offset, bytes, expected) in rows {
        let outcome = admit(&state, offset, &bytes);
        match (expected, outcome) {
            (Valid { term, seq, reach }, Ok(Admission { next, verdict })) => {
                assert!(!matches!(verdict, Verdict::Void(_)), "{name}: void");
                assert_eq!((next.term, next.seq, next.reach), (term, seq, reach), "{name}");
                assert_eq!((next.next_offset, next.last_valid_offset), (offset + 1, offset), "{name}");
                let hash = if next.seq > state.seq {
                    decision_hash(&bytes)
                } else {
                    claim_hash(&state.hash, &bytes)
                };
                assert_eq!(next.hash, hash, "{name}");
                assert!(next.remembers(&bytes), "{name}");
                assert!(!next.remembers(&decision(9, 9, wrong)), "{name}");
            }
            (Is(void), Ok(Admission { next, verdict })) => {
                assert_eq!(verdict, Verdict::Void(void), "{name}");
                assert_eq!(
                    next,
                    State { next_offset: offset + 1, ..state },
                    "{name}: a void record leaves nothing behind"
                );
            }
            (Halt(is_it), Err(halt)) => {
                assert!(is_it(&halt.reason), "{name}: {halt}");
                assert_eq!((halt.partition, halt.offset, halt.seq), (PARTITION, offset, state.seq), "{name}");
            }
            (_, outcome) => panic!("{name}: {outcome:?}"),
        }
    }
}

#[test]
fn begins_only_with_a_fitting_genesis() {
    let begun = State::begin(&genesis(), PARTITION).unwrap();
    assert_eq!((begun.term, begun.seq, begun.next_offset, begun.reach), (0, 0, 1, 0));
    assert_eq!((begun.hash, begun.genesis), (genesis_hash(&genesis()), genesis_hash(&genesis())));

    let reason = |bytes: &[u8], partition| State::begin(bytes, partition).unwrap_err().reason;
    assert!(matches!(reason(&genesis(), PartitionId(2)), HaltReason::ForeignPartition { .. }));
    assert!(matches!(reason(&claim(1), PARTITION), HaltReason::NoGenesis));
    assert!(matches!(reason(b"plain text", PARTITION), HaltReason::Unreadable(envelope::Error::Magic)));
    let nonsense = |partitions, window| {
        let genesis = Genesis { ledger_id: LEDGER, partition: PARTITION, partitions, window };
        envelope::encode(&Record::Genesis(genesis)).unwrap()
    };
    for bytes in [nonsense(3, 4), nonsense(0, 4), nonsense(2_000, 4), nonsense(8, 0)] {
        assert!(matches!(reason(&bytes, PARTITION), HaltReason::ImpossibleGenesis));
    }
}

/// A log as an honest writer leaves it: one claim, then decisions, each continuing the one before.
fn honest_log(decisions: u64) -> Vec<Vec<u8>> {
    let mut records = vec![genesis(), claim(1)];
    let mut hash = claim_hash(&genesis_hash(&genesis()), &records[1]);
    for seq in 1..=decisions {
        let bytes = decision(1, seq, hash);
        hash = decision_hash(&bytes);
        records.push(bytes);
    }
    records
}

/// Reads a log to its end: the offsets of what is valid, or where it stops.
fn read(records: &[Vec<u8>]) -> Result<Vec<usize>, usize> {
    let mut state = State::begin(&records[0], PARTITION).map_err(|_| 0_usize)?;
    let mut valid = Vec::new();
    for (offset, bytes) in records.iter().enumerate().skip(1) {
        let Admission { next, verdict } = admit(&state, offset as u64, bytes).map_err(|_| offset)?;
        state = next;
        if !matches!(verdict, Verdict::Void(_)) {
            valid.push(offset);
        }
    }
    Ok(valid)
}

#[test]
fn a_second_copy_that_fits_later_is_valid() {
    let mut records = honest_log(2);
    let second = records.pop().unwrap();
    let mut doubled = records.clone();
    doubled.push(second.clone());
    doubled.push(second.clone());
    assert_eq!(read(&doubled).unwrap(), [1, 2, 3], "the copy behind it is void");

    // The second decision lands before the first, is void there, and counts when it lands again behind it.
    let reordered = vec![records[0].clone(), records[1].clone(), records[2].clone(), second];
    assert_eq!(read(&reordered).unwrap(), [1, 2, 3]);
}

proptest! {
    #[test]
    fn a_changed_byte_is_always_found(
        decisions in 3_u64..12, victim in 0_usize..14, at in 0_usize..200, flip in 1_u8..=255,
    ) {
        let mut records = honest_log(decisions);
        let victim = victim % (records.len() - 1);
        let at = at % records[victim].len();
        records[victim][at] ^= flip;
        // The checksum already finds every change of a byte; the chain is what finds a change with the checksum repaired.
        prop_assert_eq!(read(&records), Err(victim));
    }

    #[test]
    fn a_removed_or_swapped_record_is_found(decisions in 3_u64..12, victim in 1_usize..12) {
        let records = honest_log(decisions);
        let victim = 1 + victim % (records.len() - 2);
        let mut removed = records.clone();
        removed.remove(victim);
        let mut swapped = records.clone();
        swapped.swap(victim, victim + 1);
        for changed in [removed, swapped] {
            let all = records.len() - 1;
            prop_assert!(read(&changed).map_or(true, |valid| valid.len() < all));
        }
    }
}

#[test]
fn the_state_behind_a_decision_follows_from_its_record_alone() {
    let begun = State::begin(&genesis(), PARTITION).unwrap();
    let bytes = decision(5, 11, start().hash);
    let admitted = admit(&State { genesis: begun.genesis, ..start() }, 20, &bytes).unwrap();
    assert_eq!(begun.behind(20, &bytes), Some(admitted.next));
    assert_eq!(begun.behind(20, &claim(6)), None);
    assert_eq!(begun.behind(20, &bytes[1..]), None);
}
