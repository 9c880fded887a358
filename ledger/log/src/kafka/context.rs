//! What the Kafka clients tell beside their answers: log lines and errors, brought to `tracing` in moderation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{DeliveryResult, NoCustomPartitioner, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};

use super::fault::{Fault, Outcome};
use super::flight::Slot;

/// A kind of line is told at most this often: every client retries every second while a broker is gone.
const EVERY: Duration = Duration::from_secs(10);

/// Lets one line of a kind pass in a while, for all clients of a log together.
#[derive(Debug, Default)]
pub(super) struct Moderator(Mutex<BTreeMap<String, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    suppressed: u64,
}

impl Moderator {
    /// Whether a line of this kind may be told now; if so, how many were not since the last.
    fn may_tell(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some(told) if now.saturating_duration_since(told.at) < EVERY => {
                told.suppressed += 1;
                None
            }
            told => {
                let suppressed = told.map_or(0, |told| told.suppressed);
                kinds.insert(kind.to_owned(), Told { at: now, suppressed: 0 });
                Some(suppressed)
            }
        }
    }
}

/// The context of every client of a log.
#[derive(Debug)]
pub(super) struct Context {
    /// What the client is for.
    role: &'static str,
    moderator: Arc<Moderator>,
    /// Whether the client said that it is of no more use.
    broken: AtomicBool,
}

impl Context {
    pub(super) fn new(role: &'static str, moderator: &Arc<Moderator>) -> Self {
        Self { role, moderator: Arc::clone(moderator), broken: AtomicBool::new(false) }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, fault: &Fault) {
        if fault.outcome == Outcome::Fatal {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if matches!(level, RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug) {
            tracing::debug!(role = self.role, facility, line, "the Kafka client reports");
        } else if let Some(suppressed) = self.moderator.may_tell(facility, Instant::now()) {
            tracing::warn!(role = self.role, facility, line, suppressed, "the Kafka client reports");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(suppressed) = self.moderator.may_tell(&error.to_string(), Instant::now()) {
            tracing::warn!(role = self.role, %error, reason, suppressed, "the Kafka client met an error");
        }
    }
}

impl ConsumerContext for Context {
    /// Only offsets that are mirrored for people are ever committed.
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result
            && let Some(suppressed) = self.moderator.may_tell("commit", Instant::now())
        {
            tracing::warn!(%error, suppressed, "how far the tables are was not mirrored to Kafka");
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = Box<Slot>;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: Box<Slot>) {
        if let Some(fault) = slot.report(result) {
            self.note(&fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{EVERY, Moderator};

    #[test]
    fn a_kind_of_line_is_told_once_in_a_while_and_says_what_was_left_out() {
        let moderator = Moderator::default();
        let start = Instant::now();
        assert_eq!(moderator.may_tell("FAIL", start), Some(0));
        assert_eq!(moderator.may_tell("FAIL", start + EVERY / 2), None);
        assert_eq!(moderator.may_tell("ERROR", start + EVERY / 2), Some(0));
        assert_eq!(moderator.may_tell("FAIL", start + EVERY / 2), None);
        assert_eq!(moderator.may_tell("FAIL", start + EVERY), Some(2));
        assert_eq!(moderator.may_tell("FAIL", start + EVERY * 2), Some(0));
    }
}
