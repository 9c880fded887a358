//! Checkpoints, and the rows that move with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use stockledger_projections::dialect::Mode;
use stockledger_projections::store::Error;
use stockledger_projections::table::Table;
use stockledger_projections::value::{self, Cell, Fields, Value};
use stockledger_projections::{Changes, Checkpoint, Commit, Version};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::PartitionId;

use super::tables::{Key, Name, Part, Row, State, key_of};
use super::unavailable;
use super::versions::{int, is_there};

/// The columns of a checkpoint that are looked at here.
const NEXT_OFFSET: usize = 2;
const IS_LOADED: usize = 12;
const HOLD_OFFSET: usize = 13;
const HOLD_UNTIL: usize = 14;

/// A move of one checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) version: Version,
    pub(super) expected_next_offset: u64,
    pub(super) next: &'a Checkpoint,
    pub(super) now: i64,
}

pub(super) fn found(state: &State, version: Version, partition: PartitionId) -> Option<Checkpoint> {
    let row = state.checkpoints.get(&key(version, partition))?;
    let mut fields = Fields::new(row[1..=IS_LOADED].to_vec());
    Some(Checkpoint::read(&mut fields).unwrap_or_else(|error| panic!("{row:?}: {error}")))
}

pub(super) fn begin(state: &mut State, version: Version, first: &Checkpoint) -> Result<Commit, Error> {
    if !is_there(state, version) {
        return Err(Error::NoSuchVersion(version));
    }
    let mut row = values(version, first)?;
    if state.checkpoints.get(&key(version, first.partition)).is_some() {
        return Ok(Commit::Superseded);
    }
    let never_held = [Value::Int(0), Value::Int(0)];
    row.extend(never_held.into_iter().chain([Value::Null]));
    Arc::make_mut(&mut state.checkpoints).set(row.into());
    Ok(Commit::Committed)
}

/// Moves the checkpoint and writes the rows, or does neither.
pub(super) fn commit(state: &mut State, step: Step<'_>, batches: &[Batch]) -> Result<Commit, Error> {
    let mut row = values(step.version, step.next)?;
    match from(state, step) {
        // A hold stays. What halted the partition is behind it.
        Ok(found) => row.extend(found[HOLD_OFFSET..=HOLD_UNTIL].iter().cloned().chain([Value::Null])),
        Err(other) => return Ok(other),
    }
    write(state, step.version, batches)?;
    Arc::make_mut(&mut state.checkpoints).set(row.into());
    Ok(Commit::Committed)
}

/// The row that a checkpoint moves from, or why it does not move.
fn from<'s>(state: &'s State, step: Step<'_>) -> Result<&'s Row, Commit> {
    let found = state.checkpoints.get(&key(step.version, step.next.partition));
    let row = found.filter(|row| is_expected(row, step)).ok_or(Commit::Superseded)?;
    // Beyond 63 bits there is no checkpoint to write.
    let to = i64::try_from(step.next.next_offset).unwrap_or(i64::MAX);
    let is_held = int(row, HOLD_UNTIL) >= step.now && int(row, HOLD_OFFSET) < to;
    // Only a partition that stands still can be compared and switched.
    if is_held && keeps(Rule::SwitchNeverGoesBack) {
        return Err(Commit::Held);
    }
    if int(row, IS_LOADED) > i64::from(step.next.is_loaded) {
        return Err(Commit::Superseded);
    }
    Ok(row)
}

fn is_expected(row: &Row, step: Step<'_>) -> bool {
    let is_there =
        || i64::try_from(step.expected_next_offset).is_ok_and(|offset| offset == int(row, NEXT_OFFSET));
    !keeps(Rule::CheckpointComparedFirst) || is_there()
}

/// Whether a partition is further in one version than in another, or not wholly there in the other.
pub(super) fn is_behind(state: &State, one: Option<Version>, other: Version) -> bool {
    let of = |version: Version| state.checkpoints.under(&[Part::int(version.0)]).map(|row| &**row).collect();
    let others: Vec<&[Value]> = of(other);
    let ahead: Vec<&[Value]> = one.map(of).unwrap_or_default();
    let next_offset = |partition: &Value| {
        let found = others.iter().find(|row| row[1] == *partition);
        found.map_or(0, |row| int(row, NEXT_OFFSET))
    };
    ahead.iter().any(|row| int(row, NEXT_OFFSET) > next_offset(&row[1]))
        || others.iter().any(|row| int(row, IS_LOADED) == 0)
}

fn key(version: Version, partition: PartitionId) -> [Part; 2] {
    [Part::int(version.0), Part::int(partition.0)]
}

/// The columns of a checkpoint up to those of a hold.
fn values(version: Version, checkpoint: &Checkpoint) -> Result<Vec<Value>, Error> {
    let hashes = checkpoint.hashes();
    let cells = checkpoint.cells(&hashes)?;
    Ok(std::iter::once(version.into()).chain(cells.into_iter().map(value)).collect())
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => Value::Int(number),
        Cell::Text(text) => Value::Text(text.to_owned()),
    }
}

/// Rows of one table that are to be written.
pub(super) struct Batch {
    table: &'static Table,
    mode: Mode,
    rows: Vec<Row>,
}

/// The rows of all tables, as [`Changes`] has them.
pub(super) fn batches(changes: &Changes) -> Vec<Batch> {
    let all = [
        batch(Mode::Insert, &changes.movements),
        batch(Mode::Insert, &changes.trail),
        batch(Mode::Insert, &changes.homes),
        batch(Mode::Upsert, &changes.sites),
        batch(Mode::Upsert, &changes.items),
        batch(Mode::Upsert, &changes.stock),
        batch(Mode::Upsert, &changes.orders),
    ];
    all.into_iter().filter(|batch| !batch.rows.is_empty()).collect()
}

fn batch<R: value::Row>(mode: Mode, rows: &[R]) -> Batch {
    let row = |row: &R| {
        let mut cells = Vec::with_capacity(R::TABLE.columns.len());
        row.cells(&mut cells);
        cells.into_iter().map(value).collect()
    };
    Batch { table: R::TABLE, mode, rows: rows.iter().map(row).collect() }
}

/// Writes all rows, or none.
pub(super) fn write(state: &mut State, version: Version, batches: &[Batch]) -> Result<(), Error> {
    for batch in batches {
        let rows = state.of(version, batch.table.name);
        let rows = rows.ok_or_else(|| unavailable(batch.table.name, "no such table"))?;
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        let mut is_new = |row: &Row| {
            let key = key_of(batch.table, row);
            rows.get(&key).is_none() && keys.insert(key)
        };
        let is_history = batch.mode == Mode::Insert && keeps(Rule::CheckpointComparedFirst);
        if is_history && !batch.rows.iter().all(&mut is_new) {
            let source = "a key is there already".into();
            return Err(Error::DuplicateRow { operation: batch.table.name, source });
        }
    }
    for batch in batches {
        if let Some(rows) = state.rows_mut(Name::Of(version, batch.table)) {
            batch.rows.iter().for_each(|row| rows.set(Row::clone(row)));
        }
    }
    Ok(())
}
