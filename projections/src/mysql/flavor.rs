//! The one place where MySQL and MariaDB differ.

use std::fmt;
use std::time::Duration;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavor {
    Mysql,
    Mariadb,
}

/// A server as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) flavor: Flavor,
    version: String,
}

impl Server {
    /// Reads what `SELECT VERSION()` answers, such as `8.4.6` or `10.11.14-MariaDB-log`.
    pub(super) fn of_version(text: &str) -> Self {
        let flavor = if text.contains("MariaDB") { Flavor::Mariadb } else { Flavor::Mysql };
        // MariaDB may claim to be a MySQL 5.5.5 first, for clients that know no MariaDB.
        let version = text.strip_prefix("5.5.5-").unwrap_or(text);
        let version = version.split('-').next().unwrap_or(version).to_owned();
        Self { flavor, version }
    }

    /// Whether it is too old for the SQL of this store.
    pub(super) fn is_too_old(&self) -> bool {
        let mut numbers = self.version.split('.').map_while(|number| number.parse().ok());
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        found < self.flavor.oldest()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.flavor {
            Flavor::Mysql => "mysql",
            Flavor::Mariadb => "mariadb",
        };
        write!(formatter, "{name} {}", self.version)
    }
}

impl Flavor {
    /// The oldest that is accepted: what the SQL here needs. `docs/mysql.md` says which are tested.
    const fn oldest(self) -> (u32, u32) {
        match self {
            Self::Mysql => (8, 0),
            Self::Mariadb => (10, 6),
        }
    }

    /// A query that the server itself gives up after `limit`, whether or not somebody still waits for it.
    pub(super) fn limited(self, select: &str, limit: Duration) -> String {
        match (self, select.strip_prefix("SELECT ")) {
            (Self::Mysql, Some(rest)) => {
                // Of two comments with hints the second would be a comment like any other.
                let rest = rest.strip_prefix("/*+ ").map_or_else(|| format!("*/ {rest}"), str::to_owned);
                format!("SELECT /*+ MAX_EXECUTION_TIME({}) {rest}", limit.as_millis())
            }
            (Self::Mysql, None) => select.to_owned(),
            (Self::Mariadb, _) => {
                format!("SET STATEMENT max_statement_time={} FOR {select}", limit.as_secs_f64())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Flavor, Server};

    #[test]
    fn servers_are_told_apart_and_old_ones_are_seen() {
        let cases = [
            ("8.4.6", "mysql 8.4.6", false),
            ("9.7.4-2", "mysql 9.7.4", false),
            ("8.0.36-0ubuntu0.22.04.1", "mysql 8.0.36", false),
            ("5.7.44-log", "mysql 5.7.44", true),
            ("10.11.14-MariaDB-0+deb12u2", "mariadb 10.11.14", false),
            ("5.5.5-10.6.2-MariaDB-log", "mariadb 10.6.2", false),
            ("10.5.29-MariaDB", "mariadb 10.5.29", true),
        ];
        for (text, shown, is_too_old) in cases {
            let server = Server::of_version(text);
            assert_eq!((server.to_string().as_str(), server.is_too_old()), (shown, is_too_old), "{text}");
        }
    }

    #[test]
    fn a_limit_is_said_in_the_words_of_the_server() {
        let limit = Duration::from_millis(1_500);
        assert_eq!(Flavor::Mysql.limited("SELECT 1", limit), "SELECT /*+ MAX_EXECUTION_TIME(1500) */ 1");
        let with_hint = Flavor::Mysql.limited("SELECT /*+ INDEX(t i) */ 1", limit);
        assert_eq!(with_hint, "SELECT /*+ MAX_EXECUTION_TIME(1500) INDEX(t i) */ 1");
        assert_eq!(
            Flavor::Mariadb.limited("SELECT 1", limit),
            "SET STATEMENT max_statement_time=1.5 FOR SELECT 1"
        );
    }
}
