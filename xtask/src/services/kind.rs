//! Which servers there are, and what each is called.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A kind of server that tests need. Those called faulty, and the three brokers, are killed by tests of faults; no other
/// test uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One Kafka broker
    Kafka,
    /// One more Kafka broker, for tests of faults
    KafkaFaulty,
    /// Three Kafka brokers, for tests of faults: replication factor 3, at least two in sync
    Kafka3,
    /// MySQL 9.7
    Mysql,
    /// One more MySQL, for tests of faults
    MysqlFaulty,
    /// MariaDB 10.11
    Mariadb,
    /// One more MariaDB, for tests of faults
    MariadbFaulty,
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Kafka,
    Mysql,
    Mariadb,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Kafka,
        Self::KafkaFaulty,
        Self::Kafka3,
        Self::Mysql,
        Self::MysqlFaulty,
        Self::Mariadb,
        Self::MariadbFaulty,
    ];

    /// The word on the command line, also the name of the directory of its data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::KafkaFaulty => "kafka-faulty",
            Self::Kafka3 => "kafka3",
            Self::Mysql => "mysql",
            Self::MysqlFaulty => "mysql-faulty",
            Self::Mariadb => "mariadb",
            Self::MariadbFaulty => "mariadb-faulty",
        }
    }

    /// The variable that gives the address of a server, and with which `up` prints it.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "STOCKLEDGER_TEST_KAFKA",
            Self::KafkaFaulty => "STOCKLEDGER_TEST_KAFKA_FAULTY",
            Self::Kafka3 => "STOCKLEDGER_TEST_KAFKA3",
            Self::Mysql => "STOCKLEDGER_TEST_MYSQL",
            Self::MysqlFaulty => "STOCKLEDGER_TEST_MYSQL_FAULTY",
            Self::Mariadb => "STOCKLEDGER_TEST_MARIADB",
            Self::MariadbFaulty => "STOCKLEDGER_TEST_MARIADB_FAULTY",
        }
    }

    pub(super) fn product(self) -> Product {
        match self {
            Self::Kafka | Self::KafkaFaulty | Self::Kafka3 => Product::Kafka,
            Self::Mysql | Self::MysqlFaulty => Product::Mysql,
            Self::Mariadb | Self::MariadbFaulty => Product::Mariadb,
        }
    }

    /// The address from the environment, if there is one.
    pub(crate) fn given_address(self) -> Option<String> {
        std::env::var(self.variable()).ok().filter(|address| !address.is_empty())
    }
}

impl Product {
    pub(super) fn image(self) -> &'static str {
        match self {
            Self::Kafka => "apache/kafka:4.3.0",
            Self::Mysql => "mysql:9.7",
            Self::Mariadb => "mariadb:10.11",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, ValueEnum as _};

    #[test]
    fn every_kind_is_among_all_with_names_that_agree() {
        assert_eq!(Kind::ALL, Kind::value_variants());
        for kind in Kind::ALL {
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name());
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            let variable = kind.name().replace('-', "_").to_uppercase();
            assert_eq!(kind.variable(), format!("STOCKLEDGER_TEST_{variable}"));
        }
    }
}
