//! What a topic must be like so that a ledger may rest on it: what one is made with, what is refused, and the remedies.
//!
//! All of it is values: `topic.rs` asks the brokers and does what is decided here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::address::Address;
use crate::findings::{Danger, Finding};

/// Replicas of every partition, so that one may fail without loss and without a stop.
const REPLICAS: usize = 3;
/// Replicas that must have a record before it is acknowledged.
const REPLICAS_IN_SYNC: usize = 2;
/// The largest message of a topic that we make.
const MESSAGE_BYTES: usize = 4 << 20;
/// The largest record of a ledger, and what Kafka puts around it.
const MESSAGE_BYTES_MIN: usize = (1 << 20) + (64 << 10);
const SEGMENT_BYTES: usize = 256 << 20;

const CLEANUP_POLICY: &str = "cleanup.policy";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const REPLICATION_FACTOR: &str = "replication factor";
const BROKERS: &str = "number of brokers";
/// Settings with one safe value. With tiered storage, what is deleted locally is still in the second tier, where the same
/// two limits hold.
const EXACT: [(&str, &str, Danger); 5] = [
    (CLEANUP_POLICY, "delete", Danger::Compacted),
    ("retention.ms", "-1", Danger::Retention),
    ("retention.bytes", "-1", Danger::Retention),
    ("unclean.leader.election.enable", "false", Danger::UncleanElection),
    ("message.timestamp.type", "LogAppendTime", Danger::TimestampType),
];

/// How much the brokers must promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Three replicas, two of them in sync before anything is acknowledged.
    #[default]
    Production,
    /// One broker is enough. What was acknowledged may be lost with it. All else is as in production.
    Dev,
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Production => "production",
            Self::Dev => "dev",
        })
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "production" => Ok(Self::Production),
            "dev" => Ok(Self::Dev),
            _ => Err(format!("`{text}` is no profile: choose production or dev")),
        }
    }
}

/// How many replicas a new topic gets, and how many of them must be in sync.
///
/// # Errors
/// What there is too little of.
pub(super) fn replicas(brokers: usize, profile: Profile) -> Result<(usize, usize), Finding> {
    match profile {
        Profile::Production if brokers < REPLICAS => Err(Finding {
            danger: Danger::TooFewBrokers,
            setting: BROKERS.to_owned(),
            value: brokers.to_string(),
            safe: format!("{REPLICAS} or more"),
        }),
        Profile::Dev if brokers < REPLICAS => Ok((brokers.max(1), 1)),
        Profile::Production | Profile::Dev => Ok((REPLICAS, REPLICAS_IN_SYNC)),
    }
}

/// What a topic that we make is set to.
pub(super) fn made_with(in_sync: usize) -> Vec<(&'static str, String)> {
    let exact = EXACT.iter().map(|(name, value, _)| (*name, (*value).to_owned()));
    let others = [
        (MIN_INSYNC_REPLICAS, in_sync.to_string()),
        (MAX_MESSAGE_BYTES, MESSAGE_BYTES.to_string()),
        ("segment.bytes", SEGMENT_BYTES.to_string()),
        ("compression.type", "producer".to_owned()),
    ];
    exact.chain(others).collect()
}

/// Everything that makes the topic unsafe. `replicas` is the number of the partition that has the fewest.
pub(super) fn judge(settings: &BTreeMap<String, String>, replicas: usize, profile: Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut check = |danger, setting: &str, value: Option<&str>, safe: String, is_safe: bool| {
        if !is_safe {
            let value = value.unwrap_or("not told by the brokers").to_owned();
            findings.push(Finding { danger, setting: setting.to_owned(), value, safe });
        }
    };
    for (name, safe, danger) in EXACT {
        let value = settings.get(name).map(String::as_str);
        check(danger, name, value, safe.to_owned(), value == Some(safe));
    }
    let (replicas_min, in_sync_min) = match profile {
        Profile::Production => (REPLICAS, REPLICAS_IN_SYNC),
        Profile::Dev => (1, 1),
    };
    for (name, least, danger) in [
        (MIN_INSYNC_REPLICAS, in_sync_min, Danger::TooFewInSync),
        (MAX_MESSAGE_BYTES, MESSAGE_BYTES_MIN, Danger::MessageLimit),
    ] {
        let value = settings.get(name).map(String::as_str);
        let number = value.and_then(|value| value.parse::<usize>().ok());
        let is_safe = number.is_some_and(|number| number >= least);
        check(danger, name, value, format!("{least} or more"), is_safe);
    }
    let (told, is_safe) = (replicas.to_string(), replicas >= replicas_min);
    let safe = format!("{replicas_min} or more");
    check(Danger::TooFewReplicas, REPLICATION_FACTOR, Some(&told), safe, is_safe);
    findings
}

