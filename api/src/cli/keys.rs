//! `keys`: API keys, in the log that the settings name or by a server.
//!
//! The token is made here, and only its hash goes into the ledger; it is printed once, when the ledger has the key, and is
//! nowhere else.

use axum::http::Method;
use serde_json::{Value, json};
use stockledger_schemas::{Actor, IdempotencyKey, KeyId, KeyScope, SiteId, Timestamp};
use stockledger_writer::{Environment, SystemEnvironment};
use uuid::Uuid;

use super::output::{self, Format};
use super::show::{data, print_rows, row};
use super::source::{Command, Server, Source, decide};
use super::{Context, Exit, Failure};
use crate::config::Roles;
use crate::keys::{self, Listed, Token};
use crate::storage::{self, Access};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// API keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// Make a key and print its token, once
    #[command(after_help = "Examples:
  stockledger keys create --name boss --scope admin > boss.key
  stockledger keys create --name till-3 --scope stock:read,order:place --site uk --expires-in 90d \\
      --server http://127.0.0.1:7070 --api-key-file boss.key

From the first key on nobody comes in without one, so the first one must have the scope admin. No \
scope includes another; what each allows: docs/security.md. Without --server the key goes into the log itself, on which \
no server may run.")]
    Create(Create),
    /// List all keys that were ever made
    #[command(after_help = "Examples:
  stockledger keys list
  stockledger keys list --format csv > keys.csv")]
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Revoke a key: it opens nothing any more, on any node, within seconds
    #[command(after_help = "Example: stockledger keys revoke 3f9c0a11d2e4b567")]
    Revoke {
        /// The id of the key, which stands in its token between the underscores
        key_id: KeyId,
        #[command(flatten)]
        server: Server,
    },
}

/// The key to make.
#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// Who acts with it, in every event; several keys may have one name
    #[arg(long)]
    name: Actor,
    /// What it allows: stock:read, stock:write, order:place, order:manage, audit:read, admin
    #[arg(long, value_name = "SCOPE,..", value_delimiter = ',', required = true, value_parser = scope)]
    scope: Vec<KeyScope>,
    /// Where it allows it [default: at all sites]
    #[arg(long, value_name = "SITE,..", value_delimiter = ',')]
    site: Vec<SiteId>,
    /// For how long, such as 12h, 90d or 52w [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
    /// Until when, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,
    #[command(flatten)]
    server: Server,
}

fn scope(text: &str) -> Result<KeyScope, String> {
    let all = || KeyScope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
    KeyScope::from_word(text).ok_or_else(|| format!("the scopes are {}", all()))
}

/// A number with `s`, `m`, `h`, `d` or `w`, in seconds.
fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "a time is a number with s, m, h, d or w behind it, such as 90d".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some('w') => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if number == 0 { Err(wrong()) } else { Ok(i64::from(number) * unit) }
}

pub(super) async fn run(command: Keys, context: &Context) -> Result<(), Failure> {
    match command {
        Keys::Create(create) => run_create(create, context).await,
        Keys::List { server } => list(&server, context).await,
        Keys::Revoke { key_id, server } => revoke(&key_id, &server, context).await,
    }
}

async fn run_create(create: Create, context: &Context) -> Result<(), Failure> {
    let Create { name, scope, site, expires_in, expires_at, server } = create;
    let now = SystemEnvironment.now();
    let expires_at = match expires_in {
        None => expires_at,
        Some(seconds) => Some(later(now, seconds)?),
    };
    if let Some(past) = expires_at.filter(|expires_at| *expires_at <= now) {
        return Err(Failure::text(Exit::Usage, format!("the key would be of no use: {past} is over")));
    }
    let token = Token::generate().map_err(|error| Failure::new(Exit::Failed, error))?;
    let body = json!({
        "key_id": token.key_id(),
        "name": name,
        "secret_hash": token.hash(),
        "scopes": scope,
        "sites": (!site.is_empty()).then_some(site),
        "expires_at": expires_at,
    });
    let made = submit("/v1/keys", &body, &server, context).await?;
    print_created(&made, &token, context)
}

fn later(now: Timestamp, seconds: i64) -> Result<Timestamp, Failure> {
    let micros = now.micros().saturating_add(seconds.saturating_mul(MICROS_PER_SECOND));
    Timestamp::from_micros(micros).map_err(|error| Failure::new(Exit::Usage, error))
}

/// The token alone goes to stdout, so that a redirection makes the file that `--api-key-file` takes.
fn print_created(made: &Value, token: &Token, context: &Context) -> Result<(), Failure> {
    if context.format() == Format::Json {
        let mut made = made.clone();
        if let Some(members) = made.as_object_mut() {
            members.insert("token".to_owned(), token.reveal().into());
        }
        return Ok(output::json(&made)?);
    }
    output::line(token.reveal())?;
    output::say(format!(
        "Made key {} for {name}. Its token is shown this once; whoever has it acts as {name}.",
        token.key_id(),
        name = output::cell(made.get("name")),
    ));
    Ok(())
}

async fn revoke(key_id: &KeyId, server: &Server, context: &Context) -> Result<(), Failure> {
    let revoked = submit(&format!("/v1/keys/{key_id}/revocation"), &json!({}), server, context).await?;
    match context.format() {
        Format::Json => Ok(output::json(&revoked)?),
        Format::Table => Ok(output::line(format_args!(
            "Key {key_id} is revoked since {}.",
            output::cell(revoked.get("revoked_at"))
        ))?),
    }
}

/// Has a command decided by the server, or by a writer of this process where none is named.
async fn submit(path: &str, body: &Value, server: &Server, context: &Context) -> Result<Value, Failure> {
    let key = IdempotencyKey::new(format!("keys-{}", Uuid::new_v4()));
    let key = key.map_err(|error| Failure::new(Exit::Failed, error))?;
    let roles = Roles { writer: true, projector: false, api: false };
    let command = Command { method: Method::POST, path, key: Some(&key), body, is_dry_run: false };
    decide(server, context, roles, &command).await
}

async fn list(server: &Server, context: &Context) -> Result<(), Failure> {
    let list = match server.client(context)? {
        Some(client) => Source::Remote(client).list("/v1/keys", usize::MAX).await?,
        None => list_here(context).await?,
    };
    let columns = ["key_id", "name", "status", "scopes", "sites", "expires_at", "created_at", "created_by"];
    print_rows(context, &list, data(&list), &columns, |key| row(&readable(key), &columns))
}

/// The keys as the log has them now. It may be read while a server runs on it.
async fn list_here(context: &Context) -> Result<Value, Failure> {
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let known = keys::all(log.as_ref()).await;
    log.close().await;
    let (known, now) = (known?, SystemEnvironment.now());
    let data: Vec<Listed> = known.after(None).map(|key| Listed::new(key, now)).collect();
    Ok(json!({ "data": data, "has_more": false }))
}

/// Lists of words as one cell each; a key without a list of sites is for all of them.
fn readable(key: &Value) -> Value {
    let mut key = key.clone();
    for member in ["scopes", "sites"] {
        let words = match key.get(member) {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            _ => "all".to_owned(),
        };
        key[member] = words.into();
    }
    key
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_has_a_unit() {
        let cases = [("90s", 90), ("5m", 300), ("12h", 43_200), ("90d", 7_776_000), ("1w", 604_800)];
        for (text, expected) in cases {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "d", "90", "0d", "-1d", "1.5h", "9é", "99999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
