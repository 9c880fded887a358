//! Logins: what succeeds, and that what fails says what to do.

use std::path::{Path, PathBuf};

use sqlx::AssertSqlSafe;
use stockledger_projections::mysql::Address;
use stockledger_projections::projector::ensure_active;
use stockledger_projections::store::Error;
use stockledger_projections::{Changes, Checkpoint, MysqlStore, Queries, Store, Version};
use stockledger_schemas::{Hash, PartitionId};

use super::database::{Database, MARIADB, MYSQL, unique};
use crate::common::now;

/// An account that is removed with the test's database in mind: it has rights on nothing else.
struct Account<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Account<'a> {
    async fn create(database: &'a Database, rights: &str) -> Self {
        let name = unique("slt");
        let account = Self { database, name };
        account.run(&format!("CREATE USER '{}'@'%' IDENTIFIED BY 'secret'", account.name)).await;
        account.run(&format!("GRANT {rights} ON `{}`.* TO '{}'@'%'", database.name, account.name)).await;
        account
    }

    fn address(&self, options: &str) -> Address {
        format!("{}{options}", self.database.url_as(&self.name, "secret")).parse().unwrap()
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.database.connection().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    async fn remove(self) {
        self.run(&format!("DROP USER '{}'@'%'", self.name)).await;
    }
}

