//! Serving connections, until told to stop.
//!
//! The loop is our own because a server that strangers can reach needs limits that a ready-made one lacks: on connections,
//! in all and of each peer, and on how long any of them may keep us waiting ([`Limits`]). Nothing here waits for ever and
//! nothing is queued without a bound.

mod activity;
mod connection;
mod files;
pub(super) mod limits;
pub(crate) mod peers;
mod refuse;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::connection::Shared;
pub use self::files::connections_allowed;
use self::limits::{ACCEPT_PAUSE, Limits};
use self::peers::Peers;
use self::refuse::Refusals;
use crate::metrics::Connections;
use crate::tls::ServerTls;

/// How long requests that were begun may take to end once the server is told to stop.
pub const DRAIN_MAX: Duration = Duration::from_secs(20);

/// How connections are served.
#[derive(Debug, Clone, Default)]
pub struct Serving {
    /// What is borne.
    pub limits: Limits,
    /// The certificate, where connections are encrypted.
    pub tls: Option<ServerTls>,
    /// Where they are counted.
    pub connections: Connections,
}

/// Answers requests until `shutdown` is cancelled; then takes no new connection and waits for the requests that were
/// begun, at most [`DRAIN_MAX`].
pub async fn serve(listener: TcpListener, router: Router, serving: Serving, shutdown: CancellationToken) {
    let Serving { limits, tls, connections: counts } = serving;
    let shared = Shared { router, limits, tls, shutdown };
    let mut connections = accept(listener, shared, &counts).await;
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
    };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::warn!(seconds = DRAIN_MAX.as_secs(), "requests are still open; leaving them");
    }
}

/// Where connections come from.
trait Accept {
    async fn accept(&mut self) -> std::io::Result<(TcpStream, SocketAddr)>;
}

impl Accept for TcpListener {
    async fn accept(&mut self) -> std::io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

/// Accepts until told to stop, and gives back what is still being served.
async fn accept(mut listener: impl Accept, shared: Shared, counts: &Connections) -> JoinSet<()> {
    let (peers, refusals) = (Peers::default(), Refusals::new());
    let mut connections = JoinSet::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            () = shared.shutdown.cancelled() => return connections,
            Some(ended) = connections.join_next() => {
                note_end(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if std::mem::take(&mut is_failing) {
                    tracing::info!("connections are accepted again");
                }
                match peers.enter(peer.ip(), &shared.limits) {
                    Ok(seat) => {
                        let serving = shared.clone().serve(stream, peer);
                        let open = counts.accept();
                        connections.spawn(async move {
                            serving.await;
                            drop((seat, open));
                        });
                    }
                    Err(why) => {
                        tracing::debug!(%peer, ?why, "a connection is one too many");
                        counts.refuse(why.as_str());
                        // Who wants TLS could not read the answer, and a handshake is the dearest part of a connection.
                        if shared.tls.is_none() {
                            refusals.refuse(stream, why);
                        }
                    }
                }
            }
            // Of the one connection that was to be accepted.
            Err(error) if is_of_the_connection(&error) => {}
            // The system has no file or no memory to give. What is open is served; when some of it ends there is room again.
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "no connection can be accepted at the moment; trying on");
                }
                tokio::select! {
                    () = shared.shutdown.cancelled() => return connections,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a connection broke down: a fault of this program");
    }
}

#[cfg(test)]
mod tests;
