//! `audit check`: a proof, believed or not, with the public key and nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use stockledger_audit::{Checkpoint, ConsistencyProof, InclusionProof, SignedCheckpoint, VerifierKey, note};

use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};

/// Longest proof: a record of 1 MiB in base64, and what belongs to it.
const PROOF_BYTES_MAX: u64 = 4 << 20;
const KEYS_BYTES_MAX: u64 = 1 << 20;

/// What to check, and with what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger audit check --key audit.pub proof.json
  stockledger audit check --key audit.pub --since visited-on-monday.note since.json

Take the key from the people who run the ledger, not from the server that is to be checked. Several keys may be given, as \
several files or lines of one: those of before a rotation still check what they signed. Exit code 3: not believed.")]
pub(crate) struct Args {
    /// File with public keys, one a line
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// The signed note of an earlier visit, for a proof of consistency
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// The proof, or - for standard input
    proof: PathBuf,
}

/// What tells the two kinds of proof apart.
#[derive(Debug, Deserialize)]
struct Members {
    consistency: Option<IgnoredAny>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Failure> {
    let keys = read_keys(&args.keys)?;
    let document = read(&args.proof, PROOF_BYTES_MAX)?;
    let is_consistency = parse::<Members>(&document)?.consistency.is_some();
    match &args.since {
        None if is_consistency => Err(Failure::text(
            Exit::Usage,
            "a proof of consistency needs the note of the earlier visit: --since FILE",
        )),
        None => included(&parse(&document)?, &keys, context),
        Some(_) if !is_consistency => Err(Failure::text(
            Exit::Usage,
            "--since goes with a proof of consistency; this is a proof that a decision is included",
        )),
        Some(path) => {
            let since = read_checkpoint(path, &keys)?;
            consistent(&parse(&document)?, &since, &keys, context)
        }
    }
}

/// The public keys in some files, one a line.
pub(in crate::cli) fn read_keys(paths: &[PathBuf]) -> Result<Vec<VerifierKey>, Failure> {
    let mut keys = Vec::new();
    for path in paths {
        let text = read(path, KEYS_BYTES_MAX)?;
        let in_file = VerifierKey::parse_all(&text)
            .map_err(|error| Failure::text(Exit::Failed, format!("{}: {error}", path.display())))?;
        keys.extend(in_file);
    }
    Ok(keys)
}

/// The checkpoint in the signed note that a file holds, if one of the keys signed it.
pub(in crate::cli) fn read_checkpoint(
    path: &Path,
    keys: &[VerifierKey],
) -> Result<SignedCheckpoint, Failure> {
    let note = read(path, note::NOTE_BYTES_MAX as u64)?;
    SignedCheckpoint::open(&note, keys).map_err(not_believed)
}

fn included(proof: &InclusionProof, keys: &[VerifierKey], context: &Context) -> Result<(), Failure> {
    let included = proof.check(keys).map_err(not_believed)?;
    let checkpoint = included.signed.checkpoint();
    if context.format() == Format::Json {
        return Ok(output::json(&json!({
            "included": true,
            "position": proof.position,
            "chain_hash": proof.chain_hash,
            "checkpoint": shown(checkpoint),
            "decision": included.decision,
        }))?);
    }
    output::line(format_args!("Decision {} is in the ledger, as the checkpoint says.", proof.position))?;
    print_checkpoint("checkpoint", checkpoint)?;
    output::line(format_args!("chain hash  {}", proof.chain_hash))?;
    Ok(output::json(&included.decision)?)
}

fn consistent(
    proof: &ConsistencyProof,
    since: &SignedCheckpoint,
    keys: &[VerifierKey],
    context: &Context,
) -> Result<(), Failure> {
    let until = proof.check(since.checkpoint(), keys).map_err(not_believed)?;
    let (since, until) = (since.checkpoint(), until.checkpoint());
    if context.format() == Format::Json {
        return Ok(output::json(
            &json!({ "consistent": true, "since": shown(since), "until": shown(until) }),
        )?);
    }
    output::line(format_args!(
        "Nothing of the first {} decisions was changed or taken away; {} came since.",
        since.size,
        until.size - since.size
    ))?;
    print_checkpoint("since", since)?;
    print_checkpoint("until", until)
}

fn print_checkpoint(what: &str, checkpoint: &Checkpoint) -> Result<(), Failure> {
    Ok(output::line(format_args!("{what:<11} {} of {} decisions", checkpoint.origin(), checkpoint.size))?)
}

fn shown(checkpoint: &Checkpoint) -> serde_json::Value {
    json!({
        "ledger_id": checkpoint.ledger_id,
        "partition": checkpoint.partition,
        "size": checkpoint.size,
        "root": checkpoint.root,
        "chain_hash": checkpoint.chain_hash,
    })
}

fn parse<T: for<'de> Deserialize<'de>>(document: &str) -> Result<T, Failure> {
    serde_json::from_str(document)
        .map_err(|error| Failure::text(Exit::VerificationFailed, format!("this is not a proof: {error}")))
}

fn not_believed(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Exit::VerificationFailed, anyhow::Error::new(error).context("not believed"))
}

fn read(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let named = |error: io::Error| {
        Failure::new(Exit::Failed, anyhow::Error::new(error).context(path.display().to_string()))
    };
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(named)?)
    };
    let mut bytes = Vec::new();
    input.take(bytes_max + 1).read_to_end(&mut bytes).map_err(named)?;
    if bytes.len() as u64 > bytes_max {
        let text = format!("{} is longer than {bytes_max} bytes", path.display());
        return Err(Failure::text(Exit::VerificationFailed, text));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::text(Exit::VerificationFailed, format!("{} is not text", path.display())))
}
