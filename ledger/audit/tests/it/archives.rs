//! Archives: what is exported is what the log has, once, and whatever happens to the files is found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stockledger_audit::archive::{Error, MANIFEST, Manifest, Options, export, twin};
use stockledger_audit::verify::Fault;
use stockledger_log::Log;
use stockledger_schemas::PartitionId;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Dice, Shop, busy_shop, export_small, log_of, opened, partition, receive, records_of, repair, small,
    verified, verified_against,
};

/// An archive of a busy ledger, with its log.
async fn archived() -> (Shop, TempDir) {
    let shop = busy_shop().await;
    let directory = tempfile::tempdir().unwrap();
    let exported = export_small(Arc::new(shop.log.clone()), directory.path()).await;
    assert!(exported.partitions.iter().all(|one| one.halt.is_none() && one.new_segments > 3), "{exported:?}");
    (shop, directory)
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let manifest = Manifest::load(directory).unwrap();
    let contents = manifest.contents.iter();
    contents.flat_map(|content| &content.segments).map(|segment| directory.join(&segment.file)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_has_the_records_of_the_log_at_their_offsets() {
    let (shop, directory) = archived().await;
    let archive = opened(directory.path());
    assert_eq!(records_of(&archive).await, shop.records().await);
    let remembered = archive.manifest().remembered(directory.path());
    let of_log = verified_against(Arc::new(shop.log.clone()), remembered.clone()).await;
    let of_archive = verified_against(Arc::new(archive), remembered).await;
    assert!(of_log.is_good() && of_archive.is_good());
    assert_eq!((of_log.unvouched(), of_archive.unvouched()), (0, 0));
    assert_eq!(of_log.total(), of_archive.total());
    let heads = |report: &stockledger_audit::Report| {
        report.partitions.iter().map(|one| one.head.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(heads(&of_log), heads(&of_archive));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_export_adds_what_is_new_and_changes_nothing_else() {
    let (mut shop, directory) = archived().await;
    let before: Vec<Vec<u8>> =
        segments(directory.path()).iter().map(|path| std::fs::read(path).unwrap()).collect();
    let again = export_small(Arc::new(shop.log.clone()), directory.path()).await;
    assert!(again.partitions.iter().all(|one| (one.new_records, one.new_segments) == (0, 0)), "{again:?}");

    shop.restart().await;
    shop.run("uk", receive(&[("LAMP", 3)])).await;
    shop.stop().await;
    let more = export_small(Arc::new(shop.log.clone()), directory.path()).await;
    let new: Vec<u64> = more.partitions.iter().map(|one| one.new_records).collect();
    assert_eq!(new, [2, 1], "a claim each, and a receipt");
    assert_eq!(records_of(&opened(directory.path())).await, shop.records().await);
    for bytes in &before {
        let is_there = segments(directory.path()).iter().any(|path| std::fs::read(path).unwrap() == *bytes);
        assert!(is_there, "a sealed segment was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_ended_goes_on() {
    let shop = busy_shop().await;
    let parts = tempfile::tempdir().unwrap();
    let records = shop.records().await;
    let short: Vec<_> = records.iter().map(|records| records[..16].to_vec()).collect();
    export_small(log_of(&short), parts.path()).await;
    // As if it had been killed there: with half of the next segment, and with one that the manifest does not name yet.
    for content in &Manifest::load(parts.path()).unwrap().contents {
        let next = content.segments.last().unwrap().next_offset();
        let torn = format!("partition-{:04}/segment-{next:020}.slseg.new", content.partition.0);
        std::fs::write(parts.path().join(torn), b"half a segment").unwrap();
        let unnamed = format!("partition-{:04}/segment-{next:020}.slseg", content.partition.0);
        std::fs::write(parts.path().join(unnamed), b"sealed, but not named").unwrap();
    }
    export_small(Arc::new(shop.log.clone()), parts.path()).await;
    assert_eq!(records_of(&opened(parts.path())).await, records);

    let cancel = CancellationToken::new();
    cancel.cancel();
    let cancelled = Options { cancel, ..small() };
    let nothing = tempfile::tempdir().unwrap();
    std::fs::write(nothing.path().join("manifest.json.new"), b"half a mani").unwrap();
    let ended = export(Arc::new(shop.log.clone()), nothing.path(), &cancelled).await;
    assert!(matches!(ended, Err(Error::Cancelled)));
    export_small(Arc::new(shop.log.clone()), nothing.path()).await;
    assert_eq!(records_of(&opened(nothing.path())).await, records);
}

#[tokio::test(flavor = "multi_thread")]
async fn some_partitions_can_be_exported_alone() {
    let shop = busy_shop().await;
    let directory = tempfile::tempdir().unwrap();
    let options = Options { partitions: Some(vec![PartitionId(1)]), ..small() };
    export(Arc::new(shop.log.clone()), directory.path(), &options).await.unwrap();
    let archive = opened(directory.path());
    assert_eq!(archive.held(), [PartitionId(1)]);
    let options =
        stockledger_audit::verify::Options { partitions: Some(archive.held()), ..Default::default() };
    let report = stockledger_audit::verify(Arc::new(archive.clone()), &options).await.unwrap();
    assert!(report.is_good(), "{report:?}");
    assert_eq!(records_of(&archive).await, [vec![], shop.records().await.remove(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_history_is_not_gone_on_with() {
    let (shop, directory) = archived().await;
    let before = std::fs::read(directory.path().join(MANIFEST)).unwrap();
    let mut records = shop.records().await;
    let go_on = async |log: Arc<dyn Log>| export(log, directory.path(), &small()).await.unwrap_err();

    let stranger = Shop::open_with(2, 77).await;
    stranger.stop().await;
    let other = go_on(Arc::new(stranger.log.clone())).await;
    assert!(matches!(other, Error::OtherLedger { .. }) && other.is_unsafe_setup(), "{other}");

    let kept = records[1].pop().unwrap();
    let shorter = go_on(log_of(&records)).await;
    assert!(matches!(&shorter, Error::Contradicts { what, .. } if what.contains("ends at")), "{shorter}");
    assert!(shorter.is_verification());

    let mut changed = kept.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    repair(&mut changed);
    records[1].push(changed.into());
    let rewritten = go_on(log_of(&records)).await;
    assert!(
        matches!(&rewritten, Error::Contradicts { what, .. } if what.contains("another one")),
        "{rewritten}"
    );
    assert_eq!(std::fs::read(directory.path().join(MANIFEST)).unwrap(), before, "nothing was changed");

    let occupied = tempfile::tempdir().unwrap();
    std::fs::write(occupied.path().join("letters.txt"), "to my mother").unwrap();
    let refused = export(Arc::new(shop.log.clone()), occupied.path(), &small()).await.unwrap_err();
    assert!(matches!(refused, Error::Occupied(_)) && refused.is_unsafe_setup(), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_byte_of_a_segment_is_found() {
    let (_, directory) = archived().await;
    let paths = segments(directory.path());
    let mut dice = Dice(23);
    for _ in 0..500 {
        let path = &paths[dice.below(paths.len())];
        let good = std::fs::read(path).unwrap();
        let mut bad = good.clone();
        let place = dice.below(bad.len());
        bad[place] ^= 1 + dice.byte() % 255;
        std::fs::write(path, &bad).unwrap();
        let report = verified(Arc::new(opened(directory.path()))).await;
        assert!(!report.is_good(), "byte {place} of {}", path.display());
        std::fs::write(path, &good).unwrap();
    }
    assert!(verified(Arc::new(opened(directory.path()))).await.is_good());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_missing_short_or_long_are_named() {
    let (_, directory) = archived().await;
    let path = segments(directory.path()).remove(1);
    let good = std::fs::read(&path).unwrap();
    let damages: [&dyn Fn(); 4] = [
        &|| std::fs::remove_file(&path).unwrap(),
        &|| std::fs::write(&path, &good[..good.len() - 1]).unwrap(),
        &|| std::fs::write(&path, [&good[..], b"more"].concat()).unwrap(),
        &|| std::fs::write(&path, b"").unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        damage();
        let report = verified(Arc::new(opened(directory.path()))).await;
        let failure = report.failures().next().unwrap();
        assert!(
            matches!(&failure.fault, Fault::Damaged(what) if what.contains(path.to_str().unwrap())),
            "{number}: {failure}"
        );
        std::fs::write(&path, &good).unwrap();
    }
}

/// A void record is not covered by the chain; the checksum of its segment covers it.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_void_record_is_found_by_its_segment() {
    let shop = busy_shop().await;
    let mut records = shop.records().await;
    let copy = records[0][5].clone();
    records[0].push(copy.clone());
    let directory = tempfile::tempdir().unwrap();
    export_small(log_of(&records), directory.path()).await;
    let mut changed = copy.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    repair(&mut changed);
    let path = segments(directory.path())
        .into_iter()
        .rfind(|path| path.to_str().unwrap().contains("partition-0000"))
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.len() - copy.len();
    bytes[place..].copy_from_slice(&changed);
    std::fs::write(&path, bytes).unwrap();
    let report = verified(Arc::new(opened(directory.path()))).await;
    let failure = report.failures().next().unwrap();
    assert!(matches!(&failure.fault, Fault::Damaged(what) if what.contains("SHA-256")), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_before_a_record_that_cannot_be_read_past_is_exported() {
    let shop = busy_shop().await;
    let mut records = shop.records().await;
    let mut bytes = records[0][30].to_vec();
    bytes[10] ^= 1;
    records[0][30] = bytes.into();
    let directory = tempfile::tempdir().unwrap();
    let exported = export_small(log_of(&records), directory.path()).await;
    let halt = exported.partitions[0].halt.as_ref().unwrap();
    assert_eq!(halt.offset, 30);
    assert!(exported.partitions[1].halt.is_none());
    let archive = opened(directory.path());
    assert_eq!(archive.bounds(0).await.unwrap().end, 30);
    assert_eq!(records_of(&archive).await[0], records[0][..30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_an_archive_begin_where_they_are_asked_to() {
    let (shop, directory) = archived().await;
    let (archive, records) = (opened(directory.path()), shop.records().await.remove(0));
    for offset in [0, 15, 16, 17, records.len() - 1] {
        let fetched = archive.fetch(0, offset as u64).await.unwrap().unwrap();
        assert_eq!((fetched.offset, &fetched.value), (offset as u64, &records[offset]));
    }
    assert_eq!(archive.fetch(0, records.len() as u64).await.unwrap(), None);
    assert!(archive.producer(0).is_err());
    assert!(archive.bounds(2).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_say_in_words_what_the_records_say() {
    let mut shop = Shop::open(1).await;
    shop.open_site("uk").await;
    shop.run("uk", receive(&[("LAMP", 5), ("DESK", 2)])).await;
    shop.run("uk", crate::support::place("o-1", &[("LAMP", 3)])).await;
    shop.run("uk", crate::support::place("o-2", &[("LAMP", 3)])).await;
    shop.stop().await;
    let mut records = shop.records().await;
    let copy = records[0][3].clone();
    records[0].push(copy);
    let directory = tempfile::tempdir().unwrap();
    let twin_of = async |form| {
        let options = twin::Options {
            form,
            partitions: None,
            on_progress: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        };
        let written = twin::write(log_of(&records), directory.path(), &options).await.unwrap().remove(0);
        assert_eq!(written.partition, partition(0));
        (std::fs::read_to_string(&written.file).unwrap(), written.lines)
    };
    let (text, lines) = twin_of(twin::Form::Json).await;
    let values: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((values.len() as u64, lines), (records[0].len() as u64, lines));
    assert_eq!(values[0]["record"]["kind"], "genesis");
    assert_eq!(values[4]["position"], "0.3");
    assert_eq!(values[4]["record"]["events"][0]["lines"][0]["sku"], "LAMP");
    assert_eq!(values.last().unwrap()["void"], "second_copy");

    let (text, rows) = twin_of(twin::Form::Csv).await;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let found: Vec<std::collections::HashMap<String, String>> =
        reader.deserialize().map(|row| row.unwrap()).collect();
    assert_eq!(found.len() as u64, rows);
    let of = |kind: &str| found.iter().filter(|row| row["type"] == kind).collect::<Vec<_>>();
    assert_eq!(of("stock_received").len(), 2);
    let placed = of("order_placed")[0];
    assert_eq!((&placed["order_id"][..], &placed["sku"][..], &placed["quantity"][..]), ("o-1", "LAMP", "3"));
    assert_eq!((&placed["on_hand_after"][..], &placed["reserved_after"][..]), ("5", "3"));
    let refused = of("out_of_stock")[0];
    assert_eq!((&refused["available"][..], &refused["on_hand_after"][..]), ("2", ""));
}
