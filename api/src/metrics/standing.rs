//! What stands somewhere at the moment that it is asked for: writers, projections, versions of the read tables, keys.
//!
//! Each answer is made anew, so that what is no more, such as a version that was dropped, is no longer told.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use stockledger_projections::overview::{Overview, lag_seconds};
use stockledger_projections::{Activity, Status};
use stockledger_schemas::{PartitionId, Timestamp};
use stockledger_writer::{PartitionStatus, WriterState};

use super::labels::{PartitionLabel, StateLabels, VersionLabel};
use super::{PREFIX, counted, timed};
use crate::verifications;

const MICROS_PER_SECOND: f64 = 1e6;

type Gauges<L> = Family<L, Gauge>;
type Fractions<L> = Family<L, Gauge<f64, AtomicU64>>;

/// What a writer can be doing, in one word.
pub(crate) const WRITER_STATES: [&str; 6] =
    ["recovering", "leading", "stalled", "superseded", "halted", "stopped"];
/// What a projector can be doing, in one word.
pub(crate) const PROJECTION_STATES: [&str; 5] = ["starting", "running", "retrying", "halted", "stopped"];

/// The word of a writer's state.
pub(crate) const fn writer_state(state: &WriterState) -> &'static str {
    match state {
        WriterState::Recovering => "recovering",
        WriterState::Leading => "leading",
        WriterState::Stalled => "stalled",
        WriterState::Superseded { .. } => "superseded",
        WriterState::Halted { .. } => "halted",
        WriterState::Stopped => "stopped",
    }
}

/// The word of what a projector is doing.
pub(crate) const fn projection_state(activity: &Activity) -> &'static str {
    match activity {
        Activity::Starting => "starting",
        Activity::Running => "running",
        Activity::Retrying { .. } => "retrying",
        Activity::Halted { .. } => "halted",
        Activity::Stopped => "stopped",
    }
}

/// What is told of the moment.
pub(crate) struct Standing {
    registry: Registry,
}

impl Standing {
    pub(crate) fn new() -> Self {
        Self { registry: Registry::with_prefix(PREFIX) }
    }

    pub(crate) const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Which ledger it is, and where it is kept.
    pub(crate) fn tell_node(&mut self, ledger_id: String, log: &'static str, projections: &'static str) {
        let labels =
            [("ledger_id", ledger_id), ("log", log.to_owned()), ("projections", projections.to_owned())];
        self.registry.register("node", "Which ledger this node serves", Info::new(labels));
    }

    /// Where the writers stand. `open` is how many commands are open in each partition.
    pub(crate) fn tell_writers(&mut self, writers: &[PartitionStatus], open: &[(PartitionId, usize)]) {
        let registry = &mut self.registry;
        let state: Gauges<StateLabels> =
            counted(registry, "writer_state", "1 for the state that the writer of a partition is in");
        let term: Gauges<PartitionLabel> = counted(registry, "writer_term", "The term of the partition");
        let position: Gauges<PartitionLabel> =
            counted(registry, "append_position", "The last decision that is certain");
        let keys: Gauges<PartitionLabel> =
            counted(registry, "idempotency_keys", "Idempotency keys that are remembered");
        let void: Family<PartitionLabel, Counter> = counted(
            registry,
            "void_records",
            "Records of the log that do not count, each a failure survived",
        );
        let queue: Gauges<PartitionLabel> =
            counted(registry, "writer_queue_length", "Commands that wait, are decided or are in flight");
        for writer in writers {
            let label = PartitionLabel { partition: writer.partition.0 };
            show_state(&state, writer.partition, &WRITER_STATES, writer_state(&writer.writer));
            set(&term, &label, writer.term);
            set(&position, &label, writer.position.seq);
            set(&keys, &label, u64::try_from(writer.keys).unwrap_or(u64::MAX));
            void.get_or_create(&label).inc_by(writer.void_records);
        }
        for (partition, open) in open {
            let label = PartitionLabel { partition: partition.0 };
            set(&queue, &label, u64::try_from(*open).unwrap_or(u64::MAX));
        }
    }

