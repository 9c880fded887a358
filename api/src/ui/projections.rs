//! `/ui/projections`: the versions of the read tables, how far each is, and how far a rebuild is.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stockledger_projections::Version;
use stockledger_projections::overview::{PartitionOverview, VersionOverview};
use stockledger_projections::read::VersionState;
use stockledger_schemas::KeyScope;

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::problem::Problem;
use crate::http::projections::failed;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::frame::{Frame, Section, page};
use crate::http::ui::text::{Number, When, duration, sentence};
use crate::http::ui::versions::switch_path;
use crate::versions::Outcome;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/projections", Access::AllSites(KeyScope::Admin), show)
}

#[derive(Template)]
#[template(path = "projections.html")]
struct Projections {
    frame: Frame,
    versions: Vec<VersionRow>,
    is_rebuilding: bool,
    outcome: Option<(bool, String)>,
}

struct VersionRow {
    version: Version,
    /// Where to answer from it, if it can be.
    switch: Option<String>,
    state: String,
    class: &'static str,
    at: When,
    records_behind: Number,
    /// How long, before the number of records; empty where nobody can tell.
    behind: String,
    digest: String,
    progress: Option<Filling>,
    halts: Vec<String>,
    partitions: Vec<PartitionRow>,
}

struct Filling {
    done: u64,
    total: u64,
    told: String,
}

struct PartitionRow {
    partition: String,
    position: String,
    records: Number,
    records_behind: Number,
    at: Option<When>,
}

async fn show(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let versions = app.versions()?;
    let outcome = versions.last_rebuild().map(|outcome| match outcome {
        Outcome::Rebuilt(_) => (true, "The last rebuild of this node is finished.".to_owned()),
        Outcome::Failed { reason, .. } => (false, format!("The last rebuild of this node failed: {reason}")),
    });
    let overview = versions.overview().await.map_err(failed)?;
    page(&Projections {
        frame: Frame::new("Projections", Section::Projections),
        versions: overview.versions.iter().map(version_row).collect(),
        is_rebuilding: versions.is_rebuilding(),
        outcome,
    })
}

fn version_row(version: &VersionOverview) -> VersionRow {
    let VersionOverview { info, lag_records, lag_seconds, seconds_left, digest, partitions, .. } = version;
    let class = match info.state {
        VersionState::Active => "well",
        VersionState::Building => "open",
        VersionState::Ready | VersionState::Retired => "over",
    };
    let filling = info.filling.map(|filling| {
        let left = seconds_left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
        let (done, total) = (Number::of(filling.records_done), Number::of(filling.records_total));
        let rate = Number::of(filling.records_per_second);
        let told = match filling.records_total {
            0 => "It is about to begin".to_owned(),
            _ => format!("{done} of {total} records, {rate} a second{left}"),
        };
        Filling { done: filling.records_done, total: filling.records_total.max(1), told }
    });
    let halts = partitions.iter().filter_map(|one| {
        one.halt_reason.as_ref().map(|reason| format!("Partition {} has stopped: {reason}", one.partition))
    });
    let is_whole = matches!(info.state, VersionState::Ready | VersionState::Retired);
    VersionRow {
        switch: is_whole.then(|| switch_path(info.version)),
        version: info.version,
        state: sentence(info.state.as_str()),
        class,
        at: When(info.created_at),
        records_behind: Number::of(*lag_records),
        behind: lag_seconds.map_or_else(String::new, |seconds| format!("{}, ", duration(seconds))),
        digest: digest.clone(),
        progress: filling,
        halts: halts.collect(),
        partitions: partitions.iter().map(partition_row).collect(),
    }
}

fn partition_row(partition: &PartitionOverview) -> PartitionRow {
    PartitionRow {
        partition: partition.partition.to_string(),
        position: partition.position.to_string(),
        records: Number::of(partition.records),
        records_behind: Number::of(partition.lag_records),
        at: partition.as_of.map(When),
    }
}
