//! Decisions about sites, items and API keys.

use stockledger_schemas::event::{
    ItemRegistered, ItemUpdated, KeyCreated, KeyRevoked, SiteRegistered, SiteRenamed,
};
use stockledger_schemas::refusal::{FirstKeyNotAdmin, KeyExists, UnknownKey};
use stockledger_schemas::{Event, KeyScope, PartitionId};

use crate::command::{CreateKey, OpenSite, RegisterItem, RevokeKey};
use crate::decide::{Change, Rejection, refuse};
use crate::state::Directory;

pub(super) fn open_site(directory: &Directory, partitions: u16, command: &OpenSite) -> Change {
    let OpenSite { site, name } = command.clone();
    let Some(known) = directory.sites.get(&site) else {
        let partition = emptiest_partition(directory, partitions);
        return Change::Event(SiteRegistered { site, name, partition }.into());
    };
    if known.name == name {
        return Change::Nothing { since: known.seq };
    }
    Change::Event(SiteRenamed { site, name, partition: known.partition }.into())
}

pub(super) fn register_item(directory: &Directory, command: &RegisterItem) -> Change {
    let RegisterItem { sku, name, unit } = command.clone();
    let Some(known) = directory.items.get(&sku) else {
        return Change::Event(ItemRegistered { sku, name, unit }.into());
    };
    if known.name == name && known.unit == unit {
        return Change::Nothing { since: known.seq };
    }
    Change::Event(ItemUpdated { sku, name, unit }.into())
}

/// From the first key on nobody comes in without one, so the first one must be able to make others.
pub(super) fn create_key(directory: &Directory, command: &CreateKey) -> Result<Event, Rejection> {
    let CreateKey { key_id, name, secret_hash, scopes, sites, expires_at } = command.clone();
    if directory.keys.is_empty() && !scopes.contains(&KeyScope::Admin) {
        return refuse(FirstKeyNotAdmin {});
    }
    if directory.keys.contains_key(&key_id) {
        return refuse(KeyExists {});
    }
    Ok(KeyCreated { key_id, name, secret_hash, scopes, sites, expires_at }.into())
}

pub(super) fn revoke_key(directory: &Directory, command: &RevokeKey) -> Result<Change, Rejection> {
    let Some(known) = directory.keys.get(&command.key_id) else { return refuse(UnknownKey {}) };
    Ok(match known.revoked_seq {
        Some(since) => Change::Nothing { since },
        None => Change::Event(KeyRevoked { key_id: command.key_id.clone() }.into()),
    })
}

/// The partition with the fewest sites; of several the one with the lowest number.
fn emptiest_partition(directory: &Directory, partitions: u16) -> PartitionId {
    let mut sites = vec![0_usize; usize::from(partitions)];
    for site in directory.sites.values() {
        if let Some(count) = sites.get_mut(usize::from(site.partition.0)) {
            *count += 1;
        }
    }
    let counts = (0..partitions).map(PartitionId).zip(sites);
    counts.min_by_key(|(_, count)| *count).map_or(PartitionId::DIRECTORY, |(partition, _)| partition)
}
