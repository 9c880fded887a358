//! Checkpoints and proofs over HTTP, checked as somebody does who has the key.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use stockledger::http::{self, App, Gate, Node, Roles};
use stockledger_audit::notary::Options;
use stockledger_audit::{
    ConsistencyProof, InclusionProof, Notary, SignedCheckpoint, SigningKey, VerifierKey,
};
use stockledger_schemas::PartitionId;
use stockledger_writer::{SystemEnvironment, genesis};
use tempfile::TempDir;
use tokio::time::{Duration, Instant, interval};

use crate::errors::assert_problem;
use crate::support::{Answer, PARTITIONS, PATIENCE, Service, get, send};

/// A service with a notary beside it.
struct Audited {
    service: Service,
    notary: Notary,
    router: Router,
    keys: [VerifierKey; 1],
    _dir: TempDir,
}

impl Audited {
    async fn start() -> Self {
        let service = Service::start().await;
        let ledger_id = genesis::check(&service.log).await.expect("a ledger").ledger_id;
        let dir = TempDir::new().expect("a directory");
        let key = SigningKey::generate(ledger_id).expect("a key");
        let keys = [key.verifier()];
        let log = Arc::new(service.log.clone());
        let directory = dir.path().to_path_buf();
        let notary = Notary::start(log, ledger_id, key, directory, Options::default());
        for partition in (0..PARTITIONS).map(PartitionId) {
            let deadline = Instant::now() + PATIENCE;
            let mut again = interval(Duration::from_millis(5));
            while notary.proofs().checkpoint(partition).await.is_err() {
                assert!(Instant::now() < deadline, "no checkpoint of partition {partition}");
                again.tick().await;
            }
        }
        let router = router(&service, Some(&notary)).await;
        Self { service, notary, router, keys, _dir: dir }
    }

    async fn get(&self, path: &str) -> Answer {
        send(&self.router, get(path).body(Body::empty()).expect("a request")).await
    }
}

async fn router(service: &Service, notary: Option<&Notary>) -> Router {
    let identity = genesis::check(&service.log).await.expect("a ledger");
    let node = Node {
        ledger_id: identity.ledger_id,
        partitions: identity.partitions,
        log: "memory",
        projections: "none",
        environment: Arc::new(SystemEnvironment),
    };
    http::router(App::new(node, Roles { audit: notary.map(Notary::proofs), ..Roles::default() }, Gate::Open))
}

#[tokio::test]
async fn a_decision_that_was_just_made_is_proved_with_the_key_alone() {
    let audited = Audited::start().await;
    let received = audited.service.receive("A", 7).await;
    let position = received.header("ledger-position");
    let answer = audited.get(&format!("/v1/audit/proof?position={position}")).await.expect(200);
    assert_eq!(answer.header("ledger-position"), position);
    let proof: InclusionProof = serde_json::from_str(&answer.text).unwrap();
    let included = proof.check(&audited.keys).unwrap();
    assert_eq!(proof.position.to_string(), position);
    assert_eq!(included.decision.events[0].type_name(), "stock_received");
    audited.notary.stop().await;
}

#[tokio::test]
async fn checkpoints_come_as_notes_or_as_a_list_of_them() {
    let audited = Audited::start().await;
    let position = audited.service.receive("A", 7).await.header("ledger-position").to_owned();
    audited.get(&format!("/v1/audit/proof?position={position}")).await.expect(200);
    let (partition, seq) = position.split_once('.').unwrap();

    let note = audited.get(&format!("/v1/audit/checkpoint?partition={partition}")).await.expect(200);
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    let signed = SignedCheckpoint::open(&note.text, &audited.keys).unwrap();
    assert_eq!(signed.checkpoint().size.to_string(), seq);

    let key = audited.get("/v1/audit/key").await.expect(200);
    assert_eq!(key.text, format!("{}\n", audited.keys[0]));

    let all = audited.get("/v1/audit/checkpoint").await.expect(200).json;
    assert_eq!(all["verifier_key"], audited.keys[0].to_string());
    let checkpoints = all["checkpoints"].as_array().unwrap();
    assert_eq!(checkpoints.len(), usize::from(PARTITIONS));
    for (partition, checkpoint) in checkpoints.iter().enumerate() {
        let signed = SignedCheckpoint::open(checkpoint["note"].as_str().unwrap(), &audited.keys).unwrap();
        assert_eq!(checkpoint["partition"], partition);
        assert_eq!(checkpoint["position"], format!("{partition}.{}", signed.checkpoint().size));
    }
    audited.notary.stop().await;
}

