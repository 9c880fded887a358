//! The history of a balance as a step chart: SVG made here, of numbers alone.
//!
//! A balance holds from one event to the next, so a line between two of them would show quantities that never were.

use std::fmt::Write as _;

use stockledger_projections::views::Movement;
use stockledger_schemas::Timestamp;

use crate::http::ui::text::{Number, When};

const HEIGHT: i64 = 220;
const LEFT: i64 = 64;
const RIGHT: i64 = 14;
const TOP: i64 = 12;
const BOTTOM: i64 = 28;

/// A chart of a width; the page has one for wide screens and one for narrow ones, so that the text of both can be read.
pub(super) struct Chart {
    pub(super) class: &'static str,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) on_hand: String,
    pub(super) area: String,
    pub(super) available: String,
    pub(super) grid: Vec<Tick>,
    pub(super) days: Vec<Tick>,
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
}

/// A mark on an axis.
pub(super) struct Tick {
    pub(super) at: i64,
    pub(super) text: String,
    /// Where its text begins, ends or has its middle.
    pub(super) anchor: &'static str,
}

/// What a chart shows, in words.
pub(super) struct History {
    pub(super) charts: [Chart; 2],
    pub(super) summary: String,
    pub(super) caption: String,
}

struct Step {
    at: i64,
    on_hand: i64,
    available: i64,
}

/// The history that these movements tell, oldest first; nothing where there is none. `is_whole` says that none is missing.
pub(super) fn history(movements: &[&Movement], is_whole: bool, unit: &str) -> Option<History> {
    let (steps, late) = steps(movements);
    let (from, to) = (at(steps.first()?), at(steps.last()?));
    let (lowest, highest) = (
        steps.iter().map(|step| step.on_hand).min().unwrap_or(0),
        steps.iter().map(|step| step.on_hand).max().unwrap_or(0),
    );
    let unit = if unit.is_empty() { "units" } else { unit };
    let now = steps.last().map_or(0, |step| step.on_hand);
    let summary = format!(
        "On hand from {} to {}: lowest {}, highest {}, {} at the end, in {unit}.",
        When(from),
        When(to),
        Number(lowest),
        Number(highest),
        Number(now)
    );
    let which = match (steps.len(), is_whole) {
        (1, true) => "One movement".to_owned(),
        (count, true) => format!("All {} movements", Number::of(count)),
        (count, false) => format!("The last {} movements", Number::of(count)),
    };
    let late = match late {
        0 => String::new(),
        _ => format!("; {} came in late and stand where they came in", Number::of(late)),
    };
    let caption = format!("{which} by when they happened{late}. Unit: {unit}.");
    let charts = [("wide-chart", 860), ("narrow-chart", 350)]
        .map(|(class, width)| chart(class, width, &steps, (from, to)));
    Some(History { charts, summary, caption })
}

/// The balances in the order of the log, and how many of them came in after something that happened later. Those are
/// shown where they came in: balances are those of the log, which never goes back.
fn steps(movements: &[&Movement]) -> (Vec<Step>, usize) {
    let (mut latest, mut late) = (i64::MIN, 0);
    let mut step = |movement: &&Movement| {
        let at = movement.occurred_at.micros();
        late += usize::from(at < latest);
        latest = latest.max(at);
        let after = movement.after;
        Step { at: latest, on_hand: after.on_hand, available: after.on_hand - after.reserved - after.held }
    };
    let steps = movements.iter().map(&mut step).collect();
    (steps, late)
}

fn at(step: &Step) -> Timestamp {
    Timestamp::from_micros(step.at).unwrap_or(Timestamp::MIN)
}

fn chart(class: &'static str, width: i64, steps: &[Step], (from, to): (Timestamp, Timestamp)) -> Chart {
    let top = nice_top(steps.iter().map(|step| step.on_hand).max().unwrap_or(0));
    let scale = Scale { from: from.micros(), to: to.micros(), top, width };
    let on_hand = scale.line(steps, |step| step.on_hand);
    let (left, right, bottom) = (LEFT, width - RIGHT, HEIGHT - BOTTOM);
    let area = format!("{on_hand} V{bottom} H{left} Z");
    let grid = (0..=4).map(|quarter| quarter * top / 4);
    let grid = grid.map(|value| Tick { at: scale.y(value), text: Number(value).to_string(), anchor: "end" });
    let middle = Timestamp::from_micros(from.micros() + (to.micros() - from.micros()) / 2).unwrap_or(from);
    let label = |at: Timestamp| {
        let is_within_a_day = When(from).day() == When(to).day();
        if is_within_a_day { When(at).to_string().chars().skip(11).collect() } else { When(at).day() }
    };
    let mut days = vec![
        Tick { at: left, text: label(from), anchor: "start" },
        Tick { at: (left + right) / 2, text: label(middle), anchor: "middle" },
        Tick { at: right, text: label(to), anchor: "end" },
    ];
    days.dedup_by(|one, other| one.text == other.text);
    let available = scale.line(steps, |step| step.available);
    Chart {
        class,
        width,
        height: HEIGHT,
        on_hand,
        area,
        available,
        grid: grid.collect(),
        days,
        left,
        right,
        bottom,
    }
}

struct Scale {
    from: i64,
    to: i64,
    top: i64,
    width: i64,
}

impl Scale {
    fn x(&self, at: i64) -> i64 {
        let span = i128::from((self.to - self.from).max(1));
        let room = i128::from(self.width - LEFT - RIGHT);
        LEFT + i64::try_from(i128::from(at - self.from) * room / span).unwrap_or(0)
    }

    fn y(&self, value: i64) -> i64 {
        let room = i128::from(HEIGHT - TOP - BOTTOM);
        let up = i128::from(value.max(0)) * room / i128::from(self.top.max(1));
        HEIGHT - BOTTOM - i64::try_from(up).unwrap_or(0)
    }

    fn line(&self, steps: &[Step], value: fn(&Step) -> i64) -> String {
        let mut path = String::new();
        for (index, step) in steps.iter().enumerate() {
            let (x, y) = (self.x(step.at), self.y(value(step)));
            // Writing to a text does not fail.
            let _ = if index == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        // The last balance holds until the end, however short that is.
        let _ = write!(path, "H{}", self.width - RIGHT);
        path
    }
}

/// The least of 4, 8, 20, 40, 80, 200, ... that is not below the highest value, so that its quarters are whole.
pub(super) fn nice_top(highest: i64) -> i64 {
    let mut decade = 4_i64;
    loop {
        for factor in [1, 2, 5] {
            let top = decade.saturating_mul(factor);
            if top >= highest {
                return top;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_a_round_number_with_whole_quarters() {
        for (highest, top) in [(0, 4), (4, 4), (5, 8), (9, 20), (40, 40), (81, 200), (1_234, 2_000)] {
            assert_eq!(nice_top(highest), top);
        }
        assert!(nice_top(i64::MAX) > 0);
    }

    #[test]
    fn a_line_goes_in_steps_from_edge_to_edge() {
        let steps = [(0, 10), (50, 20), (100, 0)].map(|(at, on_hand)| Step { at, on_hand, available: 0 });
        let scale = Scale { from: 0, to: 100, top: 20, width: LEFT + RIGHT + 100 };
        let (low, middle, high) = (HEIGHT - BOTTOM, (HEIGHT - BOTTOM + TOP) / 2, TOP);
        let line = scale.line(&steps, |step| step.on_hand);
        assert_eq!(
            line,
            format!("M{LEFT} {middle}H{}V{high}H{}V{low}H{}", LEFT + 50, LEFT + 100, LEFT + 100)
        );
    }
}
