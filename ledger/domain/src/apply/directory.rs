//! Sites and items.

use stockledger_schemas::event::{ItemRegistered, ItemUpdated, SiteRegistered, SiteRenamed};
use stockledger_schemas::{Event, PartitionId, SiteId};

use crate::apply::Breach;
use crate::state::{Directory, DirectorySite, Item, Partition, Site};

pub(super) fn apply(state: &mut Partition, seq: u64, event: &Event) -> Result<(), Breach> {
    if state.id != PartitionId::DIRECTORY {
        return Err(Breach::WrongPartition(state.id));
    }
    let directory = &mut state.directory;
    match event {
        Event::SiteRegistered(event) => site_registered(directory, state.partitions, seq, event),
        Event::SiteRenamed(event) => site_renamed(directory, seq, event),
        Event::ItemRegistered(event) => item_registered(directory, seq, event),
        Event::ItemUpdated(event) => item_updated(directory, seq, event),
        _ => Err(Breach::WrongScope),
    }
}

/// The first event of a site, on the partition where it lives. Only the directory's own partition can tell whether that
/// is the right one.
pub(super) fn open(state: &mut Partition, seq: u64, site: &SiteId) -> Result<(), Breach> {
    if state.id == PartitionId::DIRECTORY {
        let known = state.directory.sites.get(site).ok_or_else(|| Breach::UnknownSite(site.clone()))?;
        if known.partition != state.id {
            return Err(Breach::WrongPartition(state.id));
        }
    }
    match state.sites.insert(site.clone(), Site::new(seq)) {
        Some(_) => Err(Breach::SiteExists(site.clone())),
        None => Ok(()),
    }
}

fn site_registered(
    directory: &mut Directory,
    partitions: u16,
    seq: u64,
    event: &SiteRegistered,
) -> Result<(), Breach> {
    if event.partition.0 >= partitions {
        return Err(Breach::WrongPartition(event.partition));
    }
    let site = DirectorySite { name: event.name.clone(), partition: event.partition, seq };
    match directory.sites.insert(event.site.clone(), site) {
        Some(_) => Err(Breach::SiteExists(event.site.clone())),
        None => Ok(()),
    }
}

fn site_renamed(directory: &mut Directory, seq: u64, event: &SiteRenamed) -> Result<(), Breach> {
    let site = directory.sites.get_mut(&event.site).ok_or_else(|| Breach::UnknownSite(event.site.clone()))?;
    if site.partition != event.partition {
        return Err(Breach::WrongPartition(event.partition));
    }
    *site = DirectorySite { name: event.name.clone(), partition: event.partition, seq };
    Ok(())
}

fn item_registered(directory: &mut Directory, seq: u64, event: &ItemRegistered) -> Result<(), Breach> {
    let item = Item { name: event.name.clone(), unit: event.unit.clone(), seq };
    match directory.items.insert(event.sku.clone(), item) {
        Some(_) => Err(Breach::ItemExists(event.sku.clone())),
        None => Ok(()),
    }
}

fn item_updated(directory: &mut Directory, seq: u64, event: &ItemUpdated) -> Result<(), Breach> {
    let item = directory.items.get_mut(&event.sku).ok_or_else(|| Breach::UnknownItem(event.sku.clone()))?;
    *item = Item { name: event.name.clone(), unit: event.unit.clone(), seq };
    Ok(())
}
