//! The conformance suite: what every adapter of the log port must do, as one async function per promise.
//!
//! A [`Factory`] makes a fresh log for each of them. [`conformance_suite!`](crate::conformance_suite) turns the suite
//! into separate tests of an adapter. Nothing here may know which adapter it is running against: what one adapter does
//! better than the port promises is tested beside that adapter.

#![expect(clippy::missing_panics_doc, reason = "a promise that is not kept is a panic: these are tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use crate::{Acknowledgement, Bounds, Delivery, Entry, Error, Log, Producer, Reader, StoredRecord};

/// How many partitions a [`Factory`] gives each log.
pub const PARTITIONS: u16 = 3;
/// What takes longer than this has failed.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a reader waits for what is not expected to come.
const SHORT: Duration = Duration::from_millis(100);

/// Makes the logs that the suite is run on.
#[async_trait]
pub trait Factory: Send + Sync {
    /// A fresh log of [`PARTITIONS`] partitions without records. It is called once per factory.
    async fn create(&self) -> Arc<dyn Log>;
}

/// Makes logs that outlive the program.
#[async_trait]
pub trait DurableFactory: Factory {
    /// Ends the use of the log that [`Factory::create`] made, which nobody else uses, and opens it again.
    async fn reopen(&self, log: Arc<dyn Log>) -> Arc<dyn Log>;
}

/// The suite as separate tests of one adapter, in a module of the given name: `conformance_suite!(name, FACTORY)`, or,
/// for a log that outlives the program, `conformance_suite!(name, durable FACTORY)`.
///
/// `FACTORY` is an expression that is evaluated for every test. The crate must have `tokio` with its macros and its
/// multi-threaded runtime.
#[macro_export]
macro_rules! conformance_suite {
    (@tests $factory:expr; $($promise:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let factory = $factory;
            $crate::conformance::within_deadline($crate::conformance::$promise(&factory)).await;
        }
    )+};
    (@every $factory:expr) => {
        $crate::conformance_suite!(@tests $factory;
            offsets_are_dense_from_zero
            order_is_kept_within_and_across_batches
            what_is_acknowledged_can_be_read
            several_batches_are_in_flight_at_once
            two_producers_interleave_without_loss
            a_reader_begins_in_the_middle
            a_reader_gives_no_more_than_was_asked_for
            a_reader_waits_for_what_comes_later
            a_reader_at_the_end_answers_nothing_after_its_patience
            a_dropped_read_loses_nothing
            fetching_beyond_the_end_gives_nothing
            an_unknown_partition_is_refused
            partitions_are_independent
            large_records_come_back_whole
            an_empty_batch_is_acknowledged_with_nothing
            bytes_come_back_as_they_were
            producers_of_all_partitions_append_at_once
        );
    };
    ($name:ident, durable $factory:expr) => {
        mod $name {
            use super::*;

            $crate::conformance_suite!(@every $factory);
            $crate::conformance_suite!(@tests $factory;
                what_was_acknowledged_is_there_after_reopening
                offsets_go_on_after_reopening
            );
        }
    };
    ($name:ident, $factory:expr) => {
        mod $name {
            use super::*;

            $crate::conformance_suite!(@every $factory);
        }
    };
}

/// A new partition is empty, and its records are numbered from 0 without gaps.
pub async fn offsets_are_dense_from_zero(factory: &impl Factory) {
    let log = factory.create().await;
    assert_eq!(bounds(&*log, 0).await, Bounds { begin: 0, end: 0 });
    let mut producer = producer(&*log, 0);
    for first in [0, 1, 4] {
        let batch = numbered("dense", first..if first == 0 { 1 } else { first + 3 });
        let expected: Vec<u64> = (first..first + batch.len() as u64).collect();
        assert_eq!(offsets(producer.append(batch)).await, expected);
    }
    assert_eq!(bounds(&*log, 0).await, Bounds { begin: 0, end: 7 });
}

