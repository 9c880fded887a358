//! How far one partition of one version is: the reader's state after the last record whose rows are written, and the
//! digest of all rows up to there.
//!
//! Beside these, a row of `projection_checkpoints` says whether somebody holds the partition at an offset (`hold_offset`
//! until `hold_until`, by the clock of the database), so that two versions can be brought to the same place while they are
//! compared and switched; and why the partition cannot be read past, if it cannot (`halt_reason`).

use stockledger_chain::State;
use stockledger_schemas::{Hash, PartitionId, Position, Timestamp};

use crate::dialect::Dialect;
use crate::store::Error;
use crate::table::Version;
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
    /// What the rows add up to ([`crate::digest`]); equal for equal rows, in whatever order and database they were written.
    pub digest: u64,
    /// Whether all rows up to here are written. While a version is loaded, its history is and its state is not yet.
    pub is_loaded: bool,
}

/// The columns of a checkpoint, in the order of [`Checkpoint::cells`] and [`Checkpoint::read`].
pub(crate) const COLUMNS: &str = "partition_id, next_offset, term, seq, hash, before_hash, reach, last_valid_offset, genesis, recorded_at, \
     digest, is_loaded";
/// How many columns that are.
const COLUMN_COUNT: usize = 12;

/// Makes the checkpoint of a partition. Its parameters: the version, then [`Checkpoint::cells`].
pub(crate) fn insert() -> String {
    let places = ",?".repeat(COLUMN_COUNT);
    format!("INSERT INTO projection_checkpoints (version, {COLUMNS}) VALUES (?{places})")
}

/// Moves a checkpoint, if it is where it is expected to be and not held before where it shall go; one that is loaded stays
/// loaded. What halted the
/// partition is behind it then. The parameters: [`advance_parameters`].
pub(crate) fn advance(dialect: Dialect) -> String {
    let set = COLUMNS.replace(',', " = ?,");
    format!(
        "UPDATE projection_checkpoints SET {set} = ?, halt_reason = NULL \
         WHERE version = ? AND partition_id = ? AND next_offset = ? AND (hold_until < {} OR hold_offset >= ?) \
         AND is_loaded <= ?",
        dialect.now_micros()
    )
}

/// The parameters of [`advance`]; nothing if no table can hold a checkpoint at `expected_next_offset`.
pub(crate) fn advance_parameters<'a>(
    cells: [Cell<'a>; COLUMN_COUNT],
    version: Version,
    expected_next_offset: u64,
) -> Option<Vec<Cell<'a>>> {
    let expected = i64::try_from(expected_next_offset).ok()?;
    let [partition, next_offset, .., is_loaded] = cells;
    let guard = [version.into(), partition, Cell::Int(expected), next_offset, is_loaded];
    Some(cells.into_iter().chain(guard).collect())
}

/// Whether it is a hold that kept a checkpoint where it was expected to be. Its parameters: the version, the partition, the
/// expected offset and the offset to go to.
pub(crate) const IS_HELD: &str = "SELECT COUNT(*) FROM projection_checkpoints WHERE version = ? AND partition_id = ? AND next_offset = ? AND hold_until >= {now} - 1000000 AND hold_offset < ?";

/// Remembers the highest version that there ever was, so that no number is used twice. Its parameters: the version, twice.
pub(crate) const NOTE_HIGHEST: &str = "UPDATE projection_active SET highest = ? WHERE id = 1 AND highest < ?";

/// How many partitions of a version have rows of state that are not written yet. Its parameter: the version.
pub(crate) const UNLOADED: &str =
    "SELECT COUNT(*) FROM projection_checkpoints WHERE version = ? AND is_loaded = 0";

/// How many partitions are further in one version than in another; where the other was never begun it is at 0. Its
/// parameters: the other version, then the one that may be ahead.
pub(crate) const AHEAD: &str = "SELECT COUNT(*) FROM projection_checkpoints AS one \
     LEFT JOIN projection_checkpoints AS other ON other.version = ? AND other.partition_id = one.partition_id \
     WHERE one.version = ? AND one.next_offset > COALESCE(other.next_offset, 0)";

impl Checkpoint {
    /// The checkpoint of a reader's state, with all rows up to there, which add up to `digest`.
    #[must_use]
    pub const fn of(state: &State, recorded_at: Option<Timestamp>, digest: u64) -> Self {
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
            digest,
            is_loaded: true,
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
    #[must_use]
    pub fn hashes(&self) -> [String; 3] {
        [self.hash.to_string(), self.before.to_string(), self.genesis.to_string()]
    }

    /// The values of the row: the members in their order, which is that of its columns.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a number is beyond what a table holds.
    pub fn cells<'a>(
        &self,
        [hash, before, genesis]: &'a [String; 3],
    ) -> Result<[Cell<'a>; COLUMN_COUNT], Error> {
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
            Cell::Int(self.digest.cast_signed()),
            Cell::Int(i64::from(self.is_loaded)),
        ])
    }

    /// The checkpoint in a row whose fields are as [`Checkpoint::cells`] makes them.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if a field is not what it must be.
    pub fn read(fields: &mut Fields) -> Result<Self, Error> {
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
            digest: fields.int()?.cast_unsigned(),
            is_loaded: fields.int()? != 0,
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
