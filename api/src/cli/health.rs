//! `health`: whether a server is ready, as an exit code. For containers, which then need no curl.

use serde_json::Value;

use super::output::{self, Format};
use super::read::Server;
use super::{Context, Exit, Failure};
use crate::client;
use crate::http::Code;

pub(super) async fn run(server: Server, context: &Context) -> Result<(), Failure> {
    let here = format!("http://{}", context.settings.listen.value);
    let client = server.client_of(server.server.as_deref().unwrap_or(&here))?;
    let body: Value = client.get_json("/readyz").await.map_err(client_failure)?;
    match context.format {
        Format::Json => Ok(output::json(&body)?),
        Format::Table => Ok(output::line("ready")?),
    }
}

/// What talking to a server came to, as an exit code.
pub(super) fn client_failure(error: client::Error) -> Failure {
    let exit = match error.code().and_then(Code::from_name) {
        Some(Code::AuditInconsistent) => Exit::VerificationFailed,
        Some(Code::AuditUnavailable) => Exit::NotReady,
        Some(Code::KeyExists | Code::UnknownKey | Code::FirstKeyNotAdmin) => Exit::Refused,
        Some(Code::ValidationFailed) => Exit::Usage,
        _ if error.is_unreachable() => Exit::NotReady,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}
