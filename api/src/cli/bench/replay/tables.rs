//! Tables of a measurement's own, beside those that the settings name; nothing is left of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stockledger_projections::{MysqlStore, Select, Store, Version};
use stockledger_writer::{Environment, SystemEnvironment};
use tempfile::TempDir;
use uuid::Uuid;

use crate::cli::serve::next_signal;
use crate::cli::{Exit, Failure};
use crate::config::{ProjectionsAddress, Settings};
use crate::storage;

pub(super) struct Tables {
    store: Arc<dyn Store>,
    address: ProjectionsAddress,
    next_version: AtomicU32,
    _directory: TempDir,
}

impl Tables {
    pub(super) async fn make(settings: &Settings) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let mut own = settings.moved_to(directory.path());
        if let ProjectionsAddress::Mysql(database) = &settings.projections.value {
            let suffix = format!("_bench_{}", &Uuid::new_v4().simple().to_string()[..12]);
            let beside = database.beside(&suffix);
            let beside = beside.map_err(|error| Failure::text(Exit::Usage, error.to_string()))?;
            own.projections.value = ProjectionsAddress::Mysql(beside);
        }
        let store = storage::create_store(&own).await?;
        let address = own.projections.value;
        Ok(Self { store, address, next_version: AtomicU32::new(1), _directory: directory })
    }

    /// Does something with the tables, until a signal ends it.
    pub(super) async fn until_signal<T>(
        &self,
        measure: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            measured = measure => measured,
            signal = next_signal() => Err(Failure::text(Exit::Failed, format!("ended by {}", signal?))),
        }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The address of the server, if it is one.
    pub(super) const fn server(&self) -> Option<&stockledger_projections::mysql::Address> {
        match &self.address {
            ProjectionsAddress::Mysql(address) => Some(address),
            ProjectionsAddress::Sqlite(_) => None,
        }
    }

    /// A version that was never used.
    pub(super) async fn fresh_version(&self) -> Result<Version, Failure> {
        let version = Version(self.next_version.fetch_add(1, Ordering::Relaxed));
        self.store.create_version(version, SystemEnvironment.now()).await.map_err(failed)?;
        Ok(version)
    }

    pub(super) async fn drop_version(&self, version: Version) -> Result<(), Failure> {
        self.store.drop_version(version).await.map_err(failed)
    }

    pub(super) async fn count_accepted_orders(&self, version: Version) -> Result<u64, Failure> {
        let sql = format!("SELECT COUNT(*) FROM orders__v{version} WHERE status <> 'refused'");
        let mut snapshot = self.store.snapshot().await.map_err(failed)?;
        let row = snapshot.select(Select { sql, parameters: Vec::new() }).await.map_err(failed)?.pop();
        row.map_or(Ok(0), |mut fields| fields.number().map_err(failed))
    }

    /// Removes everything that was made.
    pub(super) async fn remove(self) -> Result<(), Failure> {
        self.store.close().await;
        if let ProjectionsAddress::Mysql(database) = &self.address {
            let what = format!("{database} was made for measuring and is left behind");
            let dropped = MysqlStore::drop_database(database).await;
            dropped.map_err(|error| Failure::new(Exit::Failed, anyhow::Error::from(error).context(what)))?;
        }
        Ok(())
    }
}

fn failed(error: stockledger_projections::store::Error) -> Failure {
    Failure::new(Exit::Failed, error)
}
