//! Settings of connections to Kafka: TLS and logins. The password comes from the environment or from a file, never from
//! the command line, which everybody on the machine can see.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use stockledger_log::Secret;
use stockledger_log::kafka::Security;
use stockledger_log::kafka::security::{Encryption, IS_BUILT_IN, Login, Mechanism, Protocol};
use stockledger_schemas::headers::Detail;

use super::{Error, Layers, Setting, Source, parse};

/// What holds the password.
pub(crate) const PASSWORD_VARIABLE: &str = "STOCKLEDGER_KAFKA_PASSWORD";
/// What names a file that holds it.
pub(crate) const PASSWORD_FILE_VARIABLE: &str = "STOCKLEDGER_KAFKA_PASSWORD_FILE";

/// What can be set by a flag or by the environment.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct KafkaFlags {
    /// How connections to Kafka are protected: plaintext, ssl, sasl_plaintext or sasl_ssl [default: plaintext]
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        env = "STOCKLEDGER_KAFKA_SECURITY",
        hide_env_values = true
    )]
    pub kafka_security: Option<String>,
    /// How the login to Kafka is proved: SCRAM-SHA-256 or SCRAM-SHA-512 [default: SCRAM-SHA-512]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "STOCKLEDGER_KAFKA_SASL_MECHANISM",
        hide_env_values = true
    )]
    pub kafka_sasl_mechanism: Option<String>,
    /// As whom to log in to Kafka
    #[arg(long, global = true, value_name = "NAME", env = "STOCKLEDGER_KAFKA_USER", hide_env_values = true)]
    pub kafka_user: Option<String>,
    /// File with the password of that login; STOCKLEDGER_KAFKA_PASSWORD may hold it instead
    #[arg(long, global = true, value_name = "FILE", env = PASSWORD_FILE_VARIABLE, hide_env_values = true)]
    pub kafka_password_file: Option<PathBuf>,
    /// File with the authorities that vouch for the brokers [default: those of the system]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "STOCKLEDGER_KAFKA_CA_FILE",
        hide_env_values = true
    )]
    pub kafka_ca_file: Option<PathBuf>,
    /// What records say in headers, for people who look at the topic: minimal or full [default: minimal]
    #[arg(
        long,
        global = true,
        value_name = "DETAIL",
        env = "STOCKLEDGER_KAFKA_HEADERS",
        hide_env_values = true
    )]
    pub kafka_headers: Option<String>,
    /// Consumer group that shows how far the read tables are, or off [default: TOPIC-projector]
    #[arg(
        long,
        global = true,
        value_name = "GROUP",
        env = "STOCKLEDGER_KAFKA_LAG_GROUP",
        hide_env_values = true
    )]
    pub kafka_lag_group: Option<String>,
}

/// The same in the settings file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KafkaFile {
    kafka_security: Option<String>,
    kafka_sasl_mechanism: Option<String>,
    kafka_user: Option<String>,
    kafka_password_file: Option<PathBuf>,
    kafka_ca_file: Option<PathBuf>,
    kafka_headers: Option<String>,
    kafka_lag_group: Option<String>,
}

/// The settings of connections to Kafka. The password is with the address of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// How connections are protected.
    pub security: Setting<Protocol>,
    /// How a login is proved.
    pub sasl_mechanism: Setting<Mechanism>,
    /// As whom to log in; empty for nobody.
    pub user: Setting<String>,
    /// Where the password stands.
    pub password_file: Setting<Option<PathBuf>>,
    /// Who vouches for the brokers.
    pub ca_file: Setting<Option<PathBuf>>,
    /// How much records say in headers.
    pub headers: Setting<Detail>,
    /// Where it is mirrored how far the read tables are; see [`Kafka::lag_group`].
    lag_group: Setting<Option<String>>,
}

/// The name that stands for no group.
const NO_GROUP: &str = "off";
/// What is put behind the name of the topic where no group is named.
const GROUP_SUFFIX: &str = "-projector";