/// Records are read in the order in which they were appended, whatever the sizes of the batches.
pub async fn order_is_kept_within_and_across_batches(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 1);
    let entries = numbered("order", 0..100);
    let mut rest = entries.as_slice();
    for size in [1, 2, 3, 5, 8, 13, 21, 34, 13] {
        let (batch, behind) = rest.split_at(size);
        offsets(producer.append(batch.to_vec())).await;
        rest = behind;
    }
    assert!(rest.is_empty());
    assert_eq!(as_entries(read_all(&*log, 1, 100).await), entries);
}

/// Once a record is acknowledged, a reader, a fetch and the bounds show it at the offset that was told.
pub async fn what_is_acknowledged_can_be_read(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 0);
    for number in 0..20 {
        let entries = numbered("acknowledged", number..number + 1);
        let told = offsets(producer.append(entries.clone())).await;
        assert_eq!(told, [number]);
        assert_eq!(bounds(&*log, 0).await.end, number + 1);
        let fetched =
            log.fetch(0, number).await.expect("the record can be fetched").expect("the record is there");
        assert_eq!(fetched.offset, number);
        let mut reader = log.reader(0, number).await.expect("a reader can be made");
        assert_eq!(read(&mut *reader, 1).await, std::slice::from_ref(&fetched));
        assert_eq!(as_entries(vec![fetched]), entries);
    }
}

/// Batches that were handed over without waiting are appended in that order.
pub async fn several_batches_are_in_flight_at_once(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 2);
    let entries = numbered("flight", 0..200);
    let acknowledgements: Vec<Acknowledgement> =
        entries.chunks(7).map(|batch| producer.append(batch.to_vec())).collect();
    let mut told = Vec::new();
    for acknowledgement in acknowledgements {
        told.extend(offsets(acknowledgement).await);
    }
    assert_eq!(told, (0..200).collect::<Vec<u64>>());
    assert_eq!(as_entries(read_all(&*log, 2, 200).await), entries);
}

/// Two producers of one partition get offsets of their own, and the log has the records of both.
pub async fn two_producers_interleave_without_loss(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producers = [producer(&*log, 0), producer(&*log, 0)];
    let entries = [numbered("left", 0..60), numbered("right", 0..60)];
    let mut waiting = Vec::new();
    for start in (0..60).step_by(3) {
        for (producer, entries) in producers.iter_mut().zip(&entries) {
            let batch = entries[start..start + 3].to_vec();
            waiting.push((batch.clone(), producer.append(batch)));
        }
    }
    let mut expected = vec![None; 120];
    for (batch, acknowledgement) in waiting {
        for (entry, offset) in batch.into_iter().zip(offsets(acknowledgement).await) {
            let place = &mut expected[usize::try_from(offset).expect("offsets are small")];
            assert_eq!(place.replace(entry), None, "offset {offset} was told twice");
        }
    }
    let read: Vec<_> = as_entries(read_all(&*log, 0, 120).await).into_iter().map(Some).collect();
    assert_eq!(read, expected);
}

/// A reader begins with the record that it was told to begin with.
pub async fn a_reader_begins_in_the_middle(factory: &impl Factory) {
    let log = factory.create().await;
    let entries = numbered("middle", 0..50);
    offsets(producer(&*log, 1).append(entries.clone())).await;
    for from in [0_u64, 1, 25, 49] {
        let mut reader = log.reader(1, from).await.expect("a reader can be made");
        let rest = &entries[usize::try_from(from).expect("offsets are small")..];
        let records = read(&mut *reader, rest.len()).await;
        assert_eq!(records[0].offset, from);
        assert_eq!(as_entries(records), rest);
    }
}

/// No answer of a reader has more records than were asked for, and the next answer goes on behind it.
pub async fn a_reader_gives_no_more_than_was_asked_for(factory: &impl Factory) {
    let log = factory.create().await;
    offsets(producer(&*log, 0).append(numbered("asked", 0..10))).await;
    let mut reader = log.reader(0, 0).await.expect("a reader can be made");
    let mut next = 0;
    for max in [1, 2, 3, 4] {
        let records = reader.next(max, DEADLINE).await.expect("the records can be read");
        assert!((1..=max).contains(&records.len()), "{} records, {max} were asked for", records.len());
        for record in records {
            assert_eq!(record.offset, next);
            next += 1;
        }
    }
}

