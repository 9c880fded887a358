//! `restore`: an archive into an empty log of either kind, whole or as of a time.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use stockledger_audit::archive::{self, ArchiveLog, Restored};
use stockledger_audit::verify::{Options, Until};
use stockledger_schemas::{Position, Timestamp};
use tokio_util::sync::CancellationToken;

use super::output::{self, Format, Progress};
use super::verify::{partitions_table, sum_up};
use super::{Context, Failure};
use crate::storage;
use crate::text::thousands;
use crate::{data_dir, node};

/// From where, and how much of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger restore --from /backup/ledger --data-dir ./restored
  stockledger restore --from /backup/ledger --log kafka://localhost:9092/ledger
  stockledger restore --from /backup/ledger --until 2026-01-31T23:59:59Z

The archive is verified before anything is written. Records keep their offsets, so positions and hashes stay what they were; \
the log that is restored into must be empty, or hold the beginning of the same archive, which an interrupted restore leaves. \
Do not serve it before this command has said that it is done. Read tables are made from the log by `stockledger serve`; give \
them an empty place too.")]
pub(super) struct Args {
    /// The directory of the archive
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Restore the decisions that were recorded up to this instant, in every partition
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,
    /// Restore the decisions of a partition up to this one, and other partitions whole; may be given more than once
    #[arg(long, value_name = "POSITION", conflicts_with = "until")]
    until_position: Vec<Position>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let archive = ArchiveLog::open(&args.from)?;
    let until = match (args.until, args.until_position) {
        (Some(instant), _) => Until::Instant(instant),
        (None, positions) if positions.is_empty() => Until::End,
        (None, positions) => Until::Positions(positions),
    };
    let progress = Arc::new(Progress::new("verify", "records"));
    let options = Options { on_progress: sum_up(progress.clone()), ..Options::default() };
    let plan = archive::plan(archive, &until, &options).await;
    progress.done();
    let plan = plan?;

    let mut settings = context.settings.clone();
    settings.partitions.value = plan.partitions();
    let _lock = data_dir::lock(&settings.directories()).map_err(node::Error::from)?;
    let log = storage::create_log(&settings).await?;
    let progress = Arc::new(Progress::new("restore", "records"));
    let restored =
        archive::restore(&plan, log.clone(), sum_up(progress.clone()), CancellationToken::new()).await;
    progress.done();
    log.close().await;
    print(context, &restored?)
}

fn print(context: &Context, restored: &Restored) -> Result<(), Failure> {
    let address = context.settings.log.value.to_string();
    if context.format() == Format::Json {
        return Ok(output::json(&json!({
            "ledger_id": restored.ledger_id,
            "log": address,
            "new_records": restored.new_records,
            "partitions": restored.report.partitions,
            "total": restored.report.total(),
        }))?);
    }
    partitions_table(&restored.report)?;
    Ok(output::line(format_args!(
        "\nRestored ledger {} into {address}: {} records written, all verified.",
        restored.ledger_id,
        thousands(restored.new_records),
    ))?)
}
