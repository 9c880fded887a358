//! What an error of Kafka means: the one place where its codes are told apart.
//!
//! A caller of the port cannot do more with "not applied" than with "unknown": by the protocol both end the term of a
//! writer. The difference is told to people, in the text of the error.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::Error;

/// What became of a record that was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is not in the log and never will be.
    NotApplied,
    /// It may or may not be in the log, now or later.
    Unknown,
    /// As [`Outcome::Unknown`] if it was sent; and the client that says so is of no more use.
    Fatal,
}

/// Why a record was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    was_sent: bool,
    code: Code,
}

impl Fault {
    /// The client did not take the record: it was never sent.
    pub(super) fn refused(error: &KafkaError) -> Self {
        let code = code(error);
        let outcome = if is_fatal(code) { Outcome::Fatal } else { Outcome::NotApplied };
        Self { outcome, was_sent: false, code }
    }

    /// The client took the record and gave it up later. It may have tried several times; the code is that of the last
    /// try, so only a code that every try would have met says that none succeeded.
    pub(super) fn reported(error: &KafkaError) -> Self {
        let code = code(error);
        let outcome = match code {
            Code::MessageSizeTooLarge
            | Code::InvalidMessageSize
            | Code::MessageBatchTooLarge
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidRequiredAcks
            | Code::UnsupportedForMessageFormat
            | Code::UnsupportedCompressionType => Outcome::NotApplied,
            code if is_fatal(code) => Outcome::Fatal,
            // Time-outs, lost connections, moved leaders, too few replicas, purges, and whatever Kafka adds one day.
            _ => Outcome::Unknown,
        };
        Self { outcome, was_sent: true, code }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Unknown | Outcome::Fatal if self.was_sent => "the record may or may not be appended",
            _ => "the record was not appended",
        };
        write!(formatter, "{} ({:?}): {outcome}", self.code, self.code)?;
        match self.outcome {
            Outcome::Fatal => formatter.write_str(", and the Kafka client has to be replaced")?,
            Outcome::NotApplied | Outcome::Unknown => {}
        }
        remedy(self.code).map_or(Ok(()), |remedy| write!(formatter, "; {remedy}"))
    }
}

impl std::error::Error for Fault {}

/// What an error means to one who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The client goes on by itself; nothing is skipped.
    Passing,
    /// The log does not have the wanted offset: too old, or the log is shorter than it was.
    OutOfRange,
    /// The client cannot be used any more, or would skip what it cannot read.
    Lasting,
}

impl Reading {
    pub(super) fn of(error: &KafkaError) -> Self {
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
            return Self::Lasting;
        }
        match code(error) {
            Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => Self::OutOfRange,
            // A record that is damaged on its way or at rest: the client would go on behind it.
            Code::BadMessage | Code::BadCompression | Code::InvalidMessage | Code::NotImplemented => {
                Self::Lasting
            }
            // No such topic or partition, or not for us: only a new client looks again soon.
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopicId => Self::Lasting,
            code if is_fatal(code) => Self::Lasting,
            _ => Self::Passing,
        }
    }
}

/// Whether the broker that was asked does not lead the partition, or not yet: soon one does.
pub(super) fn has_moved(error: &KafkaError) -> bool {
    matches!(
        code(error),
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::ReplicaNotAvailable
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::UnknownTopicOrPartition
            // The client's own word for a partition of which its last look at the cluster showed no leader.
            | Code::UnknownPartition
    )
}

/// Whether a client that met this code cannot recover by itself, or only after minutes.
fn is_fatal(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::Fenced
            | Code::GaplessGuarantee
            | Code::BrokerDestroy
            | Code::Inconsistent
            | Code::State
            | Code::CriticalSystemResource
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SSL
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::OutOfOrderSequenceNumber
            | Code::InvalidProducerEpoch
            | Code::InvalidProducerIdMapping
            | Code::UnknownProducerId
            | Code::ProducerFenced
    )
}

