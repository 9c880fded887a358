//! Versions of the read tables: rebuilding them, switching between them, dropping them, and what is refused.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stockledger::http::{self, App, Gate, Node, Roles};
use stockledger::versions::Versions;
use stockledger_log::Log;
use stockledger_projections::compare::compare;
use stockledger_projections::{Queries, Store, Version};
use stockledger_schemas::LedgerId;
use stockledger_writer::{Environment, SystemEnvironment};

use crate::errors::assert_problem;
use crate::support::gate::Gated;
use crate::support::hammer::{Hammer, manage, until_versions};
use crate::support::switches::{assert_level_and_equal, ten_switches};
use crate::support::{Answer, PARTITIONS, Service, send};

const VERSIONS: &str = "/v1/projections";
const REBUILDS: &str = "/v1/projections/rebuilds";
const SWITCH: &str = "/v1/projections/switch";

impl Service {
    async fn versions(&self) -> Value {
        manage(&self.router, "GET", VERSIONS, &Value::Null, 200).await
    }

    /// Begins a rebuild and waits until it is over; gives what came of it.
    async fn rebuild(&self, wanted: &Value) -> Value {
        manage(&self.router, "POST", REBUILDS, wanted, 202).await;
        until_versions(&self.router, |seen| !seen["last_rebuild"].is_null()).await["last_rebuild"].clone()
    }

    async fn switch(&self, wanted: &Value) -> Answer {
        send(&self.router, request("POST", SWITCH, wanted.to_string())).await
    }

    async fn drop_version(&self, version: &str) -> Answer {
        send(&self.router, request("DELETE", &format!("{VERSIONS}/{version}"), String::new())).await
    }
}

fn request(method: &str, path: &str, body: String) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(Body::from(body)).unwrap()
}

