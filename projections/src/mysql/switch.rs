//! Which version is active: moving the pointer, and marking a version for removal that it does not point at.
//!
//! Everybody locks in the same order: the pointer, the rows of the versions, the checkpoints.

use sqlx::mysql::MySqlConnection;

use super::attempts::{Attempts, Failure, commit, limited};
use super::connections::Connections;
use super::failure::failed;
use super::lease::Lease;
use super::schema::REMOVING;
use super::statements::{execute, select_one};
use crate::checkpoint;
use crate::read::VersionState;
use crate::store::{Activation, Error};
use crate::table::Version;
use crate::value::{Cell, Value};

const ACTIVATE: &str = "activate a version";
const DROP: &str = "drop a version";

/// Makes `next` the active version, as [`Store::activate`](crate::Store::activate) says.
pub(super) async fn activate(
    writers: &Connections,
    expected: Option<Version>,
    next: Version,
) -> Result<Activation, Error> {
    let mut attempts = Attempts::none();
    loop {
        let mut connection = writers.begin(ACTIVATE).await?;
        match limited(ACTIVATE, try_activate(&mut connection, expected, next)).await {
            Ok(Some(Activation::Superseded)) if attempts.may_be_done() => {
                let active = active(&mut connection).await.map_err(failed(ACTIVATE))?;
                let is_ours = active == Some(Value::from(next.0));
                return Ok(if is_ours { Activation::Activated } else { Activation::Superseded });
            }
            Ok(activation) => {
                connection.settle();
                return activation.ok_or(Error::NoSuchVersion(next));
            }
            Err(failure) => attempts.after(connection, failure).await?,
        }
    }
}

/// Nothing if there is no such version.
async fn try_activate(
    connection: &mut Lease,
    expected: Option<Version>,
    next: Version,
) -> Result<Option<Activation>, Failure> {
    let failed = Failure::before_commit(ACTIVATE);
    let sql = "UPDATE projection_active SET version = ? WHERE id = 1 AND version = ?";
    let before = expected.map_or(Cell::Int(0), Cell::from);
    if execute(connection, sql, &[next.into(), before]).await.map_err(&failed)? != 1 {
        return Ok(Some(Activation::Superseded));
    }
    let [active, retired] =
        [VersionState::Active, VersionState::Retired].map(|state| Cell::Text(state.as_str()));
    let sql = "UPDATE projection_versions SET state = ? WHERE version = ?";
    execute(connection, sql, &[retired, before]).await.map_err(&failed)?;
    let sql = "UPDATE projection_versions SET state = ? WHERE version = ? AND code_hash <> ?";
    if execute(connection, sql, &[active, next.into(), Cell::Text(REMOVING)]).await.map_err(&failed)? != 1 {
        return Ok(None);
    }
    let expected = expected.unwrap_or(Version::NONE);
    if is_behind(connection, expected, next).await.map_err(&failed)? {
        return Ok(Some(Activation::Behind));
    }
    commit(connection, ACTIVATE).await.map(|()| Some(Activation::Activated))
}

/// Whether a partition is further in one version than in another, or not wholly there in the other. Until the transaction ends nobody moves either; to begin
/// a partition takes the row of its version, which is locked before.
async fn is_behind(
    connection: &mut MySqlConnection,
    one: Version,
    other: Version,
) -> Result<bool, sqlx::Error> {
    let sql = format!("{} FOR UPDATE", checkpoint::AHEAD);
    let ahead = select_one(connection, sql, &[Value::from(other), Value::from(one)]).await?;
    let sql = format!("{} FOR UPDATE", checkpoint::UNLOADED);
    let unloaded = select_one(connection, sql, &[Value::from(other)]).await?;
    Ok([ahead, unloaded].map(|row| row.map(|mut fields| fields.value()))
        != [Some(Value::Int(0)), Some(Value::Int(0))])
}

async fn active(connection: &mut MySqlConnection) -> Result<Option<Value>, sqlx::Error> {
    let row = select_one(connection, "SELECT version FROM projection_active WHERE id = 1 FOR UPDATE", &[]);
    Ok(row.await?.map(|mut fields| fields.value()))
}

/// Marks a version as one that is being removed; its checkpoints go with the mark. Marking it twice is marking it once.
pub(super) async fn mark_for_removal(writers: &Connections, version: Version) -> Result<(), Error> {
    let mut attempts = Attempts::none();
    loop {
        let mut connection = writers.begin(DROP).await?;
        match limited(DROP, try_mark(&mut connection, version)).await {
            Ok(is_marked) => {
                connection.settle();
                return if is_marked { Ok(()) } else { Err(Error::InUse(version)) };
            }
            Err(failure) => attempts.after(connection, failure).await?,
        }
    }
}

/// Says whether it did; a version that is in use is left alone.
async fn try_mark(connection: &mut Lease, version: Version) -> Result<bool, Failure> {
    let failed = Failure::before_commit(DROP);
    if active(connection).await.map_err(&failed)? == Some(Value::from(version.0)) {
        return Ok(false);
    }
    let sql = "UPDATE projection_versions SET code_hash = ? WHERE version = ?";
    execute(connection, sql, &[Cell::Text(REMOVING), version.into()]).await.map_err(&failed)?;
    let sql = "DELETE FROM projection_checkpoints WHERE version = ?";
    execute(connection, sql, &[version.into()]).await.map_err(&failed)?;
    commit(connection, DROP).await.map(|()| true)
}
