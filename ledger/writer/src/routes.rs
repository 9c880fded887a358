//! The way to the writer of a site.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use stockledger_schemas::{PartitionId, SiteId};
use tokio::sync::watch;

/// Which partition each site lives on. A site never moves, so an entry is right for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Arc<SharedRoutes>);

#[derive(Debug, Default)]
struct SharedRoutes {
    table: RwLock<RouteTable>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct RouteTable {
    open: HashMap<SiteId, PartitionId>,
    /// Known to the directory; its own partition may not have opened it yet.
    registered: HashMap<SiteId, PartitionId>,
}

impl Routes {
    /// The site takes commands on this partition.
    pub(crate) fn add_open(&self, site: SiteId, partition: PartitionId) {
        self.change(|table| table.open.insert(site, partition));
    }

    /// The directory has given the site to this partition.
    pub(crate) fn add_registered(&self, site: SiteId, partition: PartitionId) {
        self.change(|table| table.registered.insert(site, partition));
    }

    fn change(&self, change: impl FnOnce(&mut RouteTable) -> Option<PartitionId>) {
        change(&mut self.0.table.write().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.send_replace(());
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Where a site takes commands, if it does.
    pub(crate) fn find(&self, site: &SiteId) -> Option<PartitionId> {
        self.0.table.read().unwrap_or_else(PoisonError::into_inner).open.get(site).copied()
    }

    /// The sites that the directory has given to a partition which has not opened them yet, in order.
    pub(crate) fn registered_not_open(&self) -> Vec<(SiteId, PartitionId)> {
        let table = self.0.table.read().unwrap_or_else(PoisonError::into_inner);
        let not_open = table.registered.iter().filter(|(site, _)| !table.open.contains_key(*site));
        let mut not_open: Vec<_> = not_open.map(|(site, partition)| (site.clone(), *partition)).collect();
        not_open.sort_unstable();
        not_open
    }
}
