//! Serving connections, until told to stop.

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests that were begun may take to end once the server is told to stop.
pub const DRAIN_MAX: Duration = Duration::from_secs(20);

/// Answers requests until `shutdown` is cancelled; then takes no new connection and waits for the requests that were
/// begun, at most [`DRAIN_MAX`].
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    // An answer is one small write; waiting for more to send with it would cost a caller up to 40 ms.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        ended = server => ended,
        () = drained_too_long(shutdown) => {
            tracing::warn!(seconds = DRAIN_MAX.as_secs(), "requests are still open; leaving them");
            Ok(())
        }
    }
}

async fn drained_too_long(shutdown: CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(DRAIN_MAX).await;
}
