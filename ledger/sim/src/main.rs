//! `stockledger-sim`: runs samples of the simulation, and proves that they notice every rule that is broken.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use stockledger_rules::Rule;
use stockledger_sim::mark::Mark;
use stockledger_sim::sample::{first_to_notice, sample};
use stockledger_sim::shorten::report;
use stockledger_sim::{Plan, run};

/// Seeds that are tried to notice a broken rule.
const NOTICED_WITHIN: u64 = 3_000;

/// Deterministic simulation of the whole stack: one seed is one run, and the same seed is the same run again.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  stockledger-sim --seeds 5000             a sample
  stockledger-sim --seeds 1 --from 4711 --story
                                           one run, and what happened in it
  stockledger-sim --seeds 0 --rules        break every rule, and see which seed notices")]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Commands of each run
    #[arg(long, default_value_t = stockledger_sim::run::COMMANDS_DEFAULT)]
    commands: usize,
    /// Fail unless the sample came across every situation that it must
    #[arg(long)]
    marks: bool,
    /// Break every rule, and fail unless some seed notices
    #[arg(long)]
    rules: bool,
    /// Break only this rule
    #[arg(long, value_parser = rule)]
    rule: Option<Rule>,
    /// Print the story of each run
    #[arg(long)]
    story: bool,
}

fn rule(name: &str) -> Result<Rule, String> {
    let known = || Rule::ALL.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ");
    Rule::ALL.iter().find(|rule| rule.name() == name).copied().ok_or_else(|| format!("one of {}", known()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.story {
        return tell(&arguments);
    }
    let is_right = (arguments.seeds == 0 || run_sample(&arguments)) && break_rules(&arguments);
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(arguments: &Arguments) -> ExitCode {
    let mut out = std::io::stdout().lock();
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        let plan =
            Plan { commands: arguments.commands, is_told: true, broken: arguments.rule, ..Plan::of(seed) };
        let outcome = run(&plan);
        // Whoever has read enough may close its end.
        if writeln!(out, "seed {seed}\n{}", outcome.story.join("\n")).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Says whether everything was right.
#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
fn run_sample(arguments: &Arguments) -> bool {
    let Arguments { seeds, from, commands, .. } = *arguments;
    let began = Instant::now();
    let sampled = sample(from, seeds, commands);
    if let Some((plan, wrong)) = &sampled.wrong {
        println!("seed {} goes wrong: {wrong}", plan.seed);
        println!("{}", report(plan));
        println!("again with: stockledger-sim --seeds 1 --from {} --commands {commands} --story", plan.seed);
        return false;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds of {commands} commands from {from}: all right in {seconds:.1} s, {} of them twice",
        sampled.twice
    );
    let missing: Vec<&str> =
        Mark::ALL.iter().filter(|mark| !sampled.marks.contains(mark)).map(|mark| mark.name()).collect();
    println!("{} of {} situations came across", Mark::ALL.len() - missing.len(), Mark::ALL.len());
    if !missing.is_empty() {
        println!("not come across: {}", missing.join(", "));
    }
    missing.is_empty() || !arguments.marks
}

/// Says whether every broken rule was noticed.
#[expect(clippy::print_stdout, reason = "the report is what was asked for")]
fn break_rules(arguments: &Arguments) -> bool {
    let rules: Vec<Rule> = match arguments.rule {
        Some(rule) => vec![rule],
        None if arguments.rules => Rule::ALL.to_vec(),
        None => return true,
    };
    let mut are_noticed = true;
    for rule in rules {
        match first_to_notice(rule, arguments.from, NOTICED_WITHIN) {
            Some((seed, wrong)) => {
                let wrong: String = wrong.chars().take(110).collect();
                println!("without {:<28} seed {seed:>5}: {wrong}", rule.name());
            }
            None => {
                println!("without {:<28} nobody notices in {NOTICED_WITHIN} seeds", rule.name());
                are_noticed = false;
            }
        }
    }
    are_noticed
}
