//! Snapshots: what a writer knows, in a file, so that a restart reads only the end of the log.
//!
//! A snapshot is a cache. One that is torn, foreign or of another version is dropped and the log is read from its
//! beginning. One that is sound but does not fit the log is another matter: then the log has changed, and the program
//! refuses to go on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stockledger_chain::State;
use stockledger_domain::{ApiKey, DirectorySite, Hold, Item, Partition, ResidentOrder, Site, Stock};
use stockledger_log::Log;
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::snapshot::{self as stored, Snapshot};
use stockledger_schemas::{LedgerId, PartitionId};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinHandle;

use crate::catch_up::end_of;
use crate::environment::Environment;
use crate::options::Options;
use crate::partition::{Confirmed, OffsetIndex};

/// Why a sound snapshot does not fit the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log is another one.
    #[error(
        "partition {partition}: the log is of ledger {found}, the snapshot {path} of {remembered}: another log, or its \
         topic was removed and made anew; name the right log, or another data directory"
    )]
    OtherLedger {
        /// Which partition.
        partition: PartitionId,
        /// What the log says.
        found: LedgerId,
        /// What the snapshot remembers.
        remembered: LedgerId,
        /// The file.
        path: PathBuf,
    },
    /// The log lost records.
    #[error(
        "partition {partition}: the log ends at offset {end} but the snapshot {path} remembers {remembered}: the log \
         lost records, or is another log; restore it, or remove the snapshot to accept the loss"
    )]
    Shorter {
        /// Which partition.
        partition: PartitionId,
        /// Where the log ends.
        end: u64,
        /// What the snapshot remembers.
        remembered: u64,
        /// The file.
        path: PathBuf,
    },
    /// The log holds something else where the snapshot was made.
    #[error(
        "partition {partition}: the record at offset {offset} is not the one that the snapshot {path} remembers: \
         another log, or its history was changed"
    )]
    Changed {
        /// Which partition.
        partition: PartitionId,
        /// Where the record stands.
        offset: u64,
        /// The file.
        path: PathBuf,
    },
    /// The log does not answer.
    #[error("reading the log to check the snapshot of partition {partition}")]
    Log {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong.
        #[source]
        source: stockledger_log::Error,
    },
}

/// A snapshot holds every key that there ever was. So that saving them costs each decision the same however long a ledger
/// gets, the next one is made when this part of the last has come since; a restart reads no more than that again.
const SHARE_UNSAVED: u64 = 8;

/// The snapshots of one partition: at most one file, replaced as a whole.
pub(crate) struct Snapshots {
    environment: Arc<dyn Environment>,
    path: Option<PathBuf>,
    every: u64,
    saved_seq: u64,
    saving: Option<JoinHandle<()>>,
}

impl Snapshots {
    pub(crate) fn new(environment: Arc<dyn Environment>, options: &Options, partition: PartitionId) -> Self {
        let name = format!("partition-{partition}.snapshot");
        let path = options.snapshots.as_ref().map(|directory| directory.join(name));
        Self { environment, path, every: options.snapshot_every, saved_seq: 0, saving: None }
    }

    /// What the snapshot remembers, checked against the log; nothing if there is none that can be used.
    pub(crate) async fn load(
        &mut self,
        log: &dyn Log,
        begun: &State,
        patience: Duration,
    ) -> Result<Option<Confirmed>, Error> {
        let Some((path, confirmed)) = self.read() else { return Ok(None) };
        let partition = begun.partition;
        let chain = confirmed.chain;
        let changed = |offset| Error::Changed { partition, offset, path: path.clone() };
        if chain.ledger_id != begun.ledger_id {
            let (found, remembered) = (begun.ledger_id, chain.ledger_id);
            return Err(Error::OtherLedger { partition, found, remembered, path });
        }
        if (chain.genesis, chain.partition) != (begun.genesis, partition) {
            return Err(changed(0));
        }
        self.saved_seq = chain.seq;
        if !keeps(Rule::SnapshotFitsTheLog) {
            return Ok(Some(confirmed));
        }
        let failed = |source| Error::Log { partition, source };
        let end = end_of(log, partition, chain.next_offset, patience).await.map_err(failed)?;
        if end < chain.next_offset {
            return Err(Error::Shorter { partition, end, remembered: chain.next_offset, path });
        }
        let offset = chain.last_valid_offset;
        let record = log.fetch(partition.0, offset).await.map_err(failed)?;
        if !record.is_some_and(|record| chain.remembers(&record.value)) {
            return Err(changed(offset));
        }
        Ok(Some(confirmed))
    }

    fn read(&self) -> Option<(PathBuf, Confirmed)> {
        let path = self.path.clone()?;
        let bytes = self.environment.read_file(&path).ok()?;
        match Snapshot::from_bytes(&bytes) {
            Ok(snapshot) => Some((path, restore(snapshot))),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "dropping a snapshot: the log is read from its beginning");
                None
            }
        }
    }

    /// Saves a snapshot beside the writer's work, if enough has happened since the last and none is being saved.
    pub(crate) fn save_if_due(&mut self, confirmed: &Confirmed) {
        let distance = self.every.max(self.saved_seq / SHARE_UNSAVED);
        let due = self.path.is_some() && confirmed.chain.seq >= self.saved_seq.saturating_add(distance);
        if due && self.saving.as_ref().is_none_or(JoinHandle::is_finished) {
            self.save(confirmed);
        }
    }

    /// Saves a last snapshot, if anything has happened since the one before, and waits until it is there.
    pub(crate) async fn save_last(&mut self, confirmed: &Confirmed) {
        // One at a time: both would write the same file.
        if let Some(saving) = self.saving.take() {
            drop(saving.await);
        }
        if confirmed.chain.seq > self.saved_seq {
            self.save(confirmed);
        }
        if let Some(saving) = self.saving.take() {
            drop(saving.await);
        }
    }

    fn save(&mut self, confirmed: &Confirmed) {
        let Some(path) = self.path.clone() else { return };
        self.saved_seq = confirmed.chain.seq;
        let (confirmed, environment) = (confirmed.clone(), self.environment.clone());
        self.saving = Some(beside(move || {
            let bytes = keep(confirmed).to_bytes().map_err(std::io::Error::other);
            if let Err(error) = bytes.and_then(|bytes| environment.replace_file(&path, &bytes)) {
                tracing::warn!(path = %path.display(), %error, "a snapshot could not be saved; the next start reads more of the log");
            }
        }));
    }
}