/// What an operator can do about it, in the order in which it is to be done. More replicas come before the setting that
/// demands them: with fewer, no append succeeds any more. What begins with `or` stands for all lines before it.
pub(super) fn remedies(address: &Address, findings: &[Finding]) -> Vec<String> {
    let wanted = made_with(REPLICAS_IN_SYNC);
    let found = |name: &str| findings.iter().any(|finding| finding.setting == name);
    let changes: Vec<String> = wanted
        .iter()
        .filter(|(name, _)| found(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut remedies = Vec::new();
    if found(BROKERS) {
        remedies.push(format!("start more brokers: {REPLICAS} at least"));
    }
    if found(REPLICATION_FACTOR) {
        remedies.push(format!(
            "give every partition {REPLICAS} replicas with kafka-reassign-partitions.sh, and wait until they are in sync"
        ));
    }
    if !changes.is_empty() {
        remedies.push(format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {}",
            address.brokers(),
            address.topic(),
            changes.join(",")
        ));
    }
    if [MIN_INSYNC_REPLICAS, REPLICATION_FACTOR, BROKERS].into_iter().any(found) {
        remedies.push(
            "or run with `--profile dev`, which is content with one broker and promises less".to_owned(),
        );
    }
    remedies
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Address, Finding, Profile, judge, made_with, remedies, replicas};

    fn made() -> BTreeMap<String, String> {
        made_with(2).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn found(settings: &BTreeMap<String, String>, replicas: usize, profile: Profile) -> Vec<String> {
        let findings = judge(settings, replicas, profile).into_iter();
        findings.map(|finding| format!("{} {} {}", finding.setting, finding.value, finding.safe)).collect()
    }

    #[test]
    fn a_profile_is_read_as_it_is_shown() {
        for profile in [Profile::Production, Profile::Dev] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("test".parse::<Profile>().unwrap_err().contains("production or dev"));
    }

    #[test]
    fn what_we_make_is_safe() {
        assert!(judge(&made(), 3, Profile::Production).is_empty());
        assert!(judge(&made(), 3, Profile::Dev).is_empty());
    }

    #[test]
    fn every_unsafe_setting_is_found_and_named_with_its_value() {
        for (name, value, expected) in [
            ("cleanup.policy", "compact", "cleanup.policy compact delete"),
            ("cleanup.policy", "compact,delete", "cleanup.policy compact,delete delete"),
            ("retention.ms", "604800000", "retention.ms 604800000 -1"),
            ("retention.bytes", "1073741824", "retention.bytes 1073741824 -1"),
            ("unclean.leader.election.enable", "true", "unclean.leader.election.enable true false"),
            ("message.timestamp.type", "CreateTime", "message.timestamp.type CreateTime LogAppendTime"),
            ("max.message.bytes", "1048588", "max.message.bytes 1048588 1114112 or more"),
            ("min.insync.replicas", "1", "min.insync.replicas 1 2 or more"),
        ] {
            let mut settings = made();
            settings.insert(name.to_owned(), value.to_owned());
            assert_eq!(found(&settings, 3, Profile::Production), [expected]);
            let is_for_production_only = name == "min.insync.replicas";
            assert_eq!(judge(&settings, 3, Profile::Dev).is_empty(), is_for_production_only, "{name}");
        }
        assert_eq!(found(&made(), 2, Profile::Production), ["replication factor 2 3 or more"]);
        assert!(judge(&made(), 1, Profile::Dev).is_empty());
    }

    #[test]
    fn a_setting_that_is_not_told_is_not_taken_for_safe() {
        let findings = found(&BTreeMap::new(), 0, Profile::Dev);
        assert_eq!(findings.len(), 8, "{findings:?}");
        assert!(findings[0].contains("not told"), "{findings:?}");
    }

    #[test]
    fn the_remedy_changes_what_was_found_and_nothing_else() {
        let address: Address = "kafka://k:9092/ledger".parse().unwrap();
        let mut settings = made();
        settings.insert("retention.ms".to_owned(), "1".to_owned());
        let remedy = remedies(&address, &judge(&settings, 3, Profile::Production));
        assert_eq!(remedy.len(), 1);
        assert!(remedy[0].contains("--bootstrap-server k:9092"), "{remedy:?}");
        assert!(remedy[0].ends_with("--entity-name ledger --add-config retention.ms=-1"), "{remedy:?}");
    }

    #[test]
    fn replicas_are_added_before_they_are_demanded() {
        let address: Address = "kafka://k:9092/ledger".parse().unwrap();
        let mut settings = made();
        settings.insert("min.insync.replicas".to_owned(), "1".to_owned());
        let remedy = remedies(&address, &judge(&settings, 1, Profile::Production));
        assert_eq!(remedy.len(), 3, "{remedy:?}");
        assert!(remedy[0].contains("3 replicas with kafka-reassign-partitions.sh"), "{remedy:?}");
        assert!(remedy[1].ends_with("--add-config min.insync.replicas=2"), "{remedy:?}");
        assert!(remedy[2].contains("--profile dev"), "{remedy:?}");
    }

    #[test]
    fn a_new_topic_gets_the_replicas_of_its_profile() {
        assert_eq!(replicas(3, Profile::Production), Ok((3, 2)));
        assert_eq!(replicas(5, Profile::Dev), Ok((3, 2)));
        assert_eq!(replicas(2, Profile::Dev), Ok((2, 1)));
        let finding = replicas(2, Profile::Production).unwrap_err();
        let Finding { setting, value, safe, .. } = &finding;
        assert_eq!((&**setting, &**value, &**safe), ("number of brokers", "2", "3 or more"));
        let address: Address = "kafka://k:9092/ledger".parse().unwrap();
        let remedy = remedies(&address, &[finding]);
        assert!(remedy[0].contains("more brokers") && remedy[1].contains("--profile dev"), "{remedy:?}");
    }
}