/// A reader that has come to the end is woken by the next record.
pub async fn a_reader_waits_for_what_comes_later(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 0);
    let mut reader = log.reader(0, 0).await.expect("a reader can be made");
    for number in 0..10 {
        let entries = numbered("later", number..number + 1);
        let (records, told) = tokio::join!(read(&mut *reader, 1), offsets(producer.append(entries.clone())));
        assert_eq!(told, [number]);
        assert_eq!(records[0].offset, number);
        assert_eq!(as_entries(records), entries);
    }
}

/// Where nothing comes, a reader answers that, neither before its patience is over nor long after it.
pub async fn a_reader_at_the_end_answers_nothing_after_its_patience(factory: &impl Factory) {
    let log = factory.create().await;
    offsets(producer(&*log, 0).append(numbered("end", 0..3))).await;
    let mut reader = log.reader(0, 3).await.expect("a reader can be made");
    for patience in [Duration::ZERO, SHORT] {
        let start = tokio::time::Instant::now();
        assert_eq!(reader.next(10, patience).await.expect("the log can be read"), []);
        assert!(start.elapsed() >= patience);
    }
    offsets(producer(&*log, 0).append(numbered("end", 3..4))).await;
    assert_eq!(read(&mut *reader, 1).await[0].offset, 3);
}

/// A read that is given up, at whatever point, takes no record with it.
pub async fn a_dropped_read_loses_nothing(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 0);
    let entries = numbered("dropped", 0..60);
    let mut reader = log.reader(0, 0).await.expect("a reader can be made");
    let mut records = Vec::new();
    for (step, entry) in entries.iter().enumerate() {
        let acknowledgement = producer.append(vec![entry.clone()]);
        // Given up before it began to wait, soon after, or somewhere in the middle of reading.
        let patience = Duration::from_micros(50 * step as u64);
        if let Ok(read) = timeout(patience, reader.next(5, DEADLINE)).await {
            records.extend(read.expect("the log can be read"));
        }
        offsets(acknowledgement).await;
    }
    let missing = entries.len() - records.len();
    records.extend(read(&mut *reader, missing).await);
    assert!(records.iter().map(|record| record.offset).eq(0..60));
    assert_eq!(as_entries(records), entries);
}

/// What is not there yet is no error.
pub async fn fetching_beyond_the_end_gives_nothing(factory: &impl Factory) {
    let log = factory.create().await;
    assert_eq!(log.fetch(0, 0).await.expect("the log can be read"), None);
    offsets(producer(&*log, 0).append(numbered("beyond", 0..2))).await;
    assert_eq!(log.fetch(0, 1).await.expect("the log can be read").map(|record| record.offset), Some(1));
    for offset in [2, 1_000] {
        assert_eq!(log.fetch(0, offset).await.expect("the log can be read"), None);
    }
}

/// Every function refuses a partition that does not exist, and names it.
pub async fn an_unknown_partition_is_refused(factory: &impl Factory) {
    let log = factory.create().await;
    assert_eq!(log.partitions(), PARTITIONS);
    for partition in [PARTITIONS, u16::MAX] {
        let errors = [
            log.producer(partition).err(),
            log.reader(partition, 0).await.err(),
            log.bounds(partition).await.err(),
            log.fetch(partition, 0).await.err(),
        ];
        for error in errors {
            let Some(Error::NoSuchPartition { partition: named, partitions }) = error else {
                panic!("partition {partition} was not refused as unknown: {error:?}");
            };
            assert_eq!((named, partitions), (partition, PARTITIONS));
        }
    }
}

