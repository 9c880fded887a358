//! What a round tells people: how much was done and suffered, and what must not be.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::check::{Findings, Wrong};
use super::nemesis;
use crate::report::say;

/// So many commands in a hundred must have been decided while there were faults: a run in which nothing works proves
/// nothing.
const DECIDED_PERCENT_MIN: usize = 60;
/// How much evidence of one kind is printed; the files have the rest.
const EVIDENCE_SHOWN: usize = 5;

/// What clients were told while there were faults.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) commands: usize,
    pub(crate) attempts: usize,
    /// Among them those that were refused for good.
    pub(crate) decided: usize,
    pub(crate) refused: usize,
    /// Every attempt was told that it wrote nothing.
    pub(crate) nothing: usize,
    pub(crate) unknown: usize,
    /// Of attempts that decided nothing.
    pub(crate) codes: BTreeMap<String, usize>,
}

/// A round that came to its end.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    pub(crate) struck: nemesis::Done,
    pub(crate) told: Told,
    /// How long it took until all was well again.
    pub(crate) healed: Duration,
    /// Rows of tables that the program found equal to the fold of the log, and records of the log.
    pub(crate) rows: u64,
    pub(crate) records: usize,
    pub(crate) findings: Findings,
}

impl Done {
    fn decided_percent(&self) -> usize {
        self.told.decided * 100 / self.told.commands.max(1)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.findings.is_empty() && self.decided_percent() >= DECIDED_PERCENT_MIN
    }

    fn to_json(&self) -> Value {
        let wrong = |wrong: Wrong| (wrong.name().to_owned(), json!(self.findings.of(wrong).len()));
        let found: serde_json::Map<String, Value> = Wrong::ALL.into_iter().map(wrong).collect();
        let evidence: Vec<&String> = Wrong::ALL.iter().flat_map(|wrong| self.findings.of(*wrong)).collect();
        json!({
            "good": self.is_good(),
            "seed": self.seed,
            "seconds": self.time.as_secs(),
            "kills": self.struck.kills,
            "kills_of_servers": self.struck.kills_of_servers,
            "faults": self.struck.faults,
            "clocks_noticed": self.struck.clocks_noticed,
            "commands": self.told.commands,
            "attempts": self.told.attempts,
            "decided": self.told.decided,
            "decided_percent": self.decided_percent(),
            "refused": self.told.refused,
            "told_nothing_was_written": self.told.nothing,
            "told_nothing": self.told.unknown,
            "codes": self.told.codes,
            "healed_ms": u64::try_from(self.healed.as_millis()).unwrap_or(u64::MAX),
            "records": self.records,
            "rows": self.rows,
            "found": found,
            "evidence": evidence,
        })
    }
}

/// Writes a report down as JSON.
pub(crate) fn save(done: &Done, path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(&done.to_json()).context("encoding the report")?;
    std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}

/// Says everything on a page.
pub(crate) fn print(done: &Done) {
    lines(done).iter().for_each(|line| say(line));
}

fn lines(done: &Done) -> Vec<String> {
    let Told { commands, attempts, decided, refused, nothing, unknown, codes } = &done.told;
    let mut lines = vec![
        format!("chaos of {} s with seed {}", done.time.as_secs(), done.seed),
        format!(
            "  {:>7} kills, {} of them of brokers or the database",
            done.struck.kills, done.struck.kills_of_servers
        ),
    ];
    lines.extend(done.struck.faults.iter().map(|(name, count)| format!("  {count:>7} {name}")));
    lines.extend([
        format!(
            "  {:>7} of the clocks that were off by more were noticed before they were set right",
            done.struck.clocks_noticed
        ),
        format!("  {commands:>7} commands in {attempts} attempts while there were faults"),
        format!("  {decided:>7} of them decided, {} %, with {refused} refusals", done.decided_percent()),
        format!("  {nothing:>7} told that nothing was written, {unknown} told nothing in time"),
    ]);
    lines.extend(codes.iter().map(|(code, count)| format!("  {count:>7} attempts: {code}")));
    lines.push(format!(
        "  {:>7} rows equal the fold of {} records; all was well again after {:.1} s",
        done.rows,
        done.records,
        done.healed.as_secs_f64()
    ));
    for wrong in Wrong::ALL {
        let evidence = done.findings.of(wrong);
        lines.push(format!("  {:>7} {}", evidence.len(), wrong.name()));
        lines.extend(evidence.iter().take(EVIDENCE_SHOWN).map(|one| format!("          {one}")));
    }
    if done.decided_percent() < DECIDED_PERCENT_MIN {
        lines.push(format!("  too little was decided: {DECIDED_PERCENT_MIN} % of the commands must be"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{Done, Duration, Findings, Told, Wrong, lines, nemesis};

    fn done(decided: usize) -> Done {
        Done {
            seed: 7,
            time: Duration::from_secs(60),
            struck: nemesis::Done::default(),
            told: Told { commands: 100, decided, ..Told::default() },
            healed: Duration::from_secs(1),
            rows: 1,
            records: 1,
            findings: Findings::default(),
        }
    }

    #[test]
    fn a_round_is_good_if_nothing_was_found_and_enough_was_decided() {
        assert!(done(60).is_good());
        assert!(!done(59).is_good());
        assert!(lines(&done(59)).iter().any(|line| line.contains("too little was decided")));
        let mut found = done(100);
        found.findings.add(Wrong::Lost, "key 1-1");
        assert!(!found.is_good());
        assert!(
            lines(&found)
                .windows(2)
                .any(|pair| { pair[0].ends_with("1 acknowledged and lost") && pair[1].ends_with("key 1-1") })
        );
        assert_eq!(found.to_json()["found"]["acknowledged and lost"], 1);
    }
}
