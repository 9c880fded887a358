//! How long the body of a request is waited for, by whom it was sent, and when its service ends. A connection tells its requests; a request that
//! came over none has the default.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::Extensions;
use tokio_util::sync::CancellationToken;

/// How long a body may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The whole body of one command.
    pub body: Duration,
    /// One line of a stream of commands, once it has begun.
    pub line: Duration,
    /// Between two lines of such a stream.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { body: Duration::from_secs(30), line: Duration::from_secs(30), pause: Duration::from_secs(60) }
    }
}

impl Patience {
    /// What the connection of a request told it.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or_default()
    }
}

/// Who is at the other end of the connection that a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The connection that a request came over is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encrypted;

/// When the service ends: an answer that has no end of its own ends then.
#[derive(Debug, Clone, Default)]
pub struct Closing(pub CancellationToken);

impl Closing {
    /// What the connection of a request told it; never, if it came over none.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }
}
