//! A node that verifies its own log: what it says of a good one and of a wrong one, when it does so, and when not.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use serde_json::{Value, json};
use stockledger::http::{self, App, Gate, Roles};
use stockledger::verifications::{PACE, Setup, Verifications, Witnesses};
use stockledger_audit::verify::outcome::FILE;
use stockledger_log::{Entry, Log};
use stockledger_schemas::{Hash, PartitionId, Record, envelope};
use tempfile::TempDir;
use tokio::time::{Instant, interval, timeout};

use crate::errors::assert_problem;
use crate::support::{Answer, PARTITIONS, PATIENCE, Service, get, post, send};

const VERIFICATION: &str = "/v1/audit/verification";
const BEGIN: &str = "/v1/audit/verifications";

/// A node beside a service that verifies at the pace of a real one, and keeps what came of it in a directory of its own.
pub(crate) struct Scrubbed {
    pub(crate) service: Service,
    pub(crate) router: Router,
    pub(crate) verifications: Verifications,
    dir: Arc<TempDir>,
}

impl Scrubbed {
    pub(crate) async fn start() -> Self {
        Self::on(Service::start().await, Arc::new(TempDir::new().unwrap()), Duration::ZERO)
    }

    /// A log that is shorter than what is remembered of it has so long to come back. The tables remember the claim of each
    /// partition, which stands behind its genesis.
    pub(crate) async fn start_patient(patience: Duration) -> Self {
        let service = Service::start().await;
        let (progress, deadline) = (service.projector.progress(), Instant::now() + PATIENCE);
        for partition in (0..PARTITIONS).map(PartitionId) {
            assert!(progress.until(partition, deadline, |status| status.next_offset >= 2).await);
        }
        Self::on(service, Arc::new(TempDir::new().unwrap()), patience)
    }

    fn on(service: Service, dir: Arc<TempDir>, patience: Duration) -> Self {
        let verifications = Verifications::open(Setup { patience, ..setup(&service, &dir) });
        let router = router(&service, &verifications);
        Self { service, router, verifications, dir }
    }

