//! Whether what clients were told agrees with the log, and the log with itself. Nothing here knows the code of the program.

mod answers;
mod fold;
mod order;

use std::collections::{BTreeMap, HashMap};

pub(crate) use fold::{Balance, Stock};

use super::history::Entry;
use super::http::Position;
use super::log::{Counted, Line, Scope, counted};
use super::nemesis::Refusing;

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// Acknowledged and not in the log, or elsewhere in it.
    Lost,
    /// One command, several decisions.
    Double,
    /// More was promised or taken than was there.
    Oversold,
    /// A step of an order without some of its lines.
    Torn,
    /// The server said that nothing was written, and it was.
    Applied,
    /// No definite answer although all is well.
    Open,
    /// Two answers to one command, or an answer that is not what the log says.
    Contradicted,
    /// Decided before what was acknowledged before it was sent.
    Order,
    /// An answer that no correct command may get.
    Answer,
    /// Decided by a node that had to refuse.
    Clock,
    /// The log does not follow its own rules.
    Log,
    /// Tables that are not the fold of the log.
    Rows,
    /// A process that ended as it must not.
    End,
}

impl Wrong {
    pub(crate) const ALL: [Self; 13] = [
        Self::Lost,
        Self::Double,
        Self::Oversold,
        Self::Torn,
        Self::Applied,
        Self::Open,
        Self::Contradicted,
        Self::Order,
        Self::Answer,
        Self::Clock,
        Self::Log,
        Self::Rows,
        Self::End,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged and lost",
            Self::Double => "done twice",
            Self::Oversold => "oversold",
            Self::Torn => "orders torn",
            Self::Applied => "done although refused",
            Self::Open => "left without an answer",
            Self::Contradicted => "answers contradicted",
            Self::Order => "out of order",
            Self::Answer => "wrong answers",
            Self::Clock => "decided with a wrong clock",
            Self::Log => "log against its rules",
            Self::Rows => "rows that differ",
            Self::End => "processes that ended wrongly",
        }
    }
}

/// What was found to be wrong, with the evidence.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Findings(BTreeMap<Wrong, Vec<String>>);

impl Findings {
    pub(crate) fn add(&mut self, wrong: Wrong, evidence: impl Into<String>) {
        self.0.entry(wrong).or_default().push(evidence.into());
    }

    pub(crate) fn of(&self, wrong: Wrong) -> &[String] {
        self.0.get(&wrong).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where the decisions stand that were made under each key of each site.
type Places<'a> = HashMap<(&'a str, &'a str), Vec<&'a Counted>>;

/// Compares a history with a log; returns the stock that follows from the log.
pub(crate) fn check(
    entries: &[Entry],
    refusing: &[Refusing],
    lines: &[Line],
    findings: &mut Findings,
) -> Stock {
    order::log_keeps_its_rules(lines, findings);
    let counted = counted(lines);
    let mut places: Places = HashMap::new();
    for one in &counted {
        if let (Scope::Site(site), Some(request)) = (&one.decision.scope, &one.decision.request) {
            places.entry((site, &request.key)).or_default().push(one);
        }
    }
    answers::agree(entries, &places, findings);
    answers::nobody_decided_while_refusing(entries, refusing, findings);
    order::is_that_of_time(entries, findings);
    fold::fold(&counted, findings)
}

/// The position of each partition's last decision.
pub(crate) fn last_positions(lines: &[Line]) -> Vec<Position> {
    let mut last: BTreeMap<u16, Position> = BTreeMap::new();
    for one in counted(lines) {
        last.insert(one.position.partition, one.position);
    }
    last.into_values().collect()
}

#[cfg(test)]
mod tests;
