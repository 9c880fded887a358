//! What people ask the read tables. Every answer is of one moment: pointer, checkpoint and rows are read in one snapshot.
//!
//! The SQL is portable and stands beside the function that needs it; `{stock}` stands for that table in the active
//! version. Before anything was projected every answer is that of an empty ledger.
//!
//! What is absent on purpose: no rule of business, no cursor encoding, no limit of its own.

mod directory;
mod explain;
mod levels;
mod movements;
mod occurred;
mod orders;
mod past;
mod past_orders;
mod period;
mod statement;
mod stock;
mod summary;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use stockledger_schemas::{PartitionId, Position, SiteId};

pub use self::explain::{NEWEST_MAX, RESERVATIONS_MAX};
pub use self::levels::{Balance, LevelKey, LevelQuery};
pub use self::movements::{Direction, MOVEMENTS_LOOKED_AT_MAX, MovementFilter, MovementKey};
pub use self::orders::{ORDERS_LOOKED_AT_MAX, OrderFilter};
pub use self::past::{Axis, Point, Then};
pub use self::period::Period;
pub use self::summary::{DESCRIBED_MAX, SiteStock};
pub use self::wait::Waited;
use crate::progress::{Activity, Progress};
use crate::read;
use crate::store::{Error, Select, Snapshot, Store};
use crate::table::{Version, at_version};
use crate::value::{Fields, Value};
use crate::views::{Answer, AsOf, Page, Stale};

/// What every query returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The query side; clones are cheap and share what is remembered.
#[derive(Clone)]
pub struct Queries {
    store: Arc<dyn Store>,
    progress: Option<Progress>,
    /// A site never moves, so where it lives is remembered for ever.
    homes: Arc<RwLock<HashMap<SiteId, PartitionId>>>,
}

impl Queries {
    /// Queries over a store. With the `progress` of a projector in this process, waiting for a position needs no polling.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, progress: Option<Progress>) -> Self {
        Self { store, progress, homes: Arc::default() }
    }

    /// How far every partition of the active version is, by partition.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn positions(&self) -> Result<Vec<AsOf>> {
        let mut snapshot = self.store.snapshot().await?;
        let Some(version) = read::active(&mut *snapshot).await? else { return Ok(Vec::new()) };
        self.reached(&mut *snapshot, version).await
    }

    /// How far every partition of a version is, by partition.
    async fn reached(&self, snapshot: &mut dyn Snapshot, version: Version) -> Result<Vec<AsOf>> {
        let checkpoints = read::checkpoints(snapshot, version).await?;
        let halts = read::halts(snapshot, version).await?;
        let as_of = |checkpoint: &crate::Checkpoint| {
            let noted = halts.iter().find(|(partition, _)| *partition == checkpoint.partition);
            AsOf {
                position: checkpoint.position(),
                as_of: checkpoint.recorded_at,
                stale: self.stale(version, checkpoint.partition, noted.map(|(_, reason)| reason.as_str())),
            }
        };
        Ok(checkpoints.iter().map(as_of).collect())
    }

    /// Why the tables of a partition do not go on, if they do not: as the projector of this process says, or as one of
    /// whatever process has `noted` in the store. While this one waits for the log or tries again, the tables may be behind.
    fn stale(&self, version: Version, partition: PartitionId, noted: Option<&str>) -> Option<Stale> {
        let here = self.progress.as_ref().and_then(|progress| progress.of(partition));
        // Right after a switch it may still tell of the version before.
        let here = here.filter(|status| status.version == version);
        match here.map(|status| status.activity) {
            Some(Activity::Halted { reason }) => Some(Stale { reason, is_halted: true }),
            Some(Activity::Retrying { reason }) if noted.is_none() => {
                Some(Stale { reason, is_halted: false })
            }
            _ => noted.map(|reason| Stale { reason: reason.into(), is_halted: true }),
        }
    }

    /// All versions of the tables, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn versions(&self) -> Result<Vec<read::VersionInfo>> {
        let mut snapshot = self.store.snapshot().await?;
        read::versions(&mut *snapshot).await
    }

    /// The active version at one moment, as far as one partition of it is.
    async fn moment(&self, partition: PartitionId) -> Result<Option<Moment>> {
        let mut snapshot = self.store.snapshot().await?;
        let sql = "SELECT a.version, c.seq, c.recorded_at, c.halt_reason FROM projection_active a \
                   LEFT JOIN projection_checkpoints c ON c.version = a.version AND c.partition_id = ? \
                   WHERE a.id = 1 AND a.version > 0";
        let select = Select { sql: sql.to_owned(), parameters: vec![partition.into()] };
        let Some(mut fields) = snapshot.select(select).await?.pop() else { return Ok(None) };
        let version = Version(fields.number()?);
        let seq = match fields.optional_int()? {
            Some(seq) => seq_of(seq)?,
            None => 0,
        };
        let position = Position::new(partition, seq);
        let as_of = fields.optional_time()?;
        let noted: Option<String> = fields.optional_text()?;
        let at = AsOf { position, as_of, stale: self.stale(version, partition, noted.as_deref()) };
        Ok(Some(Moment { snapshot, version, at, newest: seq }))
    }

    fn home(&self, site: &SiteId) -> Option<PartitionId> {
        self.homes.read().unwrap_or_else(PoisonError::into_inner).get(site).copied()
    }

    fn remember_home(&self, site: SiteId, partition: PartitionId) {
        self.homes.write().unwrap_or_else(PoisonError::into_inner).insert(site, partition);
    }
}

impl std::fmt::Debug for Queries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Queries").finish_non_exhaustive()
    }
}

/// The tables of one version at one moment.
struct Moment {
    snapshot: Box<dyn Snapshot>,
    version: Version,
    /// The state that answers show: the newest one, unless it was gone back from that.
    at: AsOf,
    /// The last decision that the tables include, of the partition that was asked about.
    newest: u64,
}

impl Moment {
    async fn select(&mut self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Fields>> {
        let sql = at_version(sql, self.version);
        debug_assert_eq!(sql.matches('?').count(), parameters.len());
        self.snapshot.select(Select { sql, parameters }).await
    }

    async fn select_one(&mut self, sql: &str, parameters: Vec<Value>) -> Result<Option<Fields>> {
        Ok(self.select(sql, parameters).await?.pop())
    }

    fn answer<T>(&self, value: T) -> Answer<T> {
        Answer { at: self.at.clone(), value }
    }

    const fn position(&self, seq: u64) -> Position {
        Position::new(self.at.position.partition, seq)
    }
}

/// The answer of a ledger of which nothing was projected yet.
const fn nothing_yet<T>(partition: PartitionId, value: T) -> Answer<T> {
    Answer { at: AsOf::beginning(partition), value }
}

/// One row more than a page holds, to see whether there is a next page.
const fn one_more(limit: u32) -> u32 {
    limit.saturating_add(1)
}

/// A page of what was found with [`one_more`].
fn page<T, K>(mut data: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Page<T, K> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = data.len() > limit;
    data.truncate(limit);
    let next = if has_more { data.last().map(key) } else { None };
    Page { data, next }
}

const fn no_page<T, K>() -> Page<T, K> {
    Page { data: Vec::new(), next: None }
}

fn seq_of(number: i64) -> Result<u64> {
    u64::try_from(number)
        .map_err(|_| Error::Unreadable { expected: "a sequence number", found: number.to_string() })
}
