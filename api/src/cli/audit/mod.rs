//! `audit`: how something came to be, what was signed, proofs of it, and checking them without a server.
//!
//! One file for each subcommand. All but `check` ask a server or, without one, the local data directory: log, tree and
//! last checkpoint, which may be read while a server runs on them. `check` needs the public key and what the others print.

pub(in crate::cli) mod check;
mod checkpoint;
mod explain;
mod proof;

use std::sync::Arc;

use stockledger_audit::Proofs;
use stockledger_writer::{SystemEnvironment, genesis};

use super::source::{Server, Source};
use super::{Context, Failure};
use crate::http::{self, App, Gate, Node, Roles};
use crate::node;
use crate::storage::{self, Access};

/// How something came to be, and whether it can be believed.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Audit {
    /// Show why a stock level is what it is
    Explain(explain::Args),
    /// Print the last signed checkpoint of a partition, or list those of all partitions
    Checkpoint(checkpoint::Args),
    /// Prove that a decision is in the ledger, with its record
    Proof(proof::InclusionArgs),
    /// Prove that nothing changed between two positions of a partition
    Consistency(proof::ConsistencyArgs),
    /// Check a proof with the public key alone: no server, no log
    Check(check::Args),
}

pub(super) async fn run(command: Audit, context: &Context) -> Result<(), Failure> {
    match command {
        Audit::Explain(args) => explain::run(args, context).await,
        Audit::Checkpoint(args) => checkpoint::run(args, context).await,
        Audit::Proof(args) => proof::inclusion(args, context).await,
        Audit::Consistency(args) => proof::consistency(args, context).await,
        Audit::Check(args) => check::run(&args, context),
    }
}

/// Opens what answers, asks it, and closes it again. Read tables are not needed: nothing is believed that they say.
async fn with_proofs<T>(
    server: &Server,
    context: &Context,
    ask: impl AsyncFnOnce(&Source) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(client) = server.client(context)? {
        return ask(&Source::Remote(client)).await;
    }
    let settings = &context.settings;
    let log = storage::open_log(settings, Access::Read).await?;
    let identity = genesis::check(log.as_ref()).await.map_err(node::Error::from)?;
    let key = node::published_key(&settings.audit_key.value);
    let proofs = Proofs::of_files(log.clone(), identity.ledger_id, key, settings.audit());
    let node = Node {
        ledger_id: identity.ledger_id,
        partitions: identity.partitions,
        log: settings.log.value.kind(),
        projections: settings.projections.value.kind(),
        environment: Arc::new(SystemEnvironment),
    };
    let app = App::new(node, Roles { audit: Some(proofs), ..Roles::default() }, Gate::Open);
    let answer = ask(&Source::Local(http::router(app))).await;
    log.close().await;
    answer
}
