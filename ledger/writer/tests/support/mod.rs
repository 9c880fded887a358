//! A small shop over a log that goes wrong as the test says: short names for commands, and for what must come of them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use stockledger_domain::command::{
    CancelOrder, Checked, Command, CountLine, CountStock, CreateKey, OpenSite, OrderedLine, PlaceOrder,
    ReceiptLine, ReceiveStock, RegisterItem, ReturnLine, ReturnOrder, RevokeKey, ShipOrder,
};
use stockledger_log::Log;
use stockledger_log::memory::{Faults, MemoryLog};
use stockledger_schemas::{
    Actor, Context, Decision, Disposition, Event, Hash, IdempotencyKey, KeyId, KeyScope, Level, Name, Nonce,
    OrderId, Position, Quantity, Record, Scope, SiteId, Sku, Timestamp, envelope,
};
use stockledger_writer::{
    CommandError, Environment, Ledger, Options, PartitionStatus, PendingReply, Reply, WriterState, genesis,
};

/// A clock that the test moves and nonces that count up.
#[derive(Debug, Default)]
pub struct TestEnvironment {
    micros: AtomicI64,
    nonces: AtomicU64,
}

impl TestEnvironment {
    pub fn set_micros(&self, micros: i64) {
        self.micros.store(micros, Ordering::SeqCst);
    }
}

impl Environment for TestEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst)).unwrap()
    }

    fn nonce(&self) -> Nonce {
        let number = self.nonces.fetch_add(1, Ordering::SeqCst);
        let mut nonce = [0; 16];
        nonce[8..].copy_from_slice(&number.to_be_bytes());
        Nonce(nonce)
    }
}

/// One partition, one site, one SKU at hand.
pub struct Shop {
    pub log: MemoryLog,
    pub faults: Faults,
    pub environment: Arc<TestEnvironment>,
    pub ledger: Ledger,
}

pub const SITE: &str = "uk";

impl Shop {
    /// Opens a new shop.
    pub async fn open() -> Self {
        Self::open_with(|options| options).await
    }

    pub async fn open_with(change: impl FnOnce(Options) -> Options) -> Self {
        let log = MemoryLog::new(1);
        let environment = Arc::new(TestEnvironment::default());
        genesis::initialise(&log, environment.as_ref()).await.unwrap();
        let shop = Self::reopen_with(log, environment, change).await;
        shop.ledger.submit(open_site(SITE), None).await.unwrap();
        shop
    }

    /// Starts another process on the same log.
    pub async fn reopen(log: MemoryLog, environment: Arc<TestEnvironment>) -> Self {
        Self::reopen_with(log, environment, |options| options).await
    }

    pub async fn reopen_with(
        log: MemoryLog,
        environment: Arc<TestEnvironment>,
        change: impl FnOnce(Options) -> Options,
    ) -> Self {
        let options = change(Options::new(Name::new("test").unwrap()));
        let ledger = Ledger::start(Arc::new(log.clone()), environment.clone(), options).await.unwrap();
        ledger.led().await.unwrap();
        Self { faults: log.faults(), log, environment, ledger }
    }

    pub async fn stop_and_reopen(self) -> Self {
        self.ledger.stop().await;
        Self::reopen(self.log, self.environment).await
    }

    /// Sends a command under a key, without waiting.
    pub fn send(&self, command: Command, key: &str) -> PendingReply {
        self.ledger.try_enqueue(at_site(command), Some(IdempotencyKey::new(key).unwrap())).unwrap()
    }

    pub async fn ask(&self, command: Command, key: &str) -> Result<Reply, CommandError> {
        self.ledger.submit(at_site(command), Some(IdempotencyKey::new(key).unwrap())).await
    }

    pub async fn receive(&self, quantity: i64, key: &str) -> Reply {
        self.ask(receive(quantity), key).await.unwrap()
    }

    pub fn status(&self) -> PartitionStatus {
        self.ledger.status().remove(0)
    }

    pub fn state(&self) -> WriterState {
        self.status().writer
    }

