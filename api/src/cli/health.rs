//! `health`: whether a server is ready, as an exit code. For containers, which then need no curl.

use serde_json::Value;

use super::output::{self, Format};
use super::source::Server;
use super::{Context, Failure};
use crate::client::Client;
use crate::tls::Trust;

pub(super) async fn run(server: Server, context: &Context) -> Result<(), Failure> {
    let client = match server.client(context)? {
        Some(client) => client,
        None => server.with_key(beside(context)?)?,
    };
    let body: Value = client.get_json("/readyz").await?;
    match context.format {
        Format::Json => Ok(output::json(&body)?),
        Format::Table => Ok(output::line("ready")?),
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
