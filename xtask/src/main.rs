//! Developer tasks, run as `cargo xtask TASK`.
//!
//! `test` is the one command that proves the project; continuous integration runs it and nothing else. `tidy` holds the
//! house rules that no compiler knows, `readme` runs what the README tells people to run, `services` starts and stops the real
//! servers that tests need. Nothing here is shipped.

mod readme;
mod report;
mod run;
mod services;
mod test;
mod tidy;

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
    /// Prove the project: format, house rules, lints, documentation, tests, README commands
    Test {
        /// Leave out the documentation build and the README commands
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
}

fn main() -> ExitCode {
    let root = root();
    let outcome = match Arguments::parse().task {
        Task::Test { quick } => test::run(root, quick),
        Task::Tidy => tidy::run(root),
        Task::Readme => readme::run(root),
        Task::Services { action } => services::run(root, action),
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
