//! Damaged files, lost history, changed history.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use stockledger_audit::notary::Options;
use stockledger_audit::proofs::Error;
use stockledger_audit::{Notary, SignedCheckpoint};
use stockledger_log::{Bounds, Log, MemoryLog, Producer, Reader, StoredRecord};

use crate::ledger::{LEDGER, Ledger, Office, PARTITION, at, until, until_signed};

const TREE: &str = "partition-0.tree";
const CHECKPOINT: &str = "partition-0.checkpoint";

#[tokio::test]
async fn a_tree_that_is_torn_damaged_or_gone_is_made_again() {
    let (mut ledger, office) = (Ledger::with("one", 50).await, Office::new());
    office.sign_all(&ledger).await;
    let sound = fs::read(office.path(TREE)).unwrap();
    let mut damaged_end = sound.clone();
    damaged_end[sound.len() - 10] ^= 1;
    let mut damaged_middle = sound.clone();
    damaged_middle[sound.len() / 2] ^= 1;
    let torn = sound[..sound.len() - 7].to_vec();
    let half = sound[..sound.len() / 2].to_vec();
    let longer = [sound.as_slice(), b"something that was never synced"].concat();
    let cases =
        [torn, half, damaged_end, damaged_middle, longer, vec![], b"a letter".to_vec(), vec![0; sound.len()]];
    for (case, tree) in cases.into_iter().enumerate() {
        fs::write(office.path(TREE), tree).unwrap();
        ledger.decide(1).await;
        let size = 51 + case as u64;
        let notary = office.open(&ledger);
        until_signed(&notary.proofs(), size).await;
        // A hash in the middle may be found damaged only when it is asked for.
        for seq in 1..=size {
            until(async || {
                let proof = notary.proofs().inclusion(at(seq)).await;
                proof.is_ok_and(|proof| proof.check(&office.verifier()).is_ok())
            })
            .await;
        }
        notary.stop().await;
    }
}

#[tokio::test]
async fn a_tree_that_is_damaged_under_a_running_notary_is_made_again() {
    let (ledger, office) = (Ledger::with("one", 50).await, Office::new());
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 50).await;
    let mut damaged = fs::read(office.path(TREE)).unwrap();
    damaged[30] ^= 1;
    fs::write(office.path(TREE), damaged).unwrap();
    assert!(matches!(notary.proofs().inclusion(at(1)).await, Err(Error::Unavailable { .. })));
    until(async || notary.proofs().inclusion(at(1)).await.is_ok()).await;
    notary.stop().await;
}

/// A log that remembers from where it was read.
struct Watched {
    log: MemoryLog,
    read_from: Mutex<Vec<u64>>,
}