    /// The same node after a restart.
    fn restarted(self) -> Self {
        Self::on(self.service, self.dir, Duration::ZERO)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(&self.router, get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn begin(&self) -> Answer {
        send(&self.router, post(BEGIN).body(Body::empty()).unwrap()).await
    }

    async fn standing(&self) -> Value {
        self.get(VERIFICATION).await.expect(200).json
    }

    /// Waits until the node says what is waited for.
    pub(crate) async fn until(&self, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut again = interval(Duration::from_millis(10));
        loop {
            let standing = self.standing().await;
            if is_met(&standing) {
                return standing;
            }
            assert!(Instant::now() < deadline, "{what} never came: {standing}");
            again.tick().await;
        }
    }

    /// What comes of a verification that begins now.
    pub(crate) async fn verify(&self) -> Value {
        let begun = self.begin().await.expect(202).json;
        assert_eq!((&begun["state"], &begun["progress"]), (&json!("running"), &json!(VERIFICATION)));
        let standing = self.until("its end", |seen| seen["last"]["begun_at"] == begun["begun_at"]).await;
        assert_eq!((&standing["running"], &standing["broken_off"]), (&Value::Null, &Value::Null));
        standing["last"].clone()
    }

    fn keep(&self, bytes: &str) {
        std::fs::write(self.dir.path().join(FILE), bytes).unwrap();
    }

    /// Somebody writes a decision into the log that does not continue the one before; says its partition, the hash that it
    /// should continue and the one that it does.
    pub(crate) async fn break_chain(&self) -> (u16, Hash, Hash) {
        let status = self.service.ledger.status();
        let partition = status.iter().max_by_key(|one| one.position.seq).unwrap().partition.0;
        let end = self.service.log.bounds(partition).await.unwrap().end;
        let last = self.service.log.fetch(partition, end - 1).await.unwrap().unwrap();
        let Record::Decision(mut decision) = envelope::decode(&last.value).unwrap() else {
            panic!("a claim")
        };
        let expected = stockledger_chain::decision_hash(&last.value);
        let found = Hash([7; 32]);
        (decision.seq, decision.prev_hash) = (decision.seq + 1, found);
        let value = envelope::encode_decision(&decision).unwrap();
        self.service.log.faults().land(partition, Entry::new(Vec::new(), value));
        (partition, expected, found)
    }
}

fn setup(service: &Service, dir: &TempDir) -> Setup {
    Setup {
        ledger_id: service.node.ledger_id,
        log: Arc::new(service.log.clone()),
        directory: dir.path().to_path_buf(),
        environment: service.node.environment.clone(),
        writer: service.roles.writer.clone(),
        witnesses: Witnesses { checkpoints: None, tables: Some(service.store.clone()) },
        patience: Duration::ZERO,
        pace: PACE,
    }
}

fn router(service: &Service, verifications: &Verifications) -> Router {
    let roles = Roles { verifications: Some(verifications.clone()), ..service.roles.clone() };
    http::router(App::new(service.node.clone(), roles, Gate::Open))
}

async fn metric(scrubbed: &Scrubbed, name: &str) -> f64 {
    let text = scrubbed.get("/metrics").await.expect(200).text;
    let sample = text.lines().find_map(|line| line.strip_prefix(&format!("stockledger_{name} ")));
    sample.unwrap_or_else(|| panic!("there is no {name} in {text}")).parse().unwrap()
}

#[tokio::test]
async fn a_good_log_is_verified_and_that_is_known_after_a_restart() {
    let scrubbed = Scrubbed::start().await;
    let nothing = json!({
        "is_verifying_node": true, "every_seconds": null, "running": null, "last": null, "broken_off": null,
    });
    assert_eq!(scrubbed.standing().await, nothing);
    assert_eq!(metric(&scrubbed, "verification_last_timestamp_seconds").await, 0.0);
    let received = scrubbed.service.receive("LAMP", 3).await;
    let position = received.header("ledger-position").to_owned();
    // The tables vouch for what they have.
    scrubbed.service.get("/v1/sites/uk/stock/LAMP").await.expect(200);
    let last = scrubbed.verify().await;
    assert_eq!((&last["ok"], &last["unvouched_decisions"]), (&json!(true), &json!(0)), "{last}");
    assert_eq!(last["total"]["decisions"], 3, "registered, opened, received");
    let (partition, seq) = position.split_once('.').unwrap();
    let of_site = &last["partitions"][partition.parse::<usize>().unwrap()];
    assert_eq!(of_site["head"]["seq"].to_string(), seq);
    assert_eq!((&of_site["vouched"]["by"], &of_site["failure"]), (&json!("the read tables"), &Value::Null));
    assert_eq!(metric(&scrubbed, "verification_good").await, 1.0);
    assert_eq!(metric(&scrubbed, "verification_events").await, 3.0);
    assert!(metric(&scrubbed, "verification_last_timestamp_seconds").await > 1.7e9);

    let scrubbed = scrubbed.restarted();
    assert_eq!(scrubbed.standing().await["last"], last);
    assert_eq!(metric(&scrubbed, "verification_events").await, 3.0);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_both_hashes() {
    let scrubbed = Scrubbed::start().await;
    assert_eq!(scrubbed.verify().await["ok"], true);
    let (partition, expected, found) = scrubbed.break_chain().await;
    let last = scrubbed.verify().await;
    assert_eq!(last["ok"], false);
    let failures: Vec<&Value> =
        last["partitions"].as_array().unwrap().iter().map(|one| &one["failure"]).collect();
    let failure = failures[usize::from(partition)];
    assert_eq!(failures.iter().filter(|failure| failure.is_object()).count(), 1, "{last}");
    let seq = last["partitions"][usize::from(partition)]["head"]["seq"].as_u64().unwrap();
    assert_eq!(failure["partition"], partition);
    assert_eq!(failure["after"], format!("{partition}.{seq}"));
    assert_eq!(failure["offset"], scrubbed.service.log.bounds(partition).await.unwrap().end - 1);
    assert_eq!(failure["expected"], format!("decision {} to continue hash {expected}", seq + 1));
    assert_eq!(failure["found"], format!("it continues hash {found}"));
    assert_eq!(metric(&scrubbed, "verification_good").await, 0.0);

    let scrubbed = scrubbed.restarted();
    assert_eq!(scrubbed.standing().await["last"], last, "a restart forgets nothing");
    assert_eq!(metric(&scrubbed, "verification_good").await, 0.0);
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_again_by_every_later_verification() {
    let mut scrubbed = Scrubbed::start().await;
    let position = scrubbed.service.receive("LAMP", 3).await.header("ledger-position").to_owned();
    assert_eq!(scrubbed.verify().await["ok"], true);
    let partition: u16 = position.split_once('.').unwrap().0.parse().unwrap();
    // Without the tables, which remember it too.
    let setup = Setup { witnesses: Witnesses::default(), ..setup(&scrubbed.service, &scrubbed.dir) };
    scrubbed.verifications = Verifications::open(setup);
    scrubbed.router = router(&scrubbed.service, &scrubbed.verifications);
    let end = scrubbed.service.log.bounds(partition).await.unwrap().end;
    scrubbed.service.log.faults().cut_off(partition, end - 1);
    for _ in 0..2 {
        let last = scrubbed.verify().await;
        let failure = &last["partitions"][usize::from(partition)]["failure"];
        let what = failure["what"].as_str().unwrap_or_else(|| panic!("nothing is wrong: {last}"));
        assert!(what.starts_with("the verification before remembers more"), "{what}");
        assert_eq!(failure["offset"], end - 1);
    }
}

#[tokio::test]
async fn a_second_one_is_refused_and_the_end_of_the_node_is_not_delayed() {
    // Far longer than any test has.
    let scrubbed = Scrubbed::start_patient(Duration::from_secs(3_600)).await;
    scrubbed.service.log.faults().cut_off(3, 1);
    let begun = scrubbed.begin().await.expect(202).json;
    let second = scrubbed.begin().await;
    assert_problem(&second, 409, "in-progress");
    let detail = second.json["detail"].as_str().unwrap();
    assert!(detail.contains(begun["begun_at"].as_str().unwrap()), "{detail}");
    let standing = scrubbed.standing().await;
    assert_eq!(
        (&standing["running"]["begun_at"], &standing["last"]),
        (&begun["begun_at"], &Value::Null),
        "{standing}"
    );
    assert_eq!(metric(&scrubbed, "verification_running").await, 1.0);

    timeout(PATIENCE, scrubbed.verifications.stop()).await.expect("it ends at once");
    let standing = scrubbed.standing().await;
    assert_eq!(
        (&standing["running"], &standing["last"], &standing["broken_off"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert!(!scrubbed.dir.path().join(FILE).exists(), "what did not come to its end leaves no trace");
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_no_finding() {
    let scrubbed = Scrubbed::start().await;
    let first = scrubbed.verify().await;
    scrubbed.service.log.faults().set_available(false);
    let begun = scrubbed.begin().await.expect(202).json;
    let standing = scrubbed.until("its end", |seen| seen["broken_off"].is_object()).await;
    assert_eq!(standing["broken_off"]["begun_at"], begun["begun_at"]);
    let reason = standing["broken_off"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("reading partition"), "{reason}");
    assert_eq!(standing["last"], first, "it says nothing about what was true before");
    scrubbed.service.log.faults().set_available(true);
    assert_eq!(scrubbed.verify().await["ok"], true);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_said_and_written_anew() {
    let mut scrubbed = Scrubbed::start().await;
    let other = r#"{"format":1,"ledger_id":"00000000-0000-4000-8000-000000000000","begun_at":"2026-01-01T00:00:00Z",
        "ended_at":"2026-01-01T00:00:00Z","report":{"ledger_id":null,"partitions":[]},"good":[]}"#;
    for (bytes, said) in [
        ("", "is damaged"),
        (r#"{"format":1,"surprise":true}"#, "is damaged"),
        (r#"{"format":2}"#, "has format 2, this program reads 1"),
        (other, "is of ledger 00000000-0000-4000-8000-000000000000, not of this one"),
    ] {
        scrubbed.keep(bytes);
        scrubbed = scrubbed.restarted();
        let standing = scrubbed.standing().await;
        assert_eq!(standing["last"], Value::Null);
        assert!(standing["unreadable"].as_str().unwrap().contains(said), "{standing}");
    }
    assert_eq!(scrubbed.verify().await["ok"], true);
    assert_eq!(scrubbed.standing().await["unreadable"], Value::Null);
    assert_eq!(scrubbed.restarted().standing().await["last"]["ok"], true);
}

#[tokio::test]
async fn a_node_that_does_not_write_tells_what_another_has_left() {
    let scrubbed = Scrubbed::start().await;
    let setup = Setup { writer: None, ..setup(&scrubbed.service, &scrubbed.dir) };
    let reader = Verifications::open(setup);
    let elsewhere = router(&scrubbed.service, &reader);
    let ask =
        async || send(&elsewhere, get(VERIFICATION).body(Body::empty()).unwrap()).await.expect(200).json;
    assert_eq!(ask().await["last"], Value::Null);
    let last = scrubbed.verify().await;
    let told = ask().await;
    assert_eq!((&told["is_verifying_node"], &told["last"]), (&json!(false), &last));
    let refused = send(&elsewhere, post(BEGIN).body(Body::empty()).unwrap()).await;
    assert_problem(&refused, 404, "not-found");
    scrubbed.keep("damaged");
    assert!(ask().await["unreadable"].as_str().unwrap().contains("is damaged"));
}

#[tokio::test]
async fn it_verifies_by_itself_so_long_after_the_last_time() {
    let scrubbed = Scrubbed::start().await;
    scrubbed.verifications.regularly("off".parse().unwrap());
    assert_eq!(scrubbed.standing().await["every_seconds"], Value::Null);
    scrubbed.verifications.regularly("1s".parse().unwrap());
    assert_eq!(scrubbed.standing().await["every_seconds"], 1);
    let first = scrubbed.until("the first", |seen| seen["last"]["ok"] == true).await;
    let second =
        scrubbed.until("the second", |seen| seen["last"]["begun_at"] != first["last"]["begun_at"]).await;
    let at = |standing: &Value, member: &str| -> stockledger_schemas::Timestamp {
        standing["last"][member].as_str().unwrap().parse().unwrap()
    };
    let between = at(&second, "begun_at").micros() - at(&first, "ended_at").micros();
    assert!(between >= 1_000_000, "{between}");
    scrubbed.verifications.stop().await;

    // After a restart it goes by the last time, which was a moment ago.
    let scrubbed = scrubbed.restarted();
    let before = scrubbed.standing().await;
    scrubbed.verifications.regularly("7d".parse().unwrap());
    scrubbed.service.receive("LAMP", 1).await;
    let after = scrubbed.standing().await;
    assert_eq!((&after["running"], &after["last"]), (&Value::Null, &before["last"]));
}

#[tokio::test]
async fn there_is_nothing_to_choose() {
    let scrubbed = Scrubbed::start().await;
    let ask = async |path: &str, body: &'static str| {
        send(&scrubbed.router, post(path).body(Body::from(body)).unwrap()).await
    };
    assert_problem(&ask(BEGIN, r#"{"partition":1}"#).await, 422, "validation-failed");
    assert_problem(&ask(BEGIN, "[]").await, 422, "validation-failed");
    assert_problem(&ask(&format!("{BEGIN}?now=1"), "{}").await, 400, "malformed-request");
    assert_problem(&scrubbed.get(&format!("{VERIFICATION}?partition=1")).await, 400, "malformed-request");
    assert_eq!(scrubbed.standing().await["last"], Value::Null, "nothing was begun");
}
