//! What the projector and the operator read of a store: versions, checkpoints, and rows by key.

use stockledger_schemas::{PartitionId, SiteId, Timestamp};

use crate::checkpoint::{self, Checkpoint};
use crate::dialect::{names, shaped};
use crate::rows::{ItemRow, OrderRow, SiteRow, StockRow};
use crate::store::{Error, Select, Snapshot, Store};
use crate::table::{ITEMS, ORDERS, SITES, STOCK, Table, Version, code_hash};
use crate::value::{Fields, Value};
use crate::versions::{Filling, OWNER_SILENT_MAX};
use crate::view::Missing;

/// What is known of a version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VersionInfo {
    /// Which.
    pub version: Version,
    /// Where it stands.
    pub state: VersionState,
    /// The digest of the code that made it.
    pub code_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far its filling is; only while it is being built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filling: Option<Filling>,
    /// Whether somebody fills it at this moment.
    pub is_being_filled: bool,
}

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It is being filled; no query sees it.
    Building,
    /// It is whole and kept level; queries may be switched to it.
    Ready,
    /// Queries answer from it.
    Active,
    /// Queries answered from it before. It is kept level, so that they can be switched back to it.
    Retired,
}

impl VersionInfo {
    /// Whether this program's code made it.
    #[must_use]
    pub fn is_our_code(&self) -> bool {
        self.code_hash == code_hash().to_string()
    }
}

impl VersionState {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Building, Self::Ready, Self::Active, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// The version that queries answer from, if there is one.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn active(snapshot: &mut dyn Snapshot) -> Result<Option<Version>, Error> {
    let sql = "SELECT version FROM projection_active WHERE id = 1 AND version > 0";
    let select = Select { sql: sql.to_owned(), parameters: Vec::new() };
    let row = snapshot.select(select).await?.pop();
    row.map(|mut fields| fields.number().map(Version)).transpose()
}

/// The highest version that there ever was, dropped ones included; 0 before the first.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn highest(snapshot: &mut dyn Snapshot) -> Result<Version, Error> {
    let sql = "SELECT highest FROM projection_active WHERE id = 1".to_owned();
    let row = snapshot.select(Select { sql, parameters: Vec::new() }).await?.pop();
    row.map_or(Ok(Version::NONE), |mut fields| fields.number().map(Version))
}

/// All versions, oldest first.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn versions(snapshot: &mut dyn Snapshot) -> Result<Vec<VersionInfo>, Error> {
    let sql = "SELECT version, state, code_hash, created_at, records_done, records_total, records_per_second, \
               CASE WHEN owner <> '' AND owner_seen >= {now} - ? THEN 1 ELSE 0 END \
               FROM projection_versions ORDER BY version";
    let silent_max = u64::try_from(OWNER_SILENT_MAX.as_micros()).unwrap_or(u64::MAX);
    let rows = snapshot.select(Select { sql: sql.to_owned(), parameters: vec![silent_max.into()] }).await?;
    rows.into_iter().map(version_info).collect()
}

fn version_info(mut fields: Fields) -> Result<VersionInfo, Error> {
    let version = Version(fields.number()?);
    let state = fields.word("a version state", VersionState::from_word)?;
    let (code_hash, created_at) = (fields.text()?, fields.time()?);
    let filling = Filling {
        records_done: fields.number()?,
        records_total: fields.number()?,
        records_per_second: fields.number()?,
    };
    let is_building = state == VersionState::Building;
    Ok(VersionInfo {
        version,
        state,
        code_hash,
        created_at,
        filling: is_building.then_some(filling),
        is_being_filled: is_building && fields.int()? != 0,
    })
}

/// How far every partition of a version is, by partition. Those that were never begun are absent.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn checkpoints(snapshot: &mut dyn Snapshot, version: Version) -> Result<Vec<Checkpoint>, Error> {
    let columns = checkpoint::COLUMNS;
    let sql = format!("SELECT {columns} FROM projection_checkpoints WHERE version = ? ORDER BY partition_id");
    let rows = snapshot.select(Select { sql, parameters: vec![version.0.into()] }).await?;
    rows.into_iter().map(|mut fields| Checkpoint::read(&mut fields)).collect()
}