#[tokio::test]
async fn two_visits_are_proved_to_see_one_history() {
    let audited = Audited::start().await;
    let first = audited.service.receive("A", 7).await.header("ledger-position").to_owned();
    let proof = audited.get(&format!("/v1/audit/proof?position={first}")).await.expect(200).json;
    let since = SignedCheckpoint::open(proof["checkpoint"].as_str().unwrap(), &audited.keys).unwrap();
    let later = audited.service.receive("A", 2).await.header("ledger-position").to_owned();
    let answer = audited.get(&format!("/v1/audit/consistency?from={first}&to={later}")).await.expect(200);
    let proof: ConsistencyProof = serde_json::from_str(&answer.text).unwrap();
    let until = proof.check(since.checkpoint(), &audited.keys).unwrap();
    assert_eq!(until.checkpoint().position().to_string(), later);
    let to_the_last = audited.get(&format!("/v1/audit/consistency?from={first}")).await.expect(200);
    assert_eq!(to_the_last.json, answer.json);
    audited.notary.stop().await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_that_says_why() {
    let audited = Audited::start().await;
    let cases = [
        ("/v1/audit/proof", 400, "malformed-request"),
        ("/v1/audit/proof?position=17", 400, "malformed-request"),
        ("/v1/audit/proof?position=0.1&more=1", 400, "malformed-request"),
        ("/v1/audit/proof?position=0.99", 404, "not-found"),
        ("/v1/audit/proof?position=0.0", 404, "not-found"),
        ("/v1/audit/proof?position=9.1", 404, "not-found"),
        ("/v1/audit/checkpoint?partition=9", 404, "not-found"),
        ("/v1/audit/checkpoint?partition=x", 400, "malformed-request"),
        ("/v1/audit/consistency?from=0.1&to=0.0", 400, "malformed-request"),
        ("/v1/audit/consistency?from=0.1&to=1.1", 400, "malformed-request"),
        ("/v1/audit/consistency?from=0.99", 404, "not-found"),
    ];
    for (path, status, code) in cases {
        assert_problem(&audited.get(path).await, status, code);
    }
    audited.notary.stop().await;

    let without = router(&audited.service, None).await;
    for path in ["/v1/audit/checkpoint", "/v1/audit/proof?position=0.1", "/v1/audit/key"] {
        let answer = send(&without, get(path).body(Body::empty()).unwrap()).await;
        assert_problem(&answer, 503, "audit-unavailable");
    }
}

#[tokio::test]
async fn a_log_that_contradicts_what_was_signed_is_an_alarm() {
    let audited = Audited::start().await;
    let Audited { service, notary, _dir: dir, .. } = audited;
    notary.stop().await;
    // The checkpoint of another partition's size stands for one that was signed for a history that is gone.
    let path = |partition: u16| dir.path().join(format!("partition-{partition}.checkpoint"));
    std::fs::copy(path(1), path(0)).unwrap();
    let ledger_id = genesis::check(&service.log).await.unwrap().ledger_id;
    let key = SigningKey::generate(ledger_id).unwrap();
    let log = Arc::new(service.log.clone());
    let notary = Notary::start(log, ledger_id, key, dir.path().to_path_buf(), Options::default());
    let router = router(&service, Some(&notary)).await;
    let ask = async |path: &str| send(&router, get(path).body(Body::empty()).unwrap()).await;
    let deadline = Instant::now() + PATIENCE;
    let mut again = interval(Duration::from_millis(5));
    while ask("/v1/audit/checkpoint?partition=0").await.status != 500 {
        assert!(Instant::now() < deadline, "the alarm never came");
        again.tick().await;
    }
    assert_problem(&ask("/v1/audit/checkpoint?partition=0").await, 500, "audit-inconsistent");
    assert_problem(&ask("/v1/audit/proof?position=0.1").await, 500, "audit-inconsistent");
    let all = ask("/v1/audit/checkpoint").await.expect(200).json;
    assert_eq!(all["checkpoints"][0]["code"], "audit-inconsistent");
    assert!(all["checkpoints"][0]["detail"].as_str().unwrap().contains("another ledger"));
    notary.stop().await;
}
