//! `/ui/audit`: when the log was verified last, and the head of each chain, as it was signed last.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stockledger_audit::Proofs;
use stockledger_schemas::{KeyScope, PartitionId};

use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::problem::Problem;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::frame::{Frame, Section, page};
use crate::http::ui::text::Number;
use crate::http::ui::verification::VerificationPart;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/audit", Access::AllSites(KeyScope::AuditRead), show)
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    ledger_id: String,
    verification: Option<VerificationPart>,
    signed: Result<Signed, String>,
}

/// What was signed, where this node can tell.
struct Signed {
    verifier_key: String,
    rows: Vec<CheckpointRow>,
}

struct CheckpointRow {
    partition: String,
    said: Said,
}

enum Said {
    Signed { size: Number, position: String, hash: String, note: String, proof: String },
    Missing(String),
}

async fn show(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    caller: Caller,
) -> Result<Response, Problem> {
    let verification = match app.verifications() {
        Ok(verifications) => Some(VerificationPart::of(&app, &caller, &verifications.standing().await)),
        Err(_) => None,
    };
    let signed = match app.proofs() {
        Ok(proofs) => Ok(signed(proofs).await),
        Err(problem) => Err(problem.document("", "").detail().to_owned()),
    };
    let (frame, ledger_id) = (Frame::new("Audit", Section::Audit), app.node().ledger_id.to_string());
    page(&Audit { frame, ledger_id, verification, signed })
}

async fn signed(proofs: &Proofs) -> Signed {
    let mut rows = Vec::new();
    for partition in (0..proofs.partitions()).map(PartitionId) {
        let said = match proofs.checkpoint(partition).await {
            Ok(signed) => {
                let checkpoint = signed.checkpoint();
                let position = checkpoint.position().to_string();
                Said::Signed {
                    size: Number::of(checkpoint.size),
                    hash: checkpoint.chain_hash.to_string(),
                    note: format!("/v1/audit/checkpoint?partition={partition}"),
                    proof: format!("/v1/audit/proof?position={position}"),
                    position,
                }
            }
            Err(error) => Said::Missing(error.to_string()),
        };
        rows.push(CheckpointRow { partition: partition.to_string(), said });
    }
    Signed { verifier_key: proofs.verifier().map_or_else(String::new, ToString::to_string), rows }
}