/// How far one partition of a version is; absent if it was never begun.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn checkpoint(
    snapshot: &mut dyn Snapshot,
    version: Version,
    partition: PartitionId,
) -> Result<Option<Checkpoint>, Error> {
    let columns = checkpoint::COLUMNS;
    let sql = format!("SELECT {columns} FROM projection_checkpoints WHERE version = ? AND partition_id = ?");
    let select = Select { sql, parameters: vec![version.0.into(), partition.into()] };
    let row = snapshot.select(select).await?.pop();
    row.map(|mut fields| Checkpoint::read(&mut fields)).transpose()
}

/// The partitions of a version that cannot be read past where they are, each with the reason.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn halts(
    snapshot: &mut dyn Snapshot,
    version: Version,
) -> Result<Vec<(PartitionId, String)>, Error> {
    let sql = "SELECT partition_id, halt_reason FROM projection_checkpoints \
               WHERE version = ? AND halt_reason IS NOT NULL ORDER BY partition_id";
    let select = Select { sql: sql.to_owned(), parameters: vec![version.into()] };
    let halt = |mut fields: Fields| Ok((PartitionId(fields.number()?), fields.text()?));
    snapshot.select(select).await?.into_iter().map(halt).collect()
}

/// Rows of state that exist.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Rows of `stock`.
    pub stock: Vec<StockRow>,
    /// Rows of `orders`.
    pub orders: Vec<OrderRow>,
    /// Rows of `sites`.
    pub sites: Vec<SiteRow>,
    /// Rows of `items`.
    pub items: Vec<ItemRow>,
}

/// The rows that a view misses, as of exactly the checkpoint `at`; nothing if somebody else has moved it since.
///
/// Rows of another moment would be compared with events that they already include.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn load(
    store: &dyn Store,
    version: Version,
    at: &Checkpoint,
    missing: &Missing,
) -> Result<Option<Loaded>, Error> {
    let mut snapshot = store.snapshot().await?;
    let found = checkpoint(&mut *snapshot, version, at.partition).await?;
    if found.as_ref() != Some(at) {
        return Ok(None);
    }
    let mut loaded = Loaded::default();
    for (site, skus) in &missing.stock {
        loaded.stock.extend(by_key(&mut *snapshot, &STOCK, version, site, skus, StockRow::read).await?);
    }
    for (site, order_ids) in &missing.orders {
        loaded
            .orders
            .extend(by_key(&mut *snapshot, &ORDERS, version, site, order_ids, OrderRow::read).await?);
    }
    loaded.sites = by_first_column(&mut *snapshot, &SITES, version, &missing.sites, SiteRow::read).await?;
    loaded.items = by_first_column(&mut *snapshot, &ITEMS, version, &missing.items, ItemRow::read).await?;
    Ok(Some(loaded))
}

/// The rows whose first column, which is their whole key, is among `keys`.
async fn by_first_column<K: AsRef<str> + Sync, R>(
    snapshot: &mut dyn Snapshot,
    table: &'static Table,
    version: Version,
    keys: &[K],
    read: fn(Fields) -> Result<R, Error>,
) -> Result<Vec<R>, Error> {
    let mut rows = Vec::with_capacity(keys.len());
    for piece in shaped(keys) {
        let (columns, name, key) = (names(table.columns), table.at(version), table.columns[0].name);
        let places = vec!["?"; piece.len()].join(",");
        let sql = format!("SELECT {columns} FROM {name} WHERE {key} IN ({places})");
        let parameters = piece.iter().map(Value::from).collect();
        for fields in snapshot.select(Select { sql, parameters }).await? {
            rows.push(read(fields)?);
        }
    }
    Ok(rows)
}

/// The rows of one site whose second column, a part of the key, is among `keys`.
pub(crate) async fn by_key<K: AsRef<str> + Sync, R>(
    snapshot: &mut dyn Snapshot,
    table: &'static Table,
    version: Version,
    site: &SiteId,
    keys: &[K],
    read: fn(Fields) -> Result<R, Error>,
) -> Result<Vec<R>, Error> {
    let mut rows = Vec::with_capacity(keys.len());
    for piece in shaped(keys) {
        let sql = select_by_key(table, version, piece.len());
        let parameters = std::iter::once(Value::from(site)).chain(piece.iter().map(Value::from)).collect();
        for fields in snapshot.select(Select { sql, parameters }).await? {
            rows.push(read(fields)?);
        }
    }
    Ok(rows)
}

fn select_by_key(table: &Table, version: Version, keys: usize) -> String {
    let columns = names(table.columns);
    let places = vec!["?"; keys].join(",");
    format!(
        "SELECT {columns} FROM {} WHERE site = ? AND {} IN ({places})",
        table.at(version),
        table.columns[1].name
    )
}
