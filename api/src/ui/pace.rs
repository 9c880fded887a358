//! How much is recorded a minute: the last hour as bars, with what they count in words.
//!
//! Minutes are those of the clock, by when events were recorded. The last one still goes on, so it counts for the hour and
//! not for the pace of the last minutes, which it would always make look slower than it is.

use std::ops::Range;

use stockledger_schemas::Timestamp;

use crate::feed::{Count, MINUTES_KEPT, Minute, Pace};
use crate::http::ui::chart::{Tick, nice_top};
use crate::http::ui::text::{Number, When};

/// Whole minutes over which the pace is told.
const LATELY: i64 = 5;

const HEIGHT: i64 = 110;
const LEFT: i64 = 64;
const RIGHT: i64 = 14;
const TOP: i64 = 10;
const BOTTOM: i64 = 26;
/// What is not nothing can be seen.
const BAR_MIN: i64 = 2;

/// What a page shows of it.
pub(super) struct PaceShown {
    /// Whether the log was read to its end.
    pub(super) is_settled: bool,
    /// Whether a partition of it cannot be read on.
    pub(super) is_stopped: bool,
    /// In the last hour.
    pub(super) events: Number,
    pub(super) placed: Number,
    pub(super) refused: Number,
    /// In a minute, over the last whole ones.
    pub(super) lately: String,
    /// Which minutes these are.
    pub(super) lately_is: String,
    /// What all bars together are.
    pub(super) hour_is: String,
    /// One for wide screens and one for narrow ones.
    pub(super) strips: [Strip; 2],
}

/// The bars of a width.
pub(super) struct Strip {
    pub(super) class: &'static str,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
    pub(super) grid: Vec<Tick>,
    pub(super) times: Vec<Tick>,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) told: String,
}

impl PaceShown {
    /// The hour up to `now`. What a writer recorded whose clock is ahead counts for the minute that goes on.
    pub(super) fn of(pace: &Pace, now: Timestamp) -> Self {
        let last = Minute::of(now).0;
        let first = last - (MINUTES_KEPT - 1);
        let mut minutes = vec![Count::default(); usize::try_from(MINUTES_KEPT).unwrap_or(0)];
        for (minute, count) in &pace.minutes {
            let index = usize::try_from(minute.0.min(last) - first).ok();
            if let Some(sum) = index.and_then(|index| minutes.get_mut(index)) {
                *sum += *count;
            }
        }
        let sum = |from: i64, to: i64| {
            let mut sum = Count::default();
            let minutes = minutes.iter().skip(usize::try_from(from - first).unwrap_or(0));
            minutes.take(usize::try_from(to - from).unwrap_or(0)).for_each(|count| sum += *count);
            sum
        };
        let (hour, lately) = (sum(first, last + 1), sum(last - LATELY, last));
        let hour_is = format!("from {} to {} UTC, the last minute still going on", clock(first), clock(last));
        Self {
            is_settled: pace.is_settled,
            is_stopped: pace.is_stopped,
            events: Number::of(hour.events),
            placed: Number::of(hour.placed),
            refused: Number::of(hour.refused),
            lately: per_minute(lately.events),
            lately_is: format!("from {} to {} UTC", clock(last - LATELY), clock(last)),
            hour_is,
            strips: [("wide-chart", 860), ("narrow-chart", 350)]
                .map(|(class, width)| Strip::of(class, width, first, &minutes)),
        }
    }

    /// What the bars show, in words.
    pub(super) fn summary(&self) -> String {
        let Self { events, placed, refused, hour_is, .. } = self;
        format!(
            "Events of each minute {hour_is}: {events} in all, {placed} orders placed, {refused} refused."
        )
    }
}

/// The time of day at which a minute of the clock begins.
fn clock(minute: i64) -> String {
    When(Minute(minute).begin()).to_string().chars().skip(11).take(5).collect()
}

/// So many events over the last whole minutes, for one of them.
fn per_minute(events: u64) -> String {
    let tenths = events.saturating_mul(10) / LATELY.unsigned_abs();
    match tenths {
        0..1_000 if !tenths.is_multiple_of(10) => format!("{}.{}", tenths / 10, tenths % 10),
        _ => Number::of(tenths / 10).to_string(),
    }
}

