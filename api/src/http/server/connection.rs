//! One connection: TLS where it is asked for, HTTP/1.1 or HTTP/2, and a watch that ends it when it is too slow.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::activity::{Activity, Answering, Watched};
use super::limits::{
    CONNECTION_WINDOW_BYTES, HEAD_BYTES_READ_MAX, HEADERS_MAX, Limits, STREAM_WINDOW_BYTES, STREAMS_MAX,
};
use crate::http::edge::HEAD_BYTES_MAX;
use crate::http::patience::{Closing, Encrypted, Peer};
use crate::tls::ServerTls;

/// What the system keeps for a peer that has not taken it yet; it doubles this.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// How often in the shortest limit a connection is looked at.
const LOOKS_PER_LIMIT: u32 = 4;

/// What all connections of a server have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) tls: Option<ServerTls>,
    pub(super) shutdown: CancellationToken,
}

impl Shared {
    /// Serves a connection to its end.
    pub(super) async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // An answer is one small write; waiting for more to send with it would cost a caller up to 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        // Left to itself the system keeps several megabytes for a peer that does not read.
        if let Err(error) = set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES) {
            tracing::debug!(%error, "a connection keeps the buffer of the system");
        }
        let activity = Activity::new();
        let watched = Watched { stream, activity: activity.clone() };
        let Some(tls) = self.tls.clone() else { return self.serve_http(watched, activity, peer).await };
        match timeout(self.limits.handshake_within, tls.accept(watched)).await {
            Ok(Ok(stream)) => {
                activity.restart();
                self.serve_http(stream, activity, peer).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS was agreed on"),
            Err(_) => tracing::debug!(%peer, "TLS was not agreed on in time"),
        }
    }

    async fn serve_http(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        activity: Activity,
        peer: SocketAddr,
    ) {
        let (limits, shutdown) = (self.limits, self.shutdown.clone());
        let encrypted = self.tls.as_ref().map(|_| Encrypted);
        let service = {
            let (activity, closing) = (activity.clone(), Closing(self.shutdown.clone()));
            service_fn(move |mut request: Request<Incoming>| {
                let open = activity.open();
                encrypted.and_then(|encrypted| request.extensions_mut().insert(encrypted));
                let answer = answer(self.router.clone(), request, peer, limits, closing.clone());
                async move { Ok::<_, Infallible>(answer.await.map(|body| Answering { body, _open: open })) }
            })
        };
        let builder = builder();
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let look_every = limits.head_within.min(limits.idle_max).min(limits.write_within) / LOOKS_PER_LIMIT;
        let mut is_ending = false;
        loop {
            let now = Instant::now();
            let deadline = activity.deadline(&limits);
            if deadline.is_some_and(|deadline| deadline <= now) {
                tracing::debug!(%peer, "a connection was too slow and is closed");
                return;
            }
            let look_at = deadline.unwrap_or(now + look_every).min(now + look_every);
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, error, "a connection broke");
                    }
                    return;
                }
                () = sleep_until(look_at) => {}
                () = shutdown.cancelled(), if !is_ending => {
                    is_ending = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn answer(
    router: Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    limits: Limits,
    closing: Closing,
) -> Response<Body> {
    request.extensions_mut().insert(Peer(peer));
    request.extensions_mut().insert(limits.patience);
    request.extensions_mut().insert(closing);
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}

/// The watch has the limits on time: those of the protocol library cannot tell a connection that waits for its next
/// request from one that sends its head drop by drop.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_READ_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(2 * HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    builder
}
