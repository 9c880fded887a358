//! Ten switches between versions of the read tables, while others read and write.

use axum::Router;
use serde_json::{Value, json};

use super::hammer::{Hammer, manage, until_versions};

const SWITCH: &str = "/v1/projections/switch";
/// Orders, and reads, between two switches.
const BETWEEN: (u64, u64) = (10, 60);

/// A switch as it was told.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) held_ms: u64,
}

impl Told {
    fn of(switched: &Value) -> Self {
        assert_eq!(switched["is_compared"], true, "{switched}");
        let number = |name: &str| switched[name].as_u64().unwrap_or_else(|| panic!("{name} of {switched}"));
        Self { from: number("from"), to: number("to"), held_ms: number("held_ms") }
    }
}

/// Rebuilds, switches back and forward, three times, and rebuilds once more.
pub(crate) async fn ten_switches(router: &Router, hammer: &Hammer) -> Vec<Told> {
    let mut told = Vec::new();
    for round in 0..4 {
        told.push(rebuild(router).await);
        hammer.go_on_for(BETWEEN.0, BETWEEN.1).await;
        if round == 3 {
            break;
        }
        let to = told.last().unwrap().to;
        for wanted in [json!({ "back": true }), json!({ "version": to })] {
            told.push(Told::of(&manage(router, "POST", SWITCH, &wanted, 200).await));
            hammer.go_on_for(BETWEEN.0, BETWEEN.1).await;
        }
        assert_eq!(told.last().unwrap().to, to);
    }
    let pairs: Vec<(u64, u64)> = told.iter().map(|told| (told.from, told.to)).collect();
    assert_eq!(
        pairs,
        [(1, 2), (2, 1), (1, 2), (2, 3), (3, 2), (2, 3), (3, 4), (4, 3), (3, 4), (4, 5)],
        "{told:?}"
    );
    told
}

async fn rebuild(router: &Router) -> Told {
    manage(router, "POST", "/v1/projections/rebuilds", &json!({}), 202).await;
    let seen = until_versions(router, |seen| !seen["last_rebuild"].is_null()).await;
    let outcome = &seen["last_rebuild"];
    assert_eq!((&outcome["outcome"], &outcome["is_active"]), (&json!("rebuilt"), &json!(true)), "{outcome}");
    Told::of(&outcome["switched"])
}

/// Waits until both versions that are left include everything; then what their rows add up to is the same.
pub(crate) async fn assert_level_and_equal(router: &Router) -> [u32; 2] {
    let is_level = |version: &Value| version["lag_records"] == 0;
    let seen = until_versions(router, |seen| seen["versions"].as_array().unwrap().iter().all(is_level)).await;
    let [old, new] = seen["versions"].as_array().unwrap().as_slice() else { panic!("{seen}") };
    assert_eq!((&old["state"], &new["state"]), (&json!("retired"), &json!("active")), "{seen}");
    assert_eq!(old["digest"], new["digest"], "{seen}");
    assert_ne!(old["digest"], "0000000000000000");
    for (one, other) in
        old["partitions"].as_array().unwrap().iter().zip(new["partitions"].as_array().unwrap())
    {
        assert_eq!((&one["position"], &one["digest"]), (&other["position"], &other["digest"]), "{seen}");
    }
    [old, new].map(|version| u32::try_from(version["version"].as_u64().unwrap()).unwrap())
}
