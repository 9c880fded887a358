//! `/v1/audit`: what was signed, and proofs of it that are checked without this server (`docs/audit.md`).

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use stockledger_audit::{Proofs, SignedCheckpoint};
use stockledger_schemas::{Hash, KeyScope, LedgerId, PartitionId, Position};

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::headers::set_position;
use crate::http::problem::{Code, Problem};
use crate::http::read::respond;
use crate::http::segments::{NoParameters, Parameters};

/// A proof has the record that it proves, of whatever site.
pub(super) fn routes() -> Routes {
    let access = Access::AllSites(KeyScope::AuditRead);
    Routes::new()
        .get("/v1/audit/checkpoint", access, checkpoint)
        .get("/v1/audit/proof", access, proof)
        .get("/v1/audit/consistency", access, consistency)
        .get("/v1/audit/key", access, key)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointParameters {
    partition: Option<PartitionId>,
}

/// The last checkpoints of all partitions.
#[derive(Debug, Serialize)]
struct Checkpoints {
    ledger_id: LedgerId,
    verifier_key: Option<String>,
    checkpoints: Vec<CheckpointOfPartition>,
}

/// The last checkpoint of one partition, or why there is none.
#[derive(Debug, Serialize)]
struct CheckpointOfPartition {
    partition: PartitionId,
    #[serde(flatten)]
    said: Said,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said {
    Signed { size: u64, position: Position, chain_hash: Hash, note: String },
    Unavailable { code: &'static str, detail: String },
}

/// The signed note of one partition as it is; of all partitions, a list of them.
async fn checkpoint(
    State(app): State<App>,
    Parameters(CheckpointParameters { partition }): Parameters<CheckpointParameters>,
) -> Result<Response, Problem> {
    let proofs = app.proofs()?;
    let Some(partition) = partition else { return respond(None, &all_checkpoints(proofs).await) };
    let signed = proofs.checkpoint(partition).await?;
    let mut response = text(signed.note().to_owned());
    set_position(response.headers_mut(), signed.checkpoint().position());
    Ok(response)
}

async fn all_checkpoints(proofs: &Proofs) -> Checkpoints {
    let mut checkpoints = Vec::new();
    for partition in (0..proofs.partitions()).map(PartitionId) {
        let said = match proofs.checkpoint(partition).await {
            Ok(signed) => signed_in_full(&signed),
            Err(error) => {
                let detail = error.to_string();
                Said::Unavailable { code: Problem::from(error).code().as_str(), detail }
            }
        };
        checkpoints.push(CheckpointOfPartition { partition, said });
    }
    let verifier_key = proofs.verifier().map(ToString::to_string);
    Checkpoints { ledger_id: proofs.ledger_id(), verifier_key, checkpoints }
}

fn signed_in_full(signed: &SignedCheckpoint) -> Said {
    let checkpoint = signed.checkpoint();
    Said::Signed {
        size: checkpoint.size,
        position: checkpoint.position(),
        chain_hash: checkpoint.chain_hash,
        note: signed.note().to_owned(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofParameters {
    position: Position,
}

async fn proof(
    State(app): State<App>,
    Parameters(ProofParameters { position }): Parameters<ProofParameters>,
) -> Result<Response, Problem> {
    let proof = app.proofs()?.inclusion(position).await?;
    respond(Some(position), &proof)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsistencyParameters {
    from: Position,
    to: Option<Position>,
}

async fn consistency(
    State(app): State<App>,
    Parameters(ConsistencyParameters { from, to }): Parameters<ConsistencyParameters>,
) -> Result<Response, Problem> {
    let proof = app.proofs()?.consistency(from, to).await?;
    respond(Some(proof.to), &proof)
}

/// The key that checks, in the line that it has in `audit.pub`. Whoever checks takes it from somewhere safer than from the
/// server that is to be checked.
async fn key(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    let unknown = || {
        let detail = "the file with the public key, which lies beside the audit key, is not on this node";
        Problem::new(Code::AuditUnavailable, detail)
    };
    let key = app.proofs()?.verifier().ok_or_else(unknown)?;
    Ok(text(format!("{key}\n")))
}

fn text(body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
