//! `export`: the log as an archive that can be checked and restored, or as a readable twin.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use stockledger_audit::archive::{self, Exported, twin};
use stockledger_log::Log;
use stockledger_schemas::PartitionId;
use tokio_util::sync::CancellationToken;

use super::output::{self, Format, Progress};
use super::verify::{halted, sum_up};
use super::{Context, Exit, Failure};
use crate::storage::{self, Access};
use crate::text::thousands;

/// The form of a readable twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A line of JSON for each record.
    Json,
    /// A row for each order line, movement or step.
    Csv,
}

/// Where to, and what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger export --to /backup/ledger
  stockledger export --to ./readable --as csv

A second export into the same directory adds what is new; one that was interrupted goes on. Keep a copy of manifest.json \
apart from log and archive: it vouches for both (`stockledger verify --manifest FILE`). The form of a readable twin is named \
with --as, since --format says how this command prints what it did.")]
pub(super) struct Args {
    /// The directory of the archive; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Write a readable twin instead, which cannot be restored
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Export this partition only; may be given more than once
    #[arg(long, value_name = "N")]
    partition: Vec<u16>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let log = storage::open_log(&context.settings, Access::Read).await?;
    if let Some(wrong) = args.partition.iter().find(|partition| **partition >= log.partitions()) {
        let why = format!("partition {wrong} does not exist: the log has {}", log.partitions());
        return Err(Failure::text(Exit::Usage, why));
    }
    let partitions: Vec<PartitionId> = args.partition.iter().copied().map(PartitionId).collect();
    let partitions = (!partitions.is_empty()).then_some(partitions);
    match args.form {
        None => export(&args, partitions, log, context).await,
        Some(form) => write_twin(&args, form, partitions, log, context).await,
    }
}

async fn export(
    args: &Args,
    partitions: Option<Vec<PartitionId>>,
    log: Arc<dyn Log>,
    context: &Context,
) -> Result<(), Failure> {
    let progress = Arc::new(Progress::new("export", "records"));
    let options =
        archive::Options { partitions, on_progress: sum_up(progress.clone()), ..archive::Options::default() };
    let exported = archive::export(log.clone(), &args.to, &options).await;
    progress.done();
    log.close().await;
    let exported = exported?;
    match context.format() {
        Format::Json => output::json(&exported)?,
        Format::Table => print(args, &exported)?,
    }
    halted(exported.partitions.iter().filter_map(|partition| partition.halt.as_ref()))
}

fn print(args: &Args, exported: &Exported) -> std::io::Result<()> {
    let row = |one: &archive::ExportedPartition| {
        vec![
            one.partition.to_string(),
            thousands(one.new_records),
            thousands(one.new_segments),
            thousands(one.head.next_offset),
            format!("{}.{}", one.partition, one.head.seq),
            one.head.hash.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = exported.partitions.iter().map(row).collect();
    let heading = ["partition", "new records", "new segments", "records", "head", "chain hash"];
    output::table(&heading, &rows)?;
    output::line(format_args!("Ledger {} is in {}.", exported.ledger_id, args.to.display()))
}

async fn write_twin(
    args: &Args,
    form: Form,
    partitions: Option<Vec<PartitionId>>,
    log: Arc<dyn Log>,
    context: &Context,
) -> Result<(), Failure> {
    let form = match form {
        Form::Json => twin::Form::Json,
        Form::Csv => twin::Form::Csv,
    };
    let progress = Arc::new(Progress::new("export", "records"));
    let on_progress = sum_up(progress.clone());
    let options = twin::Options { form, partitions, on_progress, cancel: CancellationToken::new() };
    let written = twin::write(log.clone(), &args.to, &options).await;
    progress.done();
    log.close().await;
    let written = written?;
    match context.format() {
        Format::Json => output::json(&json!({ "files": written }))?,
        Format::Table => {
            let row = |one: &twin::Written| {
                vec![one.partition.to_string(), thousands(one.lines), one.file.display().to_string()]
            };
            output::table(&["partition", "lines", "file"], &written.iter().map(row).collect::<Vec<_>>())?;
        }
    }
    halted(written.iter().filter_map(|one| one.halt.as_ref()))
}