/// What an operator has to do about a refusal that lasts until somebody does something.
const fn remedy(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
            "a record of a ledger has at most 1 MiB: set max.message.bytes of the topic to 4194304 with kafka-configs.sh"
        }
        Code::InvalidRecord | Code::InvalidTimestamp => {
            "set cleanup.policy=delete and message.timestamp.type=LogAppendTime on the topic with kafka-configs.sh"
        }
        Code::TopicAuthorizationFailed => {
            "grant this program (User:ANONYMOUS, as it does not log in) Describe, DescribeConfigs, Read and Write on the \
             topic, and Create to make it, with kafka-acls.sh"
        }
        Code::ClusterAuthorizationFailed => {
            "grant this program (User:ANONYMOUS, as it does not log in) IdempotentWrite on the cluster with kafka-acls.sh"
        }
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SSL => {
            "name a listener of the brokers that is PLAINTEXT: this program connects without login and without TLS"
        }
        Code::UnsupportedFeature
        | Code::UnsupportedVersion
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType => "the brokers are too old: use Kafka 4.1 or newer",
        Code::UnknownTopic
        | Code::UnknownPartition
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId => "if the topic was removed, restore it or begin a new ledger",
        _ => return None,
    })
}

/// The error, and what is to be done about it, if anything is.
pub(super) fn explained(error: &KafkaError) -> String {
    remedy(code(error)).map_or_else(|| error.to_string(), |remedy| format!("{error}; {remedy}"))
}

fn code(error: &KafkaError) -> Code {
    match error {
        KafkaError::AdminOp(code) => *code,
        other => other.rdkafka_error_code().unwrap_or(Code::Unknown),
    }
}

