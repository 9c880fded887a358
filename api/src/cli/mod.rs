//! The command line: one binary, a command for each thing that people do.
//!
//! Data goes to stdout, everything else to stderr. Exit codes are an interface; they stand in the help and in the README.

mod act;
mod audit;
mod bench;
mod config;
mod decode;
mod demo;
mod directory;
mod export;
mod filters;
mod health;
mod help;
mod import;
mod init;
mod keys;
mod lines;
mod output;
mod papers;
mod past;
mod projections;
mod read;
mod rebuild;
mod refusal;
mod restore;
mod serve;
mod show;
mod source;
mod tail;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::client::Client;
use crate::config::{Flags, Settings};
use crate::setup::{Code, Refused};
use output::{Format, Rows};

/// An event-sourced inventory ledger.
#[derive(Debug, Parser)]
#[command(name = "stockledger", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  stockledger demo
  stockledger serve --data-dir ./my-ledger
  stockledger order place uk o-1001 LAMP=2 --server http://127.0.0.1:7070

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 verification failed, \
4 not reachable or not ready, 5 refused by a business rule, 6 unsafe or mismatched set-up.")]
struct Cli {
    /// How to print data; lists have a form for spreadsheets and one for pipes, too
    #[arg(long, global = true, value_enum, default_value_t = Rows::Table)]
    format: Rows,
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import a month of a real retailer, show what came of it, and serve it
    Demo(demo::Args),
    /// Run the ledger and answer HTTP
    #[command(after_help = "Examples:
  stockledger serve --data-dir ./stockledger-data
  stockledger serve --log kafka://kafka-1:9092,kafka-2:9092/stockledger \\
      --projections mysql://stockledger@mysql/stockledger
  stockledger serve --roles api,projector")]
    Serve,
    /// Make a new ledger, or check the one that is there
    #[command(after_help = "Examples:
  stockledger init --data-dir ./stockledger-data
  stockledger init --log kafka://localhost:9092/stockledger --profile dev")]
    Init,
    /// Import real input into a ledger
    Import(import::Args),
    /// Make the read tables again from the first record of the log, beside those in use
    Rebuild(rebuild::Args),
    /// Look at the versions of the read tables, switch between them, remove one
    #[command(subcommand)]
    Projections(projections::Projections),
    /// Check that the log is whole and possible, and what vouches for it
    Verify(verify::Args),
    /// Write the log into an archive that can be checked, kept elsewhere and restored
    Export(export::Args),
    /// Put an archive into an empty log
    Restore(restore::Args),
    /// Look at sites, open them
    #[command(subcommand)]
    Site(directory::Site),
    /// Look at items, describe them
    #[command(subcommand)]
    Item(directory::Item),
    /// Look at stock, receive, adjust and count it, set it aside
    #[command(subcommand)]
    Stock(read::Stock),
    /// Look at orders and their trails, place, ship, cancel and return them
    #[command(subcommand)]
    Order(read::Order),
    /// Find out how something came to be; get and check signed checkpoints and proofs
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the decisions of the log
    Tail(tail::Args),
    /// Print raw records of the log as JSON
    Decode(decode::Args),
    /// Ask a server whether it is ready
    Health(health::Args),
    /// Look at the settings
    #[command(subcommand)]
    Config(config::Config),
    /// Measure
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Print what a shell needs to complete commands
    Completions(papers::Completions),
    /// Print the manual page, or write one for each command
    Man(papers::Man),
}

impl Command {
    /// Whether there is such a form of what it prints.
    const fn can_print(&self, rows: Rows) -> bool {
        let has_rows = matches!(
            self,
            Self::Site(_)
                | Self::Item(_)
                | Self::Stock(_)
                | Self::Order(_)
                | Self::Keys(keys::Keys::List { .. })
                | Self::Projections(projections::Projections::List { .. })
        );
        match rows {
            Rows::Table | Rows::Json => true,
            // Whose JSON has a line for each decision.
            Rows::Ndjson => has_rows || matches!(self, Self::Tail(_)),
            Rows::Csv => has_rows,
        }
    }
}

