//! A generated ledger does not depend on where it is written.

use serde_json::Value;

use super::storage::fresh_topic;
use crate::run::{self, complaint, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_makes_the_same_ledger_on_kafka_and_in_a_file() {
    let (beside, file) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let topic = fresh_topic();
    let options = ["bench", "generate", "--events", "20000", "--skus", "60", "--partitions", "3"];
    let on_kafka = [&options[..], &["--log", &topic, "--profile", "dev", "--data-dir", text(beside.path())]];
    let on_kafka = on_kafka.concat();
    let in_file = [&options[..], &["--data-dir", text(file.path())]].concat();
    let [on_topic, of_file]: [Value; 2] = [run::json(&on_kafka).await, run::json(&in_file).await];
    for member in ["ledger_id", "partitions", "history"] {
        assert_eq!(on_topic[member], of_file[member], "{member}");
    }
    let again = run::run(&on_kafka).await;
    assert_eq!(again.status.code(), Some(6), "{}", complaint(&again));
}
