//! Many runs: a sample of seeds on all cores, and what it came across.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use stockledger_rules::Rule;

use crate::mark::Mark;
use crate::run::{Plan, run};

/// Every so many runs of a sample are done twice, and must be equal.
const TWICE_EVERY: u64 = 25;

/// What came of a sample.
#[derive(Debug, Default)]
pub struct Sampled {
    /// The first run that went wrong, with what is wrong.
    pub wrong: Option<(Plan, String)>,
    /// Which situations were come across.
    pub marks: BTreeSet<Mark>,
    /// How many runs were done twice and were equal.
    pub twice: u64,
}

/// Runs `count` seeds from `from` on, with so many commands each, up to the first that goes wrong.
#[must_use]
pub fn sample(from: u64, count: u64, commands: usize) -> Sampled {
    let (next, is_over) = (AtomicU64::new(from), AtomicBool::new(false));
    let sampled = Mutex::new(Sampled::default());
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from.saturating_add(count) {
                return;
            }
            let plan = Plan { commands, ..Plan::of(seed) };
            let outcome = run(&plan);
            let is_twice = seed % TWICE_EVERY == 0;
            let differs = is_twice && run(&plan).digest != outcome.digest;
            let wrong = outcome.violation.or_else(|| differs.then(|| "two runs of it differ".to_owned()));
            let mut sampled = sampled.lock().unwrap_or_else(PoisonError::into_inner);
            sampled.marks.extend(outcome.marks);
            sampled.twice += u64::from(is_twice);
            if let Some(wrong) = wrong {
                sampled.wrong.get_or_insert((plan, wrong));
                is_over.store(true, Ordering::Relaxed);
            }
        }
    };
    on_all_cores(work);
    sampled.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The first seed of `count` from `from` on that notices that a rule is broken, and what it noticed.
#[must_use]
pub fn first_to_notice(rule: Rule, from: u64, count: u64) -> Option<(u64, String)> {
    let (next, first) = (AtomicU64::new(from), Mutex::new(None::<(u64, String)>));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let known = first.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(seed, _)| *seed);
            if seed >= from.saturating_add(count) || known.is_some_and(|known| known < seed) {
                return;
            }
            if let Some(wrong) = run(&Plan { broken: Some(rule), ..Plan::of(seed) }).violation {
                let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(known, _)| seed < *known) {
                    *first = Some((seed, wrong));
                }
            }
        }
    };
    on_all_cores(work);
    first.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn on_all_cores(work: impl Fn() + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(&work);
        }
    });
}