/// What a command runs with.
struct Context {
    settings: Settings,
    rows: Rows,
}

impl Context {
    /// How what is no rows is printed.
    fn format(&self) -> Format {
        self.rows.into()
    }

    /// A client of the server at this address.
    fn client(&self, url: &str) -> Result<Client, Failure> {
        Ok(Client::trusting(url, &self.settings.edge.trust())?)
    }
}

/// How a command ends when it does not end well; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Failed = 1,
    Usage = 2,
    VerificationFailed = 3,
    NotReady = 4,
    Refused = 5,
    UnsafeSetup = 6,
}

/// Why a command did not end well.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    /// Why the set-up is refused, where that is it.
    codes: Vec<Code>,
    error: anyhow::Error,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, codes: Vec::new(), error: error.into() }
    }

    fn text(exit: Exit, text: impl Into<String>) -> Self {
        Self::new(exit, anyhow::Error::msg(text.into()))
    }

    /// The set-up is refused.
    fn refused(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::UnsafeSetup, codes: vec![code], error: error.into() }
    }

    /// The set-up is refused if the error has codes for that; else it ends in another way.
    fn of_setup<E: Refused + Into<anyhow::Error>>(error: E, otherwise: Exit) -> Self {
        let codes = error.codes();
        let exit = if codes.is_empty() { otherwise } else { Exit::UnsafeSetup };
        Self { exit, codes, error: error.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<crate::client::Error> for Failure {
    fn from(error: crate::client::Error) -> Self {
        let otherwise = if error.is_unreachable() { Exit::NotReady } else { Exit::Failed };
        let code = error.code().and_then(crate::http::Code::from_name);
        let exit = code.map_or(otherwise, |code| refusal::exit_of(code, otherwise));
        match code.and_then(refusal::next_step) {
            Some(next) => Self::text(exit, format!("{error}\n{next}")),
            None => Self::new(exit, error),
        }
    }
}

impl From<crate::node::Error> for Failure {
    fn from(error: crate::node::Error) -> Self {
        let otherwise = if error.is_not_ready() { Exit::NotReady } else { Exit::Failed };
        Self::of_setup(error, otherwise)
    }
}

impl From<crate::storage::Error> for Failure {
    fn from(error: crate::storage::Error) -> Self {
        crate::node::Error::from(error).into()
    }
}

impl From<crate::config::Error> for Failure {
    fn from(error: crate::config::Error) -> Self {
        match &error {
            crate::config::Error::Insecure { .. } => Self::refused(Code::InsecureListen, error),
            crate::config::Error::NoKafkaTls(_) => Self::refused(Code::NoKafkaTls, error),
            _ => Self::new(Exit::Usage, error),
        }
    }
}

impl From<crate::keys::ScanError> for Failure {
    fn from(error: crate::keys::ScanError) -> Self {
        let otherwise = if error.is_passing() { Exit::NotReady } else { Exit::Failed };
        Self::of_setup(error, otherwise)
    }
}

impl From<crate::tls::Error> for Failure {
    fn from(error: crate::tls::Error) -> Self {
        Self::refused(Code::TlsUnusable, error)
    }
}

impl From<stockledger_audit::verify::Error> for Failure {
    fn from(error: stockledger_audit::verify::Error) -> Self {
        stockledger_audit::archive::Error::from(error).into()
    }
}

impl From<stockledger_audit::archive::Error> for Failure {
    fn from(error: stockledger_audit::archive::Error) -> Self {
        use stockledger_audit::archive::Error;
        let exit = match &error {
            Error::Beyond { .. } => Exit::Usage,
            error if error.is_verification() => Exit::VerificationFailed,
            error if error.is_not_ready() => Exit::NotReady,
            _ => Exit::Failed,
        };
        Self::of_setup(error, exit)
    }
}

/// The whole command line.
fn program() -> clap::Command {
    help::with_examples_first(Cli::command())
}

/// Runs the program with its arguments, the first of which is its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match program().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    start_logging();
    match dispatch(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if is_closed_pipe(&failure.error) => ExitCode::SUCCESS,
        Err(failure) => {
            let format = matches.get_one("format").copied().unwrap_or(Rows::Table);
            output::complain(format.into(), failure.exit as u8, &failure.codes, &failure.error);
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn dispatch(matches: &ArgMatches) -> Result<(), Failure> {
    let cli = Cli::from_arg_matches(matches).map_err(|error| Failure::new(Exit::Usage, error))?;
    if cli.flags.projections == Some(None) && !matches!(cli.command, Command::Verify(_)) {
        return Err(Failure::text(Exit::Usage, "--projections needs an address here, such as sqlite:PATH"));
    }
    if !cli.command.can_print(cli.format) {
        return Err(Failure::text(
            Exit::Usage,
            "this command cannot print that; --format table and json are always there",
        ));
    }
    let settings = Settings::resolve(&cli.flags, matches)?;
    let context = Context { settings, rows: cli.format };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run_command(cli.command, &context));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

async fn run_command(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Serve => serve::run(context).await,
        Command::Init => init::run(context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Rebuild(args) => rebuild::run(args, context).await,
        Command::Projections(command) => projections::run(command, context).await,
        Command::Verify(args) => verify::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Restore(args) => restore::run(args, context).await,
        Command::Site(command) => directory::site(command, context).await,
        Command::Item(command) => directory::item(command, context).await,
        Command::Stock(command) => read::stock(command, context).await,
        Command::Order(command) => read::order(command, context).await,
        Command::Audit(command) => audit::run(command, context).await,
        Command::Keys(command) => keys::run(command, context).await,
        Command::Tail(args) => tail::run(args, context).await,
        Command::Decode(args) => decode::run(&args),
        Command::Health(args) => health::run(args, context).await,
        Command::Config(command) => config::run(&command, context),
        Command::Bench(command) => bench::run(command, context).await,
        Command::Completions(args) => papers::completions(&args),
        Command::Man(args) => papers::man(&args),
    }
}

/// Whoever reads our output has seen enough, as `head` does. What is printed fails with an error of its own; one behind
/// another error is of a connection that broke, which is no success.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let printing = error.downcast_ref::<std::io::Error>();
    printing.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn start_logging() {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;

    let filter = EnvFilter::try_from_env("STOCKLEDGER_LOG_LEVEL")
        .unwrap_or_else(|_| EnvFilter::new("warn,stockledger=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_target(false).init();
    } else {
        builder.json().init();
    }
}

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn no_command_contradicts_itself() {
        program().debug_assert();
    }

    /// The commands below one that have none below them.
    fn leaves<'a>(command: &'a clap::Command, name: &str, found: &mut Vec<(String, &'a clap::Command)>) {
        for below in command.get_subcommands() {
            leaves(below, &format!("{name} {}", below.get_name()), found);
        }
        if !command.has_subcommands() {
            found.push((name.to_owned(), command));
        }
    }

    #[test]
    fn every_command_has_an_example_that_names_it() {
        let program = program();
        let mut commands = Vec::new();
        leaves(&program, "stockledger", &mut commands);
        assert!(commands.len() > 40, "{}", commands.len());
        let missing: Vec<String> = commands
            .into_iter()
            .filter(|(name, command)| {
                let help = (*command).clone().render_long_help().to_string();
                let examples = help.split("Usage:").next().unwrap_or_default();
                !(examples.contains("Example") && examples.contains(name.as_str()))
            })
            .map(|(name, _)| name)
            .collect();
        assert!(missing.is_empty(), "without an example at first: {missing:?}");
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_a_success_and_a_connection_that_broke_is_none() {
        let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(super::is_closed_pipe(&super::Failure::from(broken()).error));
        let behind = crate::config::Error::ReadFile { path: "settings".into(), source: broken() };
        assert!(!super::is_closed_pipe(&super::Failure::from(behind).error));
    }
}
