//! `rebuild`: the read tables again, from the first record of the log, into a fresh version beside the one in use.

mod local;
pub(super) mod progress;
mod remote;

use serde_json::{Value, json};
use stockledger_projections::rebuild::{SwitchWhen, WORKERS_DEFAULT, WORKERS_MAX};

use super::output::{self, Format};
use super::source::Server;
use super::{Context, Exit, Failure};
use crate::text::thousands;

const EXAMPLES: &str = "Examples:
  stockledger rebuild
  stockledger rebuild --server http://127.0.0.1:7070
  stockledger rebuild --switch manual && stockledger projections switch 2

Without --server no server may run on the data directory; with it, the server goes on answering. The version before is kept \
and followed, so that `stockledger projections switch --back` takes no time; `stockledger projections drop N` removes it. A rebuild that was stopped goes on where it stopped.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Switch queries to the new tables when they are level, or when told to
    #[arg(long, value_enum, default_value_t = Switch::Auto)]
    switch: Switch,
    /// Partitions that are loaded at the same moment
    #[arg(long, value_name = "N", default_value_t = WORKERS_DEFAULT, value_parser = workers)]
    workers: usize,
    #[command(flatten)]
    server: Server,
}

/// When queries are switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// As soon as the new tables are level.
    Auto,
    /// With `projections switch`.
    Manual,
}

impl Switch {
    const fn when(self) -> SwitchWhen {
        match self {
            Self::Auto => SwitchWhen::Level,
            Self::Manual => SwitchWhen::Told,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

fn workers(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=WORKERS_MAX).contains(number));
    number.ok_or_else(|| format!("a number from 1 to {WORKERS_MAX} is wanted"))
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let began = std::time::Instant::now();
    let rebuilt = match args.server.client(context)? {
        Some(client) => remote::rebuild(&client, args.switch, args.workers, context.format()).await?,
        None => local::rebuild(args.switch, args.workers, context).await?,
    };
    print(&rebuilt, began.elapsed().as_secs_f64(), context.format())
}

/// `rebuilt` has the members of [`Rebuilt`](stockledger_projections::rebuild::Rebuilt), wherever it was done.
fn print(rebuilt: &Value, seconds: f64, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let mut done = json!({ "type": "rebuilt", "seconds": seconds });
        if let (Some(done), Some(rebuilt)) = (done.as_object_mut(), rebuilt.as_object()) {
            done.extend(rebuilt.clone());
        }
        return Ok(output::json_line(&done)?);
    }
    let number = |name: &str| rebuilt.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (version, decisions, events) = (number("version"), number("decisions"), number("events"));
    output::line(format_args!(
        "Rebuilt the read tables as version {version} from {} decisions with {} events in {seconds:.1} s.",
        thousands(decisions),
        thousands(events),
    ))?;
    match rebuilt.get("switched").filter(|switched| switched.is_object()) {
        Some(switched) => print_switch(switched),
        None if rebuilt.get("is_active") == Some(&Value::Bool(true)) => {
            Ok(output::line("Queries answer from it.")?)
        }
        None => {
            Ok(output::line(format_args!("Switch to it with `stockledger projections switch {version}`."))?)
        }
    }
}

/// `switched` has the members of [`Switched`](stockledger_projections::switch::Switched).
pub(super) fn print_switch(switched: &Value) -> Result<(), Failure> {
    let number = |name: &str| switched.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (from, to, held_ms) = (number("from"), number("to"), number("held_ms"));
    let compared = match switched.get("is_compared") {
        Some(Value::Bool(true)) => "the digests of both are equal",
        _ => "the two could not be compared",
    };
    output::line(format_args!(
        "Queries answer from version {to} instead of {from} now; {compared}, and projections stood still for {held_ms} ms.\n\
         Go back with `stockledger projections switch --back`, or remove the old tables with `stockledger projections drop {from}`."
    ))?;
    Ok(())
}

/// Why a version was not made, switched to or removed, with the exit code of it.
pub(super) fn version_failure(error: stockledger_projections::rebuild::Error) -> Failure {
    use stockledger_projections::rebuild::Error;
    let exit = match &error {
        Error::Halted(_) | Error::Differ { .. } => Exit::VerificationFailed,
        Error::Unavailable(_) => Exit::NotReady,
        Error::Store(error) if error.is_retryable() => Exit::NotReady,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}
