//! Verifying beside other work, and what is kept of it: it finds the same, it ends when it is told to, and nothing that was
//! found is forgotten.

use std::sync::Arc;

use stockledger_audit::verify::{self, Error, Options, Outcome, Pace, Progress, Remembered, outcome, verify};
use stockledger_schemas::{LedgerId, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::support::{busy_shop, log_of, verified, verified_against};

const GENTLE: Pace = Pace::Gentle { rests: 3 };
const LEDGER: LedgerId = LedgerId([7; 16]);

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).unwrap()
}

#[tokio::test]
async fn whoever_goes_gently_finds_the_same() {
    let shop = busy_shop().await;
    let log = Arc::new(shop.log.clone());
    let gently = verify(log.clone(), &Options { pace: GENTLE, ..Options::default() }).await.unwrap();
    assert_eq!(gently, verified(log).await);
    assert!(gently.is_good() && gently.total().events > 100);

    let mut records = shop.records().await;
    records[1].remove(9);
    let log = log_of(&records);
    let gently = verify(log.clone(), &Options { pace: GENTLE, ..Options::default() }).await.unwrap();
    assert_eq!(gently, verified(log).await);
    assert!(!gently.is_good());
}

#[tokio::test]
async fn whoever_is_told_to_stop_says_nothing_of_what_was_seen() {
    let shop = busy_shop().await;
    for pace in [GENTLE, Pace::Fast] {
        let cancel = CancellationToken::new();
        let told = cancel.clone();
        let on_progress = Arc::new(move |progress: Progress| {
            if progress.done > 0 {
                told.cancel();
            }
        });
        let options = Options { pace, cancel, on_progress, ..Options::default() };
        let stopped = verify(Arc::new(shop.log.clone()), &options).await;
        assert!(matches!(stopped, Err(Error::Cancelled)), "{pace:?}: {stopped:?}");
    }
}

#[tokio::test]
async fn an_outcome_is_kept_whole_and_only_of_its_ledger() {
    let shop = busy_shop().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit").join(outcome::FILE);
    assert_eq!(Outcome::load(&path, LEDGER).unwrap(), None);
    let mut records = shop.records().await;
    records[0].remove(5);
    for records in [&shop.records().await, &records] {
        let outcome = Outcome::new(at(1), at(2), verified(log_of(records)).await, None);
        outcome.keep(&path, LEDGER).unwrap();
        assert_eq!(Outcome::load(&path, LEDGER).unwrap(), Some(outcome));
    }
    let of_another = Outcome::load(&path, LedgerId([8; 16]));
    assert!(matches!(of_another, Err(outcome::Error::OtherLedger { .. })), "{of_another:?}");
    let kept = std::fs::read_to_string(&path).unwrap();
    for length in 0..kept.len() {
        std::fs::write(&path, &kept[..length]).unwrap();
        let cut = Outcome::load(&path, LEDGER);
        assert!(matches!(cut, Err(outcome::Error::Damaged { .. })), "{length}: {cut:?}");
    }
    std::fs::write(&path, kept.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    let newer = Outcome::load(&path, LEDGER);
    assert!(matches!(newer, Err(outcome::Error::OtherFormat { found: 2, .. })), "{newer:?}");
}

#[tokio::test]
async fn what_was_good_stays_remembered_until_it_is_found_again() {
    let shop = busy_shop().await;
    let whole = shop.records().await;
    let mut cut = whole.clone();
    cut[1].pop();
    let good = Outcome::new(at(1), at(2), verified(log_of(&whole)).await, None);
    let look = async |records, before: &Outcome| {
        let remembered: Vec<Remembered> = before.remembered().collect();
        let report: verify::Report = verified_against(log_of(records), remembered).await;
        Outcome::new(at(3), at(4), report, Some(before))
    };
    let wrong = look(&cut, &good).await;
    let again = look(&cut, &wrong).await;
    for outcome in [&wrong, &again] {
        let findings: Vec<String> = outcome.report.failures().map(ToString::to_string).collect();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("the verification before remembers more"), "{findings:?}");
    }
    let mended = look(&whole, &again).await;
    assert!(mended.report.is_good() && mended.report.unvouched() == 0, "{:?}", mended.report);
    // Without the one before, the log alone cannot show it.
    assert!(verified(log_of(&cut)).await.is_good());
}