#[async_trait]
impl Log for Watched {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, stockledger_log::Error> {
        self.log.producer(partition)
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, stockledger_log::Error> {
        self.read_from.lock().unwrap().push(from);
        self.log.reader(partition, from).await
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, stockledger_log::Error> {
        self.log.bounds(partition).await
    }

    async fn fetch(
        &self,
        partition: u16,
        offset: u64,
    ) -> Result<Option<StoredRecord>, stockledger_log::Error> {
        self.log.fetch(partition, offset).await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

#[tokio::test]
async fn a_restart_reads_the_log_from_where_the_tree_ends() {
    let (ledger, office) = (Ledger::with("one", 50).await, Office::new());
    let log = Arc::new(Watched { log: ledger.log.clone(), read_from: Mutex::default() });
    for _ in 0..2 {
        let path = office.directory.path().to_path_buf();
        let notary = Notary::start(log.clone(), LEDGER, office.key(), path, office.options);
        until(async || notary.proofs().inclusion(at(50)).await.is_ok()).await;
        notary.stop().await;
    }
    // Behind genesis; then behind genesis, claim and 50 decisions.
    assert_eq!(*log.read_from.lock().unwrap(), [1, 52]);
}

/// The reason why no checkpoint is given any more.
async fn refusal(notary: &Notary) -> String {
    let mut reason = String::new();
    until(async || match notary.proofs().checkpoint(PARTITION).await {
        Err(Error::Inconsistent { reason: why, .. }) => {
            reason = why;
            true
        }
        _ => false,
    })
    .await;
    reason
}

#[tokio::test]
async fn a_log_whose_history_was_changed_gets_no_checkpoint() {
    let office = Office::new();
    office.sign_all(&Ledger::with("one", 20).await).await;
    let signed = fs::read(office.path(CHECKPOINT)).unwrap();
    // As long, and longer; with the tree of the first history, and without one.
    for (decisions, keeps_tree) in [(20, true), (20, false), (35, true), (35, false)] {
        if !keeps_tree {
            fs::remove_file(office.path(TREE)).unwrap();
        }
        let changed = Ledger::with("another", decisions).await;
        let notary = office.open(&changed);
        let reason = refusal(&notary).await;
        assert!(reason.contains("changed"), "{reason}");
        assert!(notary.proofs().inclusion(at(1)).await.is_err());
        notary.stop().await;
        assert_eq!(fs::read(office.path(CHECKPOINT)).unwrap(), signed);
    }
}

#[tokio::test]
async fn a_log_that_lost_decisions_gets_no_checkpoint() {
    let mut office = Office::new();
    office.sign_all(&Ledger::with("one", 20).await).await;
    office.options = Options { shorter_for: Duration::from_millis(10), ..office.options };
    let shorter = Ledger::with("one", 19).await;
    let notary = office.open(&shorter);
    let reason = refusal(&notary).await;
    assert!(reason.contains("ends with decision 19 but 20"), "{reason}");
    notary.stop().await;
}

#[tokio::test]
async fn a_log_that_catches_up_with_what_was_signed_is_signed_on() {
    let mut office = Office::new();
    office.sign_all(&Ledger::with("one", 20).await).await;
    office.options = Options { shorter_for: Duration::from_secs(3_600), ..office.options };
    let mut slow = Ledger::with("one", 19).await;
    let notary = office.open(&slow);
    until_signed(&notary.proofs(), 20).await;
    slow.decide(2).await;
    until_signed(&notary.proofs(), 21).await;
    notary.stop().await;
}

#[tokio::test]
async fn nothing_is_signed_beside_a_checkpoint_that_cannot_be_read_or_is_of_another_ledger() {
    let (ledger, office) = (Ledger::with("one", 20).await, Office::new());
    office.sign_all(&ledger).await;
    let sound = fs::read_to_string(office.path(CHECKPOINT)).unwrap();
    let foreign = sound.replace("07070707", "08080808");
    for note in ["", "a letter", &sound[..40], &foreign] {
        fs::write(office.path(CHECKPOINT), note).unwrap();
        let notary = office.open(&ledger);
        assert!(!refusal(&notary).await.is_empty());
        notary.stop().await;
        assert_eq!(fs::read_to_string(office.path(CHECKPOINT)).unwrap(), note);
    }
}

#[tokio::test]
async fn what_came_before_a_record_that_cannot_be_read_is_signed_and_proved() {
    let (ledger, office) = (Ledger::with("one", 9).await, Office::new());
    ledger.append_rubbish().await;
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 9).await;
    let proof = notary.proofs().inclusion(at(9)).await.unwrap();
    proof.check(&office.verifier()).unwrap();
    let newer = notary.proofs().inclusion(at(10)).await.unwrap_err();
    assert!(matches!(&newer, Error::Unavailable { reason, .. } if reason.contains("offset 11")), "{newer}");
    notary.stop().await;
}

#[tokio::test]
async fn a_log_that_is_away_for_a_while_is_followed_again() {
    let (mut ledger, office) = (Ledger::with("one", 9).await, Office::new());
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 9).await;
    ledger.log.faults().set_available(false);
    until(async || {
        notary.proofs().inclusion(at(10)).await.is_err_and(|error| error.to_string().contains("delayed"))
    })
    .await;
    assert!(notary.proofs().checkpoint(PARTITION).await.is_ok());
    ledger.log.faults().set_available(true);
    assert!(ledger.log.bounds(0).await.is_ok());
    ledger.decide(1).await;
    until_signed(&notary.proofs(), 10).await;
    let note = notary.proofs().checkpoint(PARTITION).await.unwrap().note().to_owned();
    SignedCheckpoint::open(&note, &office.verifier()).unwrap();
    notary.stop().await;
}
