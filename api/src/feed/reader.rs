//! One reader: where it is in each partition, and what comes behind that.

use std::sync::Arc;

use stockledger_log::Causes;
use stockledger_schemas::{PartitionId, Position};
use tokio::time::Instant;

use super::announce::News;
use super::history::{self, History};
use super::tail::{Found, Stopped};
use super::{Cursor, Feed, Filter, Recorded};

/// Decisions that are looked at in one go of one partition.
const LOOK_MAX: usize = 256;

/// Why a reader gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read at the moment.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The log was not read so far in time.
    #[error("the log is still being read, as after a start")]
    Unread,
}

/// What a reader got.
#[derive(Debug, Default)]
pub struct Batch {
    /// In the order of each partition; between partitions there is none.
    pub decisions: Vec<Arc<Recorded>>,
    /// Whether more is known to be there.
    pub has_more: bool,
    /// Whether it ends where it does because it is full, or because enough was looked at.
    pub is_cut: bool,
    /// Whether the reader had been level with the log, and then left so much that it is not kept any more. It can read on,
    /// from the log.
    pub fell_behind: bool,
    /// Partitions that go no further and of which the reader has everything; each is told once.
    pub stopped: Vec<Stopped>,
}

/// Reads decisions in order, each that passes its filter once.
pub struct Reader {
    feed: Feed,
    filter: Filter,
    cursor: Cursor,
    places: Vec<Place>,
    /// The place to begin with next, so that none has to wait for the others.
    turn: usize,
    news: News,
}

struct Place {
    partition: PartitionId,
    /// The last decision that was looked at.
    seq: u64,
    history: History,
    /// Whether it was level with the log.
    was_level: bool,
    told_stopped: bool,
}

impl Reader {
    pub(super) fn new(feed: Feed, cursor: Cursor, filter: Filter) -> Self {
        let place = |Position { partition, seq }| Place {
            partition,
            seq,
            history: History::default(),
            was_level: false,
            told_stopped: false,
        };
        let places = cursor.places().into_iter().map(place).collect();
        let news = feed.shared.announcer.listen();
        Self { feed, filter, cursor, places, turn: 0, news }
    }

    /// Behind what was looked at: where another reader goes on.
    #[must_use]
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Waits until there is news for somebody. What came before it was first asked for is no news. A wait that is dropped
    /// took nothing.
    pub async fn news(&mut self) {
        self.news.next().await;
    }

    /// Gives what is there, without waiting for more: at most `max` decisions, of at most about `looks_max` that were looked
    /// at. A call that is dropped may have passed by what it was to give; do not go on with its reader then.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn take(&mut self, max: usize, looks_max: usize) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let mut looks = 0;
        self.turn = self.turn.wrapping_add(1);
        for step in 0..self.places.len() {
            let index = self.turn.wrapping_add(step) % self.places.len();
            while batch.decisions.len() < max && looks < looks_max && !batch.fell_behind {
                let found = self.find(index, LOOK_MAX.min(looks_max - looks), &mut batch).await?;
                if found.is_empty() {
                    break;
                }
                looks += self.pass(index, found, max, &mut batch);
            }
        }
        batch.is_cut = batch.decisions.len() >= max || looks >= looks_max;
        batch.has_more = self.has_more();
        self.note_stopped(&mut batch);
        Ok(batch)
    }

    /// The same, waiting until then for the first decision that passes or a partition that stops. A log that is still
    /// being read is waited for `SETTLE_WITHIN` in any case.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn wait(&mut self, max: usize, looks_max: usize, until: Instant) -> Result<Batch, Error> {
        let settled = Instant::now() + super::SETTLE_WITHIN;
        loop {
            let batch = self.take(max, looks_max).await?;
            let is_something = !batch.decisions.is_empty() || !batch.stopped.is_empty();
            let deadline = if self.is_settled() { until } else { until.max(settled) };
            if is_something || batch.is_cut || Instant::now() >= deadline {
                return Ok(batch);
            }
            // Whether news came or the time is up, one more look tells.
            let _ = tokio::time::timeout_at(deadline, self.news.next()).await;
        }
    }

    /// What comes next in one partition.
    async fn find(
        &mut self,
        index: usize,
        max: usize,
        batch: &mut Batch,
    ) -> Result<Vec<Arc<Recorded>>, Error> {
        let Self { feed, places, .. } = self;
        let Some(place) = places.get_mut(index) else { return Ok(Vec::new()) };
        let Some(tail) = feed.tails().get(usize::from(place.partition.0)) else { return Ok(Vec::new()) };
        match tail.find(place.seq, max) {
            Found::Nothing => {
                place.was_level |= tail.reach().is_level;
                place.history.clear();
                Ok(Vec::new())
            }
            Found::Kept(decisions) => Ok(decisions),
            Found::Older(_) if place.was_level => {
                place.was_level = false;
                batch.fell_behind = true;
                Ok(Vec::new())
            }
            Found::Older(state) => {
                let (log, turns) = (&*feed.shared.log, &*feed.shared.history_reads);
                Ok(place.history.next(log, turns, state, place.seq, max).await?)
            }
        }
    }

    /// Goes past what was found and takes what is wanted; says how many were looked at.
    fn pass(&mut self, index: usize, found: Vec<Arc<Recorded>>, max: usize, batch: &mut Batch) -> usize {
        let mut looks = 0;
        let Some(place) = self.places.get_mut(index) else { return looks };
        for decision in found {
            if batch.decisions.len() >= max {
                break;
            }
            looks += 1;
            place.seq = decision.position.seq;
            self.cursor.pass(decision.position);
            if self.filter.passes(&decision.decision) {
                batch.decisions.push(decision);
            }
        }
        looks
    }

    fn has_more(&self) -> bool {
        let tails = self.feed.tails();
        self.places.iter().any(|place| {
            tails.get(usize::from(place.partition.0)).is_some_and(|tail| {
                let reach = tail.reach();
                place.seq < reach.seq || !reach.is_settled()
            })
        })
    }

    fn is_settled(&self) -> bool {
        let tails = self.feed.tails();
        let of = |place: &Place| tails.get(usize::from(place.partition.0));
        self.places.iter().filter_map(of).all(|tail| tail.reach().is_settled())
    }

    fn note_stopped(&mut self, batch: &mut Batch) {
        let tails = self.feed.tails();
        for place in self.places.iter_mut().filter(|place| !place.told_stopped) {
            let Some(tail) = tails.get(usize::from(place.partition.0)) else { continue };
            let reach = tail.reach();
            if reach.is_stopped && place.seq >= reach.seq {
                place.told_stopped = true;
                batch.stopped.extend(tail.stopped());
            }
        }
    }
}

impl Error {
    /// Everything that caused it, on one line.
    #[must_use]
    pub fn causes(&self) -> String {
        Causes(self).to_string()
    }
}
