//! Developer tasks, run as `cargo xtask TASK`.
//!
//! `test` is the one command that proves the project; continuous integration runs it and nothing else. `tidy` holds the
//! house rules that no compiler knows, `readme` runs what the README tells people to run, `services` starts and stops the real
//! servers that tests need, `chaos` kills them under load, `guard` cleans up after a task. Nothing here is shipped.

mod chaos;
mod guard;
mod readme;
mod report;
mod run;
mod servers;
mod services;
mod test;
mod tidy;
mod wait;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of Stockledger")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Prove the project: format, house rules, lints, documentation, tests on real servers, README commands
    Test {
        /// Leave out the documentation build, the tests that need servers, and the README commands
        #[arg(long)]
        quick: bool,
    },
    /// Check the house rules
    Tidy,
    /// Run the commands of README.md in order
    Readme,
    /// Start, stop or list the Kafka, MySQL and MariaDB servers that tests need
    Services {
        #[command(subcommand)]
        action: services::Action,
    },
    /// Let everything die that can, in all ways that there are, and check that what clients were told stays true
    Chaos(chaos::Arguments),
    /// Wait until a task is gone, and clean up after it; tasks start this themselves
    #[command(hide = true)]
    Guard { mark: String },
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Arguments::parse().task {
        Task::Test { quick } => guard::guarded(|| test::run(root, quick)),
        Task::Tidy => tidy::run(root),
        Task::Readme => guard::guarded(|| readme::run(root)),
        Task::Services { action } => services::run(root, action),
        Task::Chaos(arguments) => guard::guarded(|| chaos::run(root, &arguments)),
        Task::Guard { mark } => guard::watch(root, &mark),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The directory of the workspace.
fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}
