//! A server that was away a moment ago: nobody waits for it again until somebody has seen it.
//!
//! A host that vanished without a word costs whoever asks it seconds. The first caller finds out; from then on readers are
//! refused at once, while one task looks for the server, and lets them in as soon as it has logged in.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::address::Address;
use super::connections::{Purpose, fresh};
use super::lease::Shelf;

/// How often a server that is away is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest wait for a host to take a connection, each time.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest time of a login on a host that did. A server that stands still goes on with one that waits; and it counts those
/// that are given up, until it lets nobody of this host in any more.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Since when a server has been away, if it is.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Instant>>);

impl Outage {
    /// For how long it has been away.
    pub(super) fn lasted(&self) -> Option<Duration> {
        self.with(|since| since.map(|since| since.elapsed()))
    }

    /// Says whether that is news.
    fn begin(&self) -> bool {
        self.with(|since| since.replace(since.unwrap_or_else(Instant::now)).is_none())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<Instant>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notes that a server is away, and looks for it until it is there or nobody wants it any more.
pub(super) fn note(outage: &Arc<Outage>, address: &Address, purpose: Purpose, shelf: &Arc<Shelf>) {
    if outage.begin() {
        tracing::warn!(server = address.place(), "the projection store does not answer and is looked for");
        tokio::spawn(look_for(Arc::clone(outage), address.clone(), purpose, Arc::downgrade(shelf)));
    }
}

async fn look_for(outage: Arc<Outage>, address: Address, purpose: Purpose, shelf: Weak<Shelf>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(shelf) = shelf.upgrade().filter(|shelf| !shelf.is_closed()) else { return };
        if !answers(&address).await {
            continue;
        }
        match timeout(LOGIN_TIMEOUT, fresh(&address, purpose)).await {
            Ok(Ok(connection)) => shelf.put(connection),
            // It speaks, if only to say why it lets nobody in: whoever asks shall hear that.
            Ok(Err(error)) if error.as_database_error().is_some() => {}
            Ok(Err(_)) | Err(_) => continue,
        }
        tracing::info!(server = address.place(), after = ?outage.lasted(), "the projection store answers again");
        outage.with(Option::take);
        return;
    }
}

/// Whether its host takes a connection. Through a socket of this machine it is asked by the login alone.
async fn answers(address: &Address) -> bool {
    if address.socket().is_some() {
        return true;
    }
    let connected = timeout(ANSWER_TIMEOUT, TcpStream::connect((address.host(), address.port()))).await;
    matches!(connected, Ok(Ok(_)))
}
