//! `health`: whether a server is ready, or has come up, as an exit code. For containers, which then need no curl.

use serde_json::Value;

use super::output::{self, Format};
use super::source::Server;
use super::{Context, Failure};
use crate::client::Client;
use crate::tls::Trust;

const EXAMPLES: &str = "Examples:
  stockledger health
  stockledger health --server http://127.0.0.1:7070 && echo ready
  stockledger health --started

With --started it is enough that the server answers and was ready once since its start. That is for whoever starts servers \
again that are not well: one that waits for its log or its database goes on by itself, and a start would not help.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Ask whether it was ready once since its start, not whether it is now
    #[arg(long)]
    started: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let Args { started, server } = args;
    let client = match server.client(context)? {
        Some(client) => client,
        None => server.with_key(beside(context)?)?,
    };
    let (path, word) = if started { ("/startupz", "started") } else { ("/readyz", "ready") };
    let body: Value = client.get_json(path).await?;
    match context.format() {
        Format::Json => Ok(output::json(&body)?),
        Format::Table => Ok(output::line(word)?),
    }
}

/// A client of the server that these settings start. It is asked by its address, which its certificate need not name: it
/// is known by the certificate itself.
fn beside(context: &Context) -> Result<Client, Failure> {
    let settings = &context.settings;
    let (scheme, trust) = match &settings.edge.tls_cert.value {
        Some(certificate) => ("https", Trust::Exactly(certificate.clone())),
        None => ("http", Trust::Nobody),
    };
    Ok(Client::trusting(&format!("{scheme}://{}", settings.listen.value), &trust)?)
}
