//! Where a log on Kafka is: `kafka://HOST:PORT[,HOST:PORT]/TOPIC`.

use std::fmt;
use std::str::FromStr;

use super::security::Security;

const SCHEME: &str = "kafka://";
/// Kafka's own limit: a topic is a directory of the broker, with a suffix for the partition.
const TOPIC_LENGTH_MAX: usize = 249;

/// The brokers to ask first, how to talk with them, and the topic that holds the log. Checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    brokers: String,
    topic: String,
    security: Security,
}

impl Address {
    /// The brokers as Kafka clients take them: `HOST:PORT`, separated by commas. They tell of the others.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The address of another topic on the same brokers, with `suffix` behind the name of this one.
    ///
    /// # Errors
    /// [`AddressError::Topic`].
    pub fn beside(&self, suffix: &str) -> Result<Self, AddressError> {
        let topic = format!("{}{suffix}", self.topic);
        check_topic(&topic)?;
        Ok(Self { topic, ..self.clone() })
    }

    /// The same address, with connections that are protected like this.
    #[must_use]
    pub fn with_security(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// How connections are protected. It is no part of the text of an address.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.security
    }

    /// The name of the topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}/{}", self.brokers, self.topic)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // First of all: no other error may show a secret.
        if let Some((_, rest)) = text.rsplit_once('@') {
            return Err(AddressError::Credentials(rest.to_owned()));
        }
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| AddressError::Scheme(text.to_owned()))?;
        let (brokers, topic) = rest.split_once('/').ok_or(AddressError::NoTopic)?;
        for broker in brokers.split(',') {
            check_broker(broker)?;
        }
        check_topic(topic)?;
        Ok(Self { brokers: brokers.to_owned(), topic: topic.to_owned(), security: Security::default() })
    }
}

fn check_broker(broker: &str) -> Result<(), AddressError> {
    let no_port = || AddressError::NoPort(broker.to_owned());
    let (host, port) = match broker.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| AddressError::Host(broker.to_owned()))?;
            (host, port.strip_prefix(':').ok_or_else(no_port)?)
        }
        None => broker.rsplit_once(':').ok_or_else(no_port)?,
    };
    if host.is_empty() {
        return Err(AddressError::NoHost(broker.to_owned()));
    }
    let is_of_a_host = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let is_host = if broker.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        host.chars().all(is_of_a_host)
    };
    if !is_host {
        return Err(AddressError::Host(broker.to_owned()));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(AddressError::Port { broker: broker.to_owned(), port: port.to_owned() }),
    }
}

/// The rules of Kafka's own `Topic.validate`.
fn check_topic(topic: &str) -> Result<(), AddressError> {
    let illegal = |reason: String| Err(AddressError::Topic { topic: topic.to_owned(), reason });
    if topic.is_empty() {
        return Err(AddressError::NoTopic);
    }
    if matches!(topic, "." | "..") {
        return illegal("`.` and `..` are no names".to_owned());
    }
    if topic.len() > TOPIC_LENGTH_MAX {
        return illegal(format!("{} bytes are more than {TOPIC_LENGTH_MAX}", topic.len()));
    }
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    match topic.chars().find(|letter| !is_legal(*letter)) {
        Some(letter) => {
            illegal(format!("{letter:?} is not among the ASCII letters and digits, `.`, `_` and `-`"))
        }
        None => Ok(()),
    }
}

