//! A rebuild in a running server, watched from here. Whoever stops watching does not stop it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Switch;
use super::progress::{Filled, Reporter};
use crate::cli::output::Format;
use crate::cli::{Exit, Failure};
use crate::client::{Client, Headers};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often in a row it may know of no rebuild, as one that was restarted does.
const LOOKS_MAX: u32 = 30;

pub(super) async fn rebuild(
    client: &Client,
    switch: Switch,
    workers: usize,
    format: Format,
) -> Result<Value, Failure> {
    let wanted = json!({ "switch": switch.word(), "workers": workers });
    let _: Value = client.post_json("/v1/projections/rebuilds", Headers::new(), &wanted).await?;
    let reporter = Reporter::new(format);
    let mut looks = 0;
    while looks < LOOKS_MAX {
        tokio::time::sleep(LOOK_EVERY).await;
        let seen: Value = client.get_json("/v1/projections").await?;
        if let Some(outcome) = seen.get("last_rebuild").filter(|outcome| outcome.is_object()) {
            reporter.done();
            return finished(outcome);
        }
        looks += 1;
        if seen.get("is_rebuilding") == Some(&Value::Bool(true)) {
            looks = 0;
        }
        if let Some(filled) = filled_version(&seen) {
            tell(filled, &reporter);
        }
    }
    let why =
        "the server knows of no rebuild any more: look at `stockledger projections list` and begin again";
    Err(Failure::text(Exit::NotReady, why))
}

fn finished(outcome: &Value) -> Result<Value, Failure> {
    let Some(reason) = outcome.get("reason").and_then(Value::as_str) else { return Ok(outcome.clone()) };
    let is_wrong = outcome.get("is_history_wrong") == Some(&Value::Bool(true));
    Err(Failure::text(if is_wrong { Exit::VerificationFailed } else { Exit::Failed }, reason))
}

fn filled_version(seen: &Value) -> Option<&Value> {
    let versions = seen.get("versions")?.as_array()?;
    versions.iter().find(|version| version.get("is_being_filled") == Some(&Value::Bool(true)))
}

fn tell(version: &Value, reporter: &Reporter) {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or(0);
    let per_second = version.get("filling").map_or(0, |filling| number(filling, "records_per_second"));
    let partitions = version.get("partitions").and_then(Value::as_array).map(Vec::as_slice);
    for one in partitions.unwrap_or_default() {
        let partition = u16::try_from(number(one, "partition")).unwrap_or(u16::MAX);
        let done = number(one, "records");
        let filled = Filled { partition, done, total: done + number(one, "lag_records") };
        reporter.note_remote(filled, per_second);
    }
}
