//! `projections`: the versions of the read tables, and which of them queries answer from.

use serde_json::{Value, json};
use stockledger_projections::Version;
use stockledger_projections::rebuild::Replay;
use stockledger_projections::switch::{self, IfDifferent, Target};

use super::output::{self, Format, Rows, cell};
use super::rebuild::{print_switch, version_failure};
use super::show::{members, print_rows};
use super::source::{Server, with_source};
use super::{Context, Exit, Failure};
use crate::client::{Client, Headers};
use crate::data_dir;
use crate::node;
use crate::storage::{self, Access};
use crate::text::thousands;

/// Versions of the read tables.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Projections {
    /// List the versions: where they stand, how far behind they are, what their rows add up to
    #[command(after_help = "Example: stockledger projections list --server http://127.0.0.1:7070")]
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Let queries answer from another version
    #[command(
        after_help = "Examples:\n  stockledger projections switch 3\n  stockledger projections switch --back"
    )]
    Switch {
        /// The version to switch to
        #[arg(value_name = "VERSION", required_unless_present = "back")]
        to: Option<u32>,
        /// Switch back to the version that was in use before
        #[arg(long, conflicts_with = "to")]
        back: bool,
        /// Switch although the rows of the two do not add up to the same: the version in use is the wrong one
        #[arg(long)]
        accept_difference: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Remove a version that is not in use
    #[command(after_help = "Example: stockledger projections drop 2")]
    Drop {
        /// The version to remove
        #[arg(value_name = "VERSION")]
        number: u32,
        #[command(flatten)]
        server: Server,
    },
}

pub(super) async fn run(command: Projections, context: &Context) -> Result<(), Failure> {
    match command {
        Projections::List { server } => list(&server, context).await,
        Projections::Switch { to, back: _, accept_difference, server } => {
            let target = to.map_or(Target::Back, |version| Target::Version(Version(version)));
            let switched = match server.client(context)? {
                Some(client) => switch_remote(&client, to, accept_difference).await?,
                None => switch_local(target, accept_difference, context).await?,
            };
            match context.format() {
                Format::Json => Ok(output::json(&switched)?),
                Format::Table => print_switch(&switched),
            }
        }
        Projections::Drop { number, server } => {
            match server.client(context)? {
                Some(client) => drop_remote(&client, number).await?,
                None => drop_local(Version(number), context).await?,
            }
            match context.format() {
                Format::Json => Ok(output::json(&json!({ "dropped": number }))?),
                Format::Table => Ok(output::line(format_args!("Version {number} is removed."))?),
            }
        }
    }
}

async fn list(server: &Server, context: &Context) -> Result<(), Failure> {
    let seen = with_source(server, context, async |source| source.get("/v1/projections").await).await?;
    let versions = members(&seen, "versions");
    let heading =
        ["version", "state", "decisions", "behind", "behind s", "filled", "per second", "left s", "digest"];
    print_rows(context, &seen, versions, &heading, row)?;
    if context.rows != Rows::Table {
        return Ok(());
    }
    for version in versions {
        for (position, reason) in halts(version) {
            let number = cell(version.get("version"));
            output::line(format_args!("version {number} goes no further than {position}: {reason}"))?;
        }
    }
    Ok(())
}

fn row(version: &Value) -> Vec<String> {
    let member = |name: &str| cell(version.get(name));
    let filling = |name: &str| version.get("filling").and_then(|filling| filling.get(name)?.as_u64());
    let decisions: u64 = partitions(version)
        .iter()
        .filter_map(|partition| partition.get("position")?.as_str()?.split_once('.')?.1.parse::<u64>().ok())
        .sum();
    let filled = filling("records_done").zip(filling("records_total")).map(|(done, total)| {
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        format!("{percent} %")
    });
    let state = match (version.get("is_our_code"), member("state")) {
        (Some(Value::Bool(false)), state) => format!("{state}, of other code"),
        (_, state) => state,
    };
    vec![
        member("version"),
        state,
        thousands(decisions),
        version.get("lag_records").and_then(Value::as_u64).map(thousands).unwrap_or_default(),
        member("lag_seconds"),
        filled.unwrap_or_default(),
        filling("records_per_second").map(thousands).unwrap_or_default(),
        member("seconds_left"),
        member("digest"),
    ]
}

fn partitions(version: &Value) -> &[Value] {
    version.get("partitions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn halts(version: &Value) -> Vec<(String, String)> {
    let halt = |partition: &Value| {
        let reason = partition.get("halt_reason")?.as_str()?.to_owned();
        Some((cell(partition.get("position")), reason))
    };
    partitions(version).iter().filter_map(halt).collect()
}

async fn switch_remote(
    client: &Client,
    version: Option<u32>,
    accept_difference: bool,
) -> Result<Value, Failure> {
    let wanted = match version {
        Some(version) => json!({ "version": version, "accept_difference": accept_difference }),
        None => json!({ "back": true, "accept_difference": accept_difference }),
    };
    Ok(client.post_json("/v1/projections/switch", Headers::new(), &wanted).await?)
}

async fn switch_local(target: Target, accept_difference: bool, context: &Context) -> Result<Value, Failure> {
    let _lock = data_dir::lock(&context.settings.directories()).map_err(node::Error::from)?;
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let store = storage::open_store(&context.settings, Access::Write).await?;
    let if_different = if accept_difference { IfDifferent::Accept } else { IfDifferent::Refuse };
    let switched = switch::switch(&Replay::new(log, store.clone()), target, if_different).await;
    store.close().await;
    let switched = switched.map_err(version_failure)?;
    serde_json::to_value(&switched).map_err(|error| Failure::new(Exit::Failed, error))
}

async fn drop_remote(client: &Client, version: u32) -> Result<(), Failure> {
    let _: Value = client.delete_json(&format!("/v1/projections/{version}")).await?;
    Ok(())
}

async fn drop_local(version: Version, context: &Context) -> Result<(), Failure> {
    let _lock = data_dir::lock(&context.settings.directories()).map_err(node::Error::from)?;
    let store = storage::open_store(&context.settings, Access::Write).await?;
    let dropped = switch::drop_version(&*store, version).await;
    store.close().await;
    dropped.map_err(version_failure)
}
