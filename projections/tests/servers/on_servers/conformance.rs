//! The conformance suite on both servers.

use std::sync::Arc;

use async_trait::async_trait;
use stockledger_projections::Store;
use stockledger_projections::conformance::Factory;
use tokio::sync::OnceCell;

use super::database::{Database, MARIADB, MYSQL};

/// Stores in a database that is removed with it.
struct OnServer {
    variable: &'static str,
    database: OnceCell<Database>,
}

impl OnServer {
    fn new(variable: &'static str) -> Self {
        Self { variable, database: OnceCell::new() }
    }
}

#[async_trait]
impl Factory for OnServer {
    async fn create(&self) -> Arc<dyn Store> {
        self.open_again().await
    }

    async fn open_again(&self) -> Arc<dyn Store> {
        let database = self.database.get_or_init(|| Database::create(self.variable)).await;
        Arc::new(database.store().await)
    }
}

stockledger_projections::store_conformance_suite!(mysql, OnServer::new(MYSQL));
stockledger_projections::store_conformance_suite!(mariadb, OnServer::new(MARIADB));
