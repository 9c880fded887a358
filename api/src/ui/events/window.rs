//! The newest decisions of all partitions, merged by when they were recorded, and so on into the past.
//!
//! A feed goes forward. Here each partition is read in pieces from its end, and the newest of what stands at the head of each
//! is taken, until there are enough. No decision is told before a newer one, except where a clock was set back.

use std::collections::VecDeque;
use std::sync::Arc;

use stockledger_schemas::{PartitionId, Position};

use crate::feed::{Cursor, Feed, Filter, Recorded};
use crate::http::problem::Problem;

/// Decisions that one page looks at.
const LOOKS_MAX: usize = 20_000;
/// Decisions of one partition that are read at once: as many as lie between two marks of the feed.
const PIECE_MAX: u64 = 256;
const PIECE_MIN: u64 = 16;

/// What a page shows.
pub(super) struct Found {
    /// The newest first.
    pub(super) decisions: Vec<Arc<Recorded>>,
    /// Up to where the next page goes; nothing if this one has the first decisions.
    pub(super) older: Option<Cursor>,
    /// Whether it ends because enough was looked at.
    pub(super) is_cut: bool,
}

/// One partition, read from some place backwards.
struct Lane {
    partition: PartitionId,
    /// Everything up to here was not read yet.
    unread: u64,
    /// The newest first.
    waiting: VecDeque<Arc<Recorded>>,
}

/// At most so many decisions that pass, up to those that `before` stands behind.
pub(super) async fn newest(
    feed: &Feed,
    before: &Cursor,
    filter: &Filter,
    max: usize,
) -> Result<Found, Problem> {
    let lane = |Position { partition, seq }| Lane { partition, unread: seq, waiting: VecDeque::new() };
    let mut lanes: Vec<Lane> = before.places().into_iter().map(lane).collect();
    let piece = (LOOKS_MAX / lanes.len().max(1)) as u64;
    let piece = piece.clamp(PIECE_MIN, PIECE_MAX);
    let (mut decisions, mut looks) = (Vec::new(), 0);
    while decisions.len() < max && looks < LOOKS_MAX {
        for lane in lanes.iter_mut().filter(|lane| lane.waiting.is_empty() && lane.unread > 0) {
            lane.read(feed, piece).await?;
        }
        let newest = lanes.iter_mut().max_by_key(|lane| lane.head());
        let Some(decision) = newest.and_then(|lane| lane.waiting.pop_front()) else { break };
        looks += 1;
        if filter.passes(&decision.decision) {
            decisions.push(decision);
        }
    }
    let places: Vec<u64> = lanes.iter().map(Lane::left).collect();
    let is_more = places.iter().any(|seq| *seq > 0);
    let older = match before {
        Cursor::Ledger(_) => Cursor::Ledger(places),
        Cursor::Partition(Position { partition, .. }) => {
            Cursor::Partition(Position::new(*partition, places.first().copied().unwrap_or(0)))
        }
    };
    let is_cut = looks >= LOOKS_MAX && decisions.len() < max;
    Ok(Found { decisions, older: is_more.then_some(older), is_cut })
}

impl Lane {
    /// What it is merged by; a lane without anything comes last.
    fn head(&self) -> Option<(stockledger_schemas::Timestamp, PartitionId)> {
        self.waiting.front().map(|head| (head.decision.recorded_at, head.position.partition))
    }

    /// The last decision that was not taken.
    fn left(&self) -> u64 {
        self.waiting.front().map_or(self.unread, |head| head.position.seq)
    }

    async fn read(&mut self, feed: &Feed, piece: u64) -> Result<(), Problem> {
        let begin = self.unread.saturating_sub(piece);
        let after = Cursor::Partition(Position::new(self.partition, begin));
        let looks = usize::try_from(self.unread - begin).unwrap_or(usize::MAX);
        let batch = feed.reader(after, Filter::default()).take(looks, looks).await?;
        self.waiting.extend(batch.decisions.into_iter().rev());
        self.unread = begin;
        Ok(())
    }
}
