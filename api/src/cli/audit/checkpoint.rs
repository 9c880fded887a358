//! `audit checkpoint`: what was signed last.

use serde_json::Value;

use super::with_proofs;
use crate::cli::output::{self, Format, cell};
use crate::cli::source::Server;
use crate::cli::{Context, Exit, Failure};

/// Which checkpoints.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger audit checkpoint
  stockledger audit checkpoint --partition 0 > visited-on-monday.note")]
pub(crate) struct Args {
    /// Print the signed note of this partition as it is
    #[arg(long, value_name = "N")]
    partition: Option<u16>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let all =
        with_proofs(&args.server, context, async |source| source.get("/v1/audit/checkpoint").await).await?;
    let checkpoints = all.get("checkpoints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(partition) = args.partition else { return list(context, &all, checkpoints) };
    let is_it = |checkpoint: &&Value| checkpoint.get("partition") == Some(&Value::from(partition));
    let checkpoint = checkpoints.iter().find(is_it).ok_or_else(|| {
        Failure::text(
            Exit::Failed,
            format!("there is no partition {partition}: there are {}", checkpoints.len()),
        )
    })?;
    let Some(note) = checkpoint.get("note").and_then(Value::as_str) else {
        return Err(unavailable(checkpoint));
    };
    match context.format() {
        Format::Json => Ok(output::json(checkpoint)?),
        Format::Table => Ok(output::text(note)?),
    }
}

fn list(context: &Context, all: &Value, checkpoints: &[Value]) -> Result<(), Failure> {
    if context.format() == Format::Json {
        return Ok(output::json(all)?);
    }
    let mut columns = vec!["partition", "size", "chain_hash"];
    if checkpoints.iter().any(|checkpoint| checkpoint.get("detail").is_some()) {
        columns.push("detail");
    }
    let row = |checkpoint: &Value| columns.iter().map(|column| cell(checkpoint.get(column))).collect();
    let rows: Vec<Vec<String>> = checkpoints.iter().map(row).collect();
    output::table(&columns, &rows)?;
    output::say(
        "Print the signed note of a partition with --partition, and keep it where nobody here can change it.",
    );
    Ok(())
}

fn unavailable(checkpoint: &Value) -> Failure {
    let is_contradiction = checkpoint.get("code").and_then(Value::as_str) == Some("audit-inconsistent");
    let exit = if is_contradiction { Exit::VerificationFailed } else { Exit::NotReady };
    Failure::text(exit, cell(checkpoint.get("detail")))
}
