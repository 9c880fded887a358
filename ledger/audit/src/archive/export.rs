//! Making an archive of a log, or bringing one up to date.
//!
//! Per partition: the records are admitted as every reader does, written into segments, and each sealed segment is entered
//! in the manifest before the next one begins. Whatever interrupts this, what the manifest names is complete, and the next
//! run goes on behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use stockledger_chain::{Halt, State, Verdict, admit};
use stockledger_log::{Bounds, Log, StoredRecord};
use stockledger_schemas::{LedgerId, PartitionId};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::manifest::{Content, MANIFEST, MANIFEST_NEW, Manifest, Segment, path_of};
use super::segment::{Header, Limits, SegmentWriter};
use crate::head::Head;
use crate::reading::{self, Batches, Range, Stop};
use crate::verify::{OnProgress, Progress};

/// How to export.
#[derive(Clone)]
pub struct Options {
    /// The partitions to export; all without it.
    pub partitions: Option<Vec<PartitionId>>,
    /// When a segment is sealed.
    pub limits: Limits,
    /// Who is told how far it is.
    pub on_progress: Arc<OnProgress>,
    /// Ends it early; what is sealed stays.
    pub cancel: CancellationToken,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            partitions: None,
            limits: Limits::default(),
            on_progress: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
        }
    }
}

/// What an export did.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Partition by partition.
    pub partitions: Vec<ExportedPartition>,
}

/// What an export did with one partition.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedPartition {
    /// Which.
    pub partition: PartitionId,
    /// Records that are new in the archive.
    pub new_records: u64,
    /// Segments that are new in the archive.
    pub new_segments: u64,
    /// Where the archive stands.
    pub head: Head,
    /// Where the log cannot be read past, and why: everything before it is in the archive.
    #[serde(serialize_with = "halt_in_words")]
    pub halt: Option<Halt>,
}

fn halt_in_words<S: serde::Serializer>(halt: &Option<Halt>, serializer: S) -> Result<S::Ok, S::Error> {
    halt.as_ref().map(ToString::to_string).serialize(serializer)
}

/// Writes into a directory what the log has, as long as it is now, and the directory has not.
///
/// # Errors
/// [`Error`]; what is sealed by then stays and is used by the next run. That a partition cannot be read to its end is no
/// error: see [`ExportedPartition::halt`].
pub async fn export(log: Arc<dyn Log>, directory: &Path, options: &Options) -> Result<Exported, Error> {
    let ends = reading::ends(&*log, options.partitions.as_deref()).await;
    let ends = ends.map_err(|(partition, source)| Error::Log { partition, source })?;
    let mut begun = Vec::with_capacity(ends.len());
    for (partition, bounds) in ends {
        (options.on_progress)(Progress { partition, done: 0, total: bounds.end });
        begun.push((begin(&*log, partition, bounds).await?, bounds.end));
    }
    let Some(((first, _), _)) = begun.first() else {
        return Err(Error::NotALedger {
            partition: PartitionId(0),
            what: "there are no partitions".to_owned(),
        });
    };
    let ledger_id = first.ledger_id;
    let mut manifest = open(directory, ledger_id, log.partitions())?;
    let mut exported = Vec::with_capacity(begun.len());
    for ((first, genesis), end) in begun {
        if first.ledger_id != ledger_id {
            let what = format!("it belongs to ledger {}, others to {ledger_id}", first.ledger_id);
            return Err(Error::NotALedger { partition: first.partition, what });
        }
        let state = match manifest.content(first.partition) {
            None => None,
            Some(content) => Some(resume(&*log, directory, content, &first, end).await?),
        };
        let one = Partition { first, genesis, state, end };
        let (next, done) = export_partition(&*log, directory, manifest, one, options).await?;
        manifest = next;
        exported.push(done);
    }
    Ok(Exported { ledger_id, partitions: exported })
}

