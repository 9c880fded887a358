//! `serve`: the ledger, answering HTTP until it is told to stop.

use std::time::Duration;

use stockledger_schemas::Name;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, Exit, Failure, output};
use crate::config::Settings;
use crate::node::Node;
use crate::storage::{self, Access};
use crate::{http, keys};

/// A supervisor kills what has not ended after 30 s; this leaves it nothing to kill.
const STOP_WITHIN: Duration = Duration::from_secs(24);

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    check_listen(&context.settings).await?;
    let listener = bind(context).await?;
    let node = Node::start(&context.settings, context.settings.roles.value, advertised(&listener)).await?;
    output::say(format!(
        "Stockledger {} answers on {} as {}; data in {}",
        env!("CARGO_PKG_VERSION"),
        url(&listener),
        context.settings.roles.value,
        context.settings.data_dir.value.display(),
    ));
    until_signal(node, listener).await
}

/// Refuses an address that others can reach without API keys or TLS, before anything is started.
async fn check_listen(settings: &Settings) -> Result<(), Failure> {
    let has_tls = false;
    let has_keys = settings.must_be_secure() && has_keys(settings).await?;
    Ok(settings.check_listen(has_keys, has_tls)?)
}

/// Whether callers are told apart: from the first key on nobody comes in without one. A ledger that is yet to be made has none.
async fn has_keys(settings: &Settings) -> Result<bool, Failure> {
    let log = match storage::open_log(settings, Access::Read).await {
        Err(storage::Error::NoLedger { .. }) => return Ok(false),
        opened => opened?,
    };
    let has_keys = keys::was_any_created(log.as_ref()).await;
    log.close().await;
    Ok(has_keys?)
}

pub(super) async fn bind(context: &Context) -> Result<TcpListener, Failure> {
    let address = context.settings.listen.value;
    let in_use = |error: std::io::Error| {
        Failure::new(
            Exit::Failed,
            anyhow::Error::new(error)
                .context(format!("listening on {address}; name another address with --listen")),
        )
    };
    TcpListener::bind(address).await.map_err(in_use)
}

pub(super) fn url(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|_| "an unknown address".to_owned(), |address| format!("http://{address}"))
}

/// What others may be told: not an address that stands for all of them.
fn advertised(listener: &TcpListener) -> Option<Name> {
    let address = listener.local_addr().ok().filter(|address| !address.ip().is_unspecified())?;
    Name::new(format!("http://{address}")).ok()
}

/// Answers requests until a signal comes, then ends in order: nothing acknowledged is lost. A second signal ends it at
/// once.
pub(super) async fn until_signal(node: Node, listener: TcpListener) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(http::serve(listener, http::router(node.app()), shutdown.clone()));
    let name = next_signal().await?;
    output::say(format!("{name}: finishing what was begun; a second signal ends at once"));
    shutdown.cancel();
    let orderly = async {
        let served = server.await;
        node.stop().await;
        served
    };
    tokio::select! {
        served = tokio::time::timeout(STOP_WITHIN, orderly) => match served {
            Ok(Ok(served)) => Ok(served?),
            Ok(Err(error)) => Err(Failure::new(Exit::Failed, error)),
            Err(_) => Err(Failure::text(Exit::Failed, "stopping took too long; what was acknowledged is safe in the log")),
        },
        second = next_signal() => {
            second?;
            Err(Failure::text(Exit::Failed, "ended at once; what was acknowledged is safe in the log"))
        }
    }
}

/// Waits for a signal to end; says which came.
pub(super) async fn next_signal() -> Result<&'static str, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}
