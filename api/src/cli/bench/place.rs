//! Where a measurement puts its ledger: a place of its own beside the one that the settings name. Nothing that was there
//! before is touched, and nothing is left.

use std::sync::Arc;
use std::time::Duration;

use stockledger_log::kafka::security::Encryption;
use stockledger_log::kafka::{KafkaLog, Security};
use stockledger_log::{Entry, Log};
use stockledger_projections::MysqlStore;
use stockledger_schemas::headers::{self, Detail};
use stockledger_schemas::{Decision, Event, PartitionId, Record, envelope};
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

use crate::cli::serve::next_signal;
use crate::cli::{Exit, Failure};
use crate::config::{
    KAFKA_PASSWORD_VARIABLE, LogAddress, PASSWORD_FILE_VARIABLE, ProjectionsAddress, Settings,
};
use crate::{node, storage};

/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);
/// Records that are taken as a sample; one batch of a writer.
const SAMPLE_RECORDS: usize = 256;

pub(super) struct Place {
    settings: Settings,
    _directory: TempDir,
}

impl Place {
    /// Does something with a ledger of its own that has no decisions yet, and removes it afterwards, whatever came of it,
    /// also when a signal ends it.
    pub(super) async fn with<T>(
        settings: &Settings,
        measure: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let place = Self::make(settings).await?;
        let measured = tokio::select! {
            measured = measure(&place) => measured,
            signal = next_signal() => {
                Err(signal.map_or_else(|failure| failure, |name| Failure::text(Exit::Failed, format!("ended by {name}"))))
            }
        };
        let removed = place.remove().await;
        let measured = measured?;
        removed.map(|()| measured)
    }

    async fn make(settings: &Settings) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let mut own = settings.moved_to(directory.path());
        let suffix = format!("_bench_{}", &Uuid::new_v4().simple().to_string()[..12]);
        let refused = |error: String| Failure::text(Exit::Usage, error);
        if let LogAddress::Kafka(topic) = &settings.log.value {
            let beside = topic.beside(&suffix).map_err(|error| refused(error.to_string()))?;
            own.log.value = LogAddress::Kafka(beside);
        }
        if let ProjectionsAddress::Mysql(database) = &settings.projections.value {
            let beside = database.beside(&suffix).map_err(|error| refused(error.to_string()))?;
            own.projections.value = ProjectionsAddress::Mysql(beside);
        }
        node::initialise(&own).await?;
        Ok(Self { settings: own, _directory: directory })
    }

    /// The log, to append to it.
    pub(super) async fn log(&self) -> Result<Arc<dyn Log>, Failure> {
        Ok(storage::create_log(&self.settings).await?)
    }

    /// Tells a program to work here.
    pub(super) fn tell(&self, program: &mut Command) {
        let Settings { log, projections, profile, data_dir, .. } = &self.settings;
        program.arg("--data-dir").arg(&data_dir.value);
        program.args(["--log", &log.value.to_string(), "--projections", &projections.value.to_string()]);
        program.args(["--profile", &profile.value.to_string()]);
        if let Some(password) = projections.value.password() {
            program.env_remove("STOCKLEDGER_PROJECTIONS_PASSWORD_FILE");
            program.env("STOCKLEDGER_PROJECTIONS_PASSWORD", password);
        }
        if let LogAddress::Kafka(address) = &log.value {
            tell_security(address.security(), program);
        }
    }

    /// The records of some orders that were placed here, as a writer would append them.
    pub(super) async fn sample(&self) -> Result<Vec<Entry>, Failure> {
        let failed = |error: stockledger_log::Error| Failure::new(Exit::Failed, error);
        let log = storage::open_log(&self.settings, storage::Access::Read).await?;
        let mut sample = Vec::new();
        // The only site, like the directory, lives on partition 0.
        let mut reader = log.reader(0, 0).await.map_err(failed)?;
        let end = log.bounds(0).await.map_err(failed)?.end;
        let mut next = 0;
        while next < end && sample.len() < SAMPLE_RECORDS {
            for record in reader.next(SAMPLE_RECORDS, PATIENCE).await.map_err(failed)? {
                next = record.offset + 1;
                if let Ok(Record::Decision(decision)) = envelope::decode(&record.value)
                    && is_placed(&decision)
                {
                    let headers = headers::of_decision(PartitionId::DIRECTORY, &decision, Detail::Minimal);
                    sample.push(Entry { key: record.key, value: record.value, headers });
                }
            }
        }
        log.close().await;
        sample.truncate(SAMPLE_RECORDS);
        if sample.is_empty() { Err(Failure::text(Exit::Failed, "no order was placed")) } else { Ok(sample) }
    }

    /// Removes it with everything in it; what cannot be removed is named.
    async fn remove(self) -> Result<(), Failure> {
        let left = |what: String, error: anyhow::Error| {
            Failure::new(
                Exit::Failed,
                error.context(format!("{what} was made for measuring and is left behind")),
            )
        };
        let topic = match &self.settings.log.value {
            LogAddress::Kafka(topic) => {
                KafkaLog::delete(topic).await.map_err(|error| left(topic.to_string(), error.into()))
            }
            LogAddress::Sqlite(_) => Ok(()),
        };
        let database = match &self.settings.projections.value {
            ProjectionsAddress::Mysql(database) => {
                let dropped = MysqlStore::drop_database(database).await;
                dropped.map_err(|error| left(database.to_string(), error.into()))
            }
            ProjectionsAddress::Sqlite(_) => Ok(()),
        };
        topic.and(database)
    }
}

/// How the log is reached, which its address does not say.
fn tell_security(security: &Security, program: &mut Command) {
    program.args(["--kafka-security", &security.protocol().to_string()]);
    if let Some(Encryption { ca_file: Some(path) }) = &security.encryption {
        program.arg("--kafka-ca-file").arg(path);
    }
    if let Some(login) = &security.login {
        program.args(["--kafka-user", &login.user]);
        program.args(["--kafka-sasl-mechanism", &login.mechanism.to_string()]);
        program.env_remove(PASSWORD_FILE_VARIABLE);
        program.env(KAFKA_PASSWORD_VARIABLE, login.password.reveal());
    }
}

fn is_placed(decision: &Decision) -> bool {
    matches!(decision.events.first(), Some(Event::OrderPlaced(_)))
}