/// The state behind the genesis record, and its bytes.
async fn begin(
    log: &dyn Log,
    partition: PartitionId,
    bounds: Bounds,
) -> Result<(State, StoredRecord), Error> {
    let not_a_ledger = |what: String| Error::NotALedger { partition, what };
    if bounds.begin > 0 {
        return Err(not_a_ledger(format!("history before offset {} was deleted", bounds.begin)));
    }
    let genesis = log.fetch(partition.0, 0).await.map_err(|source| Error::Log { partition, source })?;
    let genesis = genesis.ok_or_else(|| not_a_ledger("it is empty".to_owned()))?;
    let state =
        State::begin(&genesis.value, partition).map_err(|halt| not_a_ledger(halt.reason.to_string()))?;
    if state.partitions == log.partitions() {
        return Ok((state, genesis));
    }
    Err(not_a_ledger(format!(
        "the ledger was made with {} partitions, the log has {}",
        state.partitions,
        log.partitions()
    )))
}

/// The archive in a directory, or a new one.
fn open(directory: &Path, ledger_id: LedgerId, partitions: u16) -> Result<Manifest, Error> {
    std::fs::create_dir_all(directory).map_err(Error::file("making", directory))?;
    if directory.join(MANIFEST).exists() {
        let manifest = Manifest::load(directory)?;
        if manifest.ledger_id != ledger_id {
            return Err(Error::OtherLedger { archive: manifest.ledger_id, log: ledger_id });
        }
        if manifest.partitions != partitions {
            return Err(Error::PartitionCount { archive: manifest.partitions, log: partitions });
        }
        return Ok(manifest);
    }
    for entry in std::fs::read_dir(directory).map_err(Error::file("reading", directory))? {
        let entry = entry.map_err(Error::file("reading", directory))?;
        // An export may have been killed before it had its first manifest.
        if entry.file_name() != MANIFEST_NEW {
            return Err(Error::Occupied(directory.to_path_buf()));
        }
    }
    // First of all, so that whatever a killed export leaves is known for what it is.
    let manifest = Manifest::new(ledger_id, partitions);
    manifest.save(directory)?;
    Ok(manifest)
}

/// The state where the archive of a partition ends, if the log is still the one that was archived.
async fn resume(
    log: &dyn Log,
    directory: &Path,
    content: &Content,
    first: &State,
    end: u64,
) -> Result<State, Error> {
    let partition = content.partition;
    let contradicts = |what: String| Err(Error::Contradicts { partition, what });
    let Head { next_offset, last_valid_offset, .. } = content.head;
    if content.genesis != first.genesis {
        return contradicts(format!(
            "it begins with {}, the archive with {}",
            first.genesis, content.genesis
        ));
    }
    if end < next_offset {
        return contradicts(format!("it ends at offset {end}, the archive at {next_offset}"));
    }
    let state = content.head.state(first);
    let record = log.fetch(partition.0, last_valid_offset).await;
    let record = record.map_err(|source| Error::Log { partition, source })?;
    if !record.is_some_and(|record| state.remembers(&record.value)) {
        return contradicts(format!("the record at offset {last_valid_offset} is another one"));
    }
    for segment in &content.segments {
        let path = path_of(directory, segment);
        let found = std::fs::metadata(&path).map_err(Error::file("looking at", &path))?.len();
        if found != segment.bytes {
            let what = format!("{} has {found} bytes, the manifest says {}", segment.file, segment.bytes);
            return Err(Error::Manifest { path: directory.join(MANIFEST), what });
        }
    }
    Ok(state)
}

/// A partition that is to be exported.
struct Partition {
    /// Behind the genesis record.
    first: State,
    genesis: StoredRecord,
    /// Where the archive ends; absent if it has nothing of the partition.
    state: Option<State>,
    /// Where the log ends.
    end: u64,
}

