//! The SQLite log passes the suite; and what is special about files, processes and full disks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::timeout;

use super::SqliteLog;
use super::file::Settings;
use crate::conformance::{
    DurableFactory, Factory, PARTITIONS, as_entries, numbered, offsets, read, read_all,
};
use crate::{Acknowledgement, Bounds, Delivery, Entry, Error, Log, Reader};

const DEADLINE: Duration = Duration::from_secs(30);

/// A directory for the file of one test.
struct InFile {
    directory: TempDir,
}

impl InFile {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory can be made") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("log.sqlite")
    }

    /// A new log with one partition.
    async fn log(&self) -> SqliteLog {
        SqliteLog::create(&self.path(), 1).await.expect("the log can be made")
    }

    /// The log of this directory with other settings than usual.
    async fn log_with(&self, settings: Settings) -> SqliteLog {
        self.log().await.close().await;
        SqliteLog::open_with(&self.path(), settings).await.expect("the log can be opened")
    }

    /// What another program sees of the file.
    async fn connection(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        options.connect().await.expect("the file can be opened")
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.connection().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the statement works");
        connection.close().await.expect("the file can be closed");
    }
}

#[async_trait]
impl Factory for InFile {
    async fn create(&self) -> Arc<dyn Log> {
        Arc::new(SqliteLog::create(&self.path(), PARTITIONS).await.expect("the log can be made"))
    }
}

#[async_trait]
impl DurableFactory for InFile {
    async fn reopen(&self, log: Arc<dyn Log>) -> Arc<dyn Log> {
        drop(log);
        Arc::new(SqliteLog::open(&self.path()).await.expect("the log can be opened"))
    }
}

crate::conformance_suite!(conforms, durable InFile::new());

#[tokio::test]
async fn refuses_to_create_over_an_existing_file() {
    let file = InFile::new();
    std::fs::write(file.path(), "precious").unwrap();
    assert_mismatch(SqliteLog::create(&file.path(), 1).await, "exists already");
    assert_eq!(std::fs::read(file.path()).unwrap(), b"precious");
}

#[tokio::test]
async fn refuses_to_create_a_log_with_no_or_too_many_partitions() {
    let file = InFile::new();
    for partitions in [0, 1_025, u16::MAX] {
        assert_mismatch(SqliteLog::create(&file.path(), partitions).await, "from 1 to 1024 partitions");
        assert!(!file.path().exists());
    }
    let log = SqliteLog::create(&file.path(), 1_024).await.expect("1024 partitions are possible");
    assert_eq!(offsets(log.producer(1_023).unwrap().append(numbered("last", 0..1))).await, [0]);
}

#[tokio::test]
async fn refuses_a_file_that_is_not_there() {
    let file = InFile::new();
    assert!(matches!(SqliteLog::open(&file.path()).await, Err(Error::Unavailable { .. })));
    assert!(matches!(SqliteLog::open_read_only(&file.path()).await, Err(Error::Unavailable { .. })));
    assert!(!file.path().exists());
}

#[tokio::test]
async fn refuses_a_foreign_file_and_leaves_it_alone() {
    let file = InFile::new();
    std::fs::write(
        file.path(),
        "not a database, but long enough to look like one could be in here".repeat(99),
    )
    .unwrap();
    assert_refused_untouched(&file, "not even a SQLite file").await;

    std::fs::remove_file(file.path()).unwrap();
    file.execute("CREATE TABLE meta (format INTEGER, partitions INTEGER); INSERT INTO meta VALUES (1, 1)")
        .await;
    assert_refused_untouched(&file, "is not a stockledger log").await;
}

#[tokio::test]
async fn refuses_a_file_whose_creation_was_interrupted() {
    let file = InFile::new();
    std::fs::write(file.path(), "").unwrap();
    assert_refused_untouched(&file, "creation did not finish").await;
}

#[tokio::test]
async fn refuses_a_newer_format_and_an_impossible_number_of_partitions() {
    let file = InFile::new();
    file.log().await.close().await;
    file.execute("UPDATE meta SET partitions = 0").await;
    assert_refused_untouched(&file, "says that it has 0 partitions").await;
    file.execute("UPDATE meta SET format = 2").await;
    assert_refused_untouched(&file, "has format 2, this program reads format 1").await;
}

