//! A door for fuzzing (feature `fuzzing`): the parsers of what callers send, which nobody else outside needs.
//!
//! It holds no logic: what is fuzzed is what serves.

use axum::http::{HeaderMap, HeaderValue};
use stockledger_domain::Checked;
use stockledger_projections::views::AsOf;
use stockledger_projections::{LevelKey, MovementKey};
use stockledger_schemas::{IdempotencyKey, Position, SiteId, Sku};

use crate::http::bulk;
use crate::http::cursor::{self, Kept, Key};
use crate::http::headers::{self, IDEMPOTENCY_KEY, LEDGER_MIN_POSITION};
use crate::http::problem::Problem;
use crate::http::read;

/// The command of a line of bulk, whose body is read as that of the command's own route.
///
/// # Errors
/// The problem that its caller would be shown.
pub fn command(line: &[u8]) -> Result<(Checked, Option<IdempotencyKey>), Problem> {
    bulk::command_of(line)
}

/// The key that a header holds; nothing where no header can hold these bytes.
///
/// # Errors
/// As [`command`].
pub fn idempotency_key(value: &[u8]) -> Option<Result<IdempotencyKey, Problem>> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(headers::idempotency_key(&HeaderMap::from_iter([(IDEMPOTENCY_KEY, value)])))
}

/// The positions that a read is to wait for in a ledger of so many partitions; nothing where no header can hold these
/// bytes.
///
/// # Errors
/// As [`command`].
pub fn min_positions(value: &[u8], partitions: u16) -> Option<Result<Vec<Position>, Problem>> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(read::min_positions(&HeaderMap::from_iter([(LEDGER_MIN_POSITION, value)]), partitions))
}

/// The cursor that a list would give for this key, whatever the key is.
#[must_use]
pub fn sealed_cursor(list: &str, key: &str) -> String {
    cursor::sealed(list, key)
}

/// Reads a cursor as each kind of list would, and writes again what was read: those of our own making come out as they
/// were.
#[must_use]
pub fn cursors(list: &str, cursor: &str) -> Vec<String> {
    let again = [
        again::<SiteId>,
        again::<Sku>,
        again::<u64>,
        again::<MovementKey>,
        again::<Kept<AsOf, LevelKey<Sku>>>,
        again::<Kept<Vec<AsOf>, LevelKey<SiteId>>>,
    ];
    again.iter().filter_map(|again| again(list, cursor)).collect()
}

fn again<K: Key>(list: &str, cursor: &str) -> Option<String> {
    cursor::read::<K>(list, cursor).ok().map(|key| cursor::write(list, &key))
}
