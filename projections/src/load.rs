//! Loading one partition of a version that nobody reads yet, as fast as the database takes rows.
//!
//! State is folded in memory and written once, at the end; history streams to the database in the order of the log while
//! the next records are read and folded. So the checkpoint of a partition that is being loaded covers its history only
//! (`is_loaded` is false). A load that was killed is resumed by folding from the first record again, which costs little,
//! and by writing only the history that is not there yet.
//!
//! ```text
//! log --> read, admit, fold --pieces, at most PIECES_MAX--> commit      (both at once)
//!                   '--> state in memory ------------at the end--> commit, is_loaded = true
//! ```
//!
//! Memory is bounded by the pieces under way and by the state that is kept: of an order that is known no more than its
//! key and a few numbers, up to `view::ORDERS_KNOWN_MAX` a partition. Beyond that the load
//! ends early, whole as it is, and whoever called goes on as a follower does, which forgets and looks up.

use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::State;
use stockledger_log::{Log, Reader};
use stockledger_schemas::{PartitionId, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::follower::{Advance, Source, admit_all, begin_partition, blocking, fold_all, write};
use crate::level::check_end;
use crate::read;
use crate::stop::{Halted, Stop};
use crate::table::Version;
use crate::verify::verify;
use crate::view::{Scope, View};

/// Most records of one read.
const READ_RECORDS_MAX: usize = 1_024;
/// A piece is closed once it covers so many records.
const PIECE_RECORDS_MAX: u64 = 4_096;
/// Most rows of one commit.
const COMMIT_ROWS_MAX: usize = 20_000;
/// Pieces that wait to be committed; one more is being made and one is being committed.
const PIECES_MAX: usize = 2;
/// How long one read waits for records that are known to be there.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is to be loaded.
pub(crate) struct Load {
    pub(crate) source: Source,
    pub(crate) version: Version,
    pub(crate) partition: PartitionId,
    /// The offset to end before; the log was seen to be so long.
    pub(crate) until: u64,
    pub(crate) scope: Scope,
}

/// Part of a load on its way to the database.
struct Piece {
    changes: Changes,
    next: Checkpoint,
    advance: Advance,
}

impl Load {
    /// Loads the partition unless it is loaded; `on_piece` is told after every commit. Ends early if it is cancelled.
    pub(crate) async fn run(self, mut on_piece: impl FnMut(&Checkpoint, Advance) + Send) -> Result<(), Stop> {
        let Self { source, version, partition, .. } = &self;
        let mut snapshot = source.store.snapshot().await?;
        let found = read::checkpoint(&mut *snapshot, *version, *partition).await?;
        drop(snapshot);
        let begin = verify(&*source.log, *partition, found.as_ref()).await?;
        let written = match found {
            Some(checkpoint) if checkpoint.is_loaded => return Ok(()),
            Some(checkpoint) => checkpoint,
            None => {
                let first = Checkpoint { is_loaded: false, ..Checkpoint::of(&begin, None, 0) };
                begin_partition(&*source.store, *version, first).await?
            }
        };
        let (pieces, mut ready) = mpsc::channel::<Piece>(PIECES_MAX);
        let folding = Folding::begin(&self, begin, written.next_offset).await?.run(pieces);
        // If this fails nobody takes pieces any more, and folding ends with it.
        let committing = async move {
            let mut at = written.next_offset;
            while let Some(piece) = ready.recv().await {
                write(source, *version, at, &piece.next, &piece.changes).await?;
                at = piece.next.next_offset;
                on_piece(&piece.next, piece.advance);
                if source.cancel.is_cancelled() {
                    break;
                }
            }
            Ok::<(), Stop>(())
        };
        let (folded, committed) = futures_util::join!(folding, committing);
        committed.and(folded)
    }
}

/// The reading and folding half of a load.
pub(crate) struct Folding {
    log: Arc<dyn Log>,
    cancel: CancellationToken,
    partition: PartitionId,
    /// The offset to end before.
    until: u64,
    reader: Box<dyn Reader>,
    state: State,
    view: View,
    recorded_at: Option<Timestamp>,
    digest: u64,
    /// History below this offset is in the tables already.
    written: u64,
}

impl Folding {
    /// Begins behind the genesis record, whose state is `begin`.
    pub(crate) async fn begin(load: &Load, begin: State, written: u64) -> Result<Self, Stop> {
        let Load { source, partition, until, scope, .. } = load;
        Ok(Self {
            log: Arc::clone(&source.log),
            cancel: source.cancel.clone(),
            partition: *partition,
            until: *until,
            reader: source.log.reader(partition.0, begin.next_offset).await?,
            state: begin,
            view: View::for_load(*partition, *scope),
            recorded_at: None,
            digest: 0,
            written,
        })
    }

    /// Whether there is more to fold and memory to fold it in. What is written already is folded in any case: a checkpoint
    /// never goes back.
    pub(crate) fn goes_on(&self) -> bool {
        let is_below = self.state.next_offset < self.written;
        let has_room = is_below || (self.state.next_offset < self.until && !self.view.is_full());
        has_room && !self.cancel.is_cancelled()
    }

    /// Ends early, without error, when nobody takes pieces any more: whoever does not says why.
    async fn run(mut self, pieces: mpsc::Sender<Piece>) -> Result<(), Stop> {
        while self.goes_on() {
            let advance = self.fold_some().await?;
            let is_written = self.state.next_offset <= self.written;
            let changes = self.take_settled().await?;
            // What an earlier attempt took up to there stands in the tables, since a piece ends where that ended.
            if !is_written && self.send(&pieces, changes, advance, false).await.is_err() {
                return Ok(());
            }
        }
        if self.cancel.is_cancelled() { Ok(()) } else { self.finish(&pieces).await }
    }

    /// What no later step changes any more, as far as it is told apart.
    pub(crate) async fn take_settled(&mut self) -> Result<Changes, Stop> {
        let may_take_open = self.state.next_offset > self.written;
        self.take(move |view| view.take_settled(may_take_open)).await
    }

    /// Everything that is left.
    async fn take_rest(&mut self) -> Result<Changes, Stop> {
        self.take(View::take_changes).await
    }

    /// Hashing and sorting many rows takes too long for a thread that others wait for.
    async fn take(
        &mut self,
        take: impl FnOnce(&mut View) -> Changes + Send + 'static,
    ) -> Result<Changes, Stop> {
        let mut view = self.lend_view();
        let (view, changes) = blocking(move || {
            let changes = take(&mut view);
            (view, changes)
        })
        .await?;
        self.view = view;
        self.digest = self.digest.wrapping_add(changes.digest);
        Ok(changes)
    }

    fn lend_view(&mut self) -> View {
        std::mem::replace(&mut self.view, View::new(self.partition))
    }

    /// The checkpoint of what is folded so far.
    pub(crate) fn checkpoint(&self, is_loaded: bool) -> Checkpoint {
        Checkpoint { is_loaded, ..Checkpoint::of(&self.state, self.recorded_at, self.digest) }
    }

    /// Writes the state that is still in memory, piece by piece; with the last one the partition is loaded.
    async fn finish(&mut self, pieces: &mpsc::Sender<Piece>) -> Result<(), Stop> {
        let mut rest = self.take_rest().await?.split(COMMIT_ROWS_MAX);
        let last = rest.pop().unwrap_or_default();
        for changes in rest {
            if self.send(pieces, changes, Advance::default(), false).await.is_err() {
                return Ok(());
            }
        }
        // Whether anybody takes it is for the other half to say.
        let _ = self.send(pieces, last, Advance::default(), true).await;
        Ok(())
    }

    async fn send(
        &mut self,
        pieces: &mpsc::Sender<Piece>,
        changes: Changes,
        advance: Advance,
        is_loaded: bool,
    ) -> Result<(), mpsc::error::SendError<Piece>> {
        let next = self.checkpoint(is_loaded);
        pieces.send(Piece { changes, next, advance }).await
    }

    /// Reads, admits and folds the records of one piece. A piece never reaches over what is written already.
    pub(crate) async fn fold_some(&mut self) -> Result<Advance, Stop> {
        let mut advance = Advance::default();
        let first = self.state.next_offset;
        let boundary = if first < self.written { self.written } else { self.until };
        let until = boundary.min(first + PIECE_RECORDS_MAX);
        while self.state.next_offset < until && self.view.settled_rows() < COMMIT_ROWS_MAX {
            let wanted = until - self.state.next_offset;
            let max = usize::try_from(wanted).unwrap_or(usize::MAX).min(READ_RECORDS_MAX);
            let records = self.reader.next(max, PATIENCE).await?;
            if records.is_empty() {
                check_end(&*self.log, self.partition, self.until).await?;
                if self.cancel.is_cancelled() {
                    break;
                }
                continue;
            }
            let from = self.state;
            let view = self.lend_view();
            let (view, admitted, folded) = blocking(move || {
                let admitted = admit_all(from, &records);
                let (view, folded) = fold_all(view, &admitted.decisions);
                (view, admitted, folded)
            })
            .await?;
            let partition = self.partition;
            if let Err((offset, impossible)) = folded {
                return Err(Stop::Halted(Halted::Impossible { partition, offset, impossible }));
            }
            if let Some(halt) = admitted.halt {
                return Err(Stop::Halted(Halted::Broken(halt)));
            }
            self.view = view;
            self.state = admitted.state;
            for (_, decision) in &admitted.decisions {
                advance.decisions += 1;
                advance.events += decision.event_count();
                self.recorded_at = Some(decision.recorded_at);
            }
        }
        Ok(advance)
    }
}
