//! `init`: makes a ledger and the key that signs its checkpoints, or checks those that are there.

use serde_json::json;
use stockledger_audit::VerifierKey;
use stockledger_writer::genesis::Identity;

use super::output::{self, Format};
use super::{Context, Exit, Failure};
use crate::{data_dir, node};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = &context.settings;
    let _lock = data_dir::lock(&settings.directories()).map_err(node::Error::from)?;
    let (identity, key) = node::initialise(settings).await?;
    report(context, identity, &key).map_err(|error| Failure::new(Exit::Failed, error))
}

fn report(context: &Context, identity: Identity, key: &VerifierKey) -> std::io::Result<()> {
    let Identity { ledger_id, partitions } = identity;
    let (log, projections) = (&context.settings.log.value, &context.settings.projections.value);
    let audit_key = context.settings.audit_key.value.display();
    match context.format() {
        Format::Json => output::json(&json!({
            "ledger_id": ledger_id,
            "partitions": partitions,
            "log": log.to_string(),
            "projections": projections.to_string(),
            "audit_key": audit_key.to_string(),
            "verifier_key": key.to_string(),
        })),
        Format::Table => output::line(format_args!(
            "Ledger {ledger_id} of {partitions} partitions is ready.\n\
             log           {log}\n\
             read tables   {projections}\n\
             audit key     {audit_key}\n\
             verifier key  {key}"
        )),
    }
}
