//! What a connection is doing, as far as it decides how long it may go on doing it.
//!
//! ```text
//!            first byte                head is whole              answered
//! idle ------------------> in a head ------------------> busy ------------------> idle
//!   idle_max                 head_within                   bodies have limits of their own
//! ```
//!
//! Beside that a peer may stop reading at any time: what is written must move within `write_within`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::limits::Limits;

/// Shared by the transport of a connection, its requests and its watch.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Requests whose answer is not complete.
    open: usize,
    /// Since when the peer takes nothing.
    stalled_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    InHead,
    Busy,
}

impl Activity {
    /// A connection that was just made: its first head is waited for.
    pub(super) fn new() -> Self {
        let state = State { phase: Phase::InHead, since: Instant::now(), open: 0, stalled_since: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// When the connection must be closed, as it stands; never while its requests are worked on.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.state();
        let phase_ends = match state.phase {
            Phase::Idle => Some(state.since + limits.idle_max),
            Phase::InHead => Some(state.since + limits.head_within),
            Phase::Busy => None,
        };
        let stall_ends = state.stalled_since.map(|since| since + limits.write_within);
        phase_ends.into_iter().chain(stall_ends).min()
    }

    /// The first head is waited for from now on.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        state.phase = Phase::InHead;
        state.since = Instant::now();
    }

    /// The head of a request is whole; it is open until what is returned is dropped.
    pub(super) fn open(&self) -> Open {
        let mut state = self.state();
        state.open += 1;
        state.phase = Phase::Busy;
        Open(self.clone())
    }

    fn note_read(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::InHead;
            state.since = Instant::now();
        }
    }

    fn note_write(&self, moved: bool) {
        let mut state = self.state();
        if moved {
            state.stalled_since = None;
        } else if state.stalled_since.is_none() {
            state.stalled_since = Some(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Open(Activity);

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            state.phase = Phase::Idle;
            state.since = Instant::now();
        }
    }
}

/// The body of an answer; the request is open until it is sent or dropped.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) body: Body,
    pub(super) _open: Open,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection's transport that tells what moves.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) stream: TcpStream,
    pub(super) activity: Activity,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.note_read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.note_write(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.activity.note_write(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