#[tokio::test]
async fn several_read_while_one_writes() {
    let file = InFile::new();
    let writing = file.log().await;
    let mut producer = writing.producer(0).unwrap();
    let reading =
        [SqliteLog::open_read_only(&file.path()).await, SqliteLog::open_read_only(&file.path()).await];
    let mut readers: Vec<Box<dyn Reader>> = Vec::new();
    for log in &reading {
        readers.push(log.as_ref().unwrap().reader(0, 0).await.unwrap());
    }
    for number in 0..5 {
        let entries = numbered("shared", number..number + 1);
        // The readers wait when the record comes, and nobody tells them but the file.
        let [one, other] = readers.as_mut_slice() else { panic!("there are two readers") };
        let (one, other, told) = tokio::join!(
            read(&mut **one, 1),
            read(&mut **other, 1),
            offsets(producer.append(entries.clone()))
        );
        assert_eq!(told, [number]);
        assert_eq!(one, other);
        assert_eq!(as_entries(one), entries);
    }
}

#[tokio::test]
async fn a_commit_wakes_the_readers_of_its_process() {
    let file = InFile::new();
    let log = file.log_with(Settings { poll_interval: DEADLINE * 2, ..Settings::default() }).await;
    let mut producer = log.producer(0).unwrap();
    let mut reader = log.reader(0, 0).await.unwrap();
    for number in 0..20 {
        let both = async {
            tokio::join!(
                read(&mut *reader, 1),
                offsets(producer.append(numbered("woken", number..number + 1)))
            )
        };
        let (records, told) = timeout(DEADLINE, both).await.expect("the reader is woken");
        assert_eq!((records[0].offset, told), (number, vec![number]));
    }
}

#[tokio::test]
async fn a_log_that_is_open_for_reading_takes_no_records() {
    let file = InFile::new();
    file.log().await.close().await;
    let log = SqliteLog::open_read_only(&file.path()).await.unwrap();
    assert!(matches!(log.producer(0), Err(Error::ReadOnly)));
    assert_eq!(log.bounds(0).await.unwrap(), Bounds { begin: 0, end: 0 });
    log.close().await;
}

#[tokio::test]
async fn a_locked_file_gives_unknown_outcomes_and_then_works_again() {
    let file = InFile::new();
    let log = file.log_with(Settings { busy_timeout: Duration::from_millis(1), ..Settings::default() }).await;
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("before", 0..2))).await, [0, 1]);

    let mut other = file.connection().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for size in [1, 3] {
        assert_unknown(producer.append(numbered("locked", 0..size)), "locked").await;
    }
    assert_eq!(read_all(&log, 0, 2).await.len(), 2, "a lock does not keep readers out");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();

    assert_eq!(offsets(producer.append(numbered("after", 0..3))).await, [2, 3, 4]);
    assert_eq!(read_all(&log, 0, 5).await.len(), 5);
}

#[tokio::test]
async fn a_record_of_another_writer_makes_one_append_unknown_and_is_never_overwritten() {
    let file = InFile::new();
    let log = file.log().await;
    let mut producer = log.producer(0).unwrap();
    let mut reader = log.reader(0, 0).await.unwrap();
    assert_eq!(offsets(producer.append(numbered("own", 0..1))).await, [0]);
    file.execute("INSERT INTO records_0 (offset, key, value) VALUES (1, x'66', x'6f')").await;

    assert_unknown(producer.append(numbered("own", 1..3)), "UNIQUE").await;
    assert_eq!(offsets(producer.append(numbered("own", 3..4))).await, [2]);
    let records = as_entries(read(&mut *reader, 3).await);
    assert_eq!(records[0], numbered("own", 0..1)[0]);
    assert_eq!(records[1], Entry::new(Bytes::from_static(b"f"), Bytes::from_static(b"o")));
    assert_eq!(records[2], numbered("own", 3..4)[0]);
}

#[tokio::test]
async fn a_full_disk_gives_an_unknown_outcome_and_leaves_no_half_of_a_batch() {
    let file = InFile::new();
    let log = file.log_with(Settings { file_pages_max: Some(64), ..Settings::default() }).await;
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("small", 0..1))).await, [0]);

    // The first records of the batch would still fit, and go into a statement of their own.
    let large = Entry::new(Bytes::new(), vec![7; 1 << 20]);
    let mut batch = numbered("small", 1..601);
    batch.push(large);
    assert_unknown(producer.append(batch), "full").await;
    assert_eq!(log.bounds(0).await.unwrap().end, 1);

    assert_eq!(offsets(producer.append(numbered("small", 1..3))).await, [1, 2]);
    assert_eq!(as_entries(read_all(&log, 0, 3).await), numbered("small", 0..3));
}

