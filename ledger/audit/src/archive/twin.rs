//! Readable twins of a log: the same records as JSON or as a table, for people and for other programs. Nothing reads them
//! back; what can be checked and restored is the archive.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::{Log, StoredRecord};
use stockledger_schemas::{Decision, Hash, PartitionId, Position, Record, envelope};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::manifest::sync_directory;
use super::rows::{self, COLUMNS};
use crate::reading::{self, Batches, Range, Stop};
use crate::verify::{OnProgress, Progress, word_of};

/// In what form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of JSON for each record, those that do not count included.
    Json,
    /// A row for each order line, movement or step of the decisions that count.
    Csv,
}

/// How to write twins.
#[derive(Clone)]
pub struct Options {
    /// In what form.
    pub form: Form,
    /// The partitions to write; all without it.
    pub partitions: Option<Vec<PartitionId>>,
    /// Who is told how far it is.
    pub on_progress: Arc<OnProgress>,
    /// Ends it early.
    pub cancel: CancellationToken,
}

/// What was written of one partition.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Which.
    pub partition: PartitionId,
    /// Where.
    pub file: PathBuf,
    /// Lines of JSON, or rows without the heading.
    pub lines: u64,
    /// Where the log cannot be read past, and why: everything before it is written.
    #[serde(skip)]
    pub halt: Option<Halt>,
}

/// Writes one file for each partition into a directory, as long as the log is now. Files of an earlier time are replaced.
///
/// # Errors
/// [`Error`].
pub async fn write(log: Arc<dyn Log>, directory: &Path, options: &Options) -> Result<Vec<Written>, Error> {
    std::fs::create_dir_all(directory).map_err(Error::file("making", directory))?;
    let ends = reading::ends(&*log, options.partitions.as_deref()).await;
    let ends = ends.map_err(|(partition, source)| Error::Log { partition, source })?;
    for (partition, bounds) in &ends {
        (options.on_progress)(Progress { partition: *partition, done: 0, total: bounds.end });
    }
    let mut written = Vec::with_capacity(ends.len());
    for (partition, bounds) in ends {
        let range = Range { partition, from: 0, end: bounds.end };
        let (twin, on_progress) =
            (Twin::create(directory, partition, options.form)?, options.on_progress.clone());
        let work = move |batches| twin.write_all(batches, range, &*on_progress);
        let (done, read) = reading::work_on(&*log, range, &options.cancel, work).await?;
        match read {
            Ok(()) => written.push(done?),
            Err(Stop::Log(source)) => return Err(Error::Log { partition, source }),
            Err(Stop::Cancelled) => return Err(Error::Cancelled),
        }
    }
    sync_directory(directory)?;
    Ok(written)
}

/// One file, under another name until it is complete.
struct Twin {
    path: PathBuf,
    new: PathBuf,
    sink: Sink,
    lines: u64,
}

enum Sink {
    Json(BufWriter<File>),
    Csv(Box<csv::Writer<File>>),
}

/// A record as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    partition: PartitionId,
    offset: u64,
    /// Of a decision that counts.
    position: Option<Position>,
    /// The chain behind the record, if it counts.
    hash: Option<Hash>,
    /// Why it does not count.
    void: Option<&'static str>,
    record: &'a Record,
}

