//! `import --from ndjson|csv`: commands of a file, sent to bulk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::cli::output::{self, Format, Progress};
use crate::cli::source::{Server, leading};
use crate::cli::{Context, Exit, Failure};
use crate::config::Roles;
use crate::http;
use crate::import::lines::{
    self, Door, Error, Form, Input, Options, Refusal, Report, Summary, TEMPLATES, Template,
};
use crate::node::Node;

/// What matters for commands alone.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of ndjson and csv")]
pub(super) struct Lines {
    /// Say what would come of each command by itself, as the ledger is now, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write what became of each command into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Send no command behind one that is refused; slower, because they go one by one
    #[arg(long)]
    stop_at_refusal: bool,
}

impl Lines {
    pub(super) const fn is_any_given(&self) -> bool {
        self.dry_run || self.report.is_some() || self.stop_at_refusal
    }
}

/// What --template takes.
pub(super) fn template_names() -> PossibleValuesParser {
    TEMPLATES.iter().map(|template| template.name).into()
}

pub(super) fn print_template(name: &str) -> Result<(), Failure> {
    let unknown = || Failure::text(Exit::Usage, format!("there is no template {name}"));
    let csv = Template::named(name).ok_or_else(unknown)?.csv();
    Ok(output::text(csv.map_err(anyhow::Error::from)?)?)
}

pub(super) async fn run(
    file: PathBuf,
    form: Form,
    args: Lines,
    server: &Server,
    context: &Context,
) -> Result<(), Failure> {
    let began = Instant::now();
    let report = Report::new(args.report.as_deref(), |refusal: &Refusal| {
        output::say(format!("line {}: {}", refusal.line, refusal.detail));
    });
    let report = report.map_err(failure)?;
    let opening = tokio::task::spawn_blocking(move || Input::open(&file, form));
    let input = opening.await.map_err(anyhow::Error::from)?.map_err(failure)?;
    let options = Options { dry_run: args.dry_run, stop_at_refusal: args.stop_at_refusal };
    let summary = match server.client(context)? {
        Some(client) => with_progress(input, options, Door::Server(client), report).await?,
        None => {
            let node = Node::start(&context.settings, Roles::ALL, None).await?;
            let summary = into_node(input, options, report, &node).await;
            node.stop().await;
            summary?
        }
    };
    print(&summary, began.elapsed().as_secs_f64(), context)?;
    complete(&summary, args.report.as_deref())
}

async fn into_node(input: Input, options: Options, report: Report, node: &Node) -> Result<Summary, Failure> {
    leading(node).await?;
    let door = Door::Here(http::router(node.app_for_itself()));
    with_progress(input, options, door, report).await
}

async fn with_progress(
    input: Input,
    options: Options,
    door: Door,
    report: Report,
) -> Result<Summary, Failure> {
    let progress = Arc::new(Progress::new("import", "commands"));
    let bar = progress.clone();
    let mut on_progress = move |so_far: lines::Progress| bar.set(so_far.done, so_far.total);
    let summary = lines::run(input, options, door, report, &mut on_progress).await;
    progress.done();
    summary.map_err(failure)
}

fn failure(error: Error) -> Failure {
    let exit = match &error {
        Error::Unanswered { .. } => Exit::NotReady,
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

fn print(summary: &Summary, seconds: f64, context: &Context) -> Result<(), Failure> {
    if context.format() == Format::Json {
        let mut value = serde_json::to_value(summary).map_err(anyhow::Error::from)?;
        value["seconds"] = json!((seconds * 1_000.0).round() / 1_000.0);
        return Ok(output::json(&value)?);
    }
    let Summary { commands, done, replayed, refused, dry_run, .. } = summary;
    let what = if *dry_run { "would be done" } else { "done" };
    let row = |what: &str, count: &u64| vec![what.to_owned(), count.to_string()];
    let rows = [
        row("in the file", commands),
        row(what, done),
        row("refused", refused),
        row("of these decided before", replayed),
    ];
    output::table(&["commands", "count"], &rows)?;
    Ok(output::line(format_args!("{seconds:.1} s"))?)
}

/// A refusal is no success, whatever was done beside it.
fn complete(summary: &Summary, report: Option<&Path>) -> Result<(), Failure> {
    let Summary { commands, refused, stopped_at, .. } = summary;
    if *refused == 0 {
        return Ok(());
    }
    let place = match report {
        Some(path) => format!("see {}", path.display()),
        None => "--report FILE says which".to_owned(),
    };
    let stopped = match stopped_at {
        Some(line) => format!("; nothing behind line {line} was sent"),
        None => String::new(),
    };
    let text = format!("{refused} of {commands} commands were refused; {place}{stopped}");
    Err(Failure::text(Exit::Refused, text))
}
