//! One partition of a generated ledger, from its claim to its last event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stockledger_chain::State;
use stockledger_domain::command::{Command, OpenSite, RegisterItem};
use stockledger_log::Log;
use stockledger_schemas::{Actor, Event, Name, PartitionId, Scope, SiteId};

use super::catalog::Catalog;
use super::clock::Clock;
use super::history::{History, Tally};
use super::intent::Intent;
use super::random::Random;
use super::warehouse::{Today, Warehouse};
use super::{Args, Error};

/// Decisions between two looks at whether to go on.
const TELL_EVERY: u64 = 512;
/// Who sets the ledger up.
const ADMIN: &str = "admin";
const CITIES: [&str; 12] = [
    "Hamburg", "Leeds", "Lyon", "Porto", "Gdansk", "Turin", "Ghent", "Malmo", "Graz", "Brno", "Cork", "Vigo",
];

/// What all partitions of a ledger have in common.
pub(super) struct Shared {
    pub(super) log: Arc<dyn Log>,
    pub(super) args: Args,
    pub(super) partitions: u16,
    pub(super) catalog: Catalog,
    /// Events so far, of all partitions.
    pub(super) events: AtomicU64,
    /// Somebody failed; the others need not go on.
    pub(super) stop: AtomicBool,
}

impl Shared {
    /// Every site with its number, its name and its partition: where the directory puts it, which is the partition with
    /// the fewest sites.
    fn sites(&self) -> impl Iterator<Item = Result<(SiteId, Name, u16), Error>> {
        (0..self.args.sites).map(|number| {
            let city = CITIES[usize::from(number) % CITIES.len()];
            let site = SiteId::new(format!("W{:02}", number + 1))?;
            Ok((site, Name::new(format!("Warehouse {} {city}", number + 1))?, number % self.partitions))
        })
    }

    /// Events that a partition is to have. The directory's are a part of partition 0; the rest is shared by the sites.
    fn goal(&self, partition: PartitionId, sites: usize) -> u64 {
        let of_directory = u64::from(self.args.sites) + u64::from(self.args.skus);
        let of_a_site = self.args.events.saturating_sub(of_directory).div_ceil(u64::from(self.args.sites));
        let own = if partition == PartitionId::DIRECTORY { of_directory } else { 0 };
        own + of_a_site * sites as u64
    }
}

/// Writes the partition whose genesis has left `chain`; gives the tally and where its chain stands at the end.
pub(super) fn generate(shared: &Shared, chain: State) -> Result<(Tally, State), Error> {
    let partition = chain.partition;
    let mut random = Random::new(shared.args.seed, partition.0);
    let mut warehouses = vec![];
    for (number, site) in shared.sites().enumerate() {
        let (site, _, place) = site?;
        if place == partition.0 {
            warehouses.push(Warehouse::new(site, number, &shared.catalog));
        }
    }
    let goal = shared.goal(partition, warehouses.len());
    let mut clock = Clock::over(goal / (u64::from(shared.args.lines) + 1));
    let mut history = History::begin(shared.log.as_ref(), chain, clock.now())?;
    let mut told = 0;
    if partition == PartitionId::DIRECTORY {
        register(shared, &mut history, &mut clock)?;
    }
    clock.open();
    for warehouse in &warehouses {
        history.open_site(warehouse.id(), Actor::new(ADMIN)?, clock.now())?;
    }
    while history.events() < goal && !warehouses.is_empty() {
        if history.position().seq.is_multiple_of(TELL_EVERY) {
            told = tell(shared, history.events(), told);
            if shared.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let index = random.below(warehouses.len() as u64);
        let warehouse = &mut warehouses[usize::try_from(index).unwrap_or_default()];
        step(shared, &mut history, &mut clock, &mut random, warehouse)?;
    }
    tell(shared, history.events(), told);
    history.finish()
}

/// One command of a warehouse, and what it makes of the answer.
fn step(
    shared: &Shared,
    history: &mut History,
    clock: &mut Clock,
    random: &mut Random,
    warehouse: &mut Warehouse,
) -> Result<(), Error> {
    let now = clock.step(random);
    let site =
        history.state().sites.get(warehouse.id()).ok_or(stockledger_domain::Undecidable::UnknownSite)?;
    let mut today = Today { catalog: &shared.catalog, clock, random };
    let intent = warehouse.next(site, history.position(), &mut today)?;
    let Some(event) = history.decide(Scope::Site(warehouse.id().clone()), intent, now)? else {
        return Ok(());
    };
    if let Some(order_id) = warehouse.heard(&event, &shared.catalog, random) {
        history.forget(warehouse.id(), &order_id);
    }
    Ok(())
}

/// All sites and items of the ledger, on the partition that holds the directory.
fn register(shared: &Shared, history: &mut History, clock: &mut Clock) -> Result<(), Error> {
    for site in shared.sites() {
        let (site, name, expected) = site?;
        let command = Command::OpenSite(OpenSite { site, name });
        let event = history.decide(Scope::Directory, Intent::by(ADMIN, command)?, clock.directory_step())?;
        if let Some(Event::SiteRegistered(found)) = event
            && found.partition.0 != expected
        {
            return Err(Error::Misplaced { site: found.site.to_string(), expected, found: found.partition });
        }
    }
    for number in 0..shared.catalog.len() {
        let (name, unit) = shared.catalog.description(number)?;
        let command =
            Command::RegisterItem(RegisterItem { sku: shared.catalog.sku(number).clone(), name, unit });
        history.decide(Scope::Directory, Intent::by(ADMIN, command)?, clock.directory_step())?;
    }
    Ok(())
}

fn tell(shared: &Shared, events: u64, told: u64) -> u64 {
    shared.events.fetch_add(events - told, Ordering::Relaxed);
    events
}
