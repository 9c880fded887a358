//! `as_of=` and `axis=`: which past a read is asked about, and how its answer says so.
//!
//! A moment is an instant or a position of the site's own partition. On the axis `recorded`, which is the default, an
//! answer is what the ledger said then; on `occurred` it is what was true then as known today.

use serde::{Deserialize, Serialize};
use stockledger_projections::views::{AsOf, KnownSite, Stale};
use stockledger_projections::{Axis, Point, Then};
use stockledger_schemas::{Position, Timestamp};

use crate::http::problem::{Code, Problem};

/// What `as_of=` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Moment {
    Instant(Timestamp),
    Position(Position),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "as_of must be a time of RFC 3339, such as 2026-03-31T23:59:59Z (a + in it is written %2B), or a position, such as 0.17"
)]
pub(super) struct InvalidMoment;

impl TryFrom<String> for Moment {
    type Error = InvalidMoment;

    fn try_from(text: String) -> Result<Self, InvalidMoment> {
        let position = text.parse().map(Self::Position).ok();
        position.or_else(|| text.parse().map(Self::Instant).ok()).ok_or(InvalidMoment)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(formatter),
            Self::Position(position) => position.fmt(formatter),
        }
    }
}

/// The past that a read is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Past {
    moment: Moment,
    axis: Axis,
}

impl Past {
    /// The past that the parameters name; none without them.
    pub(super) fn of(as_of: Option<Moment>, axis: Option<Axis>) -> Result<Option<Self>, Problem> {
        match (as_of, axis) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(malformed("axis goes with as_of: say as of when")),
            (Some(Moment::Position(_)), Some(Axis::Occurred)) => Err(malformed(
                "axis=occurred asks when things happened, of which a position says nothing: give a time as as_of",
            )),
            (Some(moment), axis) => Ok(Some(Self { moment, axis: axis.unwrap_or_default() })),
        }
    }

    /// The same for a question about one site.
    pub(super) fn at(self, known: &KnownSite) -> Result<Then, Problem> {
        match (self.moment, self.axis) {
            (Moment::Instant(instant), Axis::Recorded) => Ok(Then::Recorded(Point::Instant(instant))),
            (Moment::Instant(instant), Axis::Occurred) => Ok(Then::Occurred(instant)),
            (Moment::Position(position), _) if position.partition == known.partition => {
                Ok(Then::Recorded(Point::Seq(position.seq)))
            }
            (Moment::Position(position), _) => Err(malformed(&format!(
                "position {position} is of partition {}, but site {} lives on partition {}: \
                 give one of its own positions, or a time",
                position.partition, known.site, known.partition
            ))),
        }
    }

    /// The same for a question that is answered by what was recorded alone.
    pub(super) fn point(self, known: &KnownSite) -> Result<Point, Problem> {
        match self.at(known)? {
            Then::Recorded(point) => Ok(point),
            Then::Occurred(_) => {
                Err(malformed("this is answered by what was recorded: leave out axis=occurred"))
            }
        }
    }

    /// The same for a question about all sites, which live on several partitions.
    pub(super) fn everywhere(self) -> Result<(Axis, Timestamp), Problem> {
        match self.moment {
            Moment::Instant(instant) => Ok((self.axis, instant)),
            Moment::Position(position) => Err(malformed(&format!(
                "position {position} speaks for the sites of partition {} alone: give a time as as_of",
                position.partition
            ))),
        }
    }

    /// The question in the name of a list.
    pub(super) fn name(past: Option<Self>) -> String {
        past.map_or_else(String::new, |past| format!("{:?} {}", past.axis, past.moment))
    }

    /// The question as people read it.
    pub(super) fn in_words(self) -> String {
        let moment = match self.moment {
            Moment::Instant(at) => {
                at.to_string().chars().take(19).collect::<String>().replace('T', " ") + " UTC"
            }
            Moment::Position(position) => position.to_string(),
        };
        match self.axis {
            Axis::Recorded => format!("{moment}, as recorded then"),
            Axis::Occurred => format!("{moment}, as it happened"),
        }
    }

    /// What the answer says of it: on the axis of what happened, until when.
    pub(super) const fn told(self) -> Option<Occurred> {
        match (self.axis, self.moment) {
            (Axis::Occurred, Moment::Instant(occurred_until)) => {
                Some(Occurred { axis: Axis::Occurred, occurred_until })
            }
            _ => None,
        }
    }
}

/// A parameter is not what it has to be, or does not go with another.
pub(super) fn malformed(why: &str) -> Problem {
    Problem::new(Code::MalformedRequest, format!("the query string is not valid: {why}"))
}

/// The members of an answer by occurrence.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Occurred {
    axis: Axis,
    occurred_until: Timestamp,
}

/// What an answer about one partition says of the state that it shows, beside its own members.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    at: Option<&'a AsOf>,
    #[serde(flatten)]
    stale: Option<&'a Stale>,
    #[serde(flatten)]
    occurred: Option<Occurred>,
}

impl<'a> Told<'a> {
    /// Of the present nothing but that it is stale; of the past which one it is.
    pub(super) fn of(at: &'a AsOf, past: Option<Past>) -> Self {
        match past {
            None => Self { at: None, stale: at.stale.as_ref(), occurred: None },
            Some(past) => Self { at: Some(at), stale: None, occurred: past.told() },
        }
    }
}
