//! A verification in a running server, watched from here. Whoever stops watching does not stop it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use stockledger_audit::Report;
use stockledger_audit::verify::Finding;
use stockledger_schemas::Timestamp;

use super::print::Verification;
use crate::cli::output::Progress;
use crate::cli::{Exit, Failure};
use crate::client::{Client, Headers};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Begun {
    begun_at: Timestamp,
}

/// What the server says of verifications.
#[derive(Deserialize)]
struct Standing {
    running: Option<UnderWay>,
    last: Option<Last>,
    broken_off: Option<BrokenOff>,
}

#[derive(Deserialize)]
struct UnderWay {
    begun_at: Timestamp,
    records_done: u64,
    records_total: u64,
}

#[derive(Deserialize)]
struct Last {
    begun_at: Timestamp,
    ended_at: Timestamp,
    #[serde(flatten)]
    report: Report<Finding>,
}

#[derive(Deserialize)]
struct BrokenOff {
    begun_at: Timestamp,
    reason: String,
}

/// Begins a verification and waits until it has come to its end.
pub(super) async fn verify(client: &Client) -> Result<Verification, Failure> {
    let Begun { begun_at } = client.post_json("/v1/audit/verifications", Headers::new(), &json!({})).await?;
    let progress = Progress::new("verify", "records");
    loop {
        let standing: Standing = client.get_json("/v1/audit/verification").await?;
        if let Some(running) = standing.running.filter(|running| running.begun_at == begun_at) {
            progress.set(running.records_done, running.records_total);
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        }
        progress.done();
        if let Some(last) = standing.last.filter(|last| last.begun_at == begun_at) {
            let micros = last.ended_at.micros() - last.begun_at.micros();
            return Ok(Verification { report: last.report, tables: None, seconds: micros as f64 / 1e6 });
        }
        let reason = match standing.broken_off.filter(|one| one.begun_at == begun_at) {
            Some(BrokenOff { reason, .. }) => reason,
            None => "the server knows nothing of it any more: it was started anew meanwhile".to_owned(),
        };
        return Err(Failure::text(
            Exit::NotReady,
            format!("the verification did not come to its end: {reason}"),
        ));
    }
}
