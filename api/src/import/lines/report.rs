//! What became of each command, and of all together.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Error;
use super::door::Answer;
use super::read::create;

/// Refusals that are kept to be shown. The file of the report has all.
const SHOWN_MAX: usize = 10;

/// A command that was not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where it begins in the file.
    pub line: u64,
    /// Why.
    pub detail: String,
}

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Commands of the file.
    pub commands: u64,
    /// Those that are done now or were done before; of a dry run, those that would be.
    pub done: u64,
    /// Those of all that were decided before this import.
    pub replayed: u64,
    /// Those that were refused, now or before.
    pub refused: u64,
    /// Where the command begins behind which nothing was sent, because it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<u64>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

/// Takes down what becomes of each command: counted, the first refusals kept, and all of it in a file if one is wanted.
pub struct Report {
    file: Option<BufWriter<File>>,
    shown: Box<dyn FnMut(&Refusal) + Send>,
    shown_count: usize,
    pub(super) summary: Summary,
}

/// One line of the file.
#[derive(Serialize)]
struct Entry<'a> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bad: Option<&'a str>,
}

impl Report {
    /// A report into the file at `path`, if there is one; `shown` hears of the first refusals.
    ///
    /// # Errors
    /// [`Error::Report`].
    pub fn new(path: Option<&Path>, shown: impl FnMut(&Refusal) + Send + 'static) -> Result<Self, Error> {
        let file = path.map(create).transpose()?.map(BufWriter::new);
        Ok(Self { file, shown: Box::new(shown), shown_count: 0, summary: Summary::default() })
    }

    /// Something in the file that can be no command.
    pub(super) fn bad(&mut self, line: u64, detail: String) -> Result<(), Error> {
        let (status, replayed, position, problem) = (None, None, None, None);
        self.write(&Entry { line, status, replayed, position, problem, bad: Some(&detail) })?;
        self.show(&Refusal { line, detail });
        Ok(())
    }

    /// The command at this line of the file is answered; says whether it is done.
    pub(super) fn answered(&mut self, line: u64, answer: &Answer) -> Result<bool, Error> {
        let Answer { status, replayed, position, problem, .. } = answer;
        let (position, problem) = (position.as_deref(), problem.as_deref());
        let (status, replayed) = (Some(*status), Some(*replayed));
        self.write(&Entry { line, status, replayed, position, problem, bad: None })?;
        self.summary.replayed += u64::from(answer.replayed);
        let refusal = answer.refusal();
        match &refusal {
            None => self.summary.done += 1,
            Some(_) => self.summary.refused += 1,
        }
        let is_done = refusal.is_none();
        if let Some(problem) = refusal {
            self.show(&Refusal { line, detail: problem.to_string() });
        }
        Ok(is_done)
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.file.as_mut().map_or(Ok(()), Write::flush).map_err(Error::Report)
    }

    fn show(&mut self, refusal: &Refusal) {
        if self.shown_count < SHOWN_MAX {
            self.shown_count += 1;
            (self.shown)(refusal);
        }
    }

    fn write(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        serde_json::to_writer(&mut *file, entry).map_err(|error| Error::Report(error.into()))?;
        file.write_all(b"\n").map_err(Error::Report)
    }
}