/// An [`Error::Unavailable`].
pub(super) fn unavailable(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Unavailable { operation, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::{Code, Fault, KafkaError, Outcome, Reading, explained, has_moved};

    const fn produced(code: Code) -> KafkaError {
        KafkaError::MessageProduction(code)
    }

    #[test]
    fn every_code_of_a_delivery_report_has_its_outcome() {
        let table: [(Outcome, &[Code]); 3] = [
            (
                Outcome::NotApplied,
                &[
                    Code::MessageSizeTooLarge,
                    Code::InvalidMessageSize,
                    Code::MessageBatchTooLarge,
                    Code::InvalidRecord,
                ],
            ),
            (
                Outcome::Unknown,
                &[
                    Code::MessageTimedOut,
                    Code::BrokerTransportFailure,
                    Code::OperationTimedOut,
                    Code::TimedOutQueue,
                    Code::PurgeQueue,
                    Code::PurgeInflight,
                    Code::RequestTimedOut,
                    Code::NotEnoughReplicas,
                    Code::NotEnoughReplicasAfterAppend,
                    Code::NotLeaderForPartition,
                    Code::LeaderNotAvailable,
                    Code::KafkaStorageError,
                    Code::NetworkException,
                    Code::UnknownTopicOrPartition,
                    Code::DuplicateSequenceNumber,
                    Code::InvalidMessage,
                    Code::InvalidDifferentRecord,
                    Code::Unknown,
                ],
            ),
            (
                Outcome::Fatal,
                &[
                    Code::Fatal,
                    Code::BrokerDestroy,
                    Code::OutOfOrderSequenceNumber,
                    Code::UnknownProducerId,
                    Code::InvalidProducerEpoch,
                    Code::TopicAuthorizationFailed,
                    Code::ClusterAuthorizationFailed,
                    Code::UnknownTopic,
                    Code::UnknownPartition,
                    Code::UnsupportedFeature,
                ],
            ),
        ];
        for (expected, codes) in table {
            for code in codes {
                assert_eq!(Fault::reported(&produced(*code)).outcome, expected, "{code:?}");
            }
        }
    }

    #[test]
    fn what_the_client_did_not_take_was_not_appended() {
        let codes =
            [Code::QueueFull, Code::MessageSizeTooLarge, Code::InvalidArgument, Code::MessageTimedOut];
        for code in codes {
            assert_eq!(Fault::refused(&produced(code)).outcome, Outcome::NotApplied, "{code:?}");
        }
        assert_eq!(Fault::refused(&produced(Code::Fatal)).outcome, Outcome::Fatal);
    }

    #[test]
    fn every_error_of_a_reader_has_its_meaning() {
        let read = KafkaError::MessageConsumption;
        for (error, expected) in [
            (read(Code::AutoOffsetReset), Reading::OutOfRange),
            (read(Code::LogTruncation), Reading::OutOfRange),
            (read(Code::BrokerTransportFailure), Reading::Passing),
            (read(Code::AllBrokersDown), Reading::Passing),
            (read(Code::Resolve), Reading::Passing),
            (read(Code::OperationTimedOut), Reading::Passing),
            (read(Code::GroupAuthorizationFailed), Reading::Passing),
            (read(Code::CoordinatorNotAvailable), Reading::Passing),
            (read(Code::BadMessage), Reading::Lasting),
            (read(Code::BadCompression), Reading::Lasting),
            (read(Code::UnknownTopicOrPartition), Reading::Lasting),
            (read(Code::TopicAuthorizationFailed), Reading::Lasting),
            (KafkaError::MessageConsumptionFatal(Code::Unknown), Reading::Lasting),
        ] {
            assert_eq!(Reading::of(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn the_text_says_what_happened_and_what_became_of_the_record() {
        let text = Fault::reported(&produced(Code::MessageTimedOut)).to_string();
        assert!(text.contains("MessageTimedOut") && text.contains("may or may not be appended"), "{text}");
        let text = Fault::refused(&produced(Code::MessageSizeTooLarge)).to_string();
        assert!(text.contains("MessageSizeTooLarge") && text.contains("was not appended"), "{text}");
        let text = Fault::refused(&produced(Code::Fatal)).to_string();
        assert!(text.contains("was not appended, and the Kafka client has to be replaced"), "{text}");
        let text = Fault::reported(&produced(Code::Fatal)).to_string();
        assert!(
            text.contains("may or may not be appended, and the Kafka client has to be replaced"),
            "{text}"
        );
    }
    #[test]
    fn a_refusal_that_lasts_says_what_to_do() {
        for (code, expected) in [
            (Code::MessageSizeTooLarge, "set max.message.bytes of the topic to 4194304"),
            (Code::InvalidRecord, "message.timestamp.type=LogAppendTime"),
            (Code::TopicAuthorizationFailed, "Write on the topic"),
            (Code::ClusterAuthorizationFailed, "IdempotentWrite on the cluster"),
            (Code::SaslAuthenticationFailed, "a listener of the brokers that is PLAINTEXT"),
            (Code::UnsupportedVersion, "Kafka 4.1 or newer"),
            (Code::UnknownTopic, "restore it"),
        ] {
            for text in [
                Fault::reported(&produced(code)).to_string(),
                Fault::refused(&produced(code)).to_string(),
                explained(&KafkaError::AdminOp(code)),
                explained(&KafkaError::MessageConsumption(code)),
            ] {
                assert!(text.contains(expected) && text.contains(&format!("{code:?}")), "{code:?}: {text}");
            }
        }
        let text = Fault::reported(&produced(Code::MessageTimedOut)).to_string();
        assert!(text.ends_with("may or may not be appended"), "nobody has to do anything: {text}");
    }

    #[test]
    fn a_partition_whose_leader_is_not_known_is_asked_again() {
        for code in [Code::NotLeaderForPartition, Code::UnknownTopicOrPartition, Code::UnknownPartition] {
            assert!(has_moved(&KafkaError::MetadataFetch(code)), "{code:?}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::OperationTimedOut, Code::AllBrokersDown] {
            assert!(!has_moved(&KafkaError::MetadataFetch(code)), "{code:?}");
        }
    }
}
