//! `serve`: the ledger, answering HTTP until it is told to stop.

use std::time::Duration;

use stockledger_log::Causes;
use stockledger_schemas::Name;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Context, Exit, Failure, output};
use crate::config::Settings;
use crate::http::{self, Serving};
use crate::keys;
use crate::node::Node;
use crate::storage::{self, Access};
use crate::tls::ServerTls;

/// A supervisor kills what has not ended after 30 s; this leaves it nothing to kill.
const STOP_WITHIN: Duration = Duration::from_secs(24);

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    check_listen(&context.settings).await?;
    let tls = context.settings.edge.server_tls()?;
    let listener = bind(context).await?;
    let scheme = scheme(context);
    let url = advertised(scheme, &listener);
    let node = Node::start(&context.settings, context.settings.roles.value, url).await?;
    output::say(format!(
        "Stockledger {} answers on {} as {}; data in {}",
        env!("CARGO_PKG_VERSION"),
        self::url(scheme, &listener),
        context.settings.roles.value,
        context.settings.data_dir.value.display(),
    ));
    node.verify_regularly(context.settings.verify_every.value);
    until_signal(node, listener, serving(context, tls)).await
}

/// How connections are served by these settings.
pub(super) fn serving(context: &Context, tls: Option<ServerTls>) -> Serving {
    let mut limits = context.settings.edge.limits();
    limits.connections_max = http::connections_allowed(limits.connections_max);
    Serving { limits, tls, ..Serving::default() }
}

pub(super) fn scheme(context: &Context) -> &'static str {
    if context.settings.has_tls() { "https" } else { "http" }
}

/// Refuses an address that others can reach without API keys or TLS, before anything is started.
async fn check_listen(settings: &Settings) -> Result<(), Failure> {
    let has_keys = settings.must_be_secure() && has_keys(settings).await?;
    Ok(settings.check_listen(has_keys, settings.has_tls())?)
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

pub(super) fn url(scheme: &str, listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|_| "an unknown address".to_owned(), |address| format!("{scheme}://{address}"))
}

/// What others may be told: not an address that stands for all of them.
fn advertised(scheme: &str, listener: &TcpListener) -> Option<Name> {
    let address = listener.local_addr().ok().filter(|address| !address.ip().is_unspecified())?;
    Name::new(format!("{scheme}://{address}")).ok()
}

/// Answers requests until a signal comes, then ends in order: nothing acknowledged is lost. A second signal ends it at
/// once.
pub(super) async fn until_signal(node: Node, listener: TcpListener, serving: Serving) -> Result<(), Failure> {
    let shutdown = CancellationToken::new();
    if let Some(tls) = serving.tls.clone() {
        tokio::spawn(reload_when_told(tls, signal(SignalKind::hangup())?));
    }
    let app = node.app();
    let serving = Serving { connections: app.metrics().connections(), ..serving };
    let server = tokio::spawn(http::serve(listener, http::router(app), serving, shutdown.clone()));
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
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Failure::new(Exit::Failed, error)),
            Err(_) => Err(Failure::text(Exit::Failed, "stopping took too long; what was acknowledged is safe in the log")),
        },
        second = next_signal() => {
            second?;
            Err(Failure::text(Exit::Failed, "ended at once; what was acknowledged is safe in the log"))
        }
    }
}

/// Reads certificate and key again at every SIGHUP, as whoever renews a certificate sends it. What cannot be used is not
/// taken.
async fn reload_when_told(tls: ServerTls, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match tls.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => {
                tracing::error!(error = %Causes(&error), "the certificate cannot be used; the one before stays");
            }
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
