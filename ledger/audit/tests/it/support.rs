//! A ledger that the real writer makes, its records, and logs of other records.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use stockledger_audit::archive::{self, ArchiveLog, Limits};
use stockledger_audit::verify::{Options, Remembered, Report, verify};
use stockledger_domain::command::{
    CancelOrder, Checked, Command, CountLine, CountStock, HoldStock, OpenSite, OrderedLine, PlaceOrder,
    ReceiptLine, ReceiveStock, RegisterItem, ReleaseHold, ReturnLine, ReturnOrder, ShipOrder, ShipmentLine,
};
use stockledger_log::memory::MemoryLog;
use stockledger_log::{Entry, Log};
use stockledger_schemas::{
    Actor, Context, Disposition, HoldReason, IdempotencyKey, Level, Name, Nonce, PartitionId, Quantity,
    Scope, SiteId, Sku, Timestamp,
};
use stockledger_writer::{Environment, Ledger, Options as WriterOptions, genesis};

/// A clock that goes on by a millisecond each time that it is looked at, and nonces that count up.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    micros: AtomicI64,
    nonces: AtomicU64,
}

impl Environment for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.fetch_add(1_000, Ordering::SeqCst)).unwrap()
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 16];
        nonce[8..].copy_from_slice(&self.nonces.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        Nonce(nonce)
    }
}

/// Random numbers that are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// A ledger in memory.
pub(crate) struct Shop {
    pub(crate) log: MemoryLog,
    clock: Arc<Clock>,
    ledger: Ledger,
    keys: u64,
}

impl Shop {
    pub(crate) async fn open(partitions: u16) -> Self {
        Self::open_with(partitions, 0).await
    }

    /// The first nonce becomes the id of the ledger.
    pub(crate) async fn open_with(partitions: u16, nonce: u64) -> Self {
        let clock = Clock { micros: AtomicI64::default(), nonces: AtomicU64::new(nonce) };
        let (log, clock) = (MemoryLog::new(partitions), Arc::new(clock));
        genesis::initialise(&log, clock.as_ref()).await.unwrap();
        let ledger = Self::start(&log, &clock).await;
        Self { log, clock, ledger, keys: 0 }
    }

    async fn start(log: &MemoryLog, clock: &Arc<Clock>) -> Ledger {
        let options = WriterOptions::new(Name::new("test").unwrap());
        let ledger = Ledger::start(Arc::new(log.clone()), clock.clone(), options).await.unwrap();
        ledger.led().await.unwrap();
        ledger
    }

    /// Another process takes over: a new term on every partition.
    pub(crate) async fn restart(&mut self) {
        self.ledger.stop().await;
        self.ledger = Self::start(&self.log, &self.clock).await;
    }

    /// A superseded writer and the one that took over, both alive: whatever the first one does now is void.
    pub(crate) async fn take_over(&mut self) -> Ledger {
        let new = Self::start(&self.log, &self.clock).await;
        std::mem::replace(&mut self.ledger, new)
    }

    pub(crate) async fn open_site(&mut self, site: &str) {
        let open = OpenSite { site: site.parse().unwrap(), name: Name::new("A site").unwrap() };
        self.submit(Scope::Directory, Command::OpenSite(open)).await;
    }

    pub(crate) async fn run(&mut self, site: &str, command: Command) {
        self.submit(Scope::Site(SiteId::new(site).unwrap()), command).await;
    }

    async fn submit(&mut self, scope: Scope, command: Command) {
        self.keys += 1;
        let context = Context::by(Actor::new("tester").unwrap());
        let key = match &command {
            Command::OpenSite(_) | Command::RegisterItem(_) => None,
            _ => Some(IdempotencyKey::new(format!("key-{}", self.keys)).unwrap()),
        };
        let checked = Checked::new(scope, command, context).unwrap();
        self.ledger.submit(checked, key).await.unwrap();
    }

    /// Some of everything that can happen at a site.
    pub(crate) async fn trade(&mut self, site: &str, orders: usize, dice: &mut Dice) {
        let item = RegisterItem {
            sku: sku("LAMP"),
            name: Name::new("A lamp, größer").unwrap(),
            unit: "each".parse().unwrap(),
        };
        self.submit(Scope::Directory, Command::RegisterItem(item)).await;
        self.run(site, receive(&[("LAMP", 500), ("DESK", 300), ("CUP", 40)])).await;
        self.run(site, hold("h-1", "DESK", 20)).await;
        for number in 0..orders {
            let id = format!("{site}-{number}");
            let lines =
                [("LAMP", 1 + dice.below(3)), ("DESK", 1 + dice.below(2)), ("CUP", 1 + dice.below(4))];
            self.run(site, place(&id, &lines)).await;
            match dice.below(6) {
                0 => self.run(site, cancel(&id)).await,
                1 => self.run(site, ship(&id, Some(&[("LAMP", 1)]))).await,
                _ => self.run(site, ship(&id, None)).await,
            }
            if dice.below(3) == 0 {
                let earlier = format!("{site}-{}", dice.below(number + 1));
                let disposition =
                    if dice.below(2) == 0 { Disposition::Restock } else { Disposition::Damaged };
                self.run(site, take_back(&earlier, "LAMP", disposition)).await;
            }
        }
        self.run(site, release("h-1", 5)).await;
        self.run(site, count("CUP", 7)).await;
    }

    pub(crate) async fn stop(&self) {
        self.ledger.stop().await;
    }

    pub(crate) async fn records(&self) -> Vec<Vec<Bytes>> {
        records_of(&self.log).await
    }
}

