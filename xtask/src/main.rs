//! Developer tasks, run as `cargo xtask TASK`.
//!
//! `test` is the one command that proves the project; continuous integration runs it and nothing else. `tidy` holds the
//! house rules that no compiler knows, `supply` looks at what we depend on, `describe` holds the program
//! against its own description, `compose` lets Docker Compose read its file and run it, `fuzz` throws bytes at whatever reads them,
//! `sim` runs the simulation, `readme` runs what the README tells people to run, `services` starts and stops the real
//! servers that tests need, `chaos` kills them under load, `guard` cleans up after a task. Nothing here is shipped.

mod browser;
mod chaos;
mod describe;
mod fuzz;
mod guard;
mod readme;
mod report;
mod run;
mod servers;
mod services;
mod sim;
mod supply;
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
    /// Check what the project depends on: licences, sources, bans, known vulnerabilities
    Supply,
    /// Hold the program against its description: a generated client, whatever else it allows or forbids, a Postman collection
    Describe,
    /// Let Docker Compose say whether it takes docker-compose.yml, with each of its profiles
    Compose {
        /// Then bring it up beside whatever runs, kill its containers one by one, and see that nothing is lost
        #[arg(long)]
        run: bool,
        /// Bring up this service too, such as `prometheus`; may be given more than once
        #[arg(long, value_name = "SERVICE", requires = "run")]
        with: Vec<String>,
    },
    /// Run the commands of README.md in order
    Readme,
    /// Fuzz what reads the bytes of others, on the nightly compiler; without names, all of it, one after the other
    Fuzz {
        /// Which targets, such as `envelope`
        targets: Vec<String>,
        /// How long each is fuzzed
        #[arg(long, default_value_t = 300)]
        seconds: u32,
    },
    /// Start, stop or list the Kafka, MySQL and MariaDB servers that tests need
    Services {
        #[command(subcommand)]
        action: services::Action,
    },
    /// Run the deterministic simulation; `-- --help` tells of its arguments
    Sim {
        /// Its arguments, such as `--seeds 100000 --from 1`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
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
        Task::Fuzz { targets, seconds } => fuzz::run(root, &targets, seconds),
        Task::Supply => supply::check(root),
        Task::Describe => guard::guarded(|| describe::run(root)),
        Task::Compose { run: false, .. } => services::compose::check(root),
        Task::Compose { run: true, with } => guard::guarded(|| services::compose::prove(root, &with)),
        Task::Readme => guard::guarded(|| readme::run(root)),
        Task::Services { action } => services::run(root, action),
        Task::Sim { arguments } => sim::run(root, &arguments),
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
