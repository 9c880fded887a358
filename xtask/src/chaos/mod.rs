//! `cargo xtask chaos`: the real program on three real brokers and a real database while processes die, stand still, lose
//! their connections, their disk space and the right time; and whether everything that clients were told stays true.
//!
//! Nothing here uses the code of the program: it is built, started, talked to over HTTP and asked to export its log.
//!
//! ```text
//! rig: nodes, servers, proxies <- nemesis (seeded faults)
//!  ^
//!  clients -> history ---------+
//!  program: export -> log -----+-> check -> report
//!  program: verify, stock -----+
//! ```
//!
//! What a round does stands in [`round`], what must not be in [`check`]. `docs/chaos.md` tells people.

mod check;
mod clients;
mod compare;
mod disk;
mod full_disk;
mod history;
mod hot_sku;
pub(crate) mod http;
mod log;
mod nemesis;
mod node;
mod outage;
mod place;
mod proxy;
mod random;
mod report;
mod rig;
mod round;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use crate::report::say;
use crate::run::{FEATURES, cargo, to_success};

/// How long a round of the test command lasts, and with how many attempts at one SKU: long enough for one fault of each
/// kind.
const SHORT: Duration = Duration::from_secs(45);
const SHORT_ATTEMPTS: u64 = 10_000;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// How long faults happen
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What chooses faults and commands; a new one if it is left out
    #[arg(long)]
    seed: Option<u64>,
    /// Write the report to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// Let 64 clients order one SKU of which there are 1,000 units, and see that 1,000 are sold
    HotSku {
        /// Orders of one unit
        #[arg(long, default_value_t = 100_000)]
        attempts: u64,
    },
    /// Let the disk of an embedded log be full now and then, and the process die while it is
    FullDisk,
    /// Take all brokers away for a while, then the database, and measure what clients notice
    Outage {
        /// How long each is away
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
}

/// Performs an action of the command line.
pub(crate) fn run(root: &'static Path, arguments: &Arguments) -> Result<()> {
    // As the tests are built, so that nothing is compiled twice.
    let build = ["build", "--release", "--workspace", "--features", FEATURES, "--bin", "stockledger"];
    to_success(&mut cargo(root, &build))?;
    let seed = arguments.seed.unwrap_or_else(random::new_seed);
    match arguments.what {
        Some(What::HotSku { attempts }) => hot_sku::run(root, attempts),
        Some(What::FullDisk) => full_disk::run(root, seed),
        Some(What::Outage { seconds }) => outage::run(root, Duration::from_secs(seconds)),
        None => whole(root, Duration::from_secs(arguments.seconds), seed, arguments.report.as_deref()),
    }
}

/// The part of it that proves the project. The program was built before.
pub(crate) fn short(root: &'static Path) -> Result<()> {
    if let Some(kind) = rig::SERVERS.into_iter().find(|kind| kind.given_address().is_some()) {
        say(&format!("chaos: left out, since {kind} is given by {} and cannot be killed", kind.variable()));
        return Ok(());
    }
    whole(root, SHORT, random::new_seed(), None)?;
    full_disk::run(root, random::new_seed())?;
    hot_sku::run(root, SHORT_ATTEMPTS)
}

fn whole(root: &'static Path, time: Duration, seed: u64, report: Option<&Path>) -> Result<()> {
    say(&format!("chaos: {} s with seed {seed}", time.as_secs()));
    let done = round::run(root, time, seed)?;
    report::print(&done);
    if let Some(path) = report {
        report::save(&done, path)?;
    }
    ensure!(done.is_good(), "chaos with seed {seed} found what must not be; the evidence is in target/chaos");
    Ok(())
}