#[tokio::test]
async fn a_full_queue_is_answered_at_once() {
    let file = InFile::new();
    let log = file.log_with(Settings { queued_batches_max: 3, ..Settings::default() }).await;
    let mut producer = log.producer(0).unwrap();
    // On the one thread of this test, nothing is taken out of the queue before something is awaited.
    let [first, second, third, fourth] =
        [0, 1, 2, 3].map(|number| producer.append(numbered("queued", number..number + 1)));
    assert_unknown(fourth, "too many batches are waiting").await;
    for (number, acknowledgement) in [first, second, third].into_iter().enumerate() {
        assert_eq!(offsets(acknowledgement).await, [number as u64]);
    }
    assert_eq!(offsets(producer.append(numbered("queued", 3..4))).await, [3]);
}

#[tokio::test]
async fn a_gap_in_the_offsets_is_an_error_and_never_skipped() {
    let file = InFile::new();
    let log = file.log().await;
    offsets(log.producer(0).unwrap().append(numbered("gap", 0..10))).await;
    file.execute("DELETE FROM records_0 WHERE offset IN (0, 5)").await;

    let truncated = |result: &Result<_, Error>, first, behind| matches!(result, Err(Error::Truncated { begin, wanted }) if (*begin, *wanted) == (first, behind));
    let mut reader = log.reader(0, 0).await.unwrap();
    assert!(truncated(&reader.next(10, DEADLINE).await, 1, 0));
    let mut reader = log.reader(0, 1).await.unwrap();
    let records = reader.next(10, DEADLINE).await.unwrap();
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(truncated(&reader.next(10, DEADLINE).await, 6, 5));
    assert!(matches!(log.fetch(0, 5).await, Err(Error::Truncated { begin: 6, wanted: 5 })));
    assert_eq!(log.bounds(0).await.unwrap(), Bounds { begin: 1, end: 10 });
}

#[tokio::test]
async fn closing_writes_what_is_waiting_and_leaves_one_file() {
    let file = InFile::new();
    let log = file.log().await;
    let mut producer = log.producer(0).unwrap();
    let mut reader = log.reader(0, 0).await.unwrap();
    let waiting: Vec<Acknowledgement> =
        (0..50).map(|number| producer.append(numbered("closing", number..number + 1))).collect();
    log.close().await;
    for (number, acknowledgement) in (0..).zip(waiting) {
        assert_eq!(offsets(acknowledgement).await, [number]);
    }
    let left: Vec<_> =
        std::fs::read_dir(file.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["log.sqlite"]);

    assert_unknown(producer.append(numbered("late", 0..1)), "closed").await;
    assert!(matches!(reader.next(1, DEADLINE).await, Err(Error::Unavailable { .. })));
    log.close().await;
    let log = SqliteLog::open(&file.path()).await.unwrap();
    assert_eq!(as_entries(read_all(&log, 0, 50).await), numbered("closing", 0..50));
}

#[tokio::test]
async fn a_dropped_log_writes_what_was_handed_over() {
    let file = InFile::new();
    let log = file.log().await;
    let mut producer = log.producer(0).unwrap();
    drop(log);
    let acknowledgement = producer.append(numbered("dropped", 0..3));
    drop(producer);
    assert_eq!(offsets(acknowledgement).await, [0, 1, 2]);
    let log = SqliteLog::open_read_only(&file.path()).await.unwrap();
    assert_eq!(as_entries(read_all(&log, 0, 3).await), numbered("dropped", 0..3));
}

#[tokio::test]
async fn batches_of_every_size_become_statements_without_loss() {
    let file = InFile::new();
    let log = file.log().await;
    let mut producer = log.producer(0).unwrap();
    let mut next = 0;
    for size in [1, 2, 3, 7, 8, 511, 512, 513, 1_023, 1_025, 10_000] {
        let expected: Vec<u64> = (next..next + size).collect();
        assert_eq!(offsets(producer.append(numbered("size", next..next + size))).await, expected);
        next += size;
    }
    let count = usize::try_from(next).unwrap();
    assert_eq!(as_entries(read_all(&log, 0, count).await), numbered("size", 0..next));
}

#[tokio::test]
async fn small_and_large_records_are_read_in_order() {
    let file = InFile::new();
    let log = file.log().await;
    // Around the size up to which records are read together, alone and in a row, and more than are read at a time.
    let packed = 64 << 10;
    let sizes =
        [packed + 1, packed + 1, 3, packed, packed - 1, 0, packed + 1, 5].into_iter().chain([9; 1_500]);
    let entries: Vec<Entry> = sizes
        .enumerate()
        .map(|(number, size)| {
            let key = Bytes::from(vec![b'k'; size % 7]);
            let value: Bytes = vec![number.to_le_bytes()[0]; size - key.len()].into();
            Entry::new(key, value)
        })
        .collect();
    offsets(log.producer(0).unwrap().append(entries.clone())).await;
    assert!(as_entries(read_all(&log, 0, entries.len()).await) == entries, "records came back changed");
    for (offset, entry) in (0..10).zip(&entries) {
        let fetched = log.fetch(0, offset).await.unwrap().expect("the record is there");
        assert!(
            as_entries(vec![fetched]) == std::slice::from_ref(entry),
            "record {offset} came back changed"
        );
    }
}

