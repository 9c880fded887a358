//! Sites, items and API keys.

use stockledger_schemas::event::{
    CommandRefused, ItemRegistered, ItemUpdated, KeyCreated, KeyRevoked, SiteRegistered, SiteRenamed,
};
use stockledger_schemas::{CommandKind, Event, KeyScope, PartitionId, Refusal, SiteId};

use crate::apply::Breach;
use crate::state::{ApiKey, Directory, DirectorySite, Item, Partition, Site};

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
        Event::KeyCreated(event) => key_created(directory, seq, event),
        Event::KeyRevoked(event) => key_revoked(directory, seq, event),
        Event::CommandRefused(event) => refused(directory, event),
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

fn key_created(directory: &mut Directory, seq: u64, event: &KeyCreated) -> Result<(), Breach> {
    if directory.keys.is_empty() && !event.scopes.contains(&KeyScope::Admin) {
        return Err(Breach::FirstKeyNotAdmin);
    }
    let key = ApiKey { scopes: event.scopes.clone(), created_seq: seq, revoked_seq: None };
    match directory.keys.insert(event.key_id.clone(), key) {
        Some(_) => Err(Breach::KeyExists(event.key_id.clone())),
        None => Ok(()),
    }
}

fn key_revoked(directory: &mut Directory, seq: u64, event: &KeyRevoked) -> Result<(), Breach> {
    let key = directory.keys.get_mut(&event.key_id).filter(|key| key.revoked_seq.is_none());
    key.ok_or_else(|| Breach::UnknownKey(event.key_id.clone()))?.revoked_seq = Some(seq);
    Ok(())
}

/// Commands about keys are the only ones of the directory that are refused. The refusal does not say of which key, so only
/// what the directory as a whole gives can be checked.
fn refused(directory: &Directory, event: &CommandRefused) -> Result<(), Breach> {
    let is_possible = match (event.command, &event.refusal) {
        (CommandKind::CreateKey, Refusal::KeyExists(_)) => !directory.keys.is_empty(),
        (CommandKind::CreateKey, Refusal::FirstKeyNotAdmin(_)) => directory.keys.is_empty(),
        (CommandKind::RevokeKey, Refusal::UnknownKey(_)) => true,
        _ => return Err(Breach::WrongScope),
    };
    if is_possible { Ok(()) } else { Err(Breach::WrongRefusal) }
}
