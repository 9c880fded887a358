//! Restoring: the same records at the same offsets, whole or as of a time, or nothing at all.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use stockledger_audit::archive::{Error, Restored, plan, restore};
use stockledger_audit::verify::{Options, Until};
use stockledger_log::memory::{Answer, Fate, MemoryLog};
use stockledger_log::{
    Acknowledgement, Bounds, Entry, Error as LogError, Log, Producer, Reader, SqliteLog, StoredRecord,
};
use stockledger_schemas::{Position, Record, Timestamp, envelope};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{
    Shop, busy_shop, export_small, log_of, opened, partition, receive, records_of, verified,
};

async fn restored(directory: &Path, log: Arc<dyn Log>, until: Until) -> Result<Restored, Error> {
    let planned = plan(opened(directory), &until, &Options::default()).await?;
    restore(&planned, log, Arc::new(|_| {}), CancellationToken::new()).await
}

async fn archived(shop: &Shop) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    export_small(Arc::new(shop.log.clone()), directory.path()).await;
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_is_the_log_that_was_archived() {
    let shop = busy_shop().await;
    let (directory, place) = (archived(&shop).await, tempfile::tempdir().unwrap());
    let log = Arc::new(SqliteLog::create(&place.path().join("log.sqlite"), 2).await.unwrap());
    let done = restored(directory.path(), log.clone(), Until::End).await.unwrap();
    assert_eq!(records_of(&*log).await, shop.records().await);
    assert_eq!(done.new_records, done.report.total().records);
    for offset in [0, 1, 5] {
        let (ours, theirs) = (log.fetch(0, offset).await.unwrap(), shop.log.fetch(0, offset).await.unwrap());
        assert_eq!(ours.map(|record| record.key), theirs.map(|record| record.key), "the key of {offset}");
    }
    // A second time there is nothing to do.
    let again = restored(directory.path(), log.clone(), Until::End).await.unwrap();
    assert_eq!(again.new_records, 0);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_keys_are_those_that_the_writer_gave() {
    let mut shop = Shop::open(1).await;
    shop.open_site("uk").await;
    shop.run("uk", receive(&[("LAMP", 1)])).await;
    shop.stop().await;
    let directory = archived(&shop).await;
    let log = Arc::new(Recording { log: MemoryLog::new(1), entries: Arc::default() });
    restored(directory.path(), log.clone(), Until::End).await.unwrap();
    let entries = log.entries.lock().unwrap();
    let types: Vec<&str> = entries.iter().map(|entry| entry.headers[0].1.as_str()).collect();
    assert_eq!(types, ["genesis", "claim", "site_registered", "site_opened", "stock_received"]);
    let keys: Vec<&[u8]> = entries.iter().map(|entry| entry.key.as_ref()).collect();
    assert_eq!(keys, [&b""[..], b"", b"", b"uk", b"uk"]);
}

/// A log that keeps what it was given as it was given.
struct Recording {
    log: MemoryLog,
    entries: Arc<Mutex<Vec<Entry>>>,
}

struct RecordingProducer {
    producer: Box<dyn Producer>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Producer for RecordingProducer {
    fn append(&mut self, batch: Vec<Entry>) -> Acknowledgement {
        self.entries.lock().unwrap().extend(batch.iter().cloned());
        self.producer.append(batch)
    }
}

#[async_trait]
impl Log for Recording {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }

    fn producer(&self, partition: u16) -> Result<Box<dyn Producer>, LogError> {
        let (producer, entries) = (self.log.producer(partition)?, Arc::clone(&self.entries));
        Ok(Box::new(RecordingProducer { producer, entries }))
    }

    async fn reader(&self, partition: u16, from: u64) -> Result<Box<dyn Reader>, LogError> {
        self.log.reader(partition, from).await
    }

    async fn bounds(&self, partition: u16) -> Result<Bounds, LogError> {
        self.log.bounds(partition).await
    }

    async fn fetch(&self, partition: u16, offset: u64) -> Result<Option<StoredRecord>, LogError> {
        self.log.fetch(partition, offset).await
    }

    async fn close(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_ends_at_the_instant_in_every_partition() {
    let shop = busy_shop().await;
    let (directory, records) = (archived(&shop).await, shop.records().await);
    let times: Vec<Timestamp> = records.iter().flatten().filter_map(recorded_at).collect();
    for instant in [times[times.len() / 3], times[times.len() / 5], Timestamp::MAX] {
        let log = Arc::new(MemoryLog::new(2));
        let done = restored(directory.path(), log.clone(), Until::Instant(instant)).await.unwrap();
        assert!(done.report.is_good());
        for (restored, whole) in records_of(&*log).await.iter().zip(&records) {
            assert_eq!(restored[..], whole[..restored.len()], "a prefix");
            let is_in = |record: &Bytes| recorded_at(record).is_some_and(|time| time <= instant);
            let wanted = whole.iter().filter(|record| is_in(record)).count();
            assert_eq!(restored.iter().filter(|record| is_in(record)).count(), wanted);
            assert_eq!(restored.iter().filter_map(recorded_at).filter(|time| *time > instant).count(), 0);
            if instant < Timestamp::MAX {
                assert!(
                    recorded_at(restored.last().unwrap()).is_some(),
                    "no claim of a later time at the end"
                );
            } else {
                assert_eq!(restored.len(), whole.len());
            }
        }
        assert!(verified(log).await.is_good());
    }
}

fn recorded_at(record: &Bytes) -> Option<Timestamp> {
    match envelope::decode(record).unwrap() {
        Record::Decision(decision) => Some(decision.recorded_at),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_ends_at_the_positions_that_are_named() {
    let shop = busy_shop().await;
    let directory = archived(&shop).await;
    let log = Arc::new(MemoryLog::new(2));
    let at = |number, seq| Position::new(partition(number), seq);
    let done = restored(directory.path(), log.clone(), Until::Positions(vec![at(1, 20)])).await.unwrap();
    let heads: Vec<u64> = done.report.partitions.iter().map(|one| one.head.unwrap().seq).collect();
    assert_eq!(heads[1], 20);
    assert_eq!(records_of(&*log).await[0], shop.records().await[0], "what is not named is whole");

    let beyond =
        restored(directory.path(), Arc::new(MemoryLog::new(2)), Until::Positions(vec![at(1, 9_999)])).await;
    assert!(matches!(beyond, Err(Error::Beyond { .. })));

    // The directory without its sites: they would be open and unknown.
    let log = Arc::new(MemoryLog::new(2));
    let cut = restored(directory.path(), log.clone(), Until::Positions(vec![at(0, 1)])).await.unwrap_err();
    assert!(matches!(cut, Error::BadCut(_)) && cut.is_unsafe_setup(), "{cut}");
    assert_eq!(log.bounds(0).await.unwrap().end, 0, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_holds_something_else_is_left_alone() {
    let shop = busy_shop().await;
    let (directory, records) = (archived(&shop).await, shop.records().await);
    let other = Shop::open_with(2, 77).await;
    other.stop().await;
    let longer = {
        let mut longer = records.clone();
        longer[1].push(records[1][3].clone());
        log_of(&longer)
    };
    for (log, partition, offset) in
        [(Arc::new(other.log.clone()), 0, 0), (longer, 1, records[1].len() as u64)]
    {
        let before = records_of(&*log).await;
        let refused = restored(directory.path(), log.clone(), Until::End).await.unwrap_err();
        assert!(refused.is_unsafe_setup(), "{refused}");
        assert!(
            matches!(&refused, Error::NotEmpty { partition: found, offset: at } if (found.0, *at) == (partition, offset)),
            "{refused}"
        );
        assert_eq!(records_of(&*log).await, before);
    }
    let wide = restored(directory.path(), Arc::new(MemoryLog::new(3)), Until::End).await.unwrap_err();
    assert!(matches!(wide, Error::PartitionCount { archive: 2, log: 3 }) && wide.is_unsafe_setup());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_ended_goes_on_where_it_stopped() {
    let shop = busy_shop().await;
    let (directory, records) = (archived(&shop).await, shop.records().await);
    for (first, second) in [(0, 0), (1, 0), (17, 0), (records[0].len(), 5)] {
        let log = log_of(&[records[0][..first].to_vec(), records[1][..second].to_vec()]);
        let done = restored(directory.path(), log.clone(), Until::End).await.unwrap();
        assert_eq!(done.new_records, (records[0].len() - first + records[1].len() - second) as u64);
        assert_eq!(records_of(&*log).await, records);
    }
    // A log that does not answer half-way.
    let log = Arc::new(MemoryLog::new(2));
    log.faults().plan(0, Fate::HEALTHY);
    log.faults().plan(1, Fate::answer(Answer::Unknown));
    let failed = restored(directory.path(), log.clone(), Until::End).await.unwrap_err();
    assert!(matches!(failed, Error::Append { .. }) && failed.is_not_ready(), "{failed}");
    restored(directory.path(), log.clone(), Until::End).await.unwrap();
    assert_eq!(records_of(&*log).await, records);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_is_not_restored_at_all() {
    let shop = busy_shop().await;
    let directory = archived(&shop).await;
    let archive = opened(directory.path());
    let content = archive.manifest().content(partition(1)).unwrap();
    let path = directory.path().join(&content.segments.last().unwrap().file);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Arc::new(MemoryLog::new(2));
    let refused = restored(directory.path(), log.clone(), Until::End).await.unwrap_err();
    assert!(matches!(&refused, Error::Bad(_)) && refused.is_verification(), "{refused}");
    assert_eq!(log.bounds(0).await.unwrap().end, 0, "not even the partition that is good");
}
