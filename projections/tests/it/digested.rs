//! Digests: they are those of the rows, they show rows that are wrong, and they show a fold that is another one.

use proptest::prelude::prop;
use proptest::test_runner::{Config, TestRunner};
use stockledger_domain::Command;
use stockledger_projections::Version;
use stockledger_projections::compare::{What, compare};
use stockledger_projections::read::{self, VersionState};
use stockledger_projections::rebuild::{Error, Replay};
use stockledger_projections::switch::{IfDifferent, Target, switch};
use stockledger_projections::table::code_hash;
use stockledger_projections::value::Value;
use stockledger_schemas::{Disposition, HoldReason};

use crate::common::{
    Ledger, Running, TestStore, adjust, assert_exact, cancel, count, digests, hold, note, place, rebuild,
    receive, release, replay, ship, sum_of_rows, take_back,
};
use crate::random::{SITES, any_command, ledger_with_sites};

/// Runs the commands while a projector follows, which is killed now and then, and rebuilds in the middle; then reads all
/// rows of both versions back.
async fn digests_are_those_of_the_rows(steps: Vec<(usize, Command, u8)>) {
    let mut ledger = ledger_with_sites(2);
    let store = TestStore::new().await;
    let mut running = Running::start(ledger.log(), &store.store).await;
    let middle = steps.len() / 2;
    for (number, (site, command, pause)) in steps.into_iter().enumerate() {
        ledger.run(SITES[site], command);
        if number == middle {
            rebuild(&replay(ledger.log(), &store.store)).await.unwrap();
        }
        match pause {
            0 => running.until_level(&ledger).await,
            1 => {
                drop(running);
                running = Running::start(ledger.log(), &store.store).await;
            }
            _ => {}
        }
    }
    for version in [Version(1), Version(2)] {
        running.until_version_level(version, &ledger).await;
    }
    running.stop().await;
    let first = digests(&*store.store, Version(1)).await;
    assert_eq!(first, digests(&*store.store, Version(2)).await);
    let digest = first.iter().fold(0_u64, |sum, (_, _, digest)| sum.wrapping_add(*digest));
    for version in [Version(1), Version(2)] {
        assert_eq!(sum_of_rows(&*store.store, version).await, digest, "version {version}");
    }
}

#[test]
fn a_digest_is_the_sum_of_the_rows_whatever_happened() {
    let steps = prop::collection::vec((0..SITES.len(), any_command(12), 0..12_u8), 2..100);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps, |steps| {
            runtime.block_on(digests_are_those_of_the_rows(steps));
            Ok(())
        })
        .unwrap();
}

/// A ledger of one site, and tables of it that nobody follows.
async fn shop() -> (Ledger, TestStore, Replay) {
    let mut ledger = Ledger::new(2);
    ledger.open_site("shop");
    ledger.run("shop", receive(&[("A", 10), ("B", 10)]));
    ledger.run("shop", place("o-1", &[("A", 2)]));
    let store = TestStore::new().await;
    let replay = replay(ledger.log(), &store.store);
    rebuild(&replay).await.unwrap();
    (ledger, store, replay)
}

async fn states(store: &TestStore) -> Vec<(u32, VersionState)> {
    let versions = read::versions(&mut *store.store.snapshot().await.unwrap()).await.unwrap();
    versions.iter().map(|info| (info.version.0, info.state)).collect()
}

/// Nothing checks since when an item has been seen; the row is read again when the item moves, and then does not add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_changed_by_hand_keeps_a_switch_from_being_made_until_it_is_accepted() {
    let (mut ledger, store, replay) = shop().await;
    assert_eq!(store.execute("UPDATE stock__v1 SET first_seq = first_seq + 1 WHERE sku = 'A'").await, 1);
    ledger.run("shop", receive(&[("A", 1)]));
    let Err(Error::Differ { partition, offset, from, to, found, expected }) = rebuild(&replay).await else {
        panic!("the wrong row was not seen")
    };
    let end = ledger.log().bounds(partition.0).await.unwrap().end;
    assert_eq!((partition, offset, from, to), (ledger.home("shop"), end, Version(1), Version(2)));
    assert_ne!(found, expected);
    // What was made is whole and right, and waits for somebody to look.
    assert_eq!(states(&store).await, [(1, VersionState::Active), (2, VersionState::Ready)]);
    assert_exact(&ledger, &store, Version(2)).await;
    let refused = switch(&replay, Target::Version(Version(2)), IfDifferent::Refuse).await;
    assert!(matches!(refused, Err(Error::Differ { .. })), "{refused:?}");
    assert_eq!(store.active().await, Version(1));
    let switched = switch(&replay, Target::Version(Version(2)), IfDifferent::Accept).await.unwrap();
    assert_eq!((switched.from, switched.to, switched.is_compared), (Version(1), Version(2), false));
    assert_eq!(store.active().await, Version(2));
    let back = switch(&replay, Target::Back, IfDifferent::Refuse).await;
    assert!(matches!(back, Err(Error::Differ { .. })), "{back:?}");
}

