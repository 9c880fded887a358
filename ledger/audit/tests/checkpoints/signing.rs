//! What is signed, when, and what can be proved with it.

use std::time::Duration;

use stockledger_audit::notary::Options;
use stockledger_audit::proofs::Error;
use stockledger_audit::{SignedCheckpoint, SigningKey};
use stockledger_chain::merkle::empty_root;
use stockledger_schemas::{PartitionId, Position};

use crate::ledger::{LEDGER, Ledger, Office, PARTITION, at, until_signed};

#[tokio::test]
async fn a_ledger_without_decisions_has_a_checkpoint_that_says_so() {
    let (ledger, office) = (Ledger::new("one").await, Office::new());
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 0).await;
    let signed = notary.proofs().checkpoint(PARTITION).await.unwrap();
    let opened = SignedCheckpoint::open(signed.note(), &office.verifier()).unwrap();
    assert_eq!((opened.checkpoint().size, opened.checkpoint().root), (0, empty_root()));
    assert_eq!(opened.checkpoint().origin(), format!("stockledger/{LEDGER}/0"));
    notary.stop().await;
}

#[tokio::test]
async fn every_decision_is_proved_with_the_key_alone() {
    let (mut ledger, office) = (Ledger::with("one", 40).await, Office::new());
    ledger.claim().await;
    ledger.decide_late().await;
    ledger.decide(30).await;
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 70).await;
    for seq in 1..=70 {
        let proof = notary.proofs().inclusion(at(seq)).await.unwrap();
        let included = proof.check(&office.verifier()).unwrap();
        assert_eq!((included.decision.seq, proof.position), (seq, at(seq)));
        assert_eq!(included.signed.checkpoint().size, 70);
    }
    notary.stop().await;
}

#[tokio::test]
async fn a_decision_that_no_checkpoint_covers_gets_one_at_once() {
    let (mut ledger, mut office) = (Ledger::with("one", 3).await, Office::new());
    office.options = Options { extend_every: Duration::from_secs(3_600), ..Options::default() };
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 3).await;
    ledger.decide(2).await;
    let proof = notary.proofs().inclusion(at(5)).await.unwrap();
    assert_eq!(proof.tree_size, 5);
    proof.check(&office.verifier()).unwrap();
    notary.stop().await;
}

#[tokio::test]
async fn checkpoints_come_with_time_and_with_many_decisions() {
    let (mut ledger, mut office) = (Ledger::with("one", 3).await, Office::new());
    let never = Duration::from_secs(3_600);
    office.options = Options { sign_every: never, unsigned_max: 10, ..office.options };
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 3).await;
    ledger.decide(10).await;
    until_signed(&notary.proofs(), 13).await;
    notary.stop().await;

    office.options =
        Options { sign_every: Duration::from_millis(1), unsigned_max: u64::MAX, ..office.options };
    let notary = office.open(&ledger);
    ledger.decide(1).await;
    until_signed(&notary.proofs(), 14).await;
    notary.stop().await;
}

#[tokio::test]
async fn what_was_kept_from_an_earlier_visit_is_a_beginning_of_today() {
    let (mut ledger, office) = (Ledger::new("one").await, Office::new());
    let notary = office.open(&ledger);
    let mut kept = Vec::new();
    for more in [0, 1, 1, 5, 9, 16] {
        ledger.decide(more).await;
        let size = kept.last().map_or(0, |signed: &SignedCheckpoint| signed.checkpoint().size) + more;
        until_signed(&notary.proofs(), size).await;
        let note = notary.proofs().checkpoint(PARTITION).await.unwrap().note().to_owned();
        kept.push(SignedCheckpoint::open(&note, &office.verifier()).unwrap());
    }
    for since in &kept {
        let since = since.checkpoint();
        let proof = notary.proofs().consistency(since.position(), None).await.unwrap();
        let now = proof.check(since, &office.verifier()).unwrap();
        assert_eq!(now.checkpoint().size, 32);
        // Between two sizes in the past there is no note to go with it.
        let past = notary.proofs().consistency(since.position(), Some(at(31))).await;
        if since.size <= 31 {
            assert_eq!(past.unwrap().checkpoint, None);
        }
    }
    notary.stop().await;
}

#[tokio::test]
async fn questions_that_make_no_sense_are_answered_precisely() {
    let (ledger, office) = (Ledger::with("one", 5).await, Office::new());
    let notary = office.open(&ledger);
    let proofs = notary.proofs();
    until_signed(&proofs, 5).await;
    for seq in [0, 6, 1 << 60] {
        let error = proofs.inclusion(at(seq)).await.unwrap_err();
        assert!(matches!(error, Error::Undecided { last, .. } if last == at(5)), "{error}");
    }
    let other = Position::new(PartitionId(1), 1);
    assert!(matches!(proofs.inclusion(other).await, Err(Error::NoSuchPartition { .. })));
    assert!(matches!(proofs.checkpoint(PartitionId(1)).await, Err(Error::NoSuchPartition { .. })));
    assert!(matches!(proofs.consistency(at(3), Some(at(2))).await, Err(Error::Backwards { .. })));
    assert!(matches!(proofs.consistency(at(3), Some(other)).await, Err(Error::Backwards { .. })));
    assert!(matches!(proofs.consistency(at(3), Some(at(6))).await, Err(Error::Undecided { .. })));
    notary.stop().await;
}

#[tokio::test]
async fn the_last_checkpoint_covers_everything_and_its_files_answer_without_a_notary() {
    let (mut ledger, mut office) = (Ledger::with("one", 5).await, Office::new());
    office.options = Options { sign_every: Duration::from_secs(3_600), ..Options::default() };
    let files = office.files(&ledger);
    assert!(matches!(files.checkpoint(PARTITION).await, Err(Error::Unavailable { .. })));
    let notary = office.open(&ledger);
    until_signed(&notary.proofs(), 5).await;
    ledger.decide(2).await;
    notary.stop().await;

    let proof = files.inclusion(at(7)).await.unwrap();
    proof.check(&office.verifier()).unwrap();
    let since = files.consistency(at(2), None).await.unwrap();
    assert_eq!(since.to, at(7));
    ledger.decide(1).await;
    assert!(matches!(files.inclusion(at(8)).await, Err(Error::NotSignedYet { .. })));
}

#[tokio::test]
async fn a_new_key_signs_at_once_and_the_old_one_still_checks_what_it_signed() {
    let (ledger, office) = (Ledger::with("one", 5).await, Office::new());
    office.sign_all(&ledger).await;
    let old_note = std::fs::read_to_string(office.path("partition-0.checkpoint")).unwrap();
    let old = office.verifier();
    std::fs::rename(office.path("audit.key"), office.path("retired.key")).unwrap();

    let new = SigningKey::load_or_create(&office.path("audit.key"), LEDGER).unwrap().verifier();
    let notary = office.open(&ledger);
    let is_new = |note: &str| SignedCheckpoint::open(note, std::slice::from_ref(&new)).is_ok();
    crate::ledger::until(async || {
        notary.proofs().checkpoint(PARTITION).await.is_ok_and(|signed| is_new(signed.note()))
    })
    .await;
    assert!(SignedCheckpoint::open(&old_note, &old).is_ok() && !is_new(&old_note));
    let proof = notary.proofs().inclusion(at(3)).await.unwrap();
    assert!(proof.check(&old).is_err());
    proof.check(&[old[0].clone(), new]).unwrap();
    notary.stop().await;
}
