//! What makes a log unsafe for a ledger, all of it at once, and what can be done about it.

use std::fmt;

/// What is dangerous about a log, for those who tell one danger from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Danger {
    /// Records are replaced by later ones of the same key.
    Compacted,
    /// Records are deleted after some time, or beyond some size.
    Retention,
    /// A replica that does not have all records may come to lead.
    UncleanElection,
    /// The time of a record is that of who sent it.
    TimestampType,
    /// A record is acknowledged before enough replicas have it.
    TooFewInSync,
    /// There are fewer replicas than may fail.
    TooFewReplicas,
    /// There are fewer brokers than replicas are needed.
    TooFewBrokers,
    /// A record of a ledger may be larger than a message.
    MessageLimit,
}

/// One setting that is not safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is dangerous about it.
    pub danger: Danger,
    /// Its name, as the log's own tools call it.
    pub setting: String,
    /// What it is.
    pub value: String,
    /// What it has to be.
    pub safe: String,
}

/// Why a log is not safe. Shown with one line for each finding and each remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The address of the log.
    pub log: String,
    /// What was found; at least one.
    pub findings: Vec<Finding>,
    /// What an operator can do about it, as commands where there are some.
    pub remedies: Vec<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is {} and has to be {}", self.setting, self.value, self.safe)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is not safe for a ledger:", self.log)?;
        for finding in &self.findings {
            write!(formatter, "\n  {finding}")?;
        }
        if !self.remedies.is_empty() {
            write!(formatter, "\nto mend it:")?;
        }
        for remedy in &self.remedies {
            write!(formatter, "\n  {remedy}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Danger, Finding, Findings};

    #[test]
    fn everything_is_told_at_once() {
        let finding = |setting: &str, value: &str, safe: &str| Finding {
            danger: Danger::Retention,
            setting: setting.to_owned(),
            value: value.to_owned(),
            safe: safe.to_owned(),
        };
        let findings = Findings {
            log: "kafka://k:9092/ledger".to_owned(),
            findings: vec![
                finding("retention.ms", "1", "-1"),
                finding("cleanup.policy", "compact", "delete"),
            ],
            remedies: vec!["change it".to_owned()],
        };
        let expected = "kafka://k:9092/ledger is not safe for a ledger:\n  retention.ms is 1 and has to be -1\n  \
                        cleanup.policy is compact and has to be delete\nto mend it:\n  change it";
        assert_eq!(findings.to_string(), expected);
    }
}
