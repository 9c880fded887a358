//! A period of time, and what of a partition was recorded in it.

use stockledger_schemas::{SiteId, Timestamp};

use super::past::{Axis, LAST_AT_INSTANT};
use super::{Moment, Result};
use crate::value::Value;

/// From a time on and before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// By which of its two times a fact counts.
    pub axis: Axis,
    /// The first time that is within.
    pub from: Option<Timestamp>,
    /// The first time that is behind.
    pub to: Option<Timestamp>,
}

/// Decisions of a partition: those after one, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) after: u64,
    pub(super) up_to: u64,
}

impl Span {
    const ALL: Self = Self { after: 0, up_to: u64::MAX };
}

impl Period {
    /// The bounds on when a thing happened; none if the period is one of recording.
    pub(super) fn occurred(&self) -> (Option<Value>, Option<Value>) {
        let value = |time: Timestamp| Value::Int(time.micros());
        match self.axis {
            Axis::Occurred => (self.from.map(value), self.to.map(value)),
            Axis::Recorded => (None, None),
        }
    }
}

impl Moment {
    /// The decisions of a site that were recorded in a period. Times of recording never fall along a partition, so that
    /// they are one span of it, whose ends an index knows.
    pub(super) async fn span_of(&mut self, site: &SiteId, period: &Period) -> Result<Span> {
        if period.axis == Axis::Occurred {
            return Ok(Span::ALL);
        }
        let after = match period.from {
            Some(from) => self.last_before(site, from).await?,
            None => Span::ALL.after,
        };
        let up_to = match period.to {
            Some(to) => self.last_before(site, to).await?,
            None => Span::ALL.up_to,
        };
        Ok(Span { after, up_to })
    }

    /// The last decision of a site before an instant; 0 before the first.
    async fn last_before(&mut self, site: &SiteId, instant: Timestamp) -> Result<u64> {
        let parameters = vec![site.into(), Value::Int(instant.micros() - 1)];
        let row = self.select_one(LAST_AT_INSTANT, parameters).await?;
        row.map_or(Ok(0), |mut fields| fields.number())
    }
}