    /// How far the read tables in use are, by the projector of this process.
    pub(crate) fn tell_projection(&mut self, statuses: &[Status], now: Timestamp) {
        let registry = &mut self.registry;
        let state: Gauges<StateLabels> =
            counted(registry, "projection_state", "1 for what the projector of a partition is doing");
        let position: Gauges<PartitionLabel> =
            counted(registry, "projection_position", "The last decision that the read tables include");
        let lag: Gauges<PartitionLabel> =
            counted(registry, "projection_lag_events", "Records of the log that the read tables lack");
        let age: Gauges<PartitionLabel> = timed(
            registry,
            "projection_lag",
            "Age of the last decision that the read tables include, as long as they lack one",
            Family::default(),
        );
        let last: Fractions<PartitionLabel> = timed(
            registry,
            "projection_last_event_timestamp",
            "When the last decision was recorded that the read tables include, since 1970",
            Family::default(),
        );
        for status in statuses {
            let partition = status.position.partition;
            let label = PartitionLabel { partition: partition.0 };
            show_state(&state, partition, &PROJECTION_STATES, projection_state(&status.activity));
            set(&position, &label, status.position.seq);
            set(&lag, &label, status.lag());
            if let Some(seconds) = lag_seconds(status.lag(), status.recorded_at, now) {
                set(&age, &label, seconds);
            }
            if let Some(at) = status.recorded_at {
                last.get_or_create(&label).set(at.micros() as f64 / MICROS_PER_SECOND);
            }
        }
    }

    /// The versions of the read tables; nothing if the database does not answer. `is_rebuilding` is said of this process.
    pub(crate) fn tell_versions(&mut self, overview: Option<&Overview>, is_rebuilding: bool) {
        let registry = &mut self.registry;
        let up: Gauge = counted(registry, "store_up", "Whether the database of the read tables answers");
        up.set(i64::from(overview.is_some()));
        let running: Gauge =
            counted(registry, "replay_running", "Whether this node rebuilds the read tables");
        running.set(i64::from(is_rebuilding));
        let active: Gauge =
            counted(registry, "projection_active_version", "The version of the read tables in use");
        let replayed: Family<VersionLabel, Counter> = counted(
            registry,
            "replay_events",
            "Records of the log that a version includes that is being filled",
        );
        let lacks: Gauges<VersionLabel> =
            counted(registry, "replay_lag_events", "Records of the log that such a version still lacks");
        let left: Gauges<VersionLabel> = timed(
            registry,
            "replay_left",
            "Time until such a version is filled, at its pace",
            Family::default(),
        );
        let Some(overview) = overview else { return };
        active.set(overview.active_version.map_or(0, |version| version.0.into()));
        for version in overview.versions.iter().filter(|version| version.info.is_being_filled) {
            let label = VersionLabel { version: version.info.version.0 };
            let records: u64 = version.partitions.iter().map(|partition| partition.records).sum();
            replayed.get_or_create(&label).inc_by(records);
            set(&lacks, &label, version.lag_records);
            if let Some(seconds) = version.seconds_left {
                set(&left, &label, seconds);
            }
        }
    }

    /// When the log was verified last, and what came of that. A log that never was is not known to be wrong.
    pub(crate) fn tell_verification(&mut self, standing: &verifications::Standing) {
        let registry = &mut self.registry;
        let running: Gauge = counted(registry, "verification_running", "Whether this node verifies the log");
        running.set(i64::from(standing.running.is_some()));
        let good: Gauge =
            counted(registry, "verification_good", "0 if the last verification found the log to be wrong");
        let last: Gauge<f64, AtomicU64> = timed(
            registry,
            "verification_last_timestamp",
            "When the last verification ended, since 1970; 0 if there was none",
            Gauge::default(),
        );
        let events: Gauge =
            counted(registry, "verification_events", "Events that the last verification looked at");
        good.set(1);
        let Some(outcome) = &standing.last else { return };
        good.set(i64::from(outcome.report.is_good()));
        last.set(outcome.ended_at.micros() as f64 / MICROS_PER_SECOND);
        events.set(i64::try_from(outcome.report.total().events).unwrap_or(i64::MAX));
    }

    /// Whether this node knows all API keys of the ledger, as far as it can see.
    pub(crate) fn tell_keyring(&mut self, is_following: bool) {
        let up: Gauge = counted(&mut self.registry, "keyring_up", "Whether this node follows the API keys");
        up.set(i64::from(is_following));
    }
}

fn show_state(states: &Gauges<StateLabels>, partition: PartitionId, all: &[&'static str], current: &str) {
    for state in all {
        let labels = StateLabels { partition: partition.0, state };
        states.get_or_create(&labels).set(i64::from(*state == current));
    }
}

fn set<L>(gauges: &Gauges<L>, label: &L, value: u64)
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet,
{
    gauges.get_or_create(label).set(i64::try_from(value).unwrap_or(i64::MAX));
}
