//! Import of commands: a file of NDJSON as `POST /v1/bulk` takes it, or of CSV with the columns of a [`Template`].
//!
//! The whole file is read and every command checked before the first one is sent, so a file with a bad line changes nothing.
//! Then the commands go to bulk in order, chunk after chunk, to a server or to the service in this process, which is one and
//! the same code. What is refused is counted and reported, and stops nothing unless that is asked for.
//!
//! What is absent on purpose: state of our own. A command without a key gets one that the SHA-256 of the file and its line
//! make, so the same file again finds every key used, and an import that was interrupted goes on where it stopped.
//!
//! Start reading at [`run()`].

mod check;
mod csv;
mod door;
mod read;
mod report;
mod send;
mod template;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

pub use self::door::Door;
pub use self::read::Input;
pub use self::report::{Refusal, Report, Summary};
pub use self::template::{TEMPLATES, Template};

use self::send::Sender;

/// How the commands of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A command in a line of JSON.
    Ndjson,
    /// A header with the names of the columns, and commands in rows.
    Csv,
}

/// What is done with the commands of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Ask what would come of each of them by itself, and write nothing.
    pub dry_run: bool,
    /// Send none behind one that is refused. They go one by one then, which takes its time.
    pub stop_at_refusal: bool,
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Commands that are answered.
    pub done: u64,
    /// All commands of the file.
    pub total: u64,
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading {name}")]
    Read {
        /// What messages call it.
        name: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Some of the file can be no commands. Nothing was sent.
    #[error("{count} of the commands in {name} cannot be sent, so none was; mend them and import again")]
    BadLines {
        /// What messages call the file.
        name: String,
        /// How many are bad.
        count: u64,
    },
    /// The report cannot be written.
    #[error("writing the report")]
    Report(#[source] io::Error),
    /// The thread that reads the file broke down: a fault of this program.
    #[error("the file was not read to its end")]
    Reading(#[from] tokio::task::JoinError),
    /// The ledger does not answer, or did not answer for long.
    #[error(
        "the import stopped at line {line}; what was done stays, and running the same import again continues there"
    )]
    Unanswered {
        /// Where the command begins that has no answer.
        line: u64,
        /// What went wrong.
        #[source]
        source: door::Error,
    },
}

/// Imports a file. The same import again goes on where it stopped, or changes nothing.
///
/// # Errors
/// [`Error`]; after the first command it is safe to run the same import again.
pub async fn run(
    input: Input,
    options: Options,
    door: Door,
    report: Report,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Summary, Error> {
    let input = Arc::new(input);
    let (checked, report) = check::check(input.clone(), report).await?;
    let sender = Sender { door, options, report, total: checked.commands, progress };
    sender.carry_out(input, checked.hash).await
}
