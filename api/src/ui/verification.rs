//! The part of `/ui/audit` about verifications of the log, and `/ui/audit/verifications`, which begins one.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use stockledger_audit::verify::{Finding, Outcome, PartitionReport};
use stockledger_schemas::{KeyScope, Timestamp};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::problem::Problem;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::text::{Number, When, duration};
use crate::http::verification::refused;
use crate::verifications::{Error, Standing, UnderWay};

const AUDIT: &str = "/ui/audit";
const BEGIN: &str = "/ui/audit/verifications";
const MAY_BEGIN: Access = Access::AllSites(KeyScope::Admin);

pub(super) fn routes() -> Routes {
    Routes::new().post(BEGIN, MAY_BEGIN, begin)
}

/// Verifications as the page shows them.
pub(super) struct VerificationPart {
    /// Where to begin one, for whoever may.
    pub(super) begin: Option<&'static str>,
    pub(super) running: Option<Running>,
    pub(super) last: Option<Last>,
    /// What somebody should know about those that tell nothing.
    pub(super) warnings: Vec<String>,
    /// How often it happens by itself.
    pub(super) schedule: String,
}

pub(super) struct Running {
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) told: String,
}

pub(super) struct Last {
    pub(super) is_good: bool,
    pub(super) at: When,
    pub(super) age: String,
    pub(super) took: String,
    pub(super) events: Number,
    pub(super) decisions: Number,
    pub(super) vouched: String,
    pub(super) findings: Vec<Finding>,
    pub(super) partitions: Vec<Row>,
}

pub(super) struct Row {
    pub(super) partition: String,
    pub(super) decisions: Number,
    pub(super) events: Number,
    pub(super) position: String,
    pub(super) hash: String,
    pub(super) is_good: bool,
}

impl VerificationPart {
    pub(super) fn of(app: &App, caller: &Caller, standing: &Standing) -> Self {
        let Standing { is_verifying_node, leads, every, running, last, unreadable, broken_off } = standing;
        let now = app.node().environment.now();
        let may_begin = *is_verifying_node && running.is_none() && caller.check(MAY_BEGIN, None).is_ok();
        let broken_off = broken_off.as_ref().map(|one| {
            let at = When(one.ended_at);
            format!("The verification that was given up at {at} UTC says nothing: {}.", one.reason)
        });
        Self {
            begin: may_begin.then_some(BEGIN),
            running: running.as_ref().map(Running::of),
            last: last.as_deref().map(|last| Last::of(last, now)),
            warnings: unreadable.clone().into_iter().chain(broken_off).collect(),
            schedule: match every {
                Some(every) if *leads => format!("Verified by itself every {}.", duration(every.as_secs())),
                Some(_) => "Verified by itself by the node that leads partition 0.".to_owned(),
                None if *is_verifying_node => "Not verified by itself: verify_every is off.".to_owned(),
                None => "Verified by a node that plays the role writer.".to_owned(),
            },
        }
    }
}

impl Running {
    fn of(running: &UnderWay) -> Self {
        let UnderWay { begun_at, records_done, records_total } = *running;
        let (done, total) = (Number::of(records_done), Number::of(records_total));
        let told = format!("{done} of {total} records since {} UTC", When(begun_at));
        Self { done: records_done, total: records_total.max(1), told }
    }
}

impl Last {
    fn of(outcome: &Outcome, now: Timestamp) -> Self {
        let report = &outcome.report;
        let total = report.total();
        Self {
            is_good: report.is_good(),
            at: When(outcome.ended_at),
            age: duration(seconds_between(outcome.ended_at, now)),
            took: match seconds_between(outcome.begun_at, outcome.ended_at) {
                0 => "less than a second".to_owned(),
                seconds => duration(seconds),
            },
            events: Number::of(total.events),
            decisions: Number::of(total.decisions),
            vouched: match report.unvouched() {
                0 => "All of it".to_owned(),
                newest => format!("All but the newest {} decisions", Number::of(newest)),
            },
            findings: report.failures().cloned().collect(),
            partitions: report.partitions.iter().map(Row::of).collect(),
        }
    }
}

impl Row {
    fn of(partition: &PartitionReport<Finding>) -> Self {
        let head = partition.head;
        Self {
            partition: partition.partition.to_string(),
            decisions: Number::of(partition.tally.decisions),
            events: Number::of(partition.tally.events),
            position: head.map_or_else(String::new, |head| format!("{}.{}", partition.partition, head.seq)),
            hash: head.map_or_else(String::new, |head| head.hash.to_string()),
            is_good: partition.failure.is_none(),
        }
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.micros() - from.micros()).unwrap_or_default() / 1_000_000
}

/// Whoever comes while one is running gets to see that.
async fn begin(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    match app.verifications()?.begin() {
        Ok(_) | Err(Error::Running(_)) => Ok(Redirect::to(AUDIT).into_response()),
        Err(error) => Err(refused(error)),
    }
}
