//! Decisions about sites and items.

use stockledger_schemas::PartitionId;
use stockledger_schemas::event::{ItemRegistered, ItemUpdated, SiteRegistered, SiteRenamed};

use crate::command::{OpenSite, RegisterItem};
use crate::decide::Change;
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