/// What is appended to one partition is seen in no other.
pub async fn partitions_are_independent(factory: &impl Factory) {
    let log = factory.create().await;
    let entries = numbered("independent", 0..10);
    offsets(producer(&*log, 0).append(entries[..7].to_vec())).await;
    assert_eq!(offsets(producer(&*log, 2).append(entries[7..].to_vec())).await, [0, 1, 2]);
    assert_eq!(as_entries(read_all(&*log, 0, 7).await), entries[..7]);
    assert_eq!(as_entries(read_all(&*log, 2, 3).await), entries[7..]);
    assert_eq!(bounds(&*log, 1).await, Bounds { begin: 0, end: 0 });
}

/// Records of 1 MiB, the largest that a ledger writes, are taken and come back, also many of them.
pub async fn large_records_come_back_whole(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 0);
    let entries: Vec<Entry> = (0..20)
        .map(|number| {
            let value: Vec<u8> = (0..1 << 20).map(|place: u32| place.to_le_bytes()[1] ^ number).collect();
            Entry::new(Bytes::from_static(b"large"), value)
        })
        .collect();
    let acknowledgements: Vec<_> = entries.iter().map(|entry| producer.append(vec![entry.clone()])).collect();
    for acknowledgement in acknowledgements {
        offsets(acknowledgement).await;
    }
    assert!(as_entries(read_all(&*log, 0, 20).await) == entries, "large records came back changed");
}

/// A batch of no records is answered with no deliveries and leaves nothing behind.
pub async fn an_empty_batch_is_acknowledged_with_nothing(factory: &impl Factory) {
    let log = factory.create().await;
    let mut producer = producer(&*log, 0);
    assert_eq!(offsets(producer.append(Vec::new())).await, Vec::<u64>::new());
    assert_eq!(offsets(producer.append(numbered("empty", 0..1))).await, [0]);
    assert_eq!(bounds(&*log, 0).await, Bounds { begin: 0, end: 1 });
}

/// Keys and values are opaque: every byte, no bytes, and what looks like text or its end.
pub async fn bytes_come_back_as_they_were(factory: &impl Factory) {
    let log = factory.create().await;
    let every_byte: Bytes = (0..=u8::MAX).collect();
    let pieces = [
        every_byte,
        Bytes::new(),
        Bytes::from_static(b"\0\0\0"),
        Bytes::from_static("lager Ü\n'".as_bytes()),
    ];
    let entries: Vec<Entry> = pieces
        .iter()
        .flat_map(|key| pieces.iter().map(|value| Entry::new(key.clone(), value.clone())))
        .collect();
    offsets(producer(&*log, 1).append(entries.clone())).await;
    assert_eq!(as_entries(read_all(&*log, 1, entries.len()).await), entries);
    let fetched = log.fetch(1, 0).await.expect("the record can be fetched").expect("the record is there");
    assert_eq!(as_entries(vec![fetched]), entries[..1]);
}

