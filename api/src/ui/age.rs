//! How old the numbers of a page are.

use stockledger_projections::overview::lag_seconds;
use stockledger_projections::views::AsOf;
use stockledger_schemas::Position;

use crate::http::App;
use crate::http::as_of::Past;
use crate::http::ui::text::{When, duration};
use crate::text::thousands;

/// Which state of the ledger a page shows, and how far behind that is.
#[derive(Debug, Clone)]
pub(super) struct Age {
    /// The last decision that the page includes; nothing where it is about several partitions.
    pub(super) position: Option<Position>,
    /// When the last decision that it includes was recorded.
    pub(super) at: Option<When>,
    pub(super) behind: Behind,
}

/// How far the tables are behind the log.
#[derive(Debug, Clone)]
pub(super) enum Behind {
    /// A page about the past is never behind.
    Past(String),
    /// Everything is in them that this node knows of.
    Level,
    /// Some of it is not yet.
    By { seconds: Option<u64>, records: u64 },
    /// They stopped, until somebody acts.
    Stopped(String),
    /// This node does not follow the log, and cannot tell.
    Unknown { seconds: Option<u64> },
}

impl Age {
    /// The age of what was read of one partition.
    pub(super) fn of(app: &App, at: &AsOf) -> Self {
        Self { position: Some(at.position), at: at.as_of.map(When), behind: behind(app, at) }
    }

    /// The age of a state of the past that was asked for.
    pub(super) fn of_past(at: &AsOf, past: Past) -> Self {
        let behind = Behind::Past(past.in_words());
        Self { position: Some(at.position), at: at.as_of.map(When), behind }
    }

    /// The age of what was read of several partitions: when the newest was recorded, and the worst of what is behind.
    pub(super) fn of_all(app: &App, states: &[AsOf]) -> Self {
        let at = states.iter().filter_map(|at| at.as_of).max().map(When);
        let worst = states.iter().map(|at| behind(app, at)).max_by_key(Behind::rank);
        Self { position: None, at, behind: worst.unwrap_or(Behind::Level) }
    }

    /// What to warn of, if there is anything.
    pub(super) fn warning(&self) -> Option<String> {
        match &self.behind {
            Behind::Stopped(reason) => Some(format!("These numbers have stopped: {reason}")),
            Behind::By { records, .. } => Some(format!(
                "These numbers are {}: {} records of the log are not in them yet.",
                self.told(),
                thousands(*records)
            )),
            _ => None,
        }
    }

    /// Whether the page is about the past.
    pub(super) const fn is_past(&self) -> bool {
        matches!(self.behind, Behind::Past(_))
    }

    /// Whether the numbers follow what is recorded from now on.
    pub(super) const fn goes_on(&self) -> bool {
        !matches!(self.behind, Behind::Past(_) | Behind::Stopped(_))
    }

    /// Whether the warning is of something that does not pass by itself.
    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.behind, Behind::Stopped(_))
    }

    /// How far behind, in words.
    pub(super) fn told(&self) -> String {
        match &self.behind {
            Behind::Past(moment) => format!("State of {moment}"),
            Behind::Level => "0 s behind".to_owned(),
            Behind::By { seconds: Some(seconds), .. } => format!("{} behind", duration(*seconds)),
            Behind::By { seconds: None, records } => format!("{} records behind", thousands(*records)),
            Behind::Stopped(_) => "stopped".to_owned(),
            Behind::Unknown { seconds: Some(seconds) } => format!("{} ago", duration(*seconds)),
            Behind::Unknown { seconds: None } => "of unknown age".to_owned(),
        }
    }
}

impl Behind {
    fn rank(&self) -> (u8, u64) {
        match self {
            Self::Past(_) | Self::Level => (0, 0),
            Self::Unknown { seconds } => (1, seconds.unwrap_or(u64::MAX)),
            Self::By { seconds, .. } => (2, seconds.unwrap_or(u64::MAX)),
            Self::Stopped(_) => (3, 0),
        }
    }
}

fn behind(app: &App, at: &AsOf) -> Behind {
    if let Some(stale) = &at.stale {
        return Behind::Stopped(stale.reason.to_string());
    }
    let now = app.node().environment.now();
    let projector = app.roles().projector.as_ref();
    match projector.and_then(|progress| progress.of(at.position.partition)) {
        Some(status) if status.lag() == 0 => Behind::Level,
        Some(status) => {
            let records = status.lag();
            Behind::By { seconds: lag_seconds(records, at.as_of, now), records }
        }
        None => Behind::Unknown { seconds: lag_seconds(1, at.as_of, now) },
    }
}