/// A digest moves with what changes and costs no second look at the tables, so it says nothing of a row that nobody reads
/// again; a comparison row by row does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_nobody_reads_again_is_found_by_a_comparison_only() {
    let (_ledger, store, replay) = shop().await;
    assert_eq!(store.execute("UPDATE trail__v1 SET actor = 'nobody' WHERE order_id = 'o-1'").await, 1);
    let rebuilt = rebuild(&replay).await.unwrap();
    assert!(rebuilt.switched.unwrap().is_compared);
    let compared = compare((&*store.store, Version(1)), (&*store.store, Version(2))).await.unwrap();
    let difference = compared.difference.unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(difference.table, "trail");
    assert_eq!(
        difference.what,
        What::Column { column: "actor", first: text("nobody"), second: text("tester") }
    );
    let digest =
        digests(&*store.store, Version(1)).await.iter().fold(0_u64, |sum, one| sum.wrapping_add(one.2));
    assert_ne!(sum_of_rows(&*store.store, Version(1)).await, digest, "all rows read back do not add up");
}

/// Something of everything, always the same.
fn written_down() -> Ledger {
    let mut ledger = Ledger::new(2);
    for site in ["shop", "Depot"] {
        ledger.open_site(site);
    }
    ledger.register_item("A", "Äpfel");
    ledger.register_item("A", "Rote Äpfel");
    ledger.run("shop", receive(&[("A", 20), ("B", 5)]));
    ledger.run("Depot", receive(&[("a ~", 7)]));
    ledger.run("shop", adjust(&[("B", -1)]));
    ledger.run("shop", count("A", 19));
    ledger.run("shop", hold("h", "A", 4, HoldReason::QualityControl));
    ledger.run("shop", release("h", 1));
    ledger.run("shop", place("o-1", &[("A", 3), ("B", 2)]));
    ledger.run("shop", place("o-2", &[("B", 50)]));
    ledger.run("shop", ship("o-1", Some(&[("A", 1)])));
    ledger.run("shop", ship("o-1", None));
    ledger.run("shop", take_back("o-1", "A", 1, Disposition::Damaged));
    ledger.run("shop", receive(&[("B", 100)]));
    ledger.run("shop", place("o-2", &[("B", 50)]));
    ledger.run("shop", cancel("o-2"));
    ledger.run("Depot", note());
    ledger.run("Depot", ship("o-9", None));
    ledger
}

/// What the fold makes of one history. If only the digests changed, one code hash would stand for tables of both kinds, and
/// a program would go on with what another fold began: raise `FOLD_VERSION` in `table.rs`, then write all of it down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_history_folds_to_the_digest_that_is_written_down_for_this_code() {
    const HISTORY: [&str; 2] = [
        "9a99b39dc014b07e37fa46ec19bcb5bc1e02377b12dea6c0e7e75dedccf01d67",
        "c035434a5d8c8bba75f25e3e6e79fdfe07d147d6ed4bc8225bd82d8980b12121",
    ];
    const CODE: &str = "98a5bb481989eb970fd3a680876e9973de9ea9b7f31ec3ce8e9eb3c25e7ba1e2";
    const DIGESTS: [&str; 2] = ["0dd43d7b62df5fca", "61b95caeddfc9a5e"];
    let ledger = written_down();
    let store = TestStore::new().await;
    let version = rebuild(&replay(ledger.log(), &store.store)).await.unwrap().version;
    let checkpoints = read::checkpoints(&mut *store.store.snapshot().await.unwrap(), version).await.unwrap();
    let history: Vec<String> = checkpoints.iter().map(|checkpoint| checkpoint.hash.to_string()).collect();
    assert_eq!(history, HISTORY, "the history is another one, which says nothing of the fold");
    let found: Vec<String> =
        checkpoints.iter().map(|checkpoint| format!("{:016x}", checkpoint.digest)).collect();
    let code = code_hash().to_string();
    assert!(code != CODE || found == DIGESTS, "the fold makes other rows now: raise FOLD_VERSION; {found:?}");
    assert_eq!((code.as_str(), found), (CODE, DIGESTS.map(str::to_owned).to_vec()), "write this down");
}
