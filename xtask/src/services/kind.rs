//! Which servers there are, and what each is called.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A kind of server that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// One Kafka broker
    Kafka,
    /// Three Kafka brokers: replication factor 3, at least two in sync
    Kafka3,
    /// MySQL 9.7
    Mysql,
    /// MariaDB 10.11
    Mariadb,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Kafka, Self::Kafka3, Self::Mysql, Self::Mariadb];

    /// The word on the command line, also the name of the directory of its data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Kafka3 => "kafka3",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }

    /// The variable that gives the address of a server, and with which `up` prints it.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "STOCKLEDGER_TEST_KAFKA",
            Self::Kafka3 => "STOCKLEDGER_TEST_KAFKA3",
            Self::Mysql => "STOCKLEDGER_TEST_MYSQL",
            Self::Mariadb => "STOCKLEDGER_TEST_MARIADB",
        }
    }

    pub(super) fn image(self) -> &'static str {
        match self {
            Self::Kafka | Self::Kafka3 => "apache/kafka:4.3.0",
            Self::Mysql => "mysql:9.7",
            Self::Mariadb => "mariadb:10.11",
        }
    }

    /// The address from the environment, if there is one.
    pub(super) fn given_address(self) -> Option<String> {
        std::env::var(self.variable()).ok().filter(|address| !address.is_empty())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
