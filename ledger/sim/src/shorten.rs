//! Makes the story of a run that went wrong as short as it gets, for whoever has to understand it.

use crate::faults::Kind;
use crate::run::{Outcome, Plan, run};

/// Lines of the end of a story that are shown.
const LINES_MAX: usize = 80;

/// The shortest run found that still goes wrong, with its story. Fewer commands first, then fewer kinds of faults.
#[must_use]
pub fn shorten(plan: &Plan) -> (Plan, Outcome) {
    let mut short = plan.clone();
    while short.commands > 1 {
        let fewer = Plan { commands: short.commands / 2, ..short.clone() };
        if run(&fewer).violation.is_none() {
            break;
        }
        short = fewer;
    }
    for kind in Kind::ALL {
        let mut fewer = short.clone();
        fewer.without.push(*kind);
        if run(&fewer).violation.is_some() {
            short = fewer;
        }
    }
    short.is_told = true;
    let outcome = run(&short);
    (short, outcome)
}

/// What is printed of a run that went wrong.
#[must_use]
pub fn report(plan: &Plan) -> String {
    let (short, outcome) = shorten(plan);
    let kinds = Kind::ALL.iter().filter(|kind| !short.without.contains(kind)).map(|kind| kind.name());
    let skipped = outcome.story.len().saturating_sub(LINES_MAX);
    let mut lines = vec![
        format!("seed {} goes wrong: {}", plan.seed, outcome.violation.unwrap_or_default()),
        format!(
            "shortened to {} commands and the faults {}",
            short.commands,
            kinds.collect::<Vec<_>>().join(", ")
        ),
    ];
    if skipped > 0 {
        lines.push(format!("... {skipped} lines before"));
    }
    lines.extend(outcome.story.into_iter().skip(skipped));
    lines.join("\n")
}