async fn export_partition(
    log: &dyn Log,
    directory: &Path,
    manifest: Manifest,
    one: Partition,
    options: &Options,
) -> Result<(Manifest, ExportedPartition), Error> {
    let partition = one.first.partition;
    let range = Range { partition, from: one.state.map_or(1, |state| state.next_offset), end: one.end };
    let mut work = Work::begin(directory.to_path_buf(), manifest, one, options.limits)?;
    let on_progress = options.on_progress.clone();
    let worked = move |batches: Batches| {
        let taken = work.take_all(batches, range.end, &*on_progress).and_then(|()| work.seal());
        (work, taken)
    };
    let ((work, taken), read) = reading::work_on(log, range, &options.cancel, worked).await?;
    taken?;
    match read {
        Ok(()) => {}
        Err(Stop::Log(source)) => return Err(Error::Log { partition, source }),
        Err(Stop::Cancelled) => return Err(Error::Cancelled),
    }
    let Work { manifest, state, new_records, new_segments, halt, .. } = work;
    let head = Head::of(&state);
    Ok((manifest, ExportedPartition { partition, new_records, new_segments, head, halt }))
}

/// The writing of one partition.
struct Work {
    directory: PathBuf,
    manifest: Manifest,
    limits: Limits,
    state: State,
    open: Option<OpenSegment>,
    new_records: u64,
    new_segments: u64,
    halt: Option<Halt>,
}

struct OpenSegment {
    writer: SegmentWriter,
    first_seq: Option<u64>,
}

impl Work {
    fn begin(directory: PathBuf, manifest: Manifest, one: Partition, limits: Limits) -> Result<Self, Error> {
        let Partition { first, genesis, state, .. } = one;
        let place = directory.join(Segment::directory_of(first.partition));
        std::fs::create_dir_all(&place).map_err(Error::file("making", &place))?;
        let is_new = state.is_none();
        let state = state.unwrap_or(first);
        let mut work = Self {
            directory,
            manifest,
            limits,
            state,
            open: None,
            new_records: 0,
            new_segments: 0,
            halt: None,
        };
        if is_new {
            work.write(0, &genesis.value, None)?;
        }
        Ok(work)
    }

    fn take_all(&mut self, mut batches: Batches, total: u64, on_progress: &OnProgress) -> Result<(), Error> {
        while let Some(batch) = batches.blocking_recv() {
            for record in &batch {
                let admission = match admit(&self.state, record.offset, &record.value) {
                    Ok(admission) => admission,
                    Err(halt) => {
                        self.halt = Some(halt);
                        return Ok(());
                    }
                };
                let seq = match &admission.verdict {
                    Verdict::Decision(decision) => Some(decision.seq),
                    Verdict::Claim(_) | Verdict::Void(_) => None,
                };
                self.state = admission.next;
                self.write(record.offset, &record.value, seq)?;
            }
            on_progress(Progress { partition: self.state.partition, done: self.state.next_offset, total });
        }
        Ok(())
    }

    /// Writes a record behind which the state is.
    fn write(&mut self, offset: u64, bytes: &[u8], seq: Option<u64>) -> Result<(), Error> {
        let State { ledger_id, partition, .. } = self.state;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                let header = Header { ledger_id, partition, first_offset: offset };
                OpenSegment { writer: SegmentWriter::create(&self.directory, header)?, first_seq: None }
            }
        };
        open.first_seq = open.first_seq.or(seq);
        open.writer.append(bytes)?;
        self.new_records += 1;
        let is_full = open.writer.is_full(&self.limits);
        self.open = Some(open);
        if is_full { self.seal() } else { Ok(()) }
    }

    /// Seals what is open, and enters it in the manifest.
    fn seal(&mut self) -> Result<(), Error> {
        let Some(OpenSegment { writer, first_seq }) = self.open.take() else { return Ok(()) };
        let State { partition, genesis, seq, hash, .. } = self.state;
        let (first_offset, records, bytes) = (writer.header.first_offset, writer.records, writer.bytes);
        let segment = Segment {
            file: Segment::file_of(partition, first_offset),
            first_offset,
            records,
            bytes,
            first_seq,
            last_seq: seq,
            hash,
            sha256: writer.seal()?,
        };
        self.manifest.add(partition, genesis, segment, Head::of(&self.state));
        self.new_segments += 1;
        self.manifest.save(&self.directory)
    }
}
