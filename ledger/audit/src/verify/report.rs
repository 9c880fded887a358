//! What a verification found.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use stockledger_chain::Void;
use stockledger_schemas::{Hash, LedgerId, PartitionId, Position, Timestamp};

use super::fault::Failure;
use super::finding::Finding;
use crate::head::Head;

/// Void records of a partition that are named; beyond them they are only counted.
pub const VOID_NAMED_MAX: usize = 20;

/// What was found in all partitions. What is wrong is a [`Failure`], or a [`Finding`] once it is kept or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report<F = Failure> {
    /// Which ledger, if the genesis of any partition says so.
    pub ledger_id: Option<LedgerId>,
    /// One for each partition that was looked at, by number.
    pub partitions: Vec<PartitionReport<F>>,
}

/// What was found in one partition. Where it failed, everything is told up to the record before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport<F = Failure> {
    /// The partition.
    pub partition: PartitionId,
    /// How much there is.
    #[serde(flatten)]
    pub tally: Tally,
    /// The first records that do not count, at most [`VOID_NAMED_MAX`].
    pub void_records: Vec<VoidRecord>,
    /// The first decision.
    pub first: Option<Moment>,
    /// The last decision.
    pub last: Option<Moment>,
    /// The hash of the genesis record.
    pub genesis: Option<Hash>,
    /// Where the log stands behind the last record; absent if it does not begin as a ledger does.
    pub head: Option<Head>,
    /// The furthest head outside the log that was found in it.
    pub vouched: Option<Vouched>,
    /// The first thing that is wrong.
    pub failure: Option<F>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records of all kinds, genesis included.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Claims that count: terms that were begun.
    pub terms: u64,
    /// Decisions that count.
    pub decisions: u64,
    /// Events in them, as [`stockledger_schemas::Decision::event_count`] counts.
    pub events: u64,
    /// Records that do not count.
    pub void: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.terms += other.terms;
        self.decisions += other.decisions;
        self.events += other.events;
        self.void += other.void;
    }
}

/// A record that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidRecord {
    /// Where it stands.
    pub offset: u64,
    /// Why it does not count.
    pub why: Cow<'static, str>,
}

/// A decision and when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Which decision.
    pub position: Position,
    /// When.
    pub recorded_at: Timestamp,
}

/// Up to where something outside the log says that the log is what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Who says it.
    pub by: String,
    /// The last decision that is vouched for.
    pub seq: u64,
    /// The offset behind it.
    pub next_offset: u64,
}

impl<F> Report<F> {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failures().next().is_none()
    }

    /// What is wrong, partition by partition.
    pub fn failures(&self) -> impl Iterator<Item = &F> {
        self.partitions.iter().filter_map(|partition| partition.failure.as_ref())
    }

    /// Everything added up.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for partition in &self.partitions {
            total += partition.tally;
        }
        total
    }

    /// Decisions at the ends of the partitions that nothing outside the log vouches for. They could be changed, cut off or
    /// made void without any reader of the log alone seeing it.
    #[must_use]
    pub fn unvouched(&self) -> u64 {
        self.partitions.iter().map(PartitionReport::<F>::unvouched).sum()
    }
}

impl Report {
    /// The same with what is wrong in words.
    #[must_use]
    pub fn in_words(self) -> Report<Finding> {
        let partitions = self.partitions.into_iter().map(PartitionReport::in_words);
        Report { ledger_id: self.ledger_id, partitions: partitions.collect() }
    }
}

impl PartitionReport {
    fn in_words(self) -> PartitionReport<Finding> {
        let Self { partition, tally, void_records, first, last, genesis, head, vouched, failure } = self;
        let failure = failure.as_ref().map(Finding::from);
        PartitionReport { partition, tally, void_records, first, last, genesis, head, vouched, failure }
    }
}

impl<F> PartitionReport<F> {
    /// Decisions at the end that nothing outside the log vouches for.
    #[must_use]
    pub fn unvouched(&self) -> u64 {
        let seq = self.head.map_or(0, |head| head.seq);
        seq.saturating_sub(self.vouched.as_ref().map_or(0, |vouched| vouched.seq))
    }
}

/// Why a record does not count, in one word for programs.
#[must_use]
pub const fn word_of(void: Void) -> &'static str {
    match void {
        Void::LateGenesis => "late_genesis",
        Void::LateClaim => "late_claim",
        Void::SupersededWriter => "superseded_writer",
        Void::SecondCopy => "second_copy",
        Void::AfterLostRecord => "after_lost_record",
    }
}
