//! How much is recorded: the events of each of the last minutes, by the clock of the writers, as the log has them.
//!
//! The tails count while they read, so a node that has just started knows as much of the last hour as one that was there,
//! and one without a writer as much as one with it. What is kept is a count for each minute and site, for an hour.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::AddAssign;

use stockledger_schemas::{Decision, Event, Scope, SiteId, Timestamp};

/// Minutes of the clock that are kept: an hour of whole ones, and the one that goes on.
pub const MINUTES_KEPT: i64 = 61;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// What was recorded in some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// All events, each line of an order or movement of stock counted as one.
    pub events: u64,
    /// Orders that were placed.
    pub placed: u64,
    /// Orders that were refused because goods were short.
    pub refused: u64,
}

impl Count {
    fn of(decision: &Decision) -> Self {
        let counted = |is_meant: fn(&Event) -> bool| {
            let meant = decision.events.iter().filter(|event| is_meant(event)).count();
            u64::try_from(meant).unwrap_or(u64::MAX)
        };
        Self {
            events: decision.event_count(),
            placed: counted(|event| matches!(event, Event::OrderPlaced(_))),
            refused: counted(|event| matches!(event, Event::OutOfStock(_))),
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.placed += other.placed;
        self.refused += other.refused;
    }
}

/// A minute of the clock, counted since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(pub i64);

impl Minute {
    /// The one that an instant is in.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.micros().div_euclid(MICROS_PER_MINUTE))
    }

    /// When it begins.
    #[must_use]
    pub fn begin(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS_PER_MINUTE)).unwrap_or(Timestamp::MIN)
    }
}

/// What was recorded lately, as far as the log was read.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Minutes without anything are absent, and so are those long before the newest.
    pub minutes: BTreeMap<Minute, Count>,
    /// Whether the log was read to its end, or as far as it can be.
    pub is_settled: bool,
    /// Whether a partition cannot be read on, so that its later events are not counted.
    pub is_stopped: bool,
}

/// The last minutes of one partition. Its size is bounded by the sites of the ledger, as the state of its writer is.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// The oldest first.
    minutes: VecDeque<(Minute, HashMap<Scope, Count>)>,
}

impl Tally {
    /// Counts a decision. They come in the order of the log, in which time never falls.
    pub(super) fn note(&mut self, decision: &Decision) {
        self.add(Minute::of(decision.recorded_at), &decision.scope, Count::of(decision));
    }

    fn add(&mut self, minute: Minute, scope: &Scope, count: Count) {
        if self.minutes.back().is_none_or(|(last, _)| *last < minute) {
            self.minutes.push_back((minute, HashMap::new()));
            self.minutes.retain(|(kept, _)| kept.0 > minute.0 - MINUTES_KEPT);
        }
        let Some((_, counts)) = self.minutes.back_mut() else { return };
        match counts.get_mut(scope) {
            Some(counted) => *counted += count,
            None => drop(counts.insert(scope.clone(), count)),
        }
    }

    /// Adds what it has of these sites; of everything, if none are named.
    pub(super) fn add_to(&self, pace: &mut Pace, sites: Option<&[SiteId]>) {
        let is_visible = |scope: &Scope| match (sites, scope) {
            (None, _) => true,
            (Some(sites), Scope::Site(site)) => sites.contains(site),
            (Some(_), Scope::Directory) => false,
        };
        for (minute, counts) in &self.minutes {
            for (_, count) in counts.iter().filter(|(scope, _)| is_visible(scope)) {
                *pace.minutes.entry(*minute).or_default() += *count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Count = Count { events: 1, placed: 0, refused: 0 };
    const ORDER: Count = Count { events: 1, placed: 1, refused: 0 };

    fn site(name: &str) -> SiteId {
        SiteId::new(name).unwrap()
    }

    fn told(tally: &Tally, sites: Option<&[SiteId]>) -> Vec<(i64, u64, u64)> {
        let mut pace = Pace::default();
        tally.add_to(&mut pace, sites);
        pace.minutes.iter().map(|(minute, count)| (minute.0, count.events, count.placed)).collect()
    }

    #[test]
    fn an_hour_is_kept_for_each_site() {
        let mut tally = Tally::default();
        let (uk, fr) = (Scope::Site(site("uk")), Scope::Site(site("fr")));
        for (minute, scope, count) in [
            (100, &uk, ONE),
            (100, &uk, ORDER),
            (100, &fr, ONE),
            (130, &Scope::Directory, ONE),
            (160, &fr, ORDER),
        ] {
            tally.add(Minute(minute), scope, count);
        }
        assert_eq!(told(&tally, None), [(100, 3, 1), (130, 1, 0), (160, 1, 1)]);
        assert_eq!(told(&tally, Some(&[site("uk")])), [(100, 2, 1)]);
        assert_eq!(told(&tally, Some(&[site("fr"), site("de")])), [(100, 1, 0), (160, 1, 1)]);
        tally.add(Minute(161), &uk, ONE);
        assert_eq!(told(&tally, None), [(130, 1, 0), (160, 1, 1), (161, 1, 0)]);
        tally.add(Minute(1_000), &uk, ONE);
        assert_eq!(told(&tally, None), [(1_000, 1, 0)]);
    }

    #[test]
    fn a_minute_begins_at_its_first_second() {
        let minute = |micros| Minute::of(Timestamp::from_micros(micros).unwrap());
        assert_eq!((minute(0), minute(59_999_999), minute(60_000_000)), (Minute(0), Minute(0), Minute(1)));
        assert_eq!(minute(-1), Minute(-1));
        assert_eq!(minute(125_000_000).begin().to_string(), "1970-01-01T00:02:00.000000Z");
    }
}