/// Runs work that takes long on a thread for such work. Where the runtime has one thread only, as in a simulation, it is a
/// task like any other: all that happens then has one order.
fn beside(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => tokio::spawn(async move { work() }),
        _ => tokio::task::spawn_blocking(work),
    }
}

fn keep(confirmed: Confirmed) -> Snapshot {
    let State {
        ledger_id,
        partition,
        partitions,
        window,
        genesis,
        term,
        seq,
        hash,
        before,
        next_offset,
        reach,
        last_valid_offset,
    } = confirmed.chain;
    let chain = stored::Chain {
        ledger_id,
        partition,
        partitions,
        window,
        genesis,
        term,
        seq,
        hash,
        before,
        next_offset,
        reach,
        last_valid_offset,
    };
    let Partition { directory, sites, .. } = confirmed.domain;
    let keep_site =
        |(site, DirectorySite { name, partition, seq })| stored::DirectorySite { site, name, partition, seq };
    let keep_item = |(sku, Item { name, unit, seq })| stored::DirectoryItem { sku, name, unit, seq };
    let keep_key = |(key_id, ApiKey { scopes, created_seq, revoked_seq })| stored::DirectoryKey {
        key_id,
        scopes,
        created_seq,
        revoked_seq,
    };
    Snapshot {
        chain,
        last_recorded_at: confirmed.last_recorded_at,
        directory_sites: directory.sites.into_iter().map(keep_site).collect(),
        directory_items: directory.items.into_iter().map(keep_item).collect(),
        directory_keys: directory.keys.into_iter().map(keep_key).collect(),
        sites: sites.into_iter().map(|(id, site)| keep_open_site(id, site)).collect(),
        keys: confirmed.keys.entries(),
        closed_orders: confirmed.closed_orders.entries(),
        offset_runs: confirmed.offsets.runs,
    }
}

fn keep_open_site(id: stockledger_schemas::SiteId, site: Site) -> stored::Site {
    let keep_stock = |(sku, Stock { on_hand, reserved, held, counted_seq, seq })| stored::Stock {
        sku,
        on_hand,
        reserved,
        held,
        counted_seq,
        seq,
    };
    let keep_hold = |(hold_id, Hold { sku, reason, quantity, remaining, seq })| stored::Hold {
        hold_id,
        sku,
        reason,
        quantity,
        remaining,
        seq,
    };
    stored::Site {
        site: id,
        opened_seq: site.opened_seq,
        stock: site.stock.into_iter().map(keep_stock).collect(),
        orders: site.orders.into_values().map(|resident| (resident.order, resident.seq)).collect(),
        holds: site.holds.into_iter().map(keep_hold).collect(),
    }
}

fn restore(snapshot: Snapshot) -> Confirmed {
    let stored::Chain {
        ledger_id,
        partition,
        partitions,
        window,
        genesis,
        term,
        seq,
        hash,
        before,
        next_offset,
        reach,
        last_valid_offset,
    } = snapshot.chain;
    let chain = State {
        ledger_id,
        partition,
        partitions,
        window,
        genesis,
        term,
        seq,
        hash,
        before,
        next_offset,
        reach,
        last_valid_offset,
    };
    let mut domain = Partition { seq, ..Partition::new(partition, partitions) };
    for stored::DirectorySite { site, name, partition, seq } in snapshot.directory_sites {
        domain.directory.sites.insert(site, DirectorySite { name, partition, seq });
    }
    for stored::DirectoryItem { sku, name, unit, seq } in snapshot.directory_items {
        domain.directory.items.insert(sku, Item { name, unit, seq });
    }
    for stored::DirectoryKey { key_id, scopes, created_seq, revoked_seq } in snapshot.directory_keys {
        domain.directory.keys.insert(key_id, ApiKey { scopes, created_seq, revoked_seq });
    }
    for site in snapshot.sites {
        let (id, site) = restore_open_site(site);
        domain.sites.insert(id, site);
    }
    Confirmed {
        chain,
        domain,
        last_recorded_at: snapshot.last_recorded_at,
        keys: snapshot.keys.into_iter().collect(),
        closed_orders: snapshot.closed_orders.into_iter().collect(),
        offsets: OffsetIndex { runs: snapshot.offset_runs },
        void_records: 0,
    }
}

fn restore_open_site(site: stored::Site) -> (stockledger_schemas::SiteId, Site) {
    let mut open = Site::new(site.opened_seq);
    for stored::Stock { sku, on_hand, reserved, held, counted_seq, seq } in site.stock {
        open.stock.insert(sku, Stock { on_hand, reserved, held, counted_seq, seq });
    }
    for (order, seq) in site.orders {
        open.orders.insert(order.order_id.clone(), ResidentOrder { order, seq });
    }
    for stored::Hold { hold_id, sku, reason, quantity, remaining, seq } in site.holds {
        open.holds.insert(hold_id, Hold { sku, reason, quantity, remaining, seq });
    }
    (site.site, open)
}
