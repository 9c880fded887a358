//! The topic: making, removing and checking it, in talks with the brokers. What it must be like stands in `safety.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::address::Address;
use super::context::{Context, Moderator};
use super::fault::{explained, unavailable};
use super::safety::{Profile, judge, made_with, remedies, replicas};
use super::settings::{REQUEST_TIMEOUT, administering};
use crate::Error;
use crate::findings::{Finding, Findings};

/// How long the brokers may take to answer the first question.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a new topic may take until all brokers know it and its partitions have their leaders.
const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_AGAIN: Duration = Duration::from_millis(50);

/// A topic as the brokers tell of it.
struct Description {
    brokers: usize,
    /// For each partition: its replicas, and whether it has a leader. None if the topic does not exist.
    partitions: Option<Vec<(usize, bool)>>,
}

/// Talks about the topic with the brokers.
pub(super) struct Topic {
    address: Address,
    client: AdminClient<Context>,
}

impl Topic {
    /// Makes a client, talks, and takes the client down again, all on a thread where that may block. The talk goes on
    /// where nobody waits for it any more.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the client cannot be made, and those of the talk.
    pub(super) async fn talk<T: Send + 'static>(
        address: &Address,
        moderator: &Arc<Moderator>,
        talk: impl AsyncFnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        const OPERATION: &str = "talk with the brokers about the topic";
        let (address, context) = (address.clone(), Context::new("admin", moderator));
        let runtime = Handle::current();
        let talk = move || {
            let client = administering(&address).create_with_context(context);
            let client = client.map_err(|error| unavailable(OPERATION, error))?;
            runtime.block_on(talk(&Self { address, client }))
        };
        tokio::task::spawn_blocking(talk).await.unwrap_or_else(|error| Err(unavailable(OPERATION, error)))
    }

    /// Makes the topic, and waits until it can be used.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if it exists, [`Error::Unsafe`] if there are too few brokers, [`Error::Unavailable`].
    pub(super) async fn create(&self, partitions: u16, profile: Profile) -> Result<(), Error> {
        if partitions == 0 {
            return Err(Error::Mismatch("a log has at least one partition".to_owned()));
        }
        let found = self.describe()?;
        if found.partitions.is_some() {
            return Err(self.exists());
        }
        let (replicas, in_sync) =
            replicas(found.brokers, profile).map_err(|finding| self.refuse(vec![finding]))?;
        let settings = made_with(in_sync);
        let replication = TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(i32::MAX));
        let mut topic = NewTopic::new(self.address.topic(), i32::from(partitions), replication);
        for (name, value) in &settings {
            topic = topic.set(name, value);
        }
        let options =
            AdminOptions::new().request_timeout(Some(CONNECT_WITHIN)).operation_timeout(Some(CONNECT_WITHIN));
        let failed = |error| unavailable("create the topic", explained(&error));
        let results = self.client.create_topics([&topic], &options).await.map_err(failed)?;
        for result in results {
            match result {
                Ok(_) => {}
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Err(self.exists()),
                Err((_, code)) => return Err(failed(KafkaError::AdminOp(code))),
            }
        }
        self.wait_for_leaders(partitions).await
    }

    /// Removes the topic.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn delete(&self) -> Result<(), Error> {
        let failed = |error| unavailable("remove the topic", explained(&error));
        let options =
            AdminOptions::new().request_timeout(Some(CONNECT_WITHIN)).operation_timeout(Some(CONNECT_WITHIN));
        let results = self.client.delete_topics(&[self.address.topic()], &options).await.map_err(failed)?;
        let refused = results.into_iter().find_map(Result::err);
        refused.map_or(Ok(()), |(_, code)| Err(failed(KafkaError::AdminOp(code))))
    }

    /// How many partitions the topic has.
    ///
    /// # Errors
    /// [`Error::NoSuchLog`], [`Error::Mismatch`] if there are more than can be numbered, [`Error::Unavailable`].
    pub(super) fn partitions(&self) -> Result<u16, Error> {
        let (partitions, _) = self.existing()?;
        Ok(partitions)
    }

    /// Checks that the topic is safe; how many partitions it has.
    ///
    /// # Errors
    /// As [`Topic::partitions`], and [`Error::Unsafe`] with everything that is wrong.
    pub(super) async fn check(&self, profile: Profile) -> Result<u16, Error> {
        let (partitions, replicas) = self.existing()?;
        let settings = self.settings().await?;
        let findings = judge(&settings, replicas, profile);
        if findings.is_empty() { Ok(partitions) } else { Err(self.refuse(findings)) }
    }

    /// The number of partitions, and the smallest number of replicas that one of them has.
    fn existing(&self) -> Result<(u16, usize), Error> {
        let log = self.address.to_string();
        let partitions = self.describe()?.partitions.ok_or(Error::NoSuchLog(log))?;
        let replicas = partitions.iter().map(|(replicas, _)| *replicas).min().unwrap_or(0);
        let count = u16::try_from(partitions.len()).map_err(|_| {
            Error::Mismatch(format!(
                "{} has {} partitions, more than a log can have",
                self.address,
                partitions.len()
            ))
        })?;
        Ok((count, replicas))
    }

    fn describe(&self) -> Result<Description, Error> {
        let topic = self.address.topic();
        let failed = |reason: String| {
            let (brokers, seconds) = (self.address.brokers(), CONNECT_WITHIN.as_secs());
            let protocol = self.address.security().protocol();
            // The client does not tell these apart from silence.
            let looks_alike =
                "a wrong login, an unknown authority and a listener that is protected otherwise look alike";
            let said = format!(
                "{brokers} gave no answer over {protocol} within {seconds} s ({looks_alike}): {reason}"
            );
            unavailable("reach the brokers", said)
        };
        let metadata = self.client.inner().fetch_metadata(Some(topic), CONNECT_WITHIN);
        let metadata = metadata.map_err(|error| failed(explained(&error)))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let partitions = match found.map(|found| (found, found.error())) {
            None | Some((_, Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))) => None,
            Some((_, Some(error))) => {
                let error = KafkaError::MetadataFetch(error.into());
                return Err(unavailable("ask the brokers about the topic", explained(&error)));
            }
            Some((found, None)) => {
                let partitions = found.partitions().iter();
                Some(partitions.map(|one| (one.replicas().len(), one.leader() >= 0)).collect())
            }
        };
        Ok(Description { brokers: metadata.brokers().len(), partitions })
    }

    async fn settings(&self) -> Result<BTreeMap<String, String>, Error> {
        const OPERATION: &str = "ask for the settings of the topic";
        let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
        let failed = |error| unavailable(OPERATION, explained(&error));
        let topic = ResourceSpecifier::Topic(self.address.topic());
        let described = self.client.describe_configs([&topic], &options).await.map_err(failed)?;
        let mut settings = BTreeMap::new();
        for resource in described {
            let resource = resource.map_err(|code| match code {
                // Another broker than the one that described the topic, which has not heard of it yet.
                RDKafkaErrorCode::UnknownTopicOrPartition => Error::NoSuchLog(self.address.to_string()),
                code => failed(KafkaError::AdminOp(code)),
            })?;
            let entries = resource.entries.into_iter();
            settings.extend(entries.filter_map(|entry| Some((entry.name, entry.value?))));
        }
        if settings.is_empty() {
            let reason =
                "the brokers told none: the account needs the permission DescribeConfigs on the topic";
            return Err(unavailable(OPERATION, reason));
        }
        Ok(settings)
    }

    async fn wait_for_leaders(&self, partitions: u16) -> Result<(), Error> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let found = self.describe()?.partitions.unwrap_or_default();
            let led = found.iter().filter(|(_, has_leader)| *has_leader).count();
            if led == usize::from(partitions) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let reason = format!("{led} of {partitions} partitions have a leader");
                return Err(unavailable("wait for the new topic", reason));
            }
            sleep(READY_AGAIN).await;
        }
    }

    fn exists(&self) -> Error {
        Error::Mismatch(format!("{} exists already; a log is never overwritten", self.address))
    }

    fn refuse(&self, findings: Vec<Finding>) -> Error {
        let remedies = remedies(&self.address, &findings);
        Error::Unsafe(Findings { log: self.address.to_string(), findings, remedies })
    }
}