#[tokio::test]
async fn records_carry_the_time_of_their_append() {
    let file = InFile::new();
    let log = file.log().await;
    let before = now_ms(&file).await;
    offsets(log.producer(0).unwrap().append(numbered("time", 0..3))).await;
    let after = now_ms(&file).await;
    for record in read_all(&log, 0, 3).await {
        assert!(
            (before..=after).contains(&record.appended_at_ms),
            "{} {before} {after}",
            record.appended_at_ms
        );
    }
}

#[tokio::test]
async fn bad_arguments_are_answered_and_do_not_panic() {
    let file = InFile::new();
    let log = file.log().await;
    offsets(log.producer(0).unwrap().append(numbered("bad", 0..1))).await;
    assert_eq!(log.fetch(0, u64::MAX).await.unwrap(), None);
    let mut reader = log.reader(0, 0).await.unwrap();
    assert_eq!(reader.next(0, Duration::MAX).await.unwrap(), []);
    assert_eq!(reader.next(usize::MAX, Duration::MAX).await.unwrap().len(), 1);
    let mut reader = log.reader(0, u64::MAX).await.unwrap();
    assert_eq!(reader.next(1, Duration::ZERO).await.unwrap(), []);
}

/// A page of the file with the records of a partition is overwritten, as by a disk that fails.
#[tokio::test]
async fn a_damaged_page_is_no_silence_and_what_stands_before_it_is_read() {
    let file = InFile::new();
    let log = file.log().await;
    let mut producer = log.producer(0).unwrap();
    assert_eq!(offsets(producer.append(numbered("record", 0..2_000))).await.len(), 2_000);
    drop(producer);
    log.close().await;
    let mut bytes = std::fs::read(file.path()).unwrap();
    let (page, middle) = (4_096, bytes.len() / 4_096 / 2);
    bytes[middle * page..(middle + 1) * page].fill(0xA5);
    std::fs::write(file.path(), bytes).unwrap();

    let log = SqliteLog::open_read_only(&file.path()).await.unwrap();
    let mut whole_before = Vec::new();
    for at_once in [1, 10, 1_000] {
        let mut reader = log.reader(0, 0).await.unwrap();
        let mut whole = 0;
        let error = loop {
            match reader.next(at_once, Duration::ZERO).await {
                Ok(records) => {
                    assert!(!records.is_empty(), "the damage was read past");
                    whole += records.len();
                }
                Err(error) => break error,
            }
        };
        assert!(whole > 0 && whole < 2_000, "{whole}");
        let Error::Mismatch(what) = error else { panic!("tried again for ever: {error}") };
        assert!(what.starts_with("the file of the log is damaged: "), "{what}");
        whole_before.push(whole);
    }
    assert!(whole_before.windows(2).all(|two| two[0] == two[1]), "met where it is: {whole_before:?}");
}

/// The clock that the log uses.
async fn now_ms(file: &InFile) -> i64 {
    let mut connection = file.connection().await;
    sqlx::query_scalar("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER)")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn assert_refused_untouched(file: &InFile, reason: &str) {
    let before = std::fs::read(file.path()).unwrap();
    assert_mismatch(SqliteLog::open(&file.path()).await, reason);
    assert_mismatch(SqliteLog::open_read_only(&file.path()).await, reason);
    assert_eq!(std::fs::read(file.path()).unwrap(), before);
}

fn assert_mismatch(result: Result<SqliteLog, Error>, reason: &str) {
    let Err(Error::Mismatch(text) | Error::OtherFormat(text)) = result else {
        panic!("not refused: {result:?}")
    };
    assert!(text.contains(reason), "{text}");
}

/// Every record of the batch is unknown, for this reason.
async fn assert_unknown(acknowledgement: Acknowledgement, reason: &str) {
    let deliveries =
        timeout(DEADLINE, acknowledgement).await.expect("in time").expect("the batch is answered");
    assert!(!deliveries.is_empty());
    for delivery in deliveries {
        let Delivery::Unknown(Error::Unavailable { source, .. }) = delivery else {
            panic!("the outcome is known: {delivery:?}");
        };
        assert!(source.to_string().contains(reason), "{source}");
    }
}
