//! Where a log or the read tables are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use stockledger_log::kafka;
use stockledger_projections::mysql;

/// Where a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAddress {
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In a topic of a Kafka cluster.
    Kafka(kafka::Address),
}

impl LogAddress {
    /// What kind of log it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Kafka(_) => "kafka",
        }
    }

    /// The directory of its file, where it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => path.parent(),
            Self::Kafka(_) => None,
        }
    }
}

impl FromStr for LogAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = sqlite_path(text) {
            return Ok(Self::Sqlite(path));
        }
        if text.starts_with("kafka:") {
            return text.parse::<kafka::Address>().map(Self::Kafka).map_err(|error| error.to_string());
        }
        Err("must be sqlite:PATH or kafka://HOST:PORT[,HOST:PORT]/TOPIC".to_owned())
    }
}

impl fmt::Display for LogAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Kafka(address) => address.fmt(formatter),
        }
    }
}

/// Where the read tables are. A password is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectionsAddress {
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// In a database of a MySQL or MariaDB server.
    Mysql(mysql::Address),
}

impl ProjectionsAddress {
    /// What kind of store it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Mysql(_) => "mysql",
        }
    }

    /// The directory of its file, where it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => path.parent(),
            Self::Mysql(_) => None,
        }
    }

    /// The password, to be handed on to another process.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Mysql(address) => address.password(),
        }
    }

    /// The same address, to log in with this password; a file needs none.
    #[must_use]
    pub fn with_password(self, password: String) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(path),
            Self::Mysql(address) => Self::Mysql(address.with_password(password)),
        }
    }
}

impl FromStr for ProjectionsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = sqlite_path(text) {
            return Ok(Self::Sqlite(path));
        }
        if text.starts_with("mysql:") {
            return text.parse::<mysql::Address>().map(Self::Mysql).map_err(|error| error.to_string());
        }
        Err("must be sqlite:PATH or mysql://USER@HOST:PORT/DATABASE".to_owned())
    }
}

impl fmt::Display for ProjectionsAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Mysql(address) => address.fmt(formatter),
        }
    }
}

fn sqlite_path(text: &str) -> Option<PathBuf> {
    text.strip_prefix("sqlite:").filter(|path| !path.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::{LogAddress, ProjectionsAddress};

    #[test]
    fn addresses_are_read_and_shown() {
        for text in ["sqlite:/data/log.sqlite", "kafka://a:9092,b:9092/stockledger"] {
            assert_eq!(text.parse::<LogAddress>().unwrap().to_string(), text);
        }
        for text in ["sqlite:/data/tables.sqlite", "mysql://shop@db:3306/stockledger"] {
            assert_eq!(text.parse::<ProjectionsAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let address: ProjectionsAddress = "mysql://shop:secret@db:3306/stockledger".parse().unwrap();
        let address = address.with_password("other-secret".to_owned());
        for shown in [address.to_string(), format!("{address:?}")] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_what_would_be_one() {
        for text in ["", "sqlite:", "postgres://a/b", "mysql://a/b"] {
            assert!(text.parse::<LogAddress>().unwrap_err().contains("kafka://"), "{text}");
        }
        for text in ["", "sqlite:", "kafka://a:1/b"] {
            assert!(text.parse::<ProjectionsAddress>().unwrap_err().contains("mysql://"), "{text}");
        }
    }
}
