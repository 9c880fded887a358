//! The order of the log: by its own rules, and by the clock of whoever watched.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Findings, Wrong};
use crate::chaos::history::Entry;
use crate::chaos::log::{Line, Record};

/// Offsets and seqs are dense, terms and times never fall.
pub(super) fn log_keeps_its_rules(lines: &[Line], findings: &mut Findings) {
    #[derive(Default)]
    struct Last<'a> {
        next_offset: u64,
        seq: u64,
        term: u64,
        recorded_at: &'a str,
    }
    let mut partitions: HashMap<u16, Last> = HashMap::new();
    for Line { partition, offset, position, record } in lines {
        let last = partitions.entry(*partition).or_default();
        let mut wrong = |what: &str| {
            findings.add(Wrong::Log, format!("partition {partition}, offset {offset}: {what}"));
        };
        if *offset != last.next_offset {
            wrong(&format!("offset {} was to come", last.next_offset));
        }
        last.next_offset = offset + 1;
        let (Record::Decision(decision), Some(position)) = (record, position) else { continue };
        if position.partition != *partition || position.seq != last.seq + 1 {
            wrong(&format!("decision {position} follows {partition}.{}", last.seq));
        }
        if decision.term < last.term {
            wrong(&format!("term {} follows term {}", decision.term, last.term));
        }
        if decision.recorded_at.as_str() < last.recorded_at {
            wrong(&format!("{} follows {}", decision.recorded_at, last.recorded_at));
        }
        last.seq = position.seq;
        last.term = decision.term;
        last.recorded_at = &decision.recorded_at;
    }
}

/// What was acknowledged before another command was sent, on the same partition, stands before it. With the log as the
/// order of all, that is strict serializability.
pub(super) fn is_that_of_time(entries: &[Entry], findings: &mut Findings) {
    struct Known<'a> {
        sent: Duration,
        acknowledged: Duration,
        seq: u64,
        key: &'a str,
    }
    let mut partitions: BTreeMap<u16, Vec<Known>> = BTreeMap::new();
    for entry in entries {
        let Some((attempt, decided)) = entry.decided() else { continue };
        partitions.entry(decided.position.partition).or_default().push(Known {
            sent: entry.first_sent(),
            acknowledged: attempt.answered,
            seq: decided.position.seq,
            key: &entry.command.key,
        });
    }
    for (partition, known) in partitions {
        let (mut by_sent, mut by_acknowledged): (Vec<_>, Vec<_>) =
            (known.iter().collect(), known.iter().collect());
        by_sent.sort_by_key(|one| one.sent);
        by_acknowledged.sort_by_key(|one| one.acknowledged);
        let mut acknowledged = by_acknowledged.into_iter().peekable();
        let mut furthest: Option<&Known> = None;
        for one in by_sent {
            while let Some(before) = acknowledged.next_if(|before| before.acknowledged < one.sent) {
                if furthest.is_none_or(|furthest| furthest.seq < before.seq) {
                    furthest = Some(before);
                }
            }
            if let Some(before) = furthest.filter(|before| before.seq >= one.seq && before.key != one.key) {
                findings.add(
                    Wrong::Order,
                    format!(
                        "{} at {partition}.{} was acknowledged before {} at {partition}.{} was sent",
                        before.key, before.seq, one.key, one.seq
                    ),
                );
            }
        }
    }
}
