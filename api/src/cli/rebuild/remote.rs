//! A rebuild in a running server, watched from here. Whoever stops watching does not stop it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Switch;
use super::progress::print_filling;
use crate::cli::health::client_failure;
use crate::cli::output::{Format, Progress};
use crate::cli::{Exit, Failure};
use crate::client::{Client, Headers};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn rebuild(
    url: &str,
    switch: Switch,
    workers: usize,
    format: Format,
) -> Result<Value, Failure> {
    let client = Client::new(url).map_err(client_failure)?;
    let wanted = json!({ "switch": switch.word(), "workers": workers });
    let _: Value = client
        .post_json("/v1/projections/rebuilds", Headers::new(), &wanted)
        .await
        .map_err(client_failure)?;
    let progress = (format == Format::Table).then(|| Progress::new("rebuild", "records"));
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let seen: Value = client.get_json("/v1/projections").await.map_err(client_failure)?;
        if let Some(outcome) = seen.get("last_rebuild").filter(|outcome| outcome.is_object()) {
            if let Some(progress) = &progress {
                progress.done();
            }
            return finished(outcome);
        }
        if let Some(filled) = filled_version(&seen) {
            tell(filled, progress.as_ref())?;
        }
    }
}

fn finished(outcome: &Value) -> Result<Value, Failure> {
    match outcome.get("reason").and_then(Value::as_str) {
        Some(reason) => Err(Failure::text(Exit::Failed, reason)),
        None => Ok(outcome.clone()),
    }
}

fn filled_version(seen: &Value) -> Option<&Value> {
    let versions = seen.get("versions")?.as_array()?;
    versions.iter().find(|version| version.get("is_being_filled") == Some(&Value::Bool(true)))
}

fn tell(version: &Value, progress: Option<&Progress>) -> Result<(), Failure> {
    let filling = version.get("filling");
    let number = |name: &str| filling.and_then(|filling| filling.get(name)).and_then(Value::as_u64);
    let (done, total) = (number("records_done").unwrap_or(0), number("records_total").unwrap_or(0));
    match progress {
        Some(progress) => progress.set(done, total),
        None => print_filling(None, done, total, number("records_per_second"))?,
    }
    Ok(())
}