/// A ledger of two partitions in which much has happened, in several terms.
pub(crate) async fn busy_shop() -> Shop {
    let mut shop = Shop::open(2).await;
    let mut dice = Dice(7);
    shop.open_site("uk").await;
    shop.open_site("fr").await;
    for round in 0..3 {
        for site in ["uk", "fr"] {
            let name = if round == 0 { site.to_owned() } else { format!("{site}{round}") };
            if round > 0 {
                shop.open_site(&name).await;
            }
            shop.trade(&name, 12, &mut dice).await;
        }
        shop.restart().await;
    }
    shop.run("uk", receive(&[("LAMP", 1)])).await;
    shop.run("fr", receive(&[("LAMP", 1)])).await;
    shop.stop().await;
    shop
}

pub(crate) async fn records_of(log: &dyn Log) -> Vec<Vec<Bytes>> {
    let mut partitions = Vec::new();
    for partition in 0..log.partitions() {
        let mut records = Vec::new();
        for offset in 0..log.bounds(partition).await.unwrap().end {
            records.push(log.fetch(partition, offset).await.unwrap().unwrap().value);
        }
        partitions.push(records);
    }
    partitions
}

/// A log of these records.
pub(crate) fn log_of(partitions: &[Vec<Bytes>]) -> Arc<MemoryLog> {
    let log = MemoryLog::new(u16::try_from(partitions.len()).unwrap());
    for (partition, records) in (0..).zip(partitions) {
        for record in records {
            log.faults().land(partition, Entry::new(Bytes::new(), record.clone()));
        }
    }
    Arc::new(log)
}

pub(crate) async fn verified(log: Arc<dyn Log>) -> Report {
    verified_against(log, Vec::new()).await
}

pub(crate) async fn verified_against(log: Arc<dyn Log>, remembered: Vec<Remembered>) -> Report {
    verify(log, &Options { remembered, ..Options::default() }).await.unwrap()
}

/// The heads of a log that is good.
pub(crate) async fn heads(log: Arc<dyn Log>) -> Vec<Remembered> {
    let report = verified(log).await;
    assert!(report.is_good(), "{report:?}");
    let heads = report.partitions.iter();
    heads.map(|one| Remembered::head("a head", one.partition, &one.head.unwrap())).collect()
}

/// An archive in small segments.
pub(crate) async fn export_small(log: Arc<dyn Log>, directory: &Path) -> archive::Exported {
    archive::export(log, directory, &small()).await.unwrap()
}

pub(crate) fn small() -> archive::Options {
    archive::Options { limits: Limits { bytes_max: 3_000, records_max: 16 }, ..archive::Options::default() }
}

pub(crate) fn opened(directory: &Path) -> ArchiveLog {
    ArchiveLog::open(directory).unwrap()
}

/// The checksum of a changed record is made to fit again.
pub(crate) fn repair(record: &mut [u8]) {
    if record.len() < 8 {
        return;
    }
    let mut bytes = record[..4].to_vec();
    bytes.extend_from_slice(&record[8..]);
    record[4..8].copy_from_slice(&crc32(&bytes).to_le_bytes());
}

/// CRC-32/ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

pub(crate) const fn partition(number: u16) -> PartitionId {
    PartitionId(number)
}

fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

fn quantity(number: usize) -> Quantity {
    Quantity::new(i64::try_from(number).unwrap()).unwrap()
}

pub(crate) fn receive(lines: &[(&str, usize)]) -> Command {
    let line = |(name, number): &(&str, usize)| ReceiptLine { sku: sku(name), quantity: quantity(*number) };
    Command::ReceiveStock(ReceiveStock { lines: lines.iter().map(line).collect() })
}

pub(crate) fn place(id: &str, lines: &[(&str, usize)]) -> Command {
    let line = |(name, number): &(&str, usize)| OrderedLine {
        sku: sku(name),
        quantity: quantity(*number),
        unit_price_minor: Some(Level::new(250).unwrap()),
    };
    Command::PlaceOrder(PlaceOrder {
        order_id: id.parse().unwrap(),
        customer: Some("c-1".parse().unwrap()),
        currency: Some("GBP".parse().unwrap()),
        lines: lines.iter().map(line).collect(),
    })
}

pub(crate) fn ship(id: &str, lines: Option<&[(&str, usize)]>) -> Command {
    let line = |(name, number): &(&str, usize)| ShipmentLine { sku: sku(name), quantity: quantity(*number) };
    let lines = lines.map(|lines| lines.iter().map(line).collect());
    Command::ShipOrder(ShipOrder { order_id: id.parse().unwrap(), lines })
}

pub(crate) fn cancel(id: &str) -> Command {
    Command::CancelOrder(CancelOrder { order_id: id.parse().unwrap() })
}

pub(crate) fn take_back(id: &str, name: &str, disposition: Disposition) -> Command {
    let line = ReturnLine { sku: sku(name), quantity: quantity(1), disposition };
    Command::ReturnOrder(ReturnOrder { order_id: id.parse().unwrap(), lines: vec![line] })
}

fn hold(id: &str, name: &str, number: usize) -> Command {
    let reason = HoldReason::QualityControl;
    Command::HoldStock(HoldStock {
        hold_id: id.parse().unwrap(),
        sku: sku(name),
        quantity: quantity(number),
        reason,
    })
}

fn release(id: &str, number: usize) -> Command {
    Command::ReleaseHold(ReleaseHold { hold_id: id.parse().unwrap(), quantity: Some(quantity(number)) })
}

fn count(name: &str, counted: i64) -> Command {
    let line = CountLine {
        sku: sku(name),
        counted: Level::new(counted).unwrap(),
        at_position: None,
        expected_on_hand: None,
    };
    Command::CountStock(CountStock { lines: vec![line] })
}
