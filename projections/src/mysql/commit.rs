//! One batch in one transaction, exactly once, whatever happens to the connection.
//!
//! The checkpoint is advanced first: that locks its row, so a second projector waits there and then finds it moved. The
//! same lock settles an unknown outcome, as `attempts` says.

use std::ops::Range;

use sqlx::mysql::{MySqlArguments, MySqlConnection};

use super::attempts::{self, Attempts, Failure, limited};
use super::connections::Connections;
use super::failure::failed;
use super::lease::Lease;
use super::statements::{arguments, execute, run, select_one};
use crate::changes::Changes;
use crate::checkpoint::{self, Checkpoint};
use crate::dialect::{Dialect, Mode, SHAPES, shapes};
use crate::store::{Commit, Error};
use crate::table::Version;
use crate::value::{Cell, Rows, Value};

/// About how long a statement may be: what one record of TLS carries. The driver writes record by record and leaves
/// Nagle's algorithm on, so that a second record would wait until the server's delayed acknowledgement of the first.
const STATEMENT_BYTES: usize = 16_000;

const COMMIT: &str = "commit a batch";

/// What is to be written.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) version: Version,
    pub(super) expected_next_offset: u64,
    pub(super) next: &'a Checkpoint,
    pub(super) changes: &'a Changes,
}

/// Writes a batch. After a deadlock, a lock that was not given in time or a lost connection all of it is tried again.
pub(super) async fn commit(writers: &Connections, batch: Batch<'_>) -> Result<Commit, Error> {
    let hashes = batch.next.hashes();
    let cells = batch.next.cells(&hashes)?;
    let Some(advance) = checkpoint::advance_parameters(cells, batch.version, batch.expected_next_offset)
    else {
        return Ok(Commit::Superseded);
    };
    let mut attempts = Attempts::none();
    loop {
        let mut connection = writers.begin(COMMIT).await?;
        match limited(COMMIT, transact(&mut connection, batch, &advance)).await {
            Ok(Commit::Superseded) if attempts.may_be_done() => {
                return who_was_it(&mut connection, batch).await;
            }
            Ok(outcome) => {
                connection.settle();
                return Ok(outcome);
            }
            Err(failure) => attempts.after(connection, failure).await?,
        }
    }
}

/// Who moved the checkpoint while the reply to our COMMIT was lost. All of it is compared, its hash included: a checkpoint
/// that is as this batch leaves it came with the rows of this batch.
async fn who_was_it(connection: &mut MySqlConnection, batch: Batch<'_>) -> Result<Commit, Error> {
    let columns = checkpoint::COLUMNS;
    let sql = format!("SELECT {columns} FROM projection_checkpoints WHERE version = ? AND partition_id = ?");
    let key = [Value::from(batch.version), batch.next.partition.into()];
    let found = select_one(connection, sql, &key).await.map_err(failed("read a checkpoint"))?;
    let found = found.map(|mut fields| Checkpoint::read(&mut fields)).transpose()?;
    Ok(if found.as_ref() == Some(batch.next) { Commit::Committed } else { Commit::Superseded })
}

/// Whether the checkpoint is where it was expected to be and did not move all the same.
async fn is_held(connection: &mut MySqlConnection, batch: Batch<'_>) -> Result<bool, sqlx::Error> {
    let key = [
        Value::from(batch.version),
        batch.next.partition.into(),
        Value::from(batch.expected_next_offset),
        Value::from(batch.next.next_offset),
    ];
    let count = select_one(connection, Dialect::Mysql.at_now(checkpoint::IS_HELD), &key).await?;
    Ok(count.is_some_and(|mut fields| fields.value() != Value::Int(0)))
}

/// Everything between BEGIN and COMMIT, and COMMIT.
async fn transact(connection: &mut Lease, batch: Batch<'_>, advance: &[Cell<'_>]) -> Result<Commit, Failure> {
    let Batch { version, changes, .. } = batch;
    let failed = Failure::before_commit("advance a checkpoint");
    if execute(connection, checkpoint::advance(Dialect::Mysql), advance).await.map_err(&failed)? != 1 {
        let held = is_held(connection, batch).await.map_err(&failed)?;
        return Ok(if held { Commit::Held } else { Commit::Superseded });
    }
    for (mode, rows) in changes.writes() {
        let written = write_rows(connection, version, mode, rows).await;
        written.map_err(Failure::before_commit(rows.table().name))?;
    }
    attempts::commit(connection, COMMIT).await.map(|()| Commit::Committed)
}

/// Writes rows piece by piece; while the server works on one, the next is made ready.
async fn write_rows(
    connection: &mut MySqlConnection,
    version: Version,
    mode: Mode,
    rows: &dyn Rows,
) -> Result<(), sqlx::Error> {
    let mut statements = shapes(rows.count()).flat_map(|range| statements(version, mode, rows, range));
    let mut ready = statements.next().transpose()?;
    while let Some((sql, arguments)) = ready {
        let (done, next) = futures_util::join!(run(connection, sql, arguments), async { statements.next() });
        done?;
        ready = next.transpose()?;
    }
    Ok(())
}

type Statement = Result<(String, MySqlArguments), sqlx::Error>;

/// One statement for a piece, or several smaller ones of the same shape.
fn statements(version: Version, mode: Mode, rows: &dyn Rows, range: Range<usize>) -> Vec<Statement> {
    let count = range.len();
    let mut cells = Vec::new();
    rows.cells(range, &mut cells);
    let shape = fitting_shape(count, cells.iter().map(wire_bytes).sum());
    let statement = |cells: &[Cell<'_>]| {
        let sql = Dialect::Mysql.write(mode, rows.table(), version, shape);
        arguments(cells).map(|arguments| (sql, arguments))
    };
    cells.chunks(shape * rows.table().columns.len()).map(statement).collect()
}

/// The widest shape of which statements have about [`STATEMENT_BYTES`] at most, given how long all the rows are together.
fn fitting_shape(count: usize, bytes: usize) -> usize {
    let fits = |shape: &usize| *shape <= count && bytes / count * shape <= STATEMENT_BYTES;
    SHAPES.into_iter().find(fits).unwrap_or(1)
}

/// What a value takes in a packet: its type, and eight bytes or its length and text.
fn wire_bytes(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Null => 2,
        Cell::Int(_) => 2 + 8,
        Cell::Text(text) => 2 + 3 + text.len(),
    }
}
