//! What one server bears, and how long it waits for those who are slow.

use std::time::Duration;

use crate::http::patience::Patience;

/// Connections that are open at once, unless the settings say others.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Connections of one peer, unless the settings say others.
pub const CONNECTIONS_PER_PEER_MAX: usize = 64;
/// Longest head of a request that is read at all; what is shorter and still too long gets a problem document.
pub(super) const HEAD_BYTES_READ_MAX: usize = 128 << 10;
/// Header fields of one request.
pub(super) const HEADERS_MAX: usize = 100;
/// Requests that one HTTP/2 connection may have open at once.
pub(super) const STREAMS_MAX: u32 = 128;
/// What one HTTP/2 request may send before it is read, and all those of a connection together.
pub(super) const STREAM_WINDOW_BYTES: u32 = 256 << 10;
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Refusals that are under way at once; beyond them a connection that is too many is closed without a word.
pub(super) const REFUSALS_MAX: usize = 64;
/// How long a refusal waits for the caller to have read it.
pub(super) const REFUSAL_LASTS_MAX: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the system had no more files to give.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of one server. Times are those of a client that is alive and well many times over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open at once. One more is answered with 503 and closed.
    pub connections_max: usize,
    /// Connections of one peer that are open at once; a peer is an IPv4 address or an IPv6 network of 64 bits. Those of this
    /// machine are not counted: a proxy that stands here speaks for many.
    pub connections_per_peer_max: usize,
    /// From accepting a connection until TLS is agreed on.
    pub handshake_within: Duration,
    /// From the first byte of a request's head to its last, and from accepting to the end of the first head.
    pub head_within: Duration,
    /// Between two requests.
    pub idle_max: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub write_within: Duration,
    /// How long bodies are waited for.
    pub patience: Patience,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            connections_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            handshake_within: Duration::from_secs(10),
            head_within: Duration::from_secs(10),
            idle_max: Duration::from_secs(60),
            write_within: Duration::from_secs(30),
            patience: Patience::default(),
        }
    }
}
