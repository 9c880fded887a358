//! How much the node takes on at once, beside commands that wait for their decision, which the ledger itself bounds.
//!
//! Reads, bodies and streams of commands have bounds of their own, so that none of them crowds the others out. Health is
//! behind none of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::problem::{Code, Problem};

/// Reads of the read tables that run at once.
pub const READS_MAX: usize = 32;
/// Reads that wait for their turn.
pub const READS_WAITING_MAX: usize = 512;
/// How long a read waits for its turn.
pub(super) const READ_TURN_WITHIN: Duration = Duration::from_secs(2);
/// Reads that wait for a position which the tables have not reached.
pub(super) const POSITION_WAITS_MAX: usize = 4_096;
/// Bytes of bodies that have been read and are not commands yet, all requests together.
pub const BODIES_BYTES_MAX: usize = 256 << 20;
/// Streams of commands that are open at once.
pub const BULK_STREAMS_MAX: usize = 64;

/// In what bodies are counted.
const BLOCK_BYTES: usize = 1 << 10;

/// What is left of each bound. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Room {
    reads: Arc<Semaphore>,
    reads_waiting: Arc<Semaphore>,
    position_waits: Arc<Semaphore>,
    body_blocks: Arc<Semaphore>,
    bulk_streams: Arc<Semaphore>,
}

/// A part of a bound, given back when it is dropped.
pub(super) type Share = OwnedSemaphorePermit;

impl Default for Room {
    fn default() -> Self {
        let bound = |places| Arc::new(Semaphore::new(places));
        Self {
            reads: bound(READS_MAX),
            reads_waiting: bound(READS_WAITING_MAX),
            position_waits: bound(POSITION_WAITS_MAX),
            body_blocks: bound(BODIES_BYTES_MAX / BLOCK_BYTES),
            bulk_streams: bound(BULK_STREAMS_MAX),
        }
    }
}

impl Room {
    /// Waits for the turn to read.
    ///
    /// # Errors
    /// `overloaded` at once if too many wait, or if the turn does not come in time.
    pub(super) async fn read(&self) -> Result<Share, Problem> {
        if let Ok(share) = self.reads.clone().try_acquire_owned() {
            return Ok(share);
        }
        let too_many = || overloaded("too many reads are waiting");
        let _waiting = self.reads_waiting.try_acquire().map_err(|_| too_many())?;
        match timeout(READ_TURN_WITHIN, self.reads.clone().acquire_owned()).await {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(_)) | Err(_) => Err(too_many()),
        }
    }

    /// May wait for a position.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn wait_for_position(&self) -> Result<Share, Problem> {
        let share = self.position_waits.clone().try_acquire_owned();
        share.map_err(|_| overloaded("too many reads wait for the read tables to catch up"))
    }

    /// May keep so many more bytes of a body.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn keep(&self, bytes: usize) -> Result<Share, Problem> {
        let blocks = u32::try_from(bytes.div_ceil(BLOCK_BYTES)).unwrap_or(u32::MAX);
        let share = self.body_blocks.clone().try_acquire_many_owned(blocks);
        share.map_err(|_| overloaded("too many bodies are being read"))
    }

    /// May send a stream of commands.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn stream(&self) -> Result<Share, Problem> {
        let share = self.bulk_streams.clone().try_acquire_owned();
        share.map_err(|_| overloaded("too many streams of commands are open"))
    }
}

fn overloaded(what: &str) -> Problem {
    Problem::new(Code::Overloaded, format!("{what}; nothing was done, try again a little later"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reads_wait_for_their_turn_and_only_so_many() {
        let room = Room::default();
        let mut running = Vec::new();
        for _ in 0..READS_MAX {
            running.push(room.read().await.unwrap());
        }
        let mut waiting: Vec<_> = (0..READS_WAITING_MAX).map(|_| Box::pin(room.read())).collect();
        assert!(waiting.iter_mut().all(|read| read.as_mut().now_or_never().is_none()));
        let refused = room.read().now_or_never().expect("refused at once").unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        drop(running.pop());
        let first = waiting.swap_remove(0).await;
        assert!(first.is_ok(), "the turn comes when another read ends");
        let late = waiting.swap_remove(0).await.unwrap_err();
        assert_eq!(late.code(), Code::Overloaded);
    }

    #[test]
    fn what_is_kept_is_given_back() {
        let room = Room::default();
        let all = room.keep(BODIES_BYTES_MAX).unwrap();
        assert_eq!(room.keep(1).unwrap_err().code(), Code::Overloaded);
        drop(all);
        assert!(room.keep(BODIES_BYTES_MAX).is_ok());
        let streams: Vec<Share> = (0..BULK_STREAMS_MAX).map(|_| room.stream().unwrap()).collect();
        assert_eq!(room.stream().unwrap_err().code(), Code::Overloaded);
        drop(streams);
        assert!(room.stream().is_ok());
    }
}