impl Strip {
    fn of(class: &'static str, width: i64, first: i64, minutes: &[Count]) -> Self {
        let events = |count: &Count| i64::try_from(count.events).unwrap_or(i64::MAX);
        let top = nice_top(minutes.iter().map(events).max().unwrap_or(0));
        let (left, right, bottom) = (LEFT, width - RIGHT, HEIGHT - BOTTOM);
        let y = |value: i64| {
            let up = i128::from(value) * i128::from(bottom - TOP) / i128::from(top.max(1));
            bottom - i64::try_from(up).unwrap_or(0)
        };
        let place = |index: i64| left + index * (right - left) / MINUTES_KEPT;
        let bars = (0..).zip(minutes).filter(|(_, count)| count.events > 0);
        let bar = |(index, count): (i64, &Count)| {
            let Range { start, end } = place(index)..place(index + 1) - 1;
            let y = y(events(count)).min(bottom - BAR_MIN);
            let told = format!("{}: {}", clock(first + index), in_words(count));
            Bar { x: start, y, width: end - start, height: bottom - y, told }
        };
        let tick = |value: i64| Tick { at: y(value), text: Number(value).to_string(), anchor: "end" };
        let time = |index: i64, anchor| Tick {
            at: place(index) + if anchor == "end" { place(1) - place(0) } else { 0 },
            text: clock(first + index),
            anchor,
        };
        let last = MINUTES_KEPT - 1;
        Self {
            class,
            width,
            height: HEIGHT,
            left,
            right,
            bottom,
            grid: [0, top / 2, top].map(tick).into(),
            times: vec![time(0, "start"), time(last / 2, "middle"), time(last, "end")],
            bars: bars.map(bar).collect(),
        }
    }
}

fn in_words(count: &Count) -> String {
    let Count { events, placed, refused } = count;
    let plural = if *events == 1 { "" } else { "s" };
    let mut words = format!("{} event{plural}", Number::of(*events));
    for (number, what) in [(placed, "placed"), (refused, "refused")] {
        if *number > 0 {
            let plural = if *number == 1 { "" } else { "s" };
            words.push_str(&format!(", {} order{plural} {what}", Number::of(*number)));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12:30:15 of a day.
    fn now() -> Timestamp {
        "2026-01-05T12:30:15Z".parse().unwrap()
    }

    fn pace(recorded: &[(&str, u64)]) -> PaceShown {
        let minutes = recorded.iter().map(|(at, events)| {
            let minute = Minute::of(format!("2026-01-05T{at}:59Z").parse().unwrap());
            (minute, Count { events: *events, placed: 1, refused: 0 })
        });
        PaceShown::of(&Pace { minutes: minutes.collect(), is_settled: true, is_stopped: false }, now())
    }

    #[test]
    fn the_hour_counts_the_minute_that_goes_on_and_the_pace_does_not() {
        let shown =
            pace(&[("11:29", 1_000), ("11:30", 2), ("12:24", 40), ("12:25", 6), ("12:29", 6), ("12:30", 50)]);
        assert_eq!((shown.events.to_string(), shown.placed.to_string()), ("104".into(), "5".into()));
        assert_eq!((shown.lately.as_str(), shown.lately_is.as_str()), ("2.4", "from 12:25 to 12:30 UTC"));
        assert_eq!(shown.hour_is, "from 11:30 to 12:30 UTC, the last minute still going on");
        let [wide, narrow] = &shown.strips;
        assert_eq!((wide.bars.len(), narrow.bars.len()), (5, 5));
        assert_eq!(wide.bars[0].told, "11:30: 2 events, 1 order placed");
        for strip in &shown.strips {
            for bar in &strip.bars {
                assert!(bar.x >= strip.left && bar.x + bar.width <= strip.right && bar.width > 0);
                assert!(bar.y >= TOP && bar.height >= BAR_MIN && bar.y + bar.height == strip.bottom);
            }
        }
    }

    #[test]
    fn nothing_is_zero_and_a_clock_that_is_ahead_is_now() {
        let nothing = pace(&[]);
        assert_eq!((nothing.events.to_string(), nothing.lately.as_str()), ("0".into(), "0"));
        assert!(nothing.strips.iter().all(|strip| strip.bars.is_empty()));
        let ahead = pace(&[("12:33", 7)]);
        assert_eq!((ahead.events.to_string(), ahead.lately.as_str()), ("7".into(), "0"));
        assert_eq!(ahead.strips[0].bars[0].told, "12:30: 7 events, 1 order placed");
    }

    #[test]
    fn a_pace_has_a_fraction_as_long_as_that_matters() {
        let cases = [(0, "0"), (1, "0.2"), (5, "1"), (499, "99.8"), (501, "100"), (50_000, "10,000")];
        for (events, told) in cases {
            assert_eq!(per_minute(events), told);
        }
    }
}
