//! Fresh topics and databases on the servers that the environment names.

use std::path::Path;
use std::sync::Arc;

use stockledger_log::conformance::server;
use stockledger_log::kafka::{self, KafkaLog};
use stockledger_log::{Log, SqliteLog};
use stockledger_projections::{MysqlStore, SqliteStore, Store, mysql};
use uuid::Uuid;

pub(crate) const PARTITIONS: u16 = 4;

/// A name that no other test uses.
pub(crate) fn fresh_name() -> String {
    format!("test_{}", Uuid::new_v4().simple())
}

/// The address of a topic that is not there yet.
pub(crate) fn fresh_topic() -> String {
    format!("kafka://{}/{}", server("STOCKLEDGER_TEST_KAFKA"), fresh_name())
}

/// The address of a database that is not there yet, on the server of this variable.
pub(crate) fn fresh_database(variable: &str) -> String {
    let address = server(variable);
    let (server, _) = address.rsplit_once('/').expect("an address ends with a database");
    format!("{server}/{}", fresh_name())
}

pub(crate) async fn kafka() -> Arc<dyn Log> {
    let address: kafka::Address = fresh_topic().parse().unwrap();
    Arc::new(KafkaLog::create(&address, PARTITIONS, kafka::Profile::Dev).await.unwrap())
}

pub(crate) async fn sqlite_log(directory: &Path) -> Arc<dyn Log> {
    Arc::new(SqliteLog::create(&directory.join("log.sqlite"), PARTITIONS).await.unwrap())
}

pub(crate) async fn mysql(variable: &str) -> Arc<dyn Store> {
    mysql_at(&fresh_database(variable)).await
}

/// The store at an address, whose database is made if it is not there.
pub(crate) async fn mysql_at(address: &str) -> Arc<dyn Store> {
    let address: mysql::Address = address.parse().unwrap();
    MysqlStore::create_database_if_missing(&address).await.unwrap();
    Arc::new(MysqlStore::open(&address).await.unwrap())
}

pub(crate) async fn sqlite_store(directory: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&directory.join("tables.sqlite")).await.unwrap())
}
