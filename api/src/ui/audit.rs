//! `/ui/audit`: the head of each chain, as it was signed last.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use stockledger_schemas::{KeyScope, PartitionId};

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::problem::Problem;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::frame::{Frame, Section, page};
use crate::http::ui::text::Number;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/audit", Access::AllSites(KeyScope::AuditRead), show)
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    ledger_id: String,
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
) -> Result<Response, Problem> {
    let proofs = app.proofs()?;
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
    page(&Audit {
        frame: Frame::new("Audit", Section::Audit),
        ledger_id: proofs.ledger_id().to_string(),
        verifier_key: proofs.verifier().map_or_else(String::new, ToString::to_string),
        rows,
    })
}