fn states(seen: &Value) -> Vec<(u64, &str)> {
    let versions = seen["versions"].as_array().unwrap().iter();
    versions.map(|one| (one["version"].as_u64().unwrap(), one["state"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_never_fail_and_never_go_back_during_ten_switches() {
    let service = Service::start().await;
    // Another process reads too, which is told nothing of a switch.
    let other = looking(&service);
    let hammer = Hammer::start(&[&service.router, &other], &["de", "fr"]).await;
    hammer.go_on_for(20, 100).await;
    let told = ten_switches(&service.router, &hammer).await;
    let (orders, reads) = hammer.stop().await;
    let held: Vec<u64> = told.iter().map(|told| told.held_ms).collect();
    println!("{orders} orders and {reads} reads, held for {held:?} ms");
    let [old, new] = assert_level_and_equal(&service.router).await.map(Version);
    let compared = compare((&*service.store, old), (&*service.store, new)).await.unwrap();
    assert_eq!(compared.difference, None);
    assert!(compared.rows() > orders * 3, "{} rows of {orders} orders", compared.rows());
}

/// Orders of `uk`, so that there is something to rebuild.
async fn some_orders(service: &Service, from: u32, to: u32) {
    for number in from..to {
        let order = format!(r#"{{"order_id":"o-{number}","lines":[{{"sku":"A","quantity":1}}]}}"#);
        service.post("/v1/sites/uk/orders", order).await.expect(201);
    }
}

async fn gated(commits: usize) -> (Service, Arc<Gated>) {
    let (service, gated) = Service::start_gated(commits).await;
    service.put("/v1/sites/uk", r#"{"name":"United Kingdom"}"#).await.expect(201);
    service.receive("A", 1_000).await;
    some_orders(&service, 0, 20).await;
    (service, gated)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_version_is_filled_it_is_shown_how_far_and_nothing_else_may_touch_it() {
    // Of four partitions two commits each are needed.
    let (service, gate) = gated(3).await;
    manage(&service.router, "POST", REBUILDS, &json!({ "workers": 1 }), 202).await;
    let seen = until_versions(&service.router, |seen| seen["versions"][1]["seconds_left"].is_u64()).await;
    assert_eq!(states(&seen), [(1, "active"), (2, "building")]);
    assert_eq!(seen["last_rebuild"], Value::Null);
    let (old, new) = (&seen["versions"][0], &seen["versions"][1]);
    assert_eq!((&new["is_being_filled"], &old["is_being_filled"]), (&json!(true), &json!(false)));
    assert!(old.get("filling").is_none());
    let filling = |name: &str| new["filling"][name].as_u64().unwrap();
    let (done, total) = (filling("records_done"), filling("records_total"));
    assert!(0 < done && done < total, "{new}");
    assert!(filling("records_per_second") > 0, "{new}");
    assert_eq!(new["lag_seconds"], Value::Null, "partitions that were not begun tell nothing of their age");

    let again = send(&service.router, request("POST", REBUILDS, "{}".to_owned())).await;
    assert_problem(&again, 409, "in-progress");
    assert_problem(&service.drop_version("2").await, 409, "in-progress");
    assert_problem(&service.switch(&json!({ "version": 2 })).await, 409, "version-state");
    gate.commits.open();
    let seen = until_versions(&service.router, |seen| !seen["last_rebuild"].is_null()).await;
    assert_eq!(states(&seen), [(1, "retired"), (2, "active")], "{seen}");
    assert_eq!(seen["last_rebuild"]["is_resumed"], false);
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.expect(200).json["reserved"], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_of_another_process_is_told_when_the_rebuild_here_is_over() {
    let (service, gate) = gated(0).await;
    manage(&service.router, "POST", REBUILDS, &json!({}), 202).await;
    gate.commits.until_entered(1).await;
    let other = Versions::new(
        Arc::new(service.log.clone()) as Arc<dyn Log>,
        service.store.clone() as Arc<dyn Store>,
        Arc::new(SystemEnvironment) as Arc<dyn Environment>,
        Some(service.projector.look()),
    );
    let other = router(&service, other);
    manage(&other, "POST", REBUILDS, &json!({}), 202).await;
    let seen = until_versions(&other, |seen| !seen["last_rebuild"].is_null()).await;
    assert_eq!(seen["last_rebuild"]["outcome"], "failed");
    let reason = seen["last_rebuild"]["reason"].as_str().unwrap();
    assert!(reason.contains("another rebuild is filling version 2"), "{reason}");
    gate.commits.open();
    until_versions(&service.router, |seen| seen["last_rebuild"]["outcome"] == "rebuilt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_waits_for_its_switch_is_kept_level() {
    let service = Service::start().await;
    service.receive("A", 1_000).await;
    some_orders(&service, 0, 5).await;
    let rebuilt = service.rebuild(&json!({ "switch": "manual", "workers": 8 })).await;
    assert_eq!((&rebuilt["version"], &rebuilt["is_active"]), (&json!(2), &json!(false)));
    assert_eq!(rebuilt["switched"], Value::Null);
    some_orders(&service, 5, 10).await;
    let head = service.get("/v1/sites/uk").await.header("ledger-position").to_owned();
    let seen = until_versions(&service.router, |seen| seen["versions"][1]["lag_records"] == 0).await;
    assert_eq!(states(&seen), [(1, "active"), (2, "ready")]);
    let partitions = seen["versions"][1]["partitions"].as_array().unwrap();
    assert!(partitions.iter().any(|partition| partition["position"] == head.as_str()), "{head} {seen}");
    let switched = service.switch(&json!({ "version": 2 })).await.expect(200).json;
    assert_eq!(
        (&switched["from"], &switched["to"], &switched["is_compared"]),
        (&json!(1), &json!(2), &json!(true))
    );
    assert!(switched["held_ms"].is_u64());
    assert_eq!(service.get("/v1/sites/uk/stock/A").await.expect(200).json["reserved"], 10);
    let back = service.switch(&json!({ "back": true })).await.expect(200).json;
    assert_eq!((&back["from"], &back["to"]), (&json!(2), &json!(1)));
    assert_eq!(states(&service.versions().await), [(1, "active"), (2, "retired")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_show_where_they_stand_and_what_their_rows_add_up_to() {
    let service = Service::start().await;
    let received = service.receive("A", 1).await;
    service.rebuild(&json!({})).await;
    let seen = until_versions(&service.router, |seen| {
        seen["versions"].as_array().unwrap().iter().all(|version| version["lag_records"] == 0)
    });
    let seen = seen.await;
    assert_eq!((&seen["active_version"], states(&seen)), (&json!(2), vec![(1, "retired"), (2, "active")]));
    let is_digest = |digest: &Value| {
        let text = digest.as_str().unwrap();
        text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    };
    for version in seen["versions"].as_array().unwrap() {
        assert_eq!((&version["lag_seconds"], &version["is_our_code"]), (&json!(0), &json!(true)));
        assert_eq!(version["code_hash"].as_str().unwrap().len(), 64);
        assert!(version["created_at"].as_str().unwrap().ends_with('Z'));
        assert!(is_digest(&version["digest"]), "{version}");
        assert_eq!(version["digest"], seen["versions"][0]["digest"]);
        let partitions = version["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), usize::from(PARTITIONS));
        assert!(partitions.iter().all(|partition| is_digest(&partition["digest"])));
        assert!(partitions.iter().all(|partition| partition.get("halt_reason").is_none()));
        let home = partitions.iter().find(|one| one["position"] == received.header("ledger-position"));
        assert!(home.expect("the partition of the site")["as_of"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_possible_with_a_version_is_refused() {
    let service = Service::start().await;
    assert_problem(&service.switch(&json!({ "back": true })).await, 409, "version-state");
    assert_problem(&service.switch(&json!({ "version": 1 })).await, 409, "version-state");
    assert_problem(&service.switch(&json!({ "version": 7 })).await, 404, "not-found");
    assert_problem(&service.drop_version("1").await, 409, "version-state");
    assert_problem(&service.drop_version("7").await, 404, "not-found");
    // One that somebody left half-way is not switched to, and may be dropped.
    service.store.create_version(Version(2), SystemEnvironment.now()).await.unwrap();
    assert_problem(&service.switch(&json!({ "version": 2 })).await, 409, "version-state");
    assert_eq!(service.drop_version("2").await.expect(200).json, json!({ "dropped": 2 }));

    // A number is never used twice.
    let rebuilt = service.rebuild(&json!({ "switch": "auto" })).await;
    assert_eq!((&rebuilt["version"], &rebuilt["switched"]["from"]), (&json!(3), &json!(1)));
    assert_problem(&service.drop_version("3").await, 409, "version-state");
    assert_eq!(service.drop_version("1").await.expect(200).json, json!({ "dropped": 1 }));
    assert_problem(&service.switch(&json!({ "back": true })).await, 409, "version-state");
    assert_eq!(states(&service.versions().await), [(3, "active")]);
    service.get("/v1/sites/uk").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_not_as_they_must_be_change_nothing() {
    let service = Service::start().await;
    let malformed = (400, "malformed-request");
    let invalid = (422, "validation-failed");
    for (path, body, (status, code)) in [
        (REBUILDS, "nonsense", malformed),
        (REBUILDS, "[]", invalid),
        (REBUILDS, r#"["auto",2]"#, invalid),
        (REBUILDS, r#"{"switch":"now"}"#, invalid),
        (REBUILDS, r#"{"workers":0}"#, invalid),
        (REBUILDS, r#"{"workers":9}"#, invalid),
        (REBUILDS, r#"{"workers":-1}"#, invalid),
        (REBUILDS, r#"{"worker":1}"#, invalid),
        (SWITCH, "", malformed),
        (SWITCH, "{", malformed),
        (SWITCH, "{}", invalid),
        (SWITCH, r#"{"back":false}"#, invalid),
        (SWITCH, r#"{"version":1,"back":true}"#, invalid),
        (SWITCH, r#"{"version":"1"}"#, invalid),
        (SWITCH, r#"{"version":-1}"#, invalid),
        (SWITCH, r#"{"version":4294967296}"#, invalid),
        (SWITCH, r#"{"version":1,"force":true}"#, invalid),
        ("/v1/projections/rebuilds?switch=manual", "{}", malformed),
        ("/v1/projections/switch?back=true", "{}", malformed),
    ] {
        let answer = send(&service.router, request("POST", path, body.to_owned())).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path} {body}: {}", answer.text);
    }
    for path in [REBUILDS, SWITCH] {
        let form = Request::post(path).header("content-type", "text/plain").body(Body::from("{}")).unwrap();
        assert_problem(&send(&service.router, form).await, 415, "unsupported-media-type");
        let long = format!(r#"{{"workers":{}1}}"#, " ".repeat(3 << 20));
        assert_problem(&send(&service.router, request("POST", path, long)).await, 413, "body-too-large");
    }
    for version in ["one", "-1", "4294967296"] {
        assert_problem(&service.drop_version(version).await, 422, "validation-failed");
    }
    let seen = service.versions().await;
    assert_eq!((states(&seen), &seen["last_rebuild"]), (vec![(1, "active")], &Value::Null));
    // No body at all begins a rebuild by default.
    let bare = Request::post(REBUILDS).body(Body::empty()).unwrap();
    send(&service.router, bare).await.expect(202);
    until_versions(&service.router, |seen| seen["active_version"] == 2).await;
}

/// A node that plays the role api alone, beside the one of the service.
fn router(service: &Service, versions: Versions) -> Router {
    let node = Node {
        ledger_id: LedgerId([7; 16]),
        partitions: PARTITIONS,
        log: "memory",
        projections: "sqlite",
        environment: Arc::new(SystemEnvironment) as Arc<dyn Environment>,
    };
    let queries = Queries::new(service.store.clone() as Arc<dyn Store>, None);
    http::router(App::new(
        node,
        Roles { api: Some(queries), versions: Some(versions), ..Roles::default() },
        Gate::Open,
    ))
}

/// The same, that may look at versions only.
fn looking(service: &Service) -> Router {
    let (log, store) = (Arc::new(service.log.clone()), service.store.clone());
    router(service, Versions::new(log, store, Arc::new(SystemEnvironment), None))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_the_role_projector_shows_versions_and_changes_none() {
    let service = Service::start().await;
    let other = looking(&service);
    let seen = manage(&other, "GET", VERSIONS, &Value::Null, 200).await;
    assert_eq!((states(&seen), &seen["partitions"]), (vec![(1, "active")], &json!([])));
    for (method, path, body) in
        [("POST", REBUILDS, "{}"), ("POST", SWITCH, r#"{"back":true}"#), ("DELETE", "/v1/projections/1", "")]
    {
        let refused = send(&other, request(method, path, body.to_owned())).await;
        assert_problem(&refused, 404, "not-found");
        assert!(refused.json["detail"].as_str().unwrap().contains("role projector"), "{}", refused.text);
    }
}

const READS: [&str; 11] = [
    "/v1/sites/fr/stock",
    "/v1/sites/fr/stock/A",
    "/v1/sites/fr/stock/A/movements",
    "/v1/sites/fr/stock/A/explain",
    "/v1/sites/fr/orders",
    "/v1/sites/fr/orders/o",
    "/v1/sites/fr/orders/o/trail",
    "/v1/sites/fr/stock?as_of=2100-01-01T00:00:00Z",
    "/v1/sites/fr/stock/A?as_of=2100-01-01T00:00:00Z",
    "/v1/sites/fr/orders/o?as_of=2100-01-01T00:00:00Z",
    "/v1/sites/fr/stock/A?as_of=2100-01-01T00:00:00Z&axis=occurred",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_of_a_partition_that_stopped_says_so_on_every_node_and_no_other_does() {
    let service = Service::start().await;
    let lines = r#"{"lines":[{"sku":"A","quantity":9}]}"#;
    let home =
        service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201).json["partition"].clone();
    assert_ne!(home, service.get("/v1/sites/uk").await.json["partition"]);
    for site in ["fr", "uk"] {
        service.post(&format!("/v1/sites/{site}/receipts"), lines).await.expect(201);
    }
    let order = r#"{"order_id":"o","lines":[{"sku":"A","quantity":1}]}"#;
    service.post("/v1/sites/fr/orders", order).await.expect(201);
    let last = service.get("/v1/sites/fr/orders/o").await.expect(200).header("ledger-position").to_owned();
    let other = looking(&service);
    let nodes = [&service.router, &other];
    let get = |path: &str| request("GET", path, String::new());
    for (node, path) in nodes.into_iter().flat_map(|node| READS.map(|path| (node, path))) {
        let answer = send(node, get(path)).await.expect(200);
        assert!(answer.json.get("stale").is_none(), "{path}: {}", answer.text);
    }
    let garbage = stockledger_log::Entry::new(bytes::Bytes::new(), bytes::Bytes::from_static(b"nonsense"));
    service.log.faults().land(u16::try_from(home.as_u64().unwrap()).unwrap(), garbage);
    until_versions(&other, |seen| {
        let partitions = seen["versions"][0]["partitions"].as_array().unwrap();
        partitions.iter().any(|partition| partition["halt_reason"].is_string())
    })
    .await;
    for (node, path) in nodes.into_iter().flat_map(|node| READS.map(|path| (node, path))) {
        let answer = send(node, get(path)).await.expect(200);
        assert_eq!(answer.json["stale"], true, "{path}: {}", answer.text);
        assert!(answer.json["stale_reason"].as_str().unwrap().contains("offset"), "{path}: {}", answer.text);
        assert_eq!(answer.header("ledger-position"), last, "{path}");
    }
    for node in nodes {
        let everywhere = send(node, get("/v1/stock/A")).await.expect(200).json;
        assert_eq!(
            (&everywhere["data"][0]["site"], &everywhere["data"][0]["stale"]),
            (&json!("fr"), &json!(true))
        );
        assert!(everywhere["data"][1].get("stale").is_none(), "{everywhere}");
    }
    // Nobody waits for what will not come.
    for node in nodes {
        let beyond = format!("{home}.999");
        let read =
            Request::get("/v1/sites/fr/stock").header("ledger-min-position", beyond).body(Body::empty());
        assert_problem(&send(node, read.unwrap()).await, 503, "partition-halted");
    }
    // The other site goes on, and a rebuild fails without a trace.
    let received = service.post("/v1/sites/uk/receipts", lines).await.expect(201);
    for node in nodes {
        let read = Request::get("/v1/sites/uk/stock/A")
            .header("ledger-min-position", received.header("ledger-position"))
            .body(Body::empty());
        let level = send(node, read.unwrap()).await.expect(200).json;
        assert_eq!((&level["on_hand"], level.get("stale")), (&json!(18), None));
    }
    let failed = service.rebuild(&json!({})).await;
    assert_eq!(failed["outcome"], "failed", "{failed}");
    assert!(failed["reason"].as_str().unwrap().contains("offset"), "{failed}");
    assert_eq!(states(&service.versions().await), [(1, "active")]);
}
