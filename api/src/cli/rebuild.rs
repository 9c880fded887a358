//! `rebuild`: the read tables again, from the first record of the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use stockledger_projections::rebuild::{self, OnProgress, Replay};
use stockledger_writer::{Environment, SystemEnvironment};
use tokio_util::sync::CancellationToken;

use super::output::{self, Format, Progress};
use super::{Context, Exit, Failure};
use crate::data_dir;
use crate::node;
use crate::storage::{self, Access};
use crate::text::thousands;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    // Nobody else may write to the tables meanwhile.
    let _lock = data_dir::lock(&context.settings.directories()).map_err(node::Error::from)?;
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let store = storage::open_store(&context.settings, Access::Write).await?;
    let began = std::time::Instant::now();
    let progress = Arc::new(Progress::new("rebuild", "records"));
    let replay = Replay {
        log,
        store: store.clone(),
        on_progress: on_progress(progress.clone()),
        cancel: CancellationToken::new(),
    };
    let rebuilt = rebuild::rebuild(&replay, SystemEnvironment.now()).await;
    progress.done();
    store.close().await;
    let rebuilt = rebuilt.map_err(|error| match error {
        rebuild::Error::Halted(_) => Failure::new(Exit::VerificationFailed, error),
        other => Failure::new(Exit::Failed, other),
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let per_second = (rebuilt.replayed.decisions as f64 / seconds.max(0.001)).round();
    match context.format {
        Format::Json => Ok(output::json(&json!({
            "version": rebuilt.version.0,
            "replaced": rebuilt.replaced.map(|version| version.0),
            "decisions": rebuilt.replayed.decisions,
            "events": rebuilt.replayed.events,
            "seconds": seconds,
        }))?),
        Format::Table => Ok(output::line(format_args!(
            "Rebuilt the read tables as version {} from {} decisions in {seconds:.1} s ({per_second:.0} per second).",
            rebuilt.version.0,
            thousands(rebuilt.replayed.decisions),
        ))?),
    }
}

/// Adds up what the partitions report.
pub(super) fn on_progress(progress: Arc<Progress>) -> Arc<OnProgress> {
    let partitions: Mutex<HashMap<u16, (u64, u64)>> = Mutex::default();
    Arc::new(move |report| {
        let mut partitions = partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(report.partition.0, (report.done, report.total));
        let (done, total) = partitions.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        progress.set(done, total);
    })
}
