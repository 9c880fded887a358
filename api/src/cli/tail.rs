//! `tail`: the decisions of the log, as every reader of it admits them.

use std::time::Duration;

use serde_json::json;
use stockledger_chain::{Admission, State, Verdict, admit};
use stockledger_log::StoredRecord;
use stockledger_schemas::{Decision, Event, PartitionId, Position, Scope};

use super::output::{self, Format};
use super::{Context, Exit, Failure};
use crate::storage::{self, Access};

const READ_RECORDS: usize = 512;
/// How long a read waits before it looks whether there is more; following goes on after it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Which decisions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger tail --limit 10
  stockledger tail --from 0.17 --format json
  stockledger tail --partition 3 --follow")]
pub(super) struct Args {
    /// Begin with this decision, and read its partition only
    #[arg(long, value_name = "POSITION")]
    from: Option<Position>,
    /// Read this partition only
    #[arg(long, value_name = "N", conflicts_with = "from")]
    partition: Option<u16>,
    /// Print the decisions of this site only
    #[arg(long)]
    site: Option<String>,
    /// Stop after so many decisions
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on with what comes; needs one partition
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let only = args.from.map(|from| from.partition.0).or(args.partition);
    if args.follow && only.is_none() {
        return Err(Failure::text(
            Exit::Usage,
            "--follow needs one partition: name it with --partition or --from",
        ));
    }
    let partitions = only.map_or(0..log.partitions(), |partition| partition..partition.saturating_add(1));
    let mut printed = 0;
    for partition in partitions {
        let mut reader = log.reader(partition, 0).await.map_err(|error| Failure::new(Exit::Failed, error))?;
        let end = log.bounds(partition).await.map_err(|error| Failure::new(Exit::Failed, error))?.end;
        let mut state: Option<State> = None;
        while args.follow || state.is_none_or(|state| state.next_offset < end) {
            let records = reader
                .next(READ_RECORDS, PATIENCE)
                .await
                .map_err(|error| Failure::new(Exit::Failed, error))?;
            if records.is_empty() && !args.follow {
                break;
            }
            for record in records {
                let decision = read(&mut state, PartitionId(partition), &record)?;
                let Some(decision) = decision.filter(|decision| is_wanted(decision, &args)) else { continue };
                let position = Position::new(PartitionId(partition), decision.seq);
                print(context.format, position, &record, state.as_ref(), &decision)?;
                printed += 1;
                if args.limit.is_some_and(|limit| printed >= limit) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Admits a record; the decision, if it is one that counts.
fn read(
    state: &mut Option<State>,
    partition: PartitionId,
    record: &StoredRecord,
) -> Result<Option<Decision>, Failure> {
    let stopped = |halt: stockledger_chain::Halt| Failure::new(Exit::VerificationFailed, halt);
    let Some(known) = state else {
        *state = Some(State::begin(&record.value, partition).map_err(stopped)?);
        return Ok(None);
    };
    let Admission { next, verdict } = admit(known, record.offset, &record.value).map_err(stopped)?;
    *state = Some(next);
    Ok(match verdict {
        Verdict::Decision(decision) => Some(*decision),
        Verdict::Claim(_) | Verdict::Void(_) => None,
    })
}

fn is_wanted(decision: &Decision, args: &Args) -> bool {
    let is_late_enough = args.from.is_none_or(|from| decision.seq >= from.seq);
    let is_at_site = args
        .site
        .as_ref()
        .is_none_or(|wanted| matches!(&decision.scope, Scope::Site(site) if site.as_str() == wanted));
    is_late_enough && is_at_site
}

fn print(
    format: Format,
    position: Position,
    record: &StoredRecord,
    state: Option<&State>,
    decision: &Decision,
) -> Result<(), Failure> {
    if format == Format::Json {
        let hash = state.map(|state| state.hash.to_string());
        let line =
            json!({ "position": position, "offset": record.offset, "hash": hash, "decision": decision });
        return Ok(output::line(line)?);
    }
    let scope = match &decision.scope {
        Scope::Directory => "directory",
        Scope::Site(site) => site.as_str(),
    };
    let events: Vec<&str> = decision.events.iter().map(Event::type_name).collect();
    let actor = &decision.context.actor;
    Ok(output::line(format_args!(
        "{position:<12} {}  {scope:<16} {:<18} {actor}",
        decision.recorded_at,
        events.join("+")
    ))?)
}
