//! `audit proof` and `audit consistency`: documents that others can check without asking us.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stockledger_schemas::Position;

use super::with_proofs;
use crate::cli::output;
use crate::cli::source::Server;
use crate::cli::{Context, Failure};

/// Which decision.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger audit proof 0.17 --out proof.json
  stockledger audit check --key stockledger-data/audit.pub proof.json")]
pub(crate) struct InclusionArgs {
    /// The position of the decision, as every answer gives it
    position: Position,
    /// Write the proof into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// Between which positions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger audit consistency 0.17 --out since.json
  stockledger audit check --key stockledger-data/audit.pub --since visited-on-monday.note since.json

The first position is that of a checkpoint that was kept: its partition and, as seq, its size.")]
pub(crate) struct ConsistencyArgs {
    /// Where the earlier tree ends
    from: Position,
    /// Where the later tree ends [default: at the last checkpoint, which then goes with the proof]
    to: Option<Position>,
    /// Write the proof into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn inclusion(args: InclusionArgs, context: &Context) -> Result<(), Failure> {
    let path = format!("/v1/audit/proof?position={}", args.position);
    let proof = with_proofs(&args.server, context, async |source| source.get(&path).await).await?;
    hand_out(&proof, args.out.as_deref())
}

pub(super) async fn consistency(args: ConsistencyArgs, context: &Context) -> Result<(), Failure> {
    let to = args.to.map(|to| format!("&to={to}")).unwrap_or_default();
    let path = format!("/v1/audit/consistency?from={}{to}", args.from);
    let proof = with_proofs(&args.server, context, async |source| source.get(&path).await).await?;
    hand_out(&proof, args.out.as_deref())
}

/// A proof is JSON whatever the format: it is made to be checked.
fn hand_out(proof: &Value, out: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = out else { return Ok(output::json(proof)?) };
    let mut file = std::fs::File::create(path)?;
    serde_json::to_writer_pretty(&mut file, proof).map_err(std::io::Error::from)?;
    writeln!(file)?;
    output::say(format!("The proof is in {}.", path.display()));
    Ok(())
}