impl Twin {
    fn create(directory: &Path, partition: PartitionId, form: Form) -> Result<Self, Error> {
        let extension = match form {
            Form::Json => "ndjson",
            Form::Csv => "csv",
        };
        let path = directory.join(format!("partition-{:04}.{extension}", partition.0));
        let new = path.with_extension(format!("{extension}.new"));
        let file = File::create(&new).map_err(Error::file("making", &new))?;
        let sink = match form {
            Form::Json => Sink::Json(BufWriter::with_capacity(1 << 18, file)),
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(COLUMNS).map_err(failed(&new))?;
                Sink::Csv(Box::new(writer))
            }
        };
        Ok(Self { path, new, sink, lines: 0 })
    }

    fn write_all(
        mut self,
        mut batches: Batches,
        range: Range,
        on_progress: &OnProgress,
    ) -> Result<Written, Error> {
        let (mut state, mut halt) = (None, None);
        'batches: while let Some(batch) = batches.blocking_recv() {
            for record in &batch {
                if let Err(found) = self.take(&mut state, range.partition, record)? {
                    halt = Some(found);
                    break 'batches;
                }
            }
            let done = batch.last().map_or(0, |last| last.offset + 1);
            on_progress(Progress { partition: range.partition, done, total: range.end });
        }
        self.finish(range.partition, halt)
    }

    fn take(
        &mut self,
        state: &mut Option<State>,
        partition: PartitionId,
        record: &StoredRecord,
    ) -> Result<Result<(), Halt>, Error> {
        let Some(known) = state else {
            match State::begin(&record.value, partition) {
                Ok(begun) => *state = Some(begun),
                Err(halt) => return Ok(Err(halt)),
            }
            let hash = state.map(|state| state.hash);
            let decoded = envelope::decode(&record.value)?;
            let line =
                Line { partition, offset: record.offset, position: None, hash, void: None, record: &decoded };
            return self.line(&line).map(Ok);
        };
        let admission = match admit(known, record.offset, &record.value) {
            Ok(admission) => admission,
            Err(halt) => return Ok(Err(halt)),
        };
        *known = admission.next;
        let (offset, hash) = (record.offset, Some(admission.next.hash));
        match admission.verdict {
            Verdict::Decision(decision) => {
                self.decision(Position::new(partition, decision.seq), offset, hash, *decision)?;
            }
            Verdict::Claim(claim) => {
                let record = Record::Claim(claim);
                self.line(&Line { partition, offset, position: None, hash, void: None, record: &record })?;
            }
            Verdict::Void(void) => {
                let (record, void) = (envelope::decode(&record.value)?, Some(word_of(void)));
                self.line(&Line { partition, offset, position: None, hash: None, void, record: &record })?;
            }
        }
        Ok(Ok(()))
    }

    fn decision(
        &mut self,
        position: Position,
        offset: u64,
        hash: Option<Hash>,
        decision: Decision,
    ) -> Result<(), Error> {
        let Sink::Csv(writer) = &mut self.sink else {
            let (partition, position) = (position.partition, Some(position));
            let record = Record::Decision(decision);
            return self.line(&Line { partition, offset, position, hash, void: None, record: &record });
        };
        for row in rows::of(position, &decision) {
            writer.write_record(&row).map_err(failed(&self.new))?;
            self.lines += 1;
        }
        Ok(())
    }

    /// A line of JSON; a table has only rows of decisions.
    fn line(&mut self, line: &Line<'_>) -> Result<(), Error> {
        let Sink::Json(file) = &mut self.sink else { return Ok(()) };
        serde_json::to_writer(&mut *file, line).map_err(failed(&self.new))?;
        file.write_all(b"\n").map_err(failed(&self.new))?;
        self.lines += 1;
        Ok(())
    }

    fn finish(self, partition: PartitionId, halt: Option<Halt>) -> Result<Written, Error> {
        let Self { path, new, sink, lines } = self;
        let file = match sink {
            Sink::Json(file) => file.into_inner().map_err(|error| failed(&new)(error.into_error()))?,
            Sink::Csv(writer) => writer.into_inner().map_err(|error| failed(&new)(error.into_error()))?,
        };
        file.sync_all().map_err(failed(&new))?;
        std::fs::rename(&new, &path).map_err(failed(&path))?;
        Ok(Written { partition, file: path, lines, halt })
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl FnOnce(E) -> Error + use<E> {
    let path = path.to_path_buf();
    move |source| Error::Twin { path, source: Box::new(source) }
}
