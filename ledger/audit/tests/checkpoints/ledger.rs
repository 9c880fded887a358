//! A small ledger on a log in memory, written by hand, and a notary beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stockledger_audit::notary::Options;
use stockledger_audit::{Notary, Proofs, SigningKey, VerifierKey};
use stockledger_chain::{State, admit};
use stockledger_log::{Delivery, Entry, Log, MemoryLog};
use stockledger_schemas::event::SiteOpened;
use stockledger_schemas::{
    Actor, Claim, Context, Decision, Genesis, LedgerId, Name, Nonce, PartitionId, Position, Record, Scope,
    SiteId, Timestamp, envelope,
};
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

pub(crate) const LEDGER: LedgerId = LedgerId([7; 16]);
pub(crate) const PARTITION: PartitionId = PartitionId(0);
const PATIENCE: Duration = Duration::from_secs(30);

/// Position of decision `seq`.
pub(crate) fn at(seq: u64) -> Position {
    Position::new(PARTITION, seq)
}

/// A log of one partition and what a reader of it knows.
pub(crate) struct Ledger {
    pub(crate) log: MemoryLog,
    state: State,
    /// Another history gives other records at the same positions.
    history: &'static str,
}

impl Ledger {
    /// A ledger with a claim and no decision.
    pub(crate) async fn new(history: &'static str) -> Self {
        let genesis = Genesis { ledger_id: LEDGER, partition: PARTITION, partitions: 1, window: 64 };
        let bytes = envelope::encode(&Record::Genesis(genesis)).unwrap();
        let state = State::begin(&bytes, PARTITION).unwrap();
        let mut ledger = Self { log: MemoryLog::new(1), state, history };
        ledger.append(bytes).await;
        ledger.claim().await;
        ledger
    }

    /// The same with so many decisions.
    pub(crate) async fn with(history: &'static str, decisions: u64) -> Self {
        let mut ledger = Self::new(history).await;
        ledger.decide(decisions).await;
        ledger
    }

    pub(crate) async fn claim(&mut self) {
        let claim = Claim {
            ledger_id: LEDGER,
            partition: PARTITION,
            term: self.state.term + 1,
            node: Name::new("node").unwrap(),
            url: None,
            nonce: Nonce([1; 16]),
            recorded_at: Timestamp::from_micros(0).unwrap(),
        };
        self.append(envelope::encode(&Record::Claim(claim)).unwrap()).await;
    }

    pub(crate) async fn decide(&mut self, decisions: u64) {
        for _ in 0..decisions {
            let bytes = self.next_decision(self.state.term);
            self.append(bytes).await;
        }
    }

    /// A decision of a writer that was superseded: it does not count.
    pub(crate) async fn decide_late(&mut self) {
        let bytes = self.next_decision(self.state.term - 1);
        self.append(bytes).await;
    }

    fn next_decision(&self, term: u64) -> Vec<u8> {
        let decision = Decision {
            term,
            seq: self.state.seq + 1,
            prev_hash: self.state.hash,
            recorded_at: Timestamp::from_micros(1).unwrap(),
            scope: Scope::Site(SiteId::new("uk").unwrap()),
            request: None,
            context: Context::by(Actor::new(self.history).unwrap()),
            events: vec![SiteOpened {}.into()],
        };
        envelope::encode(&Record::Decision(decision)).unwrap()
    }

    /// Appends what nobody can read past.
    pub(crate) async fn append_rubbish(&self) {
        self.write(b"rubbish".to_vec()).await;
    }

    async fn append(&mut self, bytes: Vec<u8>) {
        if self.log.bounds(0).await.unwrap().end > 0 {
            self.state = admit(&self.state, self.state.next_offset, &bytes).unwrap().next;
        }
        self.write(bytes).await;
    }

    async fn write(&self, bytes: Vec<u8>) {
        let mut producer = self.log.producer(0).unwrap();
        let delivered = producer.append(vec![Entry::new("uk", bytes)]).await.unwrap();
        assert!(matches!(delivered.as_slice(), [Delivery::Appended { .. }]));
    }
}

/// A directory with a key, where a notary can work again and again.
pub(crate) struct Office {
    pub(crate) directory: TempDir,
    pub(crate) options: Options,
}

impl Office {
    pub(crate) fn new() -> Self {
        let options = Options {
            extend_every: Duration::from_millis(20),
            sign_every: Duration::from_millis(40),
            ..Options::default()
        };
        Self { directory: TempDir::new().unwrap(), options }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::load_or_create(&self.path("audit.key"), LEDGER).unwrap()
    }

    pub(crate) fn verifier(&self) -> [VerifierKey; 1] {
        [self.key().verifier()]
    }

    pub(crate) fn open(&self, ledger: &Ledger) -> Notary {
        let log = Arc::new(ledger.log.clone());
        Notary::start(log, LEDGER, self.key(), self.directory.path().to_path_buf(), self.options)
    }

    /// Answers without a notary.
    pub(crate) fn files(&self, ledger: &Ledger) -> Proofs {
        let log = Arc::new(ledger.log.clone());
        Proofs::of_files(log, LEDGER, None, self.directory.path().to_path_buf())
    }

    /// Lets a notary sign what is in the log.
    pub(crate) async fn sign_all(&self, ledger: &Ledger) {
        let notary = self.open(ledger);
        until_signed(&notary.proofs(), ledger.state.seq).await;
        notary.stop().await;
    }
}

/// Waits until a checkpoint covers so many decisions.
pub(crate) async fn until_signed(proofs: &Proofs, size: u64) {
    until(async || {
        let signed = proofs.checkpoint(PARTITION).await;
        signed.is_ok_and(|signed| signed.checkpoint().size >= size)
    })
    .await;
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(mut is_met: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut again = interval(Duration::from_millis(5));
    while !timeout(PATIENCE, is_met()).await.unwrap() {
        assert!(Instant::now() < deadline, "the condition was never met");
        again.tick().await;
    }
}
