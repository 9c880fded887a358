//! How far the read tables are, shown to tools for Kafka as the offsets of a consumer group.
//!
//! What is shown is what the tables hold: a projector tells of its progress after its commit. The tables themselves never
//! depend on it ([`Mirror`]).

use std::time::Duration;

use stockledger_log::kafka::{Mirror, Offsets};
use stockledger_projections::{Progress, Status};
use tokio_util::sync::CancellationToken;

use crate::config::{LogAddress, Settings};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Begins to show how far a projector is, if the log is in Kafka and it is wanted, until it is told to stop.
pub(crate) fn show(settings: &Settings, progress: Progress, stop: CancellationToken) {
    let LogAddress::Kafka(address) = &settings.log.value else { return };
    let Some(group) = settings.kafka.lag_group(address.topic()) else { return };
    match Mirror::start(address, &group) {
        Ok(mirror) => drop(tokio::spawn(follow(mirror, progress, stop))),
        Err(error) => tracing::warn!(%error, group, "how far the tables are is not mirrored to Kafka"),
    }
}

async fn follow(mirror: Mirror, progress: Progress, stop: CancellationToken) {
    let shown = async {
        loop {
            mirror.show(offsets(&progress.all()));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    stop.run_until_cancelled(shown).await;
}

/// Before it has read its checkpoint a projector does not know where it is. Every other place is behind a genesis record.
fn offsets(statuses: &[Status]) -> Offsets {
    let known = statuses.iter().filter(|status| status.next_offset > 0);
    known.map(|status| (status.position.partition.0, status.next_offset)).collect()
}
