//! The admission rule. The numbers in the comments are those of `docs/protocol.md`, "Admission".

use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{Claim, Decision, Hash, Record, envelope};

use crate::halt::{Halt, HaltReason};
use crate::state::{State, genesis_hash};

/// A claim may raise the term by at most this much; an honest writer raises it by one.
const TERM_JUMP_MAX: u64 = 1 << 20;

/// What a record is, and the state behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The state to judge the next record by.
    pub next: State,
    /// What this record is.
    pub verdict: Verdict,
}

/// What a record is to every reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A new term begins.
    Claim(Claim),
    /// A decision that counts.
    Decision(Box<Decision>),
    /// A record that does not count, and never will at this offset.
    Void(Void),
}

/// Why a record does not count. All of these are normal after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Void {
    /// A genesis that came after another: the making of the ledger was tried twice, at once or again.
    LateGenesis,
    /// A claim that came after another with the same term or a higher one.
    LateClaim,
    /// A decision of a writer that was superseded.
    SupersededWriter,
    /// A decision that stands in the log already.
    SecondCopy,
    /// A decision whose writer lost a record in flight before it and has stopped.
    AfterLostRecord,
}

/// Judges the record at `offset`.
///
/// # Errors
/// [`Halt`] if the reader must stop here for good; `state` then remains the last good one.
pub fn admit(state: &State, offset: u64, bytes: &[u8]) -> Result<Admission, Halt> {
    judge(state, offset, bytes).map_err(|reason| Halt {
        partition: state.partition,
        offset,
        seq: state.seq,
        reason,
    })
}

fn judge(state: &State, offset: u64, bytes: &[u8]) -> Result<Admission, HaltReason> {
    // 1.
    if offset != state.next_offset {
        return Err(HaltReason::Hole { expected: state.next_offset, found: offset });
    }
    let passed = State { next_offset: offset + 1, ..*state };
    // 2.
    let record = match envelope::decode(bytes) {
        Ok(record) => record,
        Err(_) if !keeps(Rule::UnreadableStops) => return Ok(void(passed, Void::AfterLostRecord)),
        Err(error) => return Err(HaltReason::Unreadable(error)),
    };
    match record {
        Record::Genesis(_) if passed.term == 0 || genesis_hash(bytes) == passed.genesis => {
            Ok(void(passed, Void::LateGenesis))
        }
        Record::Genesis(_) => Err(HaltReason::SecondGenesis),
        Record::Claim(claim) => judge_claim(passed, offset, bytes, claim),
        Record::Decision(decision) => judge_decision(passed, offset, bytes, decision),
    }
}

/// 3. and the part of 2. that is about claims. `passed` has gone past the record but takes nothing from it yet.
fn judge_claim(passed: State, offset: u64, bytes: &[u8], claim: Claim) -> Result<Admission, HaltReason> {
    if claim.ledger_id != passed.ledger_id {
        return Err(HaltReason::ForeignLedger { expected: passed.ledger_id, found: claim.ledger_id });
    }
    if claim.partition != passed.partition {
        return Err(HaltReason::ForeignPartition { found: claim.partition });
    }
    if claim.term <= passed.term && keeps(Rule::ClaimRaisesTerm) {
        return Ok(void(passed, Void::LateClaim));
    }
    if claim.term.saturating_sub(passed.term) > TERM_JUMP_MAX {
        return Err(HaltReason::TermJump { current: passed.term, found: claim.term });
    }
    let hash = claim_hash(&passed.hash, bytes);
    let next =
        State { term: claim.term, hash, before: passed.hash, reach: 0, last_valid_offset: offset, ..passed };
    Ok(Admission { next, verdict: Verdict::Claim(claim) })
}

/// 4.
fn judge_decision(
    passed: State,
    offset: u64,
    bytes: &[u8],
    decision: Decision,
) -> Result<Admission, HaltReason> {
    let Decision { term, seq, prev_hash, .. } = decision;
    let next_seq = passed.seq + 1;
    let window = u64::from(passed.window);
    if passed.term == 0 || term > passed.term {
        return Err(HaltReason::ClaimLost { current: passed.term, found: term });
    }
    if term < passed.term && keeps(Rule::LowerTermIsVoid) {
        if seq >= next_seq.saturating_add(window) {
            return Err(HaltReason::SupersededTooFar { term, next: next_seq, found: seq });
        }
        return Ok(void(passed, Void::SupersededWriter));
    }
    if seq < next_seq && keeps(Rule::SecondCopyIsVoid) {
        return Ok(void(passed, Void::SecondCopy));
    }
    if seq > next_seq && keeps(Rule::NothingAfterALostRecord) {
        if seq - next_seq > passed.reach {
            return Err(HaltReason::BeyondReach { next: next_seq, found: seq, reach: passed.reach });
        }
        return Ok(void(passed, Void::AfterLostRecord));
    }
    if prev_hash != passed.hash && keeps(Rule::PrevHash) {
        return Err(HaltReason::BrokenChain { seq, expected: passed.hash, found: prev_hash });
    }
    let hash = decision_hash(bytes);
    let next =
        State { seq, hash, before: passed.hash, reach: window - 1, last_valid_offset: offset, ..passed };
    Ok(Admission { next, verdict: Verdict::Decision(Box::new(decision)) })
}

fn void(next: State, void: Void) -> Admission {
    Admission { next, verdict: Verdict::Void(void) }
}

/// The chain behind a valid decision: `SHA-256(0x00 || bytes)`; the bytes contain the hash before.
#[must_use]
pub fn decision_hash(bytes: &[u8]) -> Hash {
    Hash::of(&[&[0], bytes])
}

/// The chain behind a valid claim: `SHA-256(0x01 || hash before || bytes)`; a claim cannot know the hash before it.
#[must_use]
pub fn claim_hash(before: &Hash, bytes: &[u8]) -> Hash {
    Hash::of(&[&[1], &before.0, bytes])
}
