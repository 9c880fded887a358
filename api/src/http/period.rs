//! `from=`, `to=` and `axis=`: the period that a list is asked about.

use stockledger_projections::{Axis, Period};
use stockledger_schemas::Timestamp;

use crate::http::as_of::malformed;
use crate::http::problem::Problem;

/// The period that the parameters name: from a time on, before another one, of recording unless `axis` says otherwise.
pub(super) fn period(
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    axis: Option<Axis>,
) -> Result<Period, Problem> {
    if axis.is_some() && from.is_none() && to.is_none() {
        return Err(malformed("axis goes with from and to: say of when"));
    }
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(malformed("from must be before to: nothing is in between"));
    }
    Ok(Period { axis: axis.unwrap_or_default(), from, to })
}

/// The period in the name of a list.
pub(super) fn name(period: &Period) -> String {
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    format!("{:?} {} {}", period.axis, text(period.from), text(period.to))
}
