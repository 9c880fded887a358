//! Whatever is done to the records of a log is found.
//!
//! Without a head that was kept outside, a log cannot show what was done to its end: the last record may be another one,
//! and the decisions of the last term, or all behind a claim, may have been made void. Then the report names void records,
//! or says that nothing vouches. With a head everything is found.

use std::sync::Arc;

use bytes::Bytes;
use stockledger_audit::verify::{Fault, Options, PartitionReport, Remembered, verify};
use stockledger_schemas::PartitionId;

use crate::support::{Dice, busy_shop, heads, log_of, repair, verified};

const CHANGES: usize = 1_000;

/// Where the term of a claim is: behind the head of the record, the ledger's id and a small partition number. Up to 250 it is
/// one byte.
const TERM_AT: usize = 8 + 16 + 1;

/// Records of a good log, and heads that were kept of it.
struct Evidence {
    records: Vec<Vec<Bytes>>,
    heads: Vec<Remembered>,
    /// The offset of the last claim, by partition: what stands behind it may be made void unseen.
    last_claims: Vec<usize>,
}

impl Evidence {
    async fn gather() -> Self {
        let shop = busy_shop().await;
        let records = shop.records().await;
        let log = Arc::new(shop.log.clone());
        assert_eq!(verified(log.clone()).await.total().void, 0);
        let is_claim = |record: &Bytes| record[3] == 2;
        let last_claims = records.iter().map(|records| records.iter().rposition(is_claim).unwrap()).collect();
        Self { heads: heads(log).await, records, last_claims }
    }

    /// A log in which the records of one partition were changed.
    async fn look(&self, number: usize, changed: &[Bytes], remembered: Vec<Remembered>) -> PartitionReport {
        let mut records = vec![Vec::new(); self.records.len()];
        records[number] = changed.to_vec();
        let partitions = Some(vec![PartitionId(u16::try_from(number).unwrap())]);
        let options = Options { partitions, remembered, ..Options::default() };
        verify(log_of(&records), &options).await.unwrap().partitions.remove(0)
    }

    /// Found with a head in any case; without one unless it was done to the end, and then something is said.
    async fn must_be_found(&self, number: usize, changed: &[Bytes], first: usize, what: &str) {
        let with_head = self.look(number, changed, self.heads.clone()).await;
        let failure = with_head.failure.as_ref().unwrap_or_else(|| panic!("not found with a head: {what}"));
        assert_ne!(failure.fault.expected(), failure.fault.found(), "{what}");
        let alone = self.look(number, changed, Vec::new()).await;
        if alone.failure.is_none() && !is_all_void_behind_claim(&alone, changed, first) {
            assert!(first >= self.last_claims[number], "not found: {what}");
            assert!(alone.vouched.is_none() && alone.unvouched() > 0, "{what}");
            let is_last = first + 1 >= self.records[number].len();
            assert!(is_last || alone.tally.void > 0, "nothing is said: {what}");
        }
    }
}

