//! A database of its own with the tables of mysql-es, made for one measurement and dropped behind it.

use std::str::FromStr;

use anyhow::{Context, Result};
use cqrs_es::{Aggregate, DomainEvent};
use mysql_es::default_mysql_pool;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions, Connection, MySql, MySqlConnection, Pool, QueryBuilder};

use crate::input::Stored;
use crate::order::Order;

/// The table of the order view.
pub(crate) const ORDER_VIEW: &str = "order_view";
/// The table of the stock view.
pub(crate) const STOCK_VIEW: &str = "stock_view";

/// Rows of one INSERT while loading.
const LOAD_ROWS: usize = 500;

/// From `db/init.sql` of mysql-es 0.5.0.
const EVENTS: &str = "CREATE TABLE events
(
    aggregate_type varchar(255)                 NOT NULL,
    aggregate_id   varchar(255)                 NOT NULL,
    sequence       bigint CHECK (sequence >= 0) NOT NULL,
    event_type     text                         NOT NULL,
    event_version  text                         NOT NULL,
    payload        json                         NOT NULL,
    metadata       json                         NOT NULL,
    CONSTRAINT events_pk PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

pub(crate) struct Database {
    server: MySqlConnectOptions,
    name: String,
    /// Ten connections, as mysql-es makes them.
    pub(crate) pool: Pool<MySql>,
}

impl Database {
    /// Makes it, with empty tables.
    pub(crate) async fn make(address: &str) -> Result<Self> {
        let server = MySqlConnectOptions::from_str(address).context("reading the address of the server")?;
        let name = format!("peer_cqrs_es_{}", std::process::id());
        let mut connection = server.connect().await.context("connecting to the server")?;
        run(&mut connection, &format!("CREATE DATABASE {name}")).await?;
        connection.close().await?;
        let options = server.clone().database(&name);
        let pool = default_mysql_pool(options.to_url_lossy().as_str()).await;
        let database = Self { server, name, pool };
        for statement in [EVENTS.to_owned(), view(ORDER_VIEW), view(STOCK_VIEW)] {
            sqlx::query(&statement).execute(&database.pool).await.context("making the tables")?;
        }
        Ok(database)
    }

    /// Stores events as `MysqlEventRepository` stores them, many in one statement.
    pub(crate) async fn load(&self, events: &[Stored]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        for chunk in events.chunks(LOAD_ROWS) {
            let payloads: Vec<serde_json::Value> =
                chunk.iter().map(|stored| serde_json::to_value(&stored.event)).collect::<Result<_, _>>()?;
            let mut insert = QueryBuilder::<MySql>::new(
                "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) ",
            );
            insert.push_values(chunk.iter().zip(payloads), |mut row, (stored, payload)| {
                row.push_bind(Order::TYPE)
                    .push_bind(&stored.aggregate_id)
                    .push_bind(stored.sequence)
                    .push_bind(stored.event.event_type())
                    .push_bind(stored.event.event_version())
                    .push_bind(payload)
                    .push_bind(serde_json::json!({}));
            });
            insert.build().execute(&mut *transaction).await.context("loading events")?;
        }
        transaction.commit().await.context("loading events")
    }

    /// Drops it with everything in it.
    pub(crate) async fn remove(self) -> Result<()> {
        self.pool.close().await;
        let mut connection = self.server.connect().await.context("connecting to the server")?;
        run(&mut connection, &format!("DROP DATABASE {}", self.name)).await?;
        Ok(connection.close().await?)
    }
}

async fn run(connection: &mut MySqlConnection, statement: &str) -> Result<()> {
    sqlx::raw_sql(statement).execute(connection).await.with_context(|| statement.to_owned())?;
    Ok(())
}

/// From `db/init.sql` of mysql-es 0.5.0.
fn view(name: &str) -> String {
    format!(
        "CREATE TABLE {name}
(
    view_id varchar(255)                NOT NULL,
    version bigint CHECK (version >= 0) NOT NULL,
    payload json                        NOT NULL,
    CONSTRAINT {name}_pk PRIMARY KEY (view_id)
)"
    )
}
