//! Logs, read tables and data directories that do not belong together, or are not what they were: refused at start, with a
//! code that says which it is and a text that says what to do, and nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use stockledger::setup::Code;
use stockledger_log::{Entry, Log, SqliteLog};
use stockledger_schemas::limits::WINDOW_DEFAULT;
use stockledger_schemas::{Genesis, LedgerId, PartitionId, Record, envelope};
use tempfile::TempDir;

use crate::load;
use crate::run::{Server, data, refused, text};

/// A ledger of one partition in a directory, and nobody who serves it.
struct Ledger(TempDir);

impl Ledger {
    /// A ledger in which a little has happened.
    async fn made() -> Self {
        let ledger = Self(tempfile::tempdir().unwrap());
        ledger.goes_on("first").await;
        ledger
    }

    /// Something more happens.
    async fn goes_on(&self, key: &str) {
        let server = Server::start_with(&["--data-dir", text(self.0.path()), "--partitions", "1"]).await;
        load::open_site(&server).await;
        load::receive(&server.client, key).await.unwrap();
        assert!(server.terminate().await);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path("log.sqlite")
    }

    /// Puts the log of another directory in place of its own.
    fn takes_log_of(&self, other: &Path) {
        self.forgets_journal_of("log.sqlite");
        std::fs::copy(other, self.log()).unwrap();
    }

    fn forgets_snapshots(&self) {
        std::fs::remove_dir_all(self.path("snapshots")).unwrap();
    }

    /// What a process that was refused had not written into the file yet belongs to no other file.
    fn forgets_journal_of(&self, file: &str) {
        for ending in ["-wal", "-shm"] {
            drop(std::fs::remove_file(self.path(&format!("{file}{ending}"))));
        }
    }

    fn forgets_tables(&self) {
        self.forgets_journal_of("projections.sqlite");
        std::fs::remove_file(self.path("projections.sqlite")).unwrap();
    }

    /// Asserts that it is not served any more, and that log and snapshots stay as they are.
    async fn is_refused(&self, code: &str) -> String {
        let before = self.contents();
        let serve =
            ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(self.0.path()), "--partitions", "1"];
        let said = refused(&serve, &[code]).await;
        assert_eq!(self.contents(), before, "what is refused is changed");
        said
    }

    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let snapshots = std::fs::read_dir(self.path("snapshots")).into_iter().flatten();
        let files = snapshots.map(|entry| entry.unwrap().path()).chain([self.log()]);
        files.filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect()
    }
}

