//! The read tables against the fold of the log, row by row.
//!
//! The live side is one snapshot from beginning to end, checkpoints included; the log is folded to exactly those
//! checkpoints into tables of its own in a temporary directory.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use stockledger_audit::{Remembered, find};
use stockledger_log::Log;
use stockledger_projections::compare::{Difference, What, compare_snapshots};
use stockledger_projections::rebuild::{self, Replay, replay_until};
use stockledger_projections::store::{self, Snapshot, Store};
use stockledger_projections::touched::last_touch;
use stockledger_projections::value::Value;
use stockledger_projections::{Checkpoint, SqliteStore, Version, read, table};
use stockledger_schemas::{Decision, Event, Position};
use stockledger_writer::{Environment, SystemEnvironment};

use crate::cli::output::{self, Progress};
use crate::cli::rebuild::progress::told_as_one;
use crate::cli::{Context, Exit, Failure};
use crate::setup::Code;
use crate::storage::{self, Access};
use crate::text::thousands;

/// The read tables as they were at one moment.
pub(super) struct LiveTables {
    address: String,
    snapshot: Box<dyn Snapshot>,
    version: Version,
    checkpoints: Vec<Checkpoint>,
    /// Keeps the snapshot's connection open.
    _store: Arc<dyn Store>,
}

/// What the comparison found.
pub(super) struct Compared {
    version: Version,
    rows: u64,
    difference: Option<Explained>,
}

/// A row that is not what the log says, and the last event that touched it.
struct Explained {
    difference: Difference,
    touched: Option<(Position, Option<Decision>)>,
}

impl LiveTables {
    pub(super) async fn look(context: &Context) -> Result<Self, Failure> {
        let store = storage::open_store(&context.settings, Access::Read).await?;
        let address = context.settings.projections.value.to_string();
        let mut snapshot = store.snapshot().await.map_err(failed)?;
        let active = read::active(&mut *snapshot).await.map_err(failed)?;
        let version = active.ok_or_else(|| {
            let why =
                format!("the read tables {address} have no version in use yet: run `stockledger rebuild`");
            Failure::text(Exit::NotReady, why)
        })?;
        let versions = read::versions(&mut *snapshot).await.map_err(failed)?;
        let (found, ours) =
            (versions.iter().find(|info| info.version == version), table::code_hash().to_string());
        if let Some(info) = found.filter(|info| info.code_hash != ours) {
            let why = format!(
                "version {version} of the read tables was made by other code ({}): run `stockledger rebuild` first",
                info.code_hash
            );
            return Err(Failure::refused(Code::OtherCodeTables, anyhow::Error::msg(why)));
        }
        let checkpoints = read::checkpoints(&mut *snapshot, version).await.map_err(failed)?;
        Ok(Self { address, snapshot, version, checkpoints, _store: store })
    }

    /// What the checkpoints remember of the log.
    pub(super) fn remembered(&self) -> Vec<Remembered> {
        let witness = format!("the read tables {}", self.address);
        let checkpoints = self.checkpoints.iter();
        checkpoints
            .map(|checkpoint| Remembered {
                witness: witness.clone(),
                partition: checkpoint.partition,
                seq: checkpoint.seq,
                hash: checkpoint.hash,
                next_offset: Some(checkpoint.next_offset),
            })
            .collect()
    }

    /// Folds the log as far as the tables are and compares every row.
    pub(super) async fn compare(&mut self, log: Arc<dyn Log>) -> Result<Compared, Failure> {
        let scratch = tempfile::Builder::new().prefix("stockledger-verify-").tempdir()?;
        let fresh = Arc::new(SqliteStore::open(&scratch.path().join("folded.sqlite")).await.map_err(failed)?);
        fresh.create_version(Version::FIRST, SystemEnvironment.now()).await.map_err(failed)?;
        let progress = Arc::new(Progress::new("fold", "records"));
        let replay =
            Replay { on_progress: told_as_one(progress.clone()), ..Replay::new(log.clone(), fresh.clone()) };
        let ends: Vec<_> = self
            .checkpoints
            .iter()
            .map(|checkpoint| (checkpoint.partition, checkpoint.next_offset))
            .collect();
        let replayed = replay_until(&replay, Version::FIRST, &ends).await;
        progress.done();
        replayed.map_err(|error| match error {
            rebuild::Error::Halted(_) => Failure::new(Exit::VerificationFailed, error),
            other => Failure::new(Exit::Failed, other),
        })?;
        let mut folded = fresh.snapshot().await.map_err(failed)?;
        let comparison =
            compare_snapshots((&mut *self.snapshot, self.version), (&mut *folded, Version::FIRST)).await;
        let comparison = comparison.map_err(failed)?;
        let rows = comparison.rows();
        let difference = match comparison.difference {
            None => None,
            Some(difference) => Some(self.explain(&*log, &mut *folded, difference).await?),
        };
        drop(folded);
        fresh.close().await;
        Ok(Compared { version: self.version, rows, difference })
    }