/// Opens a log whose topic was just made: a broker that has not heard of it yet says that there is none, and is asked
/// again for a while.
///
/// # Errors
/// Those of `open`; [`Error::NoSuchLog`] only after half a minute.
pub(super) async fn open_when_known<T, Opening>(open: impl Fn() -> Opening) -> Result<T, Error>
where
    Opening: Future<Output = Result<T, Error>>,
{
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        match open().await {
            Err(Error::NoSuchLog(_)) if Instant::now() < deadline => sleep(READY_AGAIN).await,
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use tokio::time::Instant;

    use super::{READY_WITHIN, open_when_known, unavailable};
    use crate::Error;

    fn unknown<T>() -> Result<T, Error> {
        Err(Error::NoSuchLog("kafka://k:9092/ledger".to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_topic_that_a_broker_does_not_know_yet_is_asked_for_again() {
        let asked = Cell::new(0);
        let opened = open_when_known(|| {
            asked.set(asked.get() + 1);
            ready(if asked.get() < 4 { unknown() } else { Ok(asked.get()) })
        });
        assert_eq!(opened.await.unwrap(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_stays_unknown_is_given_up() {
        let began = Instant::now();
        let error = open_when_known(|| ready(unknown::<()>())).await.unwrap_err();
        assert!(matches!(error, Error::NoSuchLog(_)), "{error}");
        assert!((READY_WITHIN..READY_WITHIN * 2).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn any_other_error_ends_the_opening_at_once() {
        let began = Instant::now();
        let error = open_when_known(|| ready(Err::<(), _>(unavailable("try", "no")))).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(began.elapsed().is_zero());
    }
}
