//! `verify`: whether the log is whole and possible, what vouches for its end, and whether the read tables are its fold.

mod print;
mod remote;
mod tables;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use stockledger_audit::archive::{ArchiveLog, MANIFEST, Manifest};
use stockledger_audit::verify::{OnProgress, Options, Remembered, verify};
use stockledger_log::Log;
use stockledger_schemas::PartitionId;

use self::print::Verification;
pub(super) use self::print::{halted, partitions_table};
use self::tables::LiveTables;
use super::audit::check;
use super::output::Progress;
use super::source::Server;
use super::{Context, Exit, Failure};
use crate::config::Source;
use crate::storage::{self, Access};

/// What to verify, and against what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger verify
  stockledger verify --projections
  stockledger verify --manifest /backup/ledger/manifest.json
  stockledger verify --checkpoint monday.note --key audit.pub
  stockledger verify --archive /backup/ledger
  stockledger verify --server http://127.0.0.1:7070

With --server, the server verifies its own log in the background, holds it against what it signed and what its read tables \
hold, and keeps the outcome; the API key needs the scopes admin and audit:read. Without, the log is read from here.

With --projections, with or without an address, the log is also folded and compared with the read tables row by row, and \
their checkpoints are held against the log. A log cannot show by itself that its end was cut off or that its last records \
were changed: keep what this prints, a signed checkpoint or the manifest of an export somewhere else, and verify against it. \
Exit code 3 if anything is wrong.")]
pub(super) struct Args {
    /// Verify the archive in this directory instead of the log; needs no server and no database
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Hold the log against the heads that this manifest of an export remembers; may be given more than once
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Hold the log against the checkpoint in this signed note; may be given more than once
    #[arg(long, value_name = "FILE", requires = "keys")]
    checkpoint: Vec<PathBuf>,
    /// File with the public keys that may have signed it, one a line
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if let Some(client) = args.server.client(context)? {
        if context.settings.projections.source == Source::Flag || args.names_something_here() {
            return Err(Failure::text(
                Exit::Usage,
                "--server verifies what is there: name nothing of here with it",
            ));
        }
        let verification = remote::verify(&client).await?;
        verification.print(context.format())?;
        return verification.outcome();
    }
    let began = Instant::now();
    // Everything that remembers is read before the log, so that the log has all of it.
    let mut remembered = Vec::new();
    for path in &args.manifest {
        remembered.extend(Manifest::load(path)?.remembered(path));
    }
    remembered.extend(checkpoints(&args)?);
    let mut tables = match context.settings.projections.source {
        Source::Flag => Some(LiveTables::look(context).await?),
        _ => None,
    };
    remembered.extend(tables.iter().flat_map(LiveTables::remembered));
    let (log, partitions) = open(&args, context, &mut remembered).await?;
    if partitions.is_some() && tables.is_some() {
        let why =
            "this archive lacks partitions: read tables can be compared with an archive of all of them only";
        return Err(Failure::text(Exit::Usage, why));
    }
    let progress = Arc::new(Progress::new("verify", "records"));
    let options =
        Options { partitions, remembered, on_progress: sum_up(progress.clone()), ..Options::default() };
    let report = verify(log.clone(), &options).await;
    progress.done();
    let seconds = began.elapsed().as_secs_f64();
    let mut verification = Verification { report: report?.in_words(), tables: None, seconds };
    if let Some(tables) = &mut tables
        && verification.report.is_good()
    {
        verification.tables = Some(tables.compare(log.clone()).await?);
    }
    log.close().await;
    verification.print(context.format())?;
    verification.outcome()
}

impl Args {
    fn names_something_here(&self) -> bool {
        let Self { archive, manifest, checkpoint, keys, server: _ } = self;
        archive.is_some() || [manifest, checkpoint, keys].into_iter().any(|files| !files.is_empty())
    }
}

/// What the signed checkpoints remember; one of an empty partition remembers nothing.
fn checkpoints(args: &Args) -> Result<Vec<Remembered>, Failure> {
    let keys = check::read_keys(&args.keys)?;
    let mut remembered = Vec::new();
    for path in &args.checkpoint {
        let signed = check::read_checkpoint(path, &keys)?;
        let checkpoint = signed.checkpoint();
        if checkpoint.size > 0 {
            remembered.push(Remembered {
                witness: format!("the signed checkpoint {}", path.display()),
                partition: checkpoint.partition,
                seq: checkpoint.size,
                hash: checkpoint.chain_hash,
                next_offset: None,
            });
        }
    }
    Ok(remembered)
}

/// The log, or the archive with what its own manifest remembers; and which partitions there are, if not all.
async fn open(
    args: &Args,
    context: &Context,
    remembered: &mut Vec<Remembered>,
) -> Result<(Arc<dyn Log>, Option<Vec<PartitionId>>), Failure> {
    let Some(directory) = &args.archive else {
        return Ok((storage::open_log(&context.settings, Access::Read).await?, None));
    };
    let archive = ArchiveLog::open(directory)?;
    remembered.extend(archive.manifest().remembered(&directory.join(MANIFEST)));
    let held = archive.held();
    let is_whole = held.len() == usize::from(archive.partitions());
    Ok((Arc::new(archive), (!is_whole).then_some(held)))
}

/// Adds up what the partitions report.
pub(super) fn sum_up(progress: Arc<Progress>) -> Arc<OnProgress> {
    let partitions: Mutex<HashMap<u16, (u64, u64)>> = Mutex::default();
    Arc::new(move |report| {
        let mut partitions = partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(report.partition.0, (report.done, report.total));
        let (done, total) = partitions.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        progress.set(done, total);
    })
}