    /// Which event touched the row last: the log's own fold knows, and where it does not have the row, the tables.
    async fn explain(
        &mut self,
        log: &dyn Log,
        folded: &mut dyn Snapshot,
        difference: Difference,
    ) -> Result<Explained, Failure> {
        let mut position = last_touch(folded, Version::FIRST, &difference).await.map_err(failed)?;
        if position.is_none() {
            position = last_touch(&mut *self.snapshot, self.version, &difference).await.map_err(failed)?;
        }
        let touched = match position {
            None => None,
            Some(position) if position.partition.0 >= log.partitions() => Some((position, None)),
            Some(position) => {
                let decision = find::decision(log, position).await;
                Some((position, decision.map_err(|error| Failure::new(Exit::Failed, error))?))
            }
        };
        Ok(Explained { difference, touched })
    }
}

impl Compared {
    pub(super) const fn is_equal(&self) -> bool {
        self.difference.is_none()
    }

    pub(super) fn print(&self) -> std::io::Result<()> {
        match &self.difference {
            None => output::line(format_args!(
                "Folded the log again: all {} rows of the read tables (version {}) are what the log says.",
                thousands(self.rows),
                self.version
            )),
            Some(explained) => output::line(format_args!("\nWRONG: {}", explained.in_words())),
        }
    }

    pub(super) fn complaint(&self) -> Option<String> {
        self.difference.as_ref().map(Explained::in_words)
    }
}

impl serde::Serialize for Compared {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let difference = self.difference.as_ref().map(Explained::json);
        json!({ "version": self.version, "equal_rows": self.rows, "difference": difference })
            .serialize(serializer)
    }
}

impl Explained {
    fn in_words(&self) -> String {
        let Difference { table, key, what } = &self.difference;
        let key: Vec<String> = key.iter().map(|(column, value)| format!("{column} {value}")).collect();
        let what = match what {
            What::OnlyInFirst => "the read tables have the row, the log does not give it".to_owned(),
            What::OnlyInSecond => "the row is missing from the read tables".to_owned(),
            What::Column { column, first, second } => {
                format!("{column} is {first} in the read tables, but the log gives {second}")
            }
        };
        let touched = match &self.touched {
            None => "no event is known to have touched it".to_owned(),
            Some((position, None)) => {
                format!("it says that decision {position} touched it last, which is not there")
            }
            Some((position, Some(decision))) => format!(
                "the last event that touched it is {} at {position}, recorded {} by {}",
                types(decision).join("+"),
                decision.recorded_at,
                decision.context.actor
            ),
        };
        format!("{table}, {}: {what}; {touched}", key.join(", "))
    }

    fn json(&self) -> Json {
        let Difference { table, key, what } = &self.difference;
        let key: serde_json::Map<String, Json> =
            key.iter().map(|(column, value)| ((*column).to_owned(), of_value(value))).collect();
        let (what, column, live, folded) = match what {
            What::OnlyInFirst => ("only_in_tables", None, Json::Null, Json::Null),
            What::OnlyInSecond => ("missing_from_tables", None, Json::Null, Json::Null),
            What::Column { column, first, second } => {
                ("column", Some(*column), of_value(first), of_value(second))
            }
        };
        let last_event = self.touched.as_ref().map(|(position, decision)| {
            json!({
                "position": position,
                "type": decision.as_ref().map(|decision| types(decision).join("+")),
                "actor": decision.as_ref().map(|decision| &decision.context.actor),
                "recorded_at": decision.as_ref().map(|decision| decision.recorded_at),
            })
        });
        json!({
            "table": table, "key": key, "what": what, "column": column, "in_tables": live, "in_log": folded,
            "last_event": last_event,
        })
    }
}

fn types(decision: &Decision) -> Vec<&'static str> {
    decision.events.iter().map(Event::type_name).collect()
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
    }
}

fn failed(error: store::Error) -> Failure {
    let exit = if error.is_retryable() { Exit::NotReady } else { Exit::Failed };
    Failure::new(exit, error)
}