/// Why a text is not the address of a log on Kafka.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has a user or a password, or just an `@`. Only what stands behind it is kept.
    #[error(
        "credentials do not belong in the address: before `{0}` write {SCHEME} and neither user, password nor `@`; \
         a login to Kafka has settings of its own"
    )]
    Credentials(String),
    /// It does not begin as one.
    #[error("`{0}` does not begin with {SCHEME}: write {SCHEME}HOST:PORT[,HOST:PORT]/TOPIC")]
    Scheme(String),
    /// Nothing stands behind the brokers.
    #[error("no topic is named: write {SCHEME}HOST:PORT[,HOST:PORT]/TOPIC")]
    NoTopic,
    /// A broker without a host.
    #[error("the broker `{0}` has no host: write HOST:PORT")]
    NoHost(String),
    /// A broker without a port.
    #[error("the broker `{0}` has no port: write HOST:PORT, usually HOST:9092")]
    NoPort(String),
    /// A broker with something that is no host.
    #[error(
        "the broker `{0}` has no valid host: write a name, an IPv4 address or an IPv6 address in brackets"
    )]
    Host(String),
    /// A broker with something that is no port.
    #[error("the broker `{broker}` has the port `{port}`: a port is a number from 1 to 65535")]
    Port {
        /// The broker.
        broker: String,
        /// What stands where its port belongs.
        port: String,
    },
    /// Kafka does not allow a topic of this name.
    #[error("`{topic}` is no legal topic name: {reason}")]
    Topic {
        /// The name.
        topic: String,
        /// The rule that it breaks.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn read(text: &str) -> Result<Address, String> {
        text.parse::<Address>().map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_shown_as_it_was_written() {
        let longest = format!("kafka://k:9092/{}", "t".repeat(249));
        for text in [
            "kafka://localhost:9092/ledger",
            "kafka://a.example:1,b_c-d:65535,10.0.0.1:9092/Ledger.events_2-x",
            "kafka://[::1]:9092/ledger",
            &longest,
        ] {
            assert_eq!(read(text).map(|address| address.to_string()).as_deref(), Ok(text));
        }
        let address = read("kafka://a:1,b:2/ledger").unwrap();
        assert_eq!((address.brokers(), address.topic()), ("a:1,b:2", "ledger"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let too_long = format!("kafka://k:1/{}", "t".repeat(250));
        for (text, expected) in [
            ("mysql://k:1/t", "does not begin with kafka://"),
            ("kafka:k:1/t", "does not begin with kafka://"),
            ("kafka://k:1", "no topic"),
            ("kafka://k:1/", "no topic"),
            ("kafka:///t", "the broker `` has no port"),
            ("kafka://:9092/t", "the broker `:9092` has no host"),
            ("kafka://a:1,/t", "the broker `` has no port"),
            ("kafka://k/t", "the broker `k` has no port"),
            ("kafka://[::1]/t", "the broker `[::1]` has no port"),
            ("kafka://[::1:9092/t", "has no valid host"),
            ("kafka://[nowhere]:9092/t", "has no valid host"),
            ("kafka://a b:1/t", "has no valid host"),
            ("kafka://k:/t", "has the port ``"),
            ("kafka://k:0/t", "has the port `0`"),
            ("kafka://k:65536/t", "has the port `65536`"),
            ("kafka://k:x/t", "has the port `x`"),
            ("kafka://k:1/.", "no legal topic name"),
            ("kafka://k:1/..", "no legal topic name"),
            ("kafka://k:1/a/b", "'/' is not among"),
            ("kafka://k:1/lager ä", "' ' is not among"),
            (&too_long, "250 bytes are more than 249"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
    #[test]
    fn credentials_are_refused_and_not_shown() {
        for (text, shown) in [
            ("kafka://user:secret@k:9092/t", "before `k:9092/t`"),
            ("kafka://user:secret@a:1,user:secret@k:9092/t", "before `k:9092/t`"),
            ("kafka://user:sec/ret@k:9092/t", "before `k:9092/t`"),
            ("kafka://user:sec@ret@k:9092/t", "before `k:9092/t`"),
            ("kafka:user:secret@k", "before `k`"),
            ("secret@", "before ``"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with("credentials do not belong in the address"), "{text}: {error}");
            assert!(error.contains(shown), "{text}: {error}");
            assert!(!["user:", "sec", "ret@"].iter().any(|part| error.contains(part)), "{text}: {error}");
        }
    }
}
