//! Making, dropping and activating versions.

use std::sync::Arc;

use stockledger_projections::read::VersionState;
use stockledger_projections::store::Error;
use stockledger_projections::table::code_hash;
use stockledger_projections::value::Value;
use stockledger_projections::{Activation, Version};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::Timestamp;

use super::commit::is_behind;
use super::tables::{ACTIVE, Part, Row, Rows, State, VERSIONS};

/// The columns of a version that are written here.
const STATE: usize = 1;
const CODE_HASH: usize = 2;
/// The columns of the pointer.
const ACTIVE_VERSION: usize = 1;
const HIGHEST: usize = 2;

/// The number of a row in a column that holds nothing else.
pub(super) fn int(row: &[Value], column: usize) -> i64 {
    match &row[column] {
        Value::Int(number) => *number,
        other => panic!("column {column} of {row:?} is {other}, not a number"),
    }
}

/// The row with one column changed.
fn with(row: &Row, column: usize, value: Value) -> Row {
    let mut values = row.to_vec();
    values[column] = value;
    values.into()
}

pub(super) fn all(state: &State) -> Vec<Version> {
    state.versions.under(&[]).map(|row| version_in(row, 0)).collect()
}

pub(super) fn active(state: &State) -> Option<Version> {
    let version = version_in(pointer(state), ACTIVE_VERSION);
    (version.0 > 0).then_some(version)
}

fn version_in(row: &[Value], column: usize) -> Version {
    let number = int(row, column);
    Version(u32::try_from(number).unwrap_or_else(|_| panic!("{number} is not a version")))
}

fn pointer(state: &State) -> &Row {
    state.active.get(&[Part::int(1)]).unwrap_or_else(|| panic!("{} has lost its row", ACTIVE.name))
}

pub(super) fn is_there(state: &State, version: Version) -> bool {
    state.versions.get(&[Part::int(version.0)]).is_some()
}

pub(super) fn create(state: &mut State, version: Version, created_at: Timestamp) -> Result<(), Error> {
    let expected = code_hash();
    match state.versions.get(&[Part::int(version.0)]) {
        Some(row) if row[CODE_HASH] != Value::Text(expected.to_string()) => {
            let Value::Text(found) = row[CODE_HASH].clone() else {
                panic!("{} holds {row:?}", VERSIONS.name)
            };
            return Err(Error::OtherCode { version, expected, found });
        }
        Some(_) => {}
        None => {
            let row = [
                version.into(),
                Value::from(&VersionState::Building.as_str()),
                Value::Text(expected.to_string()),
                created_at.micros().into(),
                Value::from(&""),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
            ];
            Arc::make_mut(&mut state.versions).set(row.into());
        }
    }
    state.create_tables(version);
    if int(pointer(state), HIGHEST) < i64::from(version.0) {
        let noted = with(pointer(state), HIGHEST, version.into());
        Arc::make_mut(&mut state.active).set(noted);
    }
    Ok(())
}

pub(super) fn drop(state: &mut State, version: Version) -> Result<(), Error> {
    if active(state) == Some(version) {
        return Err(Error::InUse(version));
    }
    let key = [Part::int(version.0)];
    Arc::make_mut(&mut state.checkpoints).remove_under(&key);
    Arc::make_mut(&mut state.versions).remove_under(&key);
    state.drop_tables(version);
    Ok(())
}

pub(super) fn activate(
    state: &mut State,
    expected: Option<Version>,
    next: Version,
) -> Result<Activation, Error> {
    if active(state) != expected {
        return Ok(Activation::Superseded);
    }
    if !is_there(state, next) {
        return Err(Error::NoSuchVersion(next));
    }
    let is_compared = keeps(Rule::SwitchNeverGoesBack);
    if is_compared && is_behind(state, expected, next) {
        return Ok(Activation::Behind);
    }
    let moved = with(pointer(state), ACTIVE_VERSION, next.into());
    Arc::make_mut(&mut state.active).set(moved);
    let versions = Arc::make_mut(&mut state.versions);
    if let Some(expected) = expected {
        set_state(versions, expected, VersionState::Retired);
    }
    set_state(versions, next, VersionState::Active);
    Ok(Activation::Activated)
}

fn set_state(versions: &mut Rows, version: Version, state: VersionState) {
    let changed =
        versions.get(&[Part::int(version.0)]).map(|row| with(row, STATE, Value::from(&state.as_str())));
    if let Some(row) = changed {
        versions.set(row);
    }
}
