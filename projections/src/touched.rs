//! Which decision touched a row last, for whoever has to say how a row came to be what it is.

use stockledger_schemas::{PartitionId, Position};

use crate::compare::Difference;
use crate::store::{Error, Select, Snapshot};
use crate::table::{HOMES, ORDERS, SITES, TABLES, Table, Version};
use crate::value::Value;

/// The decision that touched the row of a difference last, as a version tells; nothing if the version does not have the
/// row.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Unreadable`].
pub async fn last_touch(
    snapshot: &mut dyn Snapshot,
    version: Version,
    difference: &Difference,
) -> Result<Option<Position>, Error> {
    let Some(table) = TABLES.iter().find(|table| table.name == difference.table) else { return Ok(None) };
    let Some(seq) = seq_of(snapshot, version, table, &difference.key).await? else { return Ok(None) };
    let partition = match difference.key.iter().find(|(column, _)| *column == "site") {
        Some((_, site)) if table.name != SITES.name => home_of(snapshot, version, site).await?,
        _ => Some(PartitionId::DIRECTORY),
    };
    Ok(partition.map(|partition| Position::new(partition, seq)))
}

/// The seq of a row; that of its order, where the row is a part of one and has none itself.
async fn seq_of(
    snapshot: &mut dyn Snapshot,
    version: Version,
    table: &Table,
    key: &[(&'static str, Value)],
) -> Result<Option<u64>, Error> {
    if let Some((_, Value::Int(seq))) = key.iter().find(|(column, _)| *column == "seq") {
        return Ok(u64::try_from(*seq).ok());
    }
    let has_seq = table.columns.iter().any(|column| column.name == "seq");
    let table = if has_seq { table } else { &ORDERS };
    let key: Vec<_> =
        key.iter().filter(|(column, _)| table.key().iter().any(|of| of.name == *column)).collect();
    let places: Vec<String> = key.iter().map(|(column, _)| format!("{column} = ?")).collect();
    let sql = format!("SELECT seq FROM {} WHERE {}", table.at(version), places.join(" AND "));
    let parameters = key.into_iter().map(|(_, value)| value.clone()).collect();
    let row = snapshot.select(Select { sql, parameters }).await?.pop();
    row.map(|mut fields| fields.number()).transpose()
}

async fn home_of(
    snapshot: &mut dyn Snapshot,
    version: Version,
    site: &Value,
) -> Result<Option<PartitionId>, Error> {
    let sql = format!("SELECT partition_id FROM {} WHERE site = ?", HOMES.at(version));
    let row = snapshot.select(Select { sql, parameters: vec![site.clone()] }).await?.pop();
    row.map(|mut fields| fields.number().map(PartitionId)).transpose()
}
