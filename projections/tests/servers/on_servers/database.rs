//! A database of one test, on a server that others use at the same moment.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use stockledger_log::conformance::server;
use stockledger_projections::MysqlStore;
use stockledger_projections::mysql::Address;

/// The variables that hold the addresses of the two servers.
pub(crate) const MYSQL: &str = "STOCKLEDGER_TEST_MYSQL";
pub(crate) const MARIADB: &str = "STOCKLEDGER_TEST_MARIADB";

/// A database that is removed with it.
pub(crate) struct Database {
    /// The address of the server, up to the name of the database.
    server: String,
    pub(crate) name: String,
}

impl Database {
    /// An empty database on the server whose address is in the environment.
    pub(crate) async fn create(variable: &str) -> Self {
        let database = Self::unmade(variable);
        MysqlStore::create_database_if_missing(&database.address()).await.unwrap();
        database
    }

    /// The name of a database that is not there.
    pub(crate) fn unmade(variable: &str) -> Self {
        let (server, _) = split(&server(variable));
        Self { server, name: unique("sl_test") }
    }

    /// The address with the account of the tests.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    pub(crate) fn address(&self) -> Address {
        self.url().parse().unwrap()
    }

    /// The address with more behind it, as in `?ssl-mode=disabled`.
    pub(crate) fn address_with(&self, options: &str) -> Address {
        format!("{}?{options}", self.url()).parse().unwrap()
    }

    /// The address with another account.
    pub(crate) fn url_as(&self, user: &str, password: &str) -> String {
        let (_, place) = self.server.rsplit_once('@').unwrap();
        format!("mysql://{user}:{password}@{place}/{}", self.name)
    }

    /// The address with the account of the tests, by way of another port of this machine.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let (login, _) = self.server.rsplit_once('@').unwrap();
        format!("{login}@127.0.0.1:{port}/{}", self.name)
    }

    /// Where the server listens.
    pub(crate) fn place(&self) -> String {
        self.server.rsplit_once('@').unwrap().1.to_owned()
    }

    pub(crate) async fn store(&self) -> MysqlStore {
        MysqlStore::open(&self.address()).await.unwrap()
    }

    /// A connection without a store around it, which may do everything.
    pub(crate) async fn connection(&self) -> MySqlConnection {
        self.url().parse::<MySqlConnectOptions>().unwrap().connect().await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let options: MySqlConnectOptions = format!("{}/", self.server).parse().unwrap();
        let sql = format!("DROP DATABASE IF EXISTS `{}`", self.name);
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = options.connect().await?;
                // Snapshots that a failed test left open must not keep it waiting.
                sqlx::raw_sql("SET SESSION lock_wait_timeout = 5").execute(&mut connection).await?;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await
            })
        });
        let removed = removing.join();
        assert!(std::thread::panicking() || matches!(removed, Ok(Ok(_))), "{removed:?}");
    }
}

/// A name that nobody else uses, short enough for an account.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // A process id comes again one day; this is random in every process.
    let random = RandomState::new().build_hasher().finish() >> 32;
    format!("{prefix}_{:x}_{count:x}_{random:x}", process::id())
}

fn split(url: &str) -> (String, String) {
    let (server, database) = url.rsplit_once('/').unwrap();
    (server.to_owned(), database.to_owned())
}