    /// Waits until the writer is in this state. Time is paused, so this takes none but the writer's own.
    pub async fn until_state(&self, state: WriterState) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut again = tokio::time::interval(std::time::Duration::from_millis(1));
        while self.state() != state {
            assert!(tokio::time::Instant::now() < deadline, "it is {:?}", self.state());
            again.tick().await;
        }
    }

    /// Every decision that stands in the log, valid or not, in the order of the log.
    pub async fn records(&self) -> Vec<Record> {
        let end = self.log.bounds(0).await.unwrap().end;
        let mut records = Vec::new();
        for offset in 0..end {
            let record = self.log.fetch(0, offset).await.unwrap().unwrap();
            records.push(envelope::decode(&record.value).unwrap());
        }
        records
    }

    /// The decisions that count, by the rule that every reader follows.
    pub async fn valid_decisions(&self) -> Vec<Decision> {
        let genesis = self.log.fetch(0, 0).await.unwrap().unwrap();
        let mut state =
            stockledger_chain::State::begin(&genesis.value, stockledger_schemas::PartitionId(0)).unwrap();
        let mut decisions = Vec::new();
        for offset in 1..self.log.bounds(0).await.unwrap().end {
            let record = self.log.fetch(0, offset).await.unwrap().unwrap();
            let admission = stockledger_chain::admit(&state, offset, &record.value).unwrap();
            state = admission.next;
            if let stockledger_chain::Verdict::Decision(decision) = admission.verdict {
                decisions.push(*decision);
            }
        }
        decisions
    }

    /// How often each key was decided, by the decisions that count.
    pub async fn times_decided(&self, key: &str) -> usize {
        let is_it = |decision: &Decision| {
            decision.request.as_ref().is_some_and(|request| request.key.as_str() == key)
        };
        self.valid_decisions().await.iter().filter(|decision| is_it(decision)).count()
    }
}

pub fn at_site(command: Command) -> Checked {
    let site = SiteId::new(SITE).unwrap();
    Checked::new(Scope::Site(site), command, Context::by(actor())).unwrap()
}

pub fn open_site(site: &str) -> Checked {
    let open = OpenSite { site: SiteId::new(site).unwrap(), name: Name::new("A site").unwrap() };
    Checked::new(Scope::Directory, Command::OpenSite(open), Context::by(actor())).unwrap()
}

pub fn item(name: &str) -> Checked {
    let item = RegisterItem { sku: sku(), name: Name::new(name).unwrap(), unit: "each".parse().unwrap() };
    Checked::new(Scope::Directory, Command::RegisterItem(item), Context::by(actor())).unwrap()
}

pub fn key(name: &str) -> Checked {
    let key = CreateKey {
        key_id: key_id(),
        name: Actor::new(name).unwrap(),
        secret_hash: Hash::of(&[b"token"]),
        scopes: vec![KeyScope::Admin],
        sites: None,
        expires_at: None,
    };
    Checked::new(Scope::Directory, Command::CreateKey(key), Context::by(actor())).unwrap()
}

pub fn revoked_key() -> Checked {
    let revoke = Command::RevokeKey(RevokeKey { key_id: key_id() });
    Checked::new(Scope::Directory, revoke, Context::by(actor())).unwrap()
}

fn key_id() -> KeyId {
    KeyId::new("key00001").unwrap()
}

pub fn actor() -> Actor {
    Actor::new("tester").unwrap()
}

pub fn sku() -> Sku {
    Sku::new("LAMP").unwrap()
}

fn quantity(quantity: i64) -> Quantity {
    Quantity::new(quantity).unwrap()
}

fn order_id(id: &str) -> OrderId {
    OrderId::new(id).unwrap()
}

pub fn receive(how_many: i64) -> Command {
    Command::ReceiveStock(ReceiveStock {
        lines: vec![ReceiptLine { sku: sku(), quantity: quantity(how_many) }],
    })
}

pub fn count(counted: i64, at_position: Option<Position>) -> Command {
    let line =
        CountLine { sku: sku(), counted: Level::new(counted).unwrap(), at_position, expected_on_hand: None };
    Command::CountStock(CountStock { lines: vec![line] })
}

pub fn order(id: &str, how_many: i64) -> Command {
    let line = OrderedLine { sku: sku(), quantity: quantity(how_many), unit_price_minor: None };
    Command::PlaceOrder(PlaceOrder {
        order_id: order_id(id),
        customer: None,
        currency: None,
        lines: vec![line],
    })
}

pub fn ship(id: &str) -> Command {
    Command::ShipOrder(ShipOrder { order_id: order_id(id), lines: None })
}

pub fn cancel(id: &str) -> Command {
    Command::CancelOrder(CancelOrder { order_id: order_id(id) })
}

pub fn take_back(id: &str, how_many: i64) -> Command {
    let line = ReturnLine { sku: sku(), quantity: quantity(how_many), disposition: Disposition::Restock };
    Command::ReturnOrder(ReturnOrder { order_id: order_id(id), lines: vec![line] })
}

/// The name of what a reply says happened.
pub fn happened(reply: &Reply) -> &'static str {
    reply.decision.events[0].type_name()
}

/// What is on hand after a reply that changed it.
pub fn on_hand(reply: &Reply) -> i64 {
    match &reply.decision.events[0] {
        Event::StockReceived(event) => event.lines[0].after.on_hand.get(),
        Event::StockCounted(event) => event.lines[0].after.on_hand.get(),
        Event::OrderPlaced(event) => event.lines[0].after.on_hand.get(),
        Event::OrderShipped(event) => event.moves[0].after.on_hand.get(),
        Event::OrderReturned(event) => event.moves[0].after.on_hand.get(),
        other => panic!("{} changes no stock", other.type_name()),
    }
}

/// A directory for snapshots that goes away with the test.
pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_path_buf();
    (directory, path)
}