impl Kafka {
    pub(super) fn resolve(flags: &KafkaFlags, file: KafkaFile, layers: &Layers<'_>) -> Result<Self, Error> {
        let text = |name, flag: &Option<String>, file, default: &str| {
            layers.pick(name, flag.clone(), file, || default.to_owned())
        };
        let path = |name, flag: &Option<PathBuf>, file: Option<PathBuf>| {
            layers.pick(name, flag.clone().map(Some), file.map(Some), || None)
        };
        let security = text(
            "kafka_security",
            &flags.kafka_security,
            file.kafka_security,
            &Protocol::default().to_string(),
        );
        let mechanism = text(
            "kafka_sasl_mechanism",
            &flags.kafka_sasl_mechanism,
            file.kafka_sasl_mechanism,
            &Mechanism::default().to_string(),
        );
        Ok(Self {
            security: parse("kafka_security", security)?,
            sasl_mechanism: parse("kafka_sasl_mechanism", mechanism)?,
            user: text("kafka_user", &flags.kafka_user, file.kafka_user, ""),
            password_file: path("kafka_password_file", &flags.kafka_password_file, file.kafka_password_file),
            ca_file: path("kafka_ca_file", &flags.kafka_ca_file, file.kafka_ca_file),
            headers: parse(
                "kafka_headers",
                text(
                    "kafka_headers",
                    &flags.kafka_headers,
                    file.kafka_headers,
                    &Detail::default().to_string(),
                ),
            )?,
            lag_group: layers.pick(
                "kafka_lag_group",
                flags.kafka_lag_group.clone().map(Some),
                file.kafka_lag_group.map(Some),
                || None,
            ),
        })
    }

    /// How connections are protected, with the password.
    ///
    /// # Errors
    /// [`Error::NoKafkaTls`] if this program was built without, [`Error::Value`] if a part is missing or one too many,
    /// [`Error::ReadFile`].
    pub(super) fn security(&self) -> Result<Security, Error> {
        let protocol = self.security.value;
        if protocol != Protocol::Plaintext && !IS_BUILT_IN {
            return Err(Error::NoKafkaTls(protocol));
        }
        let encryption = Encryption { ca_file: self.ca_file.value.clone() };
        Ok(Security {
            encryption: protocol.is_encrypted().then_some(encryption),
            login: if protocol.has_login() { Some(self.login()?) } else { None },
        })
    }

    /// The consumer group that shows how far the read tables of a topic are; nothing if none is to.
    #[must_use]
    pub fn lag_group(&self, topic: &str) -> Option<String> {
        match self.lag_group.value.as_deref() {
            Some(NO_GROUP) => None,
            Some(group) => Some(group.to_owned()),
            None => Some(format!("{topic}{GROUP_SUFFIX}")),
        }
    }

    fn login(&self) -> Result<Login, Error> {
        if self.user.value.is_empty() {
            return Err(self.incomplete(format!("is {} and kafka_user is not set", self.security.value)));
        }
        let variable = std::env::var_os(PASSWORD_VARIABLE);
        let password = match (variable, self.password_file.value.as_deref()) {
            (Some(_), Some(_)) => {
                let detail =
                    format!("and {PASSWORD_VARIABLE} are both given: let one of them have the password");
                let origin = self.password_file.source.clone();
                return Err(Error::Value { name: "kafka_password_file", origin, detail });
            }
            (None, None) => {
                let detail = format!(
                    "asks for a login: give its password in {PASSWORD_VARIABLE} or kafka_password_file"
                );
                return Err(self.incomplete(detail));
            }
            (Some(variable), None) => variable.into_string().map_err(|_| Error::Value {
                name: "kafka_password",
                origin: Source::Environment,
                detail: format!("is not UTF-8: {PASSWORD_VARIABLE}"),
            })?,
            (None, Some(path)) => secret_file(path)?,
        };
        let user = self.user.value.clone();
        Ok(Login { mechanism: self.sasl_mechanism.value, user, password: Secret::new(password) })
    }

    fn incomplete(&self, detail: String) -> Error {
        Error::Value { name: "kafka_security", origin: self.security.source.clone(), detail }
    }

    pub(super) fn rows(&self) -> Vec<(&'static str, String, String)> {
        let path =
            |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        vec![
            ("kafka_security", self.security.value.to_string(), self.security.source.to_string()),
            (
                "kafka_sasl_mechanism",
                self.sasl_mechanism.value.to_string(),
                self.sasl_mechanism.source.to_string(),
            ),
            ("kafka_user", self.user.value.clone(), self.user.source.to_string()),
            ("kafka_password_file", path(&self.password_file.value), self.password_file.source.to_string()),
            ("kafka_ca_file", path(&self.ca_file.value), self.ca_file.source.to_string()),
            ("kafka_headers", self.headers.value.to_string(), self.headers.source.to_string()),
            (
                "kafka_lag_group",
                self.lag_group.value.clone().unwrap_or_default(),
                self.lag_group.source.to_string(),
            ),
        ]
    }
}

/// The secret that a file holds, without the line break that editors put behind it.
pub(super) fn secret_file(path: &Path) -> Result<String, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::ReadFile { path: path.to_path_buf(), source })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
