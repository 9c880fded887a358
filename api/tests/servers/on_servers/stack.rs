//! One ledger with everything above it, on any log and any store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use stockledger::http::{self, App, Gate, Node, Roles};
use stockledger::versions::Versions;
use stockledger_log::Log;
use stockledger_projections::{Options as FollowOptions, Projector, Queries, Store};
use stockledger_schemas::{LedgerId, Name, Nonce, Timestamp};
use stockledger_writer::{Environment, Ledger, Options, genesis};
use tokio_util::sync::CancellationToken;

use super::storage::PARTITIONS;

/// A clock that stands still and nonces that count up: what a ledger takes from outside is the same in every stack.
struct Frozen {
    now: Timestamp,
    nonces: AtomicU64,
}

impl Environment for Frozen {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 16];
        nonce[8..].copy_from_slice(&self.nonces.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        Nonce(nonce)
    }
}

/// One ledger with everything above it.
pub(super) struct Stack {
    pub(super) name: &'static str,
    pub(super) log: Arc<dyn Log>,
    pub(super) store: Arc<dyn Store>,
    pub(super) ledger: Ledger,
    projector: Projector,
    versions: Versions,
    pub(super) router: Router,
    pub(super) stop: CancellationToken,
}

impl Stack {
    pub(super) async fn start(
        name: &'static str,
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        now: Timestamp,
    ) -> Self {
        let environment: Arc<dyn Environment> = Arc::new(Frozen { now, nonces: AtomicU64::new(0) });
        let identity = genesis::initialise(log.as_ref(), environment.as_ref()).await.unwrap();
        let options = Options::new(Name::new("test").unwrap());
        let ledger = Ledger::start(log.clone(), environment.clone(), options).await.unwrap();
        ledger.led().await.unwrap();
        let stop = CancellationToken::new();
        let projector =
            Projector::start(log.clone(), store.clone(), FollowOptions::default(), now, stop.clone());
        let projector = projector.await.unwrap();
        let queries = Queries::new(store.clone(), Some(projector.progress()));
        let look = Some(projector.look());
        let versions = Versions::new(log.clone(), store.clone(), environment.clone(), look);
        let node = node(identity.ledger_id, identity.partitions, environment);
        let roles = Roles {
            writer: Some(ledger.clone()),
            projector: Some(projector.progress()),
            api: Some(queries),
            versions: Some(versions.clone()),
            audit: None,
            verifications: None,
        };
        let router = http::router(App::new(node, roles, Gate::Open));
        Self { name, log, store, ledger, projector, versions, router, stop }
    }

    pub(super) async fn stop(self) {
        self.ledger.stop().await;
        self.versions.stop().await;
        self.stop.cancel();
        self.projector.stopped().await;
        self.store.close().await;
        self.log.close().await;
    }
}

/// The service of another process, which only answers queries from the same tables.
pub(super) fn reading(store: Arc<dyn Store>, now: Timestamp) -> Router {
    let environment: Arc<dyn Environment> = Arc::new(Frozen { now, nonces: AtomicU64::new(0) });
    let node = node(LedgerId([7; 16]), PARTITIONS, environment);
    http::router(App::new(
        node,
        Roles { api: Some(Queries::new(store, None)), ..Roles::default() },
        Gate::Open,
    ))
}

fn node(ledger_id: LedgerId, partitions: u16, environment: Arc<dyn Environment>) -> Node {
    Node { ledger_id, partitions, log: "any", projections: "any", environment }
}