/// Producers in tasks of their own, several on every partition, lose nothing and keep their own order.
pub async fn producers_of_all_partitions_append_at_once(factory: &impl Factory) {
    const PRODUCERS: u16 = 4;
    const RECORDS: u64 = 150;
    let log = factory.create().await;
    let mut tasks = tokio::task::JoinSet::new();
    for partition in 0..PARTITIONS {
        for number in 0..PRODUCERS {
            let mut producer = producer(&*log, partition);
            tasks.spawn(async move {
                let entries = numbered(&format!("{partition}.{number}"), 0..RECORDS);
                let batches = entries.chunks(11).map(|batch| producer.append(batch.to_vec()));
                for acknowledgement in batches.collect::<Vec<_>>() {
                    offsets(acknowledgement).await;
                }
            });
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("the producer succeeded");
    }
    for partition in 0..PARTITIONS {
        let count = usize::from(PRODUCERS) * usize::try_from(RECORDS).expect("a small number");
        let entries = as_entries(read_all(&*log, partition, count).await);
        for number in 0..PRODUCERS {
            let key = Bytes::from(format!("{partition}.{number}"));
            let own: Vec<Entry> = entries.iter().filter(|entry| entry.key == key).cloned().collect();
            assert_eq!(own, numbered(&format!("{partition}.{number}"), 0..RECORDS));
        }
    }
}

/// What was acknowledged survives that the log is closed, and comes back as it was.
pub async fn what_was_acknowledged_is_there_after_reopening(factory: &impl DurableFactory) {
    let log = factory.create().await;
    for partition in 0..PARTITIONS {
        let entries = numbered("durable", 0..u64::from(partition) * 10 + 5);
        offsets(producer(&*log, partition).append(entries)).await;
    }
    let mut before = Vec::new();
    for partition in 0..PARTITIONS {
        before.push(read_all(&*log, partition, usize::from(partition) * 10 + 5).await);
    }
    let log = factory.reopen(log).await;
    assert_eq!(log.partitions(), PARTITIONS);
    for (partition, records) in (0..PARTITIONS).zip(before) {
        assert_eq!(read_all(&*log, partition, records.len()).await, records);
    }
}

/// A log that was opened again appends behind what it holds.
pub async fn offsets_go_on_after_reopening(factory: &impl DurableFactory) {
    let log = factory.create().await;
    offsets(producer(&*log, 0).append(numbered("before", 0..5))).await;
    let log = factory.reopen(log).await;
    assert_eq!(offsets(producer(&*log, 0).append(numbered("after", 5..7))).await, [5, 6]);
    assert_eq!(offsets(producer(&*log, 1).append(numbered("after", 0..1))).await, [0]);
}

/// Runs one test of the suite, which must not take for ever.
pub async fn within_deadline(test: impl Future<Output = ()>) {
    timeout(DEADLINE, test).await.expect("the test ends before its deadline");
}

/// Entries with the given key, told apart by their numbers.
#[must_use]
pub fn numbered(key: &str, numbers: std::ops::Range<u64>) -> Vec<Entry> {
    let key = Bytes::from(key.to_owned());
    numbers.map(|number| Entry::new(key.clone(), format!("record {number}"))).collect()
}

/// The offsets of a batch of which every record was appended at an offset that is known.
pub async fn offsets(acknowledgement: Acknowledgement) -> Vec<u64> {
    let deliveries = acknowledgement.await.expect("the batch is answered");
    deliveries
        .into_iter()
        .map(|delivery| match delivery {
            Delivery::Appended { offset: Some(offset) } => offset,
            other => panic!("the record was not appended at a known offset: {other:?}"),
        })
        .collect()
}

/// The next `count` records of a reader, in as many reads as it takes.
pub async fn read(reader: &mut dyn Reader, count: usize) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        let next = reader.next(count - records.len(), DEADLINE).await.expect("the log can be read");
        assert!(!next.is_empty(), "{} of {count} records came", records.len());
        records.extend(next);
    }
    records
}

/// All records of a partition that has exactly `count`, numbered as they must be.
pub async fn read_all(log: &dyn Log, partition: u16, count: usize) -> Vec<StoredRecord> {
    assert_eq!(bounds(log, partition).await, Bounds { begin: 0, end: count as u64 });
    let mut reader = log.reader(partition, 0).await.expect("a reader can be made");
    let records = read(&mut *reader, count).await;
    assert!(records.iter().map(|record| record.offset).eq(0..count as u64), "offsets are dense and in order");
    records
}

/// The records as they were when they were appended.
#[must_use]
pub fn as_entries(records: Vec<StoredRecord>) -> Vec<Entry> {
    records.into_iter().map(|StoredRecord { key, value, .. }| Entry::new(key, value)).collect()
}

fn producer(log: &dyn Log, partition: u16) -> Box<dyn Producer> {
    log.producer(partition).expect("a producer can be made")
}

async fn bounds(log: &dyn Log, partition: u16) -> Bounds {
    log.bounds(partition).await.expect("the bounds can be read")
}

/// The address of a real server that a test needs, from the environment, where `cargo xtask test` puts it.
///
/// Tests that need one are in a module named `on_servers`, which is how `cargo xtask test --quick` leaves them out.
///
/// # Panics
/// If there is none: a test that cannot be done has failed.
#[must_use]
pub fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: run `cargo xtask test`, or start servers with `cargo xtask services up`"
        )
    })
}
