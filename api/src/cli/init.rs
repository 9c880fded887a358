//! `init`: makes a ledger, or checks the one that is there.

use serde_json::json;
use stockledger_writer::genesis::Identity;

use super::output::{self, Format};
use super::{Context, Exit, Failure};
use crate::{data_dir, node};

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = &context.settings;
    let _lock = data_dir::lock(&settings.directories()).map_err(node::Error::from)?;
    let identity = node::initialise(settings).await?;
    report(context, identity).map_err(|error| Failure::new(Exit::Failed, error))
}

fn report(context: &Context, identity: Identity) -> std::io::Result<()> {
    let Identity { ledger_id, partitions } = identity;
    let (log, projections) = (&context.settings.log.value, &context.settings.projections.value);
    match context.format {
        Format::Json => output::json(&json!({
            "ledger_id": ledger_id,
            "partitions": partitions,
            "log": log.to_string(),
            "projections": projections.to_string(),
        })),
        Format::Table => output::line(format_args!(
            "Ledger {ledger_id} of {partitions} partitions is ready.\nlog          {log}\nread tables  {projections}"
        )),
    }
}
