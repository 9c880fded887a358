//! How clients prove who they are to the brokers, and whether what they say is encrypted.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rdkafka::config::ClientConfig;

use crate::Secret;

/// Whether this program was built with TLS and logins for Kafka.
pub const IS_BUILT_IN: bool = cfg!(feature = "kafka-tls");

/// How connections to the brokers are protected. The default is not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Encrypted, and the brokers prove who they are.
    pub encryption: Option<Encryption>,
    /// Clients log in.
    pub login: Option<Login>,
}

/// TLS to the brokers. They must show a certificate for the host by which they are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// A file with the authorities that vouch for the brokers; those of the system without it.
    pub ca_file: Option<PathBuf>,
}

/// Who logs in. The password itself never goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// As whom.
    pub user: String,
    /// With which password.
    pub password: Secret,
}

/// Ways to prove a password without saying it (RFC 5802).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// With SHA-256.
    Sha256,
    /// With SHA-512.
    #[default]
    Sha512,
}

/// What Kafka calls the four ways in which a listener can be protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Neither encrypted nor with a login.
    #[default]
    Plaintext,
    /// Encrypted.
    Ssl,
    /// With a login.
    SaslPlaintext,
    /// Encrypted and with a login.
    SaslSsl,
}

impl Protocol {
    /// Whether connections are encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether clients log in.
    #[must_use]
    pub const fn has_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

impl Security {
    /// What Kafka calls it.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match (&self.encryption, &self.login) {
            (None, None) => Protocol::Plaintext,
            (Some(_), None) => Protocol::Ssl,
            (None, Some(_)) => Protocol::SaslPlaintext,
            (Some(_), Some(_)) => Protocol::SaslSsl,
        }
    }

    /// Tells a client.
    pub(super) fn set(&self, config: &mut ClientConfig) {
        config.set("security.protocol", self.protocol().as_str());
        if let Some(Encryption { ca_file: Some(path) }) = &self.encryption {
            config.set("ssl.ca.location", path.to_string_lossy());
        }
        if let Some(Login { mechanism, user, password }) = &self.login {
            config
                .set("sasl.mechanisms", mechanism.to_string())
                .set("sasl.username", user)
                .set("sasl.password", password.reveal());
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];
        let found = all.into_iter().find(|protocol| protocol.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| "must be plaintext, ssl, sasl_plaintext or sasl_ssl".to_owned())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "SCRAM-SHA-256" => Ok(Self::Sha256),
            "SCRAM-SHA-512" => Ok(Self::Sha512),
            _ => Err("must be SCRAM-SHA-256 or SCRAM-SHA-512".to_owned()),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login { mechanism: Mechanism::Sha256, user: "ledger".to_owned(), password: Secret::new("canary") }
    }

    #[test]
    fn a_client_is_told_what_protects_it() {
        let encryption = Encryption { ca_file: Some("/ca.pem".into()) };
        for (security, expected) in [
            (Security::default(), "plaintext"),
            (Security { encryption: Some(encryption.clone()), login: None }, "ssl"),
            (Security { encryption: None, login: Some(login()) }, "sasl_plaintext"),
            (Security { encryption: Some(encryption), login: Some(login()) }, "sasl_ssl"),
        ] {
            let mut config = ClientConfig::new();
            security.set(&mut config);
            assert_eq!(config.get("security.protocol"), Some(expected));
            assert_eq!(config.get("sasl.mechanisms").is_some(), expected.starts_with("sasl"));
            assert_eq!(config.get("ssl.ca.location").is_some(), expected.ends_with("ssl"));
            assert_eq!(expected.parse(), Ok(security.protocol()));
        }
    }

    #[test]
    fn a_login_is_shown_without_its_password() {
        let mut config = ClientConfig::new();
        let security = Security { encryption: None, login: Some(login()) };
        security.set(&mut config);
        for shown in [format!("{security:?}"), format!("{config:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert_eq!(config.get("sasl.password"), Some("canary"));
    }

    #[test]
    fn names_are_read_as_kafka_writes_them() {
        assert_eq!("SASL_SSL".parse(), Ok(Protocol::SaslSsl));
        assert_eq!("scram-sha-512".parse(), Ok(Mechanism::Sha512));
        assert!("PLAIN".parse::<Mechanism>().is_err());
        assert!("tls".parse::<Protocol>().is_err());
    }
}