/// Changes a file behind the program's back.
async fn sql(file: &Path, statement: &str) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A log that nobody but us has made, with a genesis in some of its partitions.
async fn log_of(path: &Path, partitions: u16, genesis: &[(u16, u8, u16)]) {
    let log = SqliteLog::create(path, partitions).await.unwrap();
    for (partition, ledger, partitions) in genesis {
        let genesis = Genesis {
            ledger_id: LedgerId([*ledger; 16]),
            partition: PartitionId(*partition),
            partitions: *partitions,
            window: WINDOW_DEFAULT,
        };
        let bytes = envelope::encode(&Record::Genesis(genesis)).unwrap();
        log.producer(*partition).unwrap().append(vec![Entry::new("", bytes)]).await.unwrap();
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ledgers_log_is_refused() {
    let (one, other) = (Ledger::made().await, Ledger::made().await);
    one.takes_log_of(&other.log());
    let said = one.is_refused("other-ledger").await;
    assert!(said.contains("wrong log or wrong projections"), "{said}");
    one.forgets_tables();
    let said = one.is_refused("other-ledger").await;
    assert!(said.contains("snapshot"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_two_ledgers_or_of_another_number_of_partitions_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("other-ledger", &[(0, 1, 2), (1, 2, 2)][..]),
        ("partition-count", &[(0, 1, 3), (1, 1, 3)]),
        ("not-a-ledger", &[(0, 1, 2), (1, 1, 0)]),
    ];
    for (code, genesis) in cases {
        let log = directory.path().join(code);
        log_of(&log, 2, genesis).await;
        let address = format!("sqlite:{}", log.display());
        let serve =
            ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(directory.path()), "--log", &address];
        refused(&serve, &[code]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_removed_and_made_anew_is_refused() {
    let ledger = Ledger::made().await;
    std::fs::remove_file(ledger.log()).unwrap();
    let said = ledger.is_refused("topic-recreated").await;
    assert!(said.contains("restore the log"), "{said}");
    assert!(!ledger.log().exists(), "no new log takes its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_lost_all_its_records_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log.sqlite");
    log_of(&path, 2, &[(0, 1, 2)]).await;
    let log = SqliteLog::open(&path).await.unwrap();
    log.producer(0).unwrap().append(vec![Entry::new("", "something that happened")]).await.unwrap();
    log.close().await;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", text(directory.path())];
    let said = refused(&serve, &["log-empty"]).await;
    assert!(said.contains("partition 1 is empty"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_refused() {
    let ledger = Ledger::made().await;
    let early = ledger.path("early.sqlite");
    std::fs::copy(ledger.log(), &early).unwrap();
    ledger.goes_on("second").await;
    ledger.takes_log_of(&early);
    let said = ledger.is_refused("log-shorter-than-projection").await;
    assert!(said.contains("lost records"), "{said}");
    ledger.forgets_tables();
    let said = ledger.is_refused("log-shorter-than-snapshot").await;
    assert!(said.contains("lost records"), "{said}");
    // The way out that is told.
    ledger.forgets_snapshots();
    ledger.goes_on("third").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_another_past_is_refused() {
    let ledger = Ledger::made().await;
    let (early, late) = (ledger.path("early.sqlite"), ledger.path("late.sqlite"));
    std::fs::copy(ledger.log(), &early).unwrap();
    ledger.goes_on("second").await;
    std::fs::copy(ledger.log(), &late).unwrap();
    let other = Ledger(tempfile::tempdir().unwrap());
    other.takes_log_of(&early);
    other.goes_on("another second").await;
    ledger.takes_log_of(&other.log());
    let said = ledger.is_refused("history-changed").await;
    assert!(said.contains("is not the one that was projected"), "{said}");
    ledger.forgets_tables();
    let said = ledger.is_refused("history-changed").await;
    assert!(said.contains("snapshot"), "{said}");
    ledger.takes_log_of(&late);
    ledger.goes_on("third").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_beginning_is_refused() {
    let ledger = Ledger::made().await;
    sql(&ledger.log(), "DELETE FROM records_0 WHERE offset < 2").await;
    let said = ledger.is_refused("history-deleted").await;
    assert!(said.contains("a ledger needs all of it"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_program_wrote_is_refused() {
    let ledger = Ledger::made().await;
    let log = SqliteLog::open(&ledger.log()).await.unwrap();
    let last = log.fetch(0, log.bounds(0).await.unwrap().end - 1).await.unwrap().unwrap();
    let mut newer = last.value.to_vec();
    newer[2] = u8::MAX;
    log.producer(0).unwrap().append(vec![Entry::new("", newer)]).await.unwrap();
    log.close().await;
    let said = ledger.is_refused("newer-format").await;
    assert!(said.contains("upgrade this program"), "{said}");

    let ledger = Ledger::made().await;
    sql(&ledger.log(), "UPDATE meta SET format = 2").await;
    let said = ledger.is_refused("newer-format").await;
    assert!(said.contains("or a newer one"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_tables_that_this_program_did_not_make_whole_are_refused() {
    let cases = [
        ("other-code-tables", "UPDATE projection_versions SET code_hash = 'another'", "rebuild"),
        ("tables-damaged", "DELETE FROM projection_versions", "does not exist"),
        (
            "tables-unfinished",
            "UPDATE projection_active SET version = 0; UPDATE projection_checkpoints SET is_loaded = 0",
            "rebuild",
        ),
    ];
    for (code, statement, advice) in cases {
        let ledger = Ledger::made().await;
        sql(&ledger.path("projections.sqlite"), statement).await;
        let said = ledger.is_refused(code).await;
        assert!(said.contains(advice), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_with_a_damaged_record_takes_no_import() {
    let ledger = Ledger::made().await;
    ledger.forgets_snapshots();
    sql(&ledger.log(), "UPDATE records_0 SET value = x'534c010300000000' WHERE offset = 2").await;
    let invoices = concat!(env!("CARGO_MANIFEST_DIR"), "/data/online-retail-2009-12.csv.gz");
    let import = ["import", "--from", "online-retail", invoices, "--data-dir", text(ledger.0.path())];
    refused(&import, &["partition-halted"]).await;
    refused(&["keys", "list", "--data-dir", text(ledger.0.path())], &["partition-halted"]).await;
}

/// What stands in the document is what is printed, and every code has a test that meets it.
#[tokio::test]
async fn every_code_is_documented_and_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("../docs/setup-errors.md")).unwrap();
    let rows: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(rows, codes, "the rows of docs/setup-errors.md are the codes, in their order");

    let mut tests = String::new();
    let mut directories = vec![root.join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                tests += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let untested: Vec<&&str> = codes.iter().filter(|code| !tests.contains(&format!("\"{code}\""))).collect();
    assert_eq!(untested, Vec::<&&str>::new());
}

/// The commands that only look refuse nothing that they need not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_can_still_be_looked_at() {
    let (one, other) = (Ledger::made().await, Ledger::made().await);
    one.takes_log_of(&other.log());
    one.is_refused("other-ledger").await;
    let decisions = data(&["tail", "--data-dir", text(one.0.path()), "--format", "json"]).await;
    let first: Value = serde_json::from_str(decisions.lines().next().unwrap()).unwrap();
    assert_ne!(first["position"], json!(null), "{first}");
}