/// A claim may be given a term so high that all behind it is void, later claims too. The report names it all then.
fn is_all_void_behind_claim(report: &PartitionReport, changed: &[Bytes], first: usize) -> bool {
    let behind = changed.len().saturating_sub(first + 1) as u64;
    let is_claim = changed.get(first).is_some_and(|record| record[3] == 2);
    is_claim && behind > 0 && report.tally.void == behind
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_a_term_that_is_too_high_makes_all_behind_it_void_and_is_found_with_a_head() {
    let evidence = Evidence::gather().await;
    for (number, records) in evidence.records.iter().enumerate() {
        let first_claim = records.iter().position(|record| record[3] == 2).unwrap();
        let mut changed = records.clone();
        let mut claim = changed[first_claim].to_vec();
        claim[TERM_AT] = 250;
        repair(&mut claim);
        changed[first_claim] = claim.into();
        let alone = evidence.look(number, &changed, Vec::new()).await;
        assert_eq!(alone.failure, None);
        assert!(is_all_void_behind_claim(&alone, &changed, first_claim));
        evidence.must_be_found(number, &changed, first_claim, "a term that is too high").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_byte_is_found() {
    let evidence = Evidence::gather().await;
    let mut dice = Dice(11);
    for change in 0..CHANGES {
        let number = dice.below(evidence.records.len());
        let mut records = evidence.records[number].clone();
        let offset = dice.below(records.len());
        let mut record = records[offset].to_vec();
        let place = dice.below(record.len());
        let before = record[place];
        while record[place] == before {
            record[place] = dice.byte();
        }
        let is_repaired = change % 2 == 1;
        let in_checksum = (4..8).contains(&place);
        if is_repaired {
            repair(&mut record);
        }
        if is_repaired && in_checksum {
            assert_eq!(record, records[offset], "a checksum that is made to fit again changes nothing");
            continue;
        }
        let what = format!("byte {place} of record {offset} of partition {number}, repaired: {is_repaired}");
        records[offset] = record.into();
        if is_repaired {
            evidence.must_be_found(number, &records, offset, &what).await;
        } else {
            let report = evidence.look(number, &records, Vec::new()).await;
            let failure = report.failure.unwrap_or_else(|| panic!("not found: {what}"));
            assert_eq!(failure.offset, offset as u64, "{what}: {failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_that_is_taken_away_is_found() {
    let evidence = Evidence::gather().await;
    for (number, records) in evidence.records.iter().enumerate() {
        for offset in 0..records.len() {
            let mut changed = records.clone();
            changed.remove(offset);
            let what = format!("record {offset} of partition {number} taken away");
            evidence.must_be_found(number, &changed, offset, &what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_swap_of_records_is_found() {
    let evidence = Evidence::gather().await;
    let mut dice = Dice(13);
    for change in 0..CHANGES {
        let number = dice.below(evidence.records.len());
        let mut records = evidence.records[number].clone();
        let one = dice.below(records.len() - 1);
        // Half of them neighbours.
        let other = if change % 2 == 0 { one + 1 } else { dice.below(records.len()) };
        if one == other {
            continue;
        }
        records.swap(one, other);
        let what = format!("records {one} and {other} of partition {number} swapped");
        evidence.must_be_found(number, &records, one.min(other), &what).await;
    }
}

/// A second copy is what a failure may leave, so a log alone shows it as void; a head that remembers offsets shows that it
/// was not there.
#[tokio::test(flavor = "multi_thread")]
async fn every_second_copy_is_named_and_counts_for_nothing() {
    let evidence = Evidence::gather().await;
    let mut dice = Dice(17);
    for _ in 0..CHANGES {
        let number = dice.below(evidence.records.len());
        let mut records = evidence.records[number].clone();
        let original = dice.below(records.len());
        let place = original + 1 + dice.below(records.len() - original);
        records.insert(place, records[original].clone());
        let what = format!("a copy of record {original} of partition {number} at {place}");
        let alone = evidence.look(number, &records, Vec::new()).await;
        assert_eq!(alone.failure, None, "{what}");
        assert_eq!(alone.tally.void, 1, "{what}");
        assert_eq!(alone.void_records[0].offset, place as u64, "{what}");
        let head = &evidence.heads[number];
        assert_eq!(alone.head.map(|head| (head.seq, head.hash)), Some((head.seq, head.hash)), "{what}");

        let unplaced = Remembered { next_offset: None, ..head.clone() };
        let vouched = evidence.look(number, &records, vec![unplaced]).await;
        assert_eq!((vouched.failure.as_ref(), vouched.unvouched()), (None, 0), "{what}");
        let placed = evidence.look(number, &records, vec![head.clone()]).await;
        let is_behind = place == evidence.records[number].len();
        assert_eq!(placed.failure.is_none(), is_behind, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_cut_off_is_found_by_whoever_remembers_more() {
    let evidence = Evidence::gather().await;
    for (number, records) in evidence.records.iter().enumerate() {
        for left in 1..records.len() {
            let cut = &records[..left];
            let report = evidence.look(number, cut, evidence.heads.clone()).await;
            let failure = report.failure.unwrap();
            assert!(matches!(failure.fault, Fault::CutOff { .. }), "{failure}");
            assert_eq!(failure.offset, left as u64);
            // The log alone is whole as far as it goes, and says that nobody vouches for its end.
            let alone = evidence.look(number, cut, Vec::new()).await;
            assert_eq!(alone.failure, None);
            assert_eq!((alone.vouched.as_ref(), alone.unvouched()), (None, alone.head.unwrap().seq));
        }
    }
}
