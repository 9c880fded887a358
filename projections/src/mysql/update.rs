//! Changes of rows about versions, each in one transaction.

use super::attempts::{Attempts, Failure, commit, limited};
use super::connections::Connections;
use super::lease::Lease;
use super::statements::{arguments, run};
use crate::dialect::Dialect;
use crate::store::{Commit, Error, Statement};
use crate::value::{Cell, Value};

const UPDATE: &str = "change what is known of versions";

/// As [`Store::update`](crate::Store::update) says. Doing it twice is doing it once, so a lost reply to COMMIT is no matter.
pub(super) async fn update(
    writers: &Connections,
    guard: &Statement,
    rest: &[Statement],
) -> Result<Commit, Error> {
    let mut attempts = Attempts::none();
    loop {
        let mut connection = writers.begin(UPDATE).await?;
        match limited(UPDATE, try_update(&mut connection, guard, rest)).await {
            Ok(outcome) => {
                connection.settle();
                return Ok(outcome);
            }
            Err(failure) => attempts.after(connection, failure).await?,
        }
    }
}

async fn try_update(
    connection: &mut Lease,
    guard: &Statement,
    rest: &[Statement],
) -> Result<Commit, Failure> {
    let failed = Failure::before_commit(UPDATE);
    if run_statement(connection, guard).await.map_err(&failed)? == 0 {
        return Ok(Commit::Superseded);
    }
    for statement in rest {
        run_statement(connection, statement).await.map_err(&failed)?;
    }
    commit(connection, UPDATE).await.map(|()| Commit::Committed)
}

async fn run_statement(connection: &mut Lease, statement: &Statement) -> Result<u64, sqlx::Error> {
    let cells: Vec<Cell<'_>> = statement.parameters.iter().map(Value::cell).collect();
    run(connection, Dialect::Mysql.at_now(statement.sql), arguments(&cells)?).await
}
