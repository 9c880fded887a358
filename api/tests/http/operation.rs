//! Routes for those who run the service.

use serde_json::json;
use tokio::time::timeout;

use crate::errors::assert_problem;
use crate::support::{PARTITIONS, PATIENCE, Service};

#[tokio::test]
async fn a_node_is_alive_and_ready_with_every_check_listed() {
    let service = Service::start().await;
    assert_eq!(service.get("/livez").await.expect(200).json, json!({ "status": "alive" }));
    let ready = service.get("/readyz").await.expect(200);
    let checks = ready.json["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 2 * usize::from(PARTITIONS) + 1);
    assert!(checks.iter().all(|check| check["ready"] == true));
    let of = |role: &str| checks.iter().filter(|check| check["role"] == role).count();
    assert_eq!(
        (of("writer"), of("projector"), of("api")),
        (usize::from(PARTITIONS), usize::from(PARTITIONS), 1)
    );
    assert_eq!(checks[0]["state"], "leading");
}

#[tokio::test]
async fn a_node_that_was_ready_once_has_started_whatever_comes_later() {
    let service = Service::start().await;
    let started = json!({ "status": "started" });
    assert_eq!(service.get("/startupz").await.expect(200).json, started);
    timeout(PATIENCE, service.ledger.stop()).await.expect("stops in time");
    assert_problem(&service.get("/readyz").await, 503, "not-applied");
    assert_eq!(service.get("/startupz").await.expect(200).json, started);
}

#[tokio::test]
async fn info_says_what_the_node_is_and_its_limits() {
    let service = Service::start().await;
    service.receive("A", 1).await;
    let info = service.get("/v1/info").await.expect(200).json;
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["partitions"], PARTITIONS);
    assert_eq!(info["roles"], json!(["writer", "projector", "api"]));
    assert_eq!((&info["log"], &info["projections"]), (&json!("memory"), &json!("sqlite")));
    assert_eq!(info["idempotency_keys"], json!({ "retention": "for ever", "bytes_per_key": 28, "held": 1 }));
    assert_eq!(info["limits"]["command_lines_max"], 2_000);
    assert_eq!(info["ledger_id"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn projections_say_how_far_they_are() {
    let service = Service::start().await;
    let received = service.receive("A", 1).await;
    service.get("/v1/sites/uk").await.expect(200);
    let projections = service.get("/v1/projections").await.expect(200).json;
    assert_eq!(projections["active_version"], 1);
    assert_eq!(projections["versions"][0]["state"], "active");
    let partitions = projections["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), usize::from(PARTITIONS));
    let home =
        partitions.iter().find(|partition| partition["position"] == received.header("ledger-position"));
    let home = home.expect("the partition of the site");
    assert_eq!(
        (&home["state"], &home["lag_records"], &home["lag_seconds"]),
        (&json!("running"), &json!(0), &json!(0))
    );
}

#[tokio::test]
async fn the_front_page_leads_on() {
    let service = Service::start().await;
    let front = service.get("/").await.expect(200);
    assert!(front.text.contains("/v1/info"));
}
