//! A rebuild in this process, of tables that nobody else writes to.

use std::sync::Arc;

use serde_json::Value;
use stockledger_projections::rebuild::{self, Replay};
use stockledger_projections::versions::Owner;
use stockledger_writer::{Environment, SystemEnvironment, genesis};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::progress::Reporter;
use super::{Switch, version_failure};
use crate::cli::{Context, Exit, Failure, serve};
use crate::data_dir;
use crate::node;
use crate::storage::{self, Access};

/// Rebuilds; on a signal it ends between two commits, and the next one goes on there.
pub(super) async fn rebuild(switch: Switch, workers: usize, context: &Context) -> Result<Value, Failure> {
    // Nobody else may write to the tables of this directory meanwhile.
    let _lock = data_dir::lock(&context.settings.directories()).map_err(node::Error::from)?;
    let log = storage::open_log(&context.settings, Access::Read).await?;
    genesis::check(log.as_ref()).await.map_err(node::Error::from)?;
    let store = storage::open_store(&context.settings, Access::Write).await?;
    let reporter = Arc::new(Reporter::new(context.format()));
    let told = Arc::clone(&reporter);
    let cancel = CancellationToken::new();
    let replay = Replay {
        on_progress: Arc::new(move |progress| told.note(progress)),
        workers,
        cancel: cancel.clone(),
        ..Replay::new(log, store.clone())
    };
    let owner = Owner::new(Uuid::new_v4().to_string());
    let rebuilding = rebuild::rebuild(&replay, &owner, switch.when(), SystemEnvironment.now());
    let mut rebuilding = std::pin::pin!(rebuilding);
    let rebuilt = tokio::select! {
        rebuilt = &mut rebuilding => rebuilt,
        signal = serve::next_signal() => {
            signal?;
            cancel.cancel();
            rebuilding.await
        }
    };
    reporter.done();
    store.close().await;
    let rebuilt = rebuilt.map_err(version_failure)?;
    serde_json::to_value(&rebuilt).map_err(|error| Failure::new(Exit::Failed, error))
}
