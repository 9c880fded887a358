//! How far one partition of one version is: the reader's state after the last record whose rows are written.

use stockledger_chain::State;
use stockledger_schemas::{Hash, PartitionId, Position, Timestamp};

use crate::store::Error;
use crate::value::{Cell, Fields};

/// A row of `projection_checkpoints`, without its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The partition.
    pub partition: PartitionId,
    /// The offset of the next record.
    pub next_offset: u64,
    /// The current term.
    pub term: u64,
    /// The last valid decision.
    pub seq: u64,
    /// The chain up to the last valid record.
    pub hash: Hash,
    /// The chain before the last valid record, by which that record is recognised again.
    pub before: Hash,
    /// How far ahead a void decision may stand.
    pub reach: u64,
    /// The offset of the last valid record.
    pub last_valid_offset: u64,
    /// The identity of the partition's log.
    pub genesis: Hash,
    /// When the last valid decision was recorded; absent before the first.
    pub recorded_at: Option<Timestamp>,
}

/// The columns of a checkpoint, in the order of [`Checkpoint::cells`] and [`Checkpoint::read`].
pub(crate) const COLUMNS: &str =
    "partition_id, next_offset, term, seq, hash, before_hash, reach, last_valid_offset, genesis, recorded_at";

/// Moves a checkpoint, if it is where it is expected to be. Its parameters: [`Checkpoint::cells`], then the version, the
/// partition and the expected offset.
pub(crate) const ADVANCE: &str = "UPDATE projection_checkpoints SET partition_id = ?, next_offset = ?, term = ?, seq = ?, hash = ?, \
     before_hash = ?, reach = ?, last_valid_offset = ?, genesis = ?, recorded_at = ? \
     WHERE version = ? AND partition_id = ? AND next_offset = ?";

/// How many partitions are further in one version than in another; where the other was never begun it is at 0. Its
/// parameters: the other version, then the one that may be ahead.
pub(crate) const AHEAD: &str = "SELECT COUNT(*) FROM projection_checkpoints AS one \
     LEFT JOIN projection_checkpoints AS other ON other.version = ? AND other.partition_id = one.partition_id \
     WHERE one.version = ? AND one.next_offset > COALESCE(other.next_offset, 0)";

impl Checkpoint {
    /// The checkpoint of a reader's state.
    #[must_use]
    pub const fn of(state: &State, recorded_at: Option<Timestamp>) -> Self {
        Self {
            partition: state.partition,
            next_offset: state.next_offset,
            term: state.term,
            seq: state.seq,
            hash: state.hash,
            before: state.before,
            reach: state.reach,
            last_valid_offset: state.last_valid_offset,
            genesis: state.genesis,
            recorded_at,
        }
    }

    /// The reader's state at this checkpoint. `begin` is the state after the genesis record, which says the rest.
    #[must_use]
    pub const fn state(&self, begin: &State) -> State {
        State {
            term: self.term,
            seq: self.seq,
            hash: self.hash,
            before: self.before,
            next_offset: self.next_offset,
            reach: self.reach,
            last_valid_offset: self.last_valid_offset,
            ..*begin
        }
    }

    /// The position of the last decision that is included.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position::new(self.partition, self.seq)
    }

    /// The hashes as texts, which [`Checkpoint::cells`] borrows.
    pub(crate) fn hashes(&self) -> [String; 3] {
        [self.hash.to_string(), self.before.to_string(), self.genesis.to_string()]
    }

    /// The values of the row, in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a number is beyond what a table holds.
    pub(crate) fn cells<'a>(
        &self,
        [hash, before, genesis]: &'a [String; 3],
    ) -> Result<[Cell<'a>; 10], Error> {
        let beyond =
            |_| Error::Unreadable { expected: "a checkpoint within 63 bits", found: format!("{self:?}") };
        let int = |number: u64| i64::try_from(number).map(Cell::Int).map_err(beyond);
        Ok([
            Cell::Int(i64::from(self.partition.0)),
            int(self.next_offset)?,
            int(self.term)?,
            int(self.seq)?,
            Cell::from(hash),
            Cell::from(before),
            int(self.reach)?,
            int(self.last_valid_offset)?,
            Cell::from(genesis),
            self.recorded_at.map_or(Cell::Null, Cell::from),
        ])
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Error> {
        Ok(Self {
            partition: PartitionId(fields.number()?),
            next_offset: fields.number()?,
            term: fields.number()?,
            seq: fields.number()?,
            hash: fields.word("a hash", hash_of_hex)?,
            before: fields.word("a hash", hash_of_hex)?,
            reach: fields.number()?,
            last_valid_offset: fields.number()?,
            genesis: fields.word("a hash", hash_of_hex)?,
            recorded_at: fields.optional_time()?,
        })
    }
}

fn hash_of_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Hash(hash))
}
