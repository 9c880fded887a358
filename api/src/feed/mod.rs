//! What was decided, as it happens: the decisions of the log in order, from any place on, for any number of readers.
//!
//! One task per partition, the tail, follows the log and keeps the newest decisions that were admitted. All readers take
//! from it, so the log is read once however many there are; only who is further behind reads the log itself. The first
//! reader starts the tails, and so does the first look at the overview, which counts what they read. Read tables have no
//! part in it. Nothing here waits for a reader: it takes what it wants when it wants it, and what it leaves is kept for
//! others or forgotten.
//!
//! ```text
//! log -> tail of partition 0 -> newest decisions --+
//! log -> tail of partition 1 -> newest decisions --+--> reader, reader, ...
//!                      log (what is older) --------+
//! ```
//!
//! Start reading at [`Reader`], then `tail.rs`.

mod announce;
mod cursor;
mod filter;
mod history;
mod pace;
mod reader;
mod recorded;
mod tail;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stockledger_log::Log;
use stockledger_schemas::{LedgerId, PartitionId, Position, SiteId};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::announce::Announcer;
use self::tail::Tail;

pub use self::cursor::{Cursor, InvalidCursor};
pub use self::filter::{EventType, Filter, UnknownType};
pub use self::pace::{Count, MINUTES_KEPT, Minute, Pace};
pub use self::reader::{Batch, Error, Reader};
pub use self::recorded::Recorded;
pub use self::tail::Stopped;

/// Readers that read the log itself at the same time; the others wait for their turn.
const HISTORY_READS_MAX: usize = 8;

/// What a feed keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Newest decisions of a partition that are kept.
    pub kept_max: usize,
    /// Bytes of their records.
    pub kept_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { kept_max: 8_192, kept_bytes_max: 8 << 20 }
    }
}

/// The decisions of one log. Clones are cheap and the same; the tails end with the last of them, or when it is stopped.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<dyn Log>,
    ledger_id: LedgerId,
    options: Options,
    tails: OnceLock<Vec<Arc<Tail>>>,
    announcer: Announcer,
    history_reads: Arc<Semaphore>,
    stop: CancellationToken,
    _stop_with_the_last: DropGuard,
}

impl Feed {
    /// The decisions of this log, which is that of this ledger.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, ledger_id: LedgerId, options: Options) -> Self {
        let stop = CancellationToken::new();
        let shared = Shared {
            log,
            ledger_id,
            options,
            tails: OnceLock::new(),
            announcer: Announcer::default(),
            history_reads: Arc::new(Semaphore::new(HISTORY_READS_MAX)),
            _stop_with_the_last: stop.clone().drop_guard(),
            stop,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Which ledger it tells of.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        self.shared.ledger_id
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.shared.log.partitions()
    }

    /// A reader of what this filter lets through, beginning behind a cursor.
    #[must_use]
    pub fn reader(&self, after: Cursor, filter: Filter) -> Reader {
        Reader::new(self.clone(), after, filter)
    }

    /// Waits until the log was read up to this decision; says whether it was by then.
    pub async fn reached(&self, position: Position, deadline: Instant) -> bool {
        self.until(deadline, |tails| {
            tails.get(usize::from(position.partition.0)).is_none_or(|tail| {
                let reach = tail.reach();
                reach.seq >= position.seq || reach.is_stopped
            })
        })
        .await
    }

    /// Behind everything that the log had when it was asked, or as far as it was read by then.
    pub async fn end(&self, deadline: Instant) -> Cursor {
        self.until(deadline, |tails| tails.iter().all(|tail| tail.reach().is_settled())).await;
        Cursor::Ledger(self.tails().iter().map(|tail| tail.reach().seq).collect())
    }

    /// How much was recorded in the last minutes at these sites, or everywhere if none are named; of a log that is still being
    /// read, as much as was read by then.
    pub async fn pace(&self, sites: Option<&[SiteId]>, deadline: Instant) -> Pace {
        let is_settled =
            self.until(deadline, |tails| tails.iter().all(|tail| tail.reach().is_settled())).await;
        let is_stopped = self.tails().iter().any(|tail| tail.reach().is_stopped);
        let mut pace = Pace { is_settled, is_stopped, ..Pace::default() };
        self.tails().iter().for_each(|tail| tail.add_to(&mut pace, sites));
        pace
    }

    /// The decision at a position, or nothing if the log has none there.
    ///
    /// # Errors
    /// [`Error::Unread`] if the log was not read so far by then; [`Error`] of the log.
    pub async fn decision(
        &self,
        position: Position,
        deadline: Instant,
    ) -> Result<Option<Arc<Recorded>>, Error> {
        let Some(tail) = self.tails().get(usize::from(position.partition.0)) else { return Ok(None) };
        if position.seq == 0 {
            return Ok(None);
        }
        let is_known = |tail: &Tail| {
            let reach = tail.reach();
            reach.seq >= position.seq || reach.is_settled()
        };
        if !self.until(deadline, |_| is_known(tail)).await {
            return Err(Error::Unread);
        }
        if tail.reach().seq < position.seq {
            return Ok(None);
        }
        let before = Position { seq: position.seq - 1, ..position };
        let mut reader = self.reader(Cursor::Partition(before), Filter::default());
        let batch = reader.take(1, 1).await?;
        Ok(batch.decisions.into_iter().next())
    }

    /// Ends the tails; readers get nothing new any more.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// The tails, which begin when they are first looked at.
    fn tails(&self) -> &[Arc<Tail>] {
        self.shared.tails.get_or_init(|| {
            let shared = &self.shared;
            shared.announcer.begin(shared.stop.clone());
            let begin = |partition| {
                let log = Arc::clone(&shared.log);
                Tail::begin(log, partition, shared.options, shared.announcer.clone(), shared.stop.clone())
            };
            (0..self.partitions()).map(PartitionId).map(begin).collect()
        })
    }

    /// Waits until the tails are so; says whether they were by then.
    async fn until(&self, deadline: Instant, mut is_met: impl FnMut(&[Arc<Tail>]) -> bool) -> bool {
        let tails = self.tails();
        let mut news = self.shared.announcer.listen_in_passing();
        loop {
            if is_met(tails) {
                return true;
            }
            if tokio::time::timeout_at(deadline, news.next()).await.is_err() {
                return is_met(tails);
            }
        }
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Feed").field("ledger_id", &self.shared.ledger_id).finish_non_exhaustive()
    }
}

/// How long a reader waits for a log that is still being read when it first comes.
pub const SETTLE_WITHIN: Duration = Duration::from_secs(5);