/// The advice of an error that trying again would not help.
fn advice<T>(result: Result<T, Error>) -> String {
    match result.err().unwrap() {
        error @ Error::Refused { .. } => {
            assert!(!error.is_retryable());
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

async fn a_wrong_password_is_told(variable: &str) {
    let database = Database::create(variable).await;
    let wrong = database.address().with_password("wrong".to_owned());
    let advice = advice(MysqlStore::open(&wrong).await);
    assert!(advice.contains("does not let stockledger in with this password"), "{advice}");
    assert!(!advice.contains("wrong"), "{advice}");
}

async fn a_database_that_is_missing_is_told_and_made(variable: &str) {
    let database = Database::unmade(variable);
    let advice = advice(MysqlStore::open(&database.address()).await);
    let statement = format!("CREATE DATABASE IF NOT EXISTS `{}`", database.name);
    assert!(advice.contains("stockledger init") && advice.contains(&statement), "{advice}");
    for _ in 0..2 {
        MysqlStore::create_database_if_missing(&database.address()).await.unwrap();
    }
    let store = database.store().await;
    assert_eq!(Queries::new(std::sync::Arc::new(store), None).positions().await.unwrap(), []);
}

async fn an_account_without_rights_is_told_which(variable: &str) {
    let database = Database::create(variable).await;
    let account = Account::create(&database, "SELECT").await;
    let elsewhere = Database::unmade(variable);
    let address = elsewhere.url_as(&account.name, "secret").parse().unwrap();
    let advice = advice(MysqlStore::create_database_if_missing(&address).await);
    assert!(advice.contains("CREATE DATABASE") && advice.contains("docs/mysql.md"), "{advice}");
    account.remove().await;
}

async fn a_server_that_is_not_there_is_named(variable: &str) {
    let database = Database::unmade(variable);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address: Address = database.url_by(port).parse().unwrap();
    let error = MysqlStore::open(&address).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    let causes = stockledger_log::Causes(&error).to_string();
    assert!(causes.contains(&format!("no connection to the server at 127.0.0.1:{port}")), "{causes}");
}

async fn an_account_that_may_only_select_reads(variable: &str) {
    let database = Database::create(variable).await;
    let account = Account::create(&database, "SELECT").await;
    let address = account.address("");
    let too_early = advice(MysqlStore::open_read_only(&address).await);
    assert!(too_early.contains("holds no projections"), "{too_early}");
    let store = database.store().await;
    let version = ensure_active(&store, now()).await.unwrap();
    let reader = MysqlStore::open_read_only(&address).await.unwrap();
    assert_eq!(ensure_active(&reader, now()).await.unwrap(), version);
    assert!(matches!(reader.begin(version, &first()).await, Err(Error::ReadOnly)));
    // Opened for writing it still reads, and what it must not do is told.
    let writer = MysqlStore::open(&address).await.unwrap();
    let denied = advice(writer.begin(version, &first()).await);
    assert!(denied.contains("lacks a right") && denied.contains("docs/mysql.md"), "{denied}");
    let denied = advice(writer.commit(version, 1, &first(), &Changes::default()).await);
    assert!(denied.contains("lacks a right"), "{denied}");
    let denied = advice(writer.create_version(Version(7), now()).await);
    assert!(denied.contains("lacks a right"), "{denied}");
    account.remove().await;
}

fn first() -> Checkpoint {
    Checkpoint {
        partition: PartitionId(0),
        next_offset: 1,
        term: 0,
        seq: 0,
        hash: Hash([1; 32]),
        before: Hash([0; 32]),
        reach: 0,
        last_valid_offset: 0,
        genesis: Hash([1; 32]),
        recorded_at: None,
        digest: 17,
        is_loaded: true,
    }
}

/// The rights that `docs/mysql.md` tells to grant to whoever projects.
async fn the_documented_rights_suffice(variable: &str) {
    let database = Database::create(variable).await;
    let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP";
    let account = Account::create(&database, rights).await;
    MysqlStore::create_database_if_missing(&account.address("")).await.unwrap();
    let store = MysqlStore::open(&account.address("")).await.unwrap();
    let version = ensure_active(&store, now()).await.unwrap();
    let next = version.next();
    store.create_version(next, now()).await.unwrap();
    let _ = store.begin(next, &first()).await.unwrap();
    let _ =
        store.commit(next, 1, &Checkpoint { next_offset: 2, ..first() }, &Changes::default()).await.unwrap();
    store.create_indexes(next).await.unwrap();
    store.drop_version(next).await.unwrap();
    account.remove().await;
}

async fn processes_may_open_a_new_database_at_once(variable: &str) {
    let database = Database::create(variable).await;
    let opened = futures_util::future::join_all((0..6).map(|_| async {
        let store = MysqlStore::open(&database.address()).await?;
        ensure_active(&store, now()).await
    }));
    for version in opened.await {
        assert_eq!(version.unwrap(), Version::FIRST);
    }
}

on_both! {
    a_wrong_password_is_told
    a_database_that_is_missing_is_told_and_made
    an_account_without_rights_is_told_which
    a_server_that_is_not_there_is_named
    an_account_that_may_only_select_reads
    the_documented_rights_suffice
    processes_may_open_a_new_database_at_once
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_plug_in_that_needs_tls_says_so() {
    let database = Database::create(MYSQL).await;
    let account = Account::create(&database, "ALL").await;
    let without = advice(MysqlStore::open(&account.address("?ssl-mode=disabled")).await);
    assert!(without.contains("over TLS only") && without.contains("ssl-mode=required"), "{without}");
    for mode in ["required", "preferred"] {
        MysqlStore::open(&account.address(&format!("?ssl-mode={mode}"))).await.unwrap();
    }
    account.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_must_prove_who_it_is_if_that_is_asked_for() {
    let database = Database::create(MYSQL).await;
    let unproved = advice(MysqlStore::open(&database.address_with("ssl-mode=verify-ca")).await);
    assert!(unproved.contains("ssl-ca must name the authority"), "{unproved}");
    let missing =
        advice(MysqlStore::open(&database.address_with("ssl-mode=verify-ca&ssl-ca=/no/such.pem")).await);
    assert!(missing.contains("ssl-ca names /no/such.pem"), "{missing}");
    // Where the server runs on this machine its own authority can be had.
    if let Some(authority) = authority(&database).await {
        let options = format!("ssl-mode=verify-ca&ssl-ca={}", authority.display());
        MysqlStore::open(&database.address_with(&options)).await.unwrap();
    }
}

async fn authority(database: &Database) -> Option<PathBuf> {
    let mut connection = database.connection().await;
    let directory: String = sqlx::query_scalar("SELECT @@datadir").fetch_one(&mut connection).await.unwrap();
    let path = Path::new(&directory).join("ca.pem");
    path.exists().then_some(path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_that_a_server_does_not_offer_is_not_done_without() {
    let database = Database::create(MARIADB).await;
    let offers: String = {
        let mut connection = database.connection().await;
        sqlx::query_scalar("SELECT @@have_ssl").fetch_one(&mut connection).await.unwrap()
    };
    let opened = MysqlStore::open(&database.address_with("ssl-mode=required")).await;
    if offers == "YES" {
        opened.unwrap();
    } else {
        let advice = advice(opened);
        assert!(advice.contains("TLS with the server"), "{advice}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_say_what_they_are() {
    let (mysql, mariadb) = (Database::create(MYSQL).await, Database::create(MARIADB).await);
    let names = [mysql.store().await, mariadb.store().await].map(|store| store.name().to_owned());
    assert!(names[0].starts_with("mysql ") && names[1].starts_with("mariadb "), "{names:?}");
}
