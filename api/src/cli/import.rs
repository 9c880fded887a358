//! `import`: real input into a ledger, the local one or a server's.

mod lines;

use std::path::PathBuf;
use std::sync::Arc;

use stockledger_schemas::{Actor, SiteId};

use super::output::{self, Format, Progress};
use super::source::{Server, leading};
use super::{Context, Exit, Failure};
use crate::config::Roles;
use crate::http::LOCAL_ACTOR;
use crate::import::lines::Form;
use crate::import::{self, Local, OpeningStock, Options, Remote, Report, Source, Target};
use crate::node::Node;

const SITE_DEFAULT: &str = "uk";
const OPENING_DEFAULT: &str = "auto";

/// What the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// Commands, each a line of JSON as `/v1/bulk` takes it
    Ndjson,
    /// Commands in rows, with the columns that --template prints
    Csv,
    /// The invoices of Online Retail II, CSV
    OnlineRetail,
}

/// What to import, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger import --template receive > receipts.csv
  stockledger import --from csv receipts.csv --dry-run
  stockledger import --from csv receipts.csv --server http://127.0.0.1:7070 --report report.ndjson
  zcat commands.ndjson.gz | stockledger import --from ndjson -
  stockledger import --from online-retail invoices.csv.gz --opening-stock 90%

The whole file is checked before the first command is sent. The same import again changes nothing, and an import that \
was interrupted goes on where it stopped. Exit code 5: some commands were refused, the others are done. The columns, \
the keys and the rules: docs/import.md.")]
pub(super) struct Args {
    /// What the input is
    #[arg(long, value_enum, required_unless_present = "template")]
    from: Option<From>,
    /// The file, plain or gzip; of commands `-` is the standard input
    #[arg(required_unless_present = "template")]
    file: Option<PathBuf>,
    /// Print the columns of a command in CSV with an example, and import nothing
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["from", "file"], value_parser = lines::template_names())]
    template: Option<String>,
    #[command(flatten)]
    lines: lines::Lines,
    #[command(flatten)]
    invoices: Invoices,
    #[command(flatten)]
    server: Server,
}

/// What matters for invoices alone.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of online-retail")]
struct Invoices {
    /// The site that the invoices are of, opened if it is not known [default: uk]
    #[arg(long)]
    site: Option<SiteId>,
    /// What is there before the first invoice: just enough that nothing is ever short, or so many percent of that
    /// [default: auto]
    #[arg(long, value_name = "auto|N%")]
    opening_stock: Option<OpeningStock>,
    /// Import although the site was imported before from another file or with another opening stock
    #[arg(long)]
    force: bool,
}

impl Invoices {
    const fn is_any_given(&self) -> bool {
        self.site.is_some() || self.opening_stock.is_some() || self.force
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if let Some(name) = &args.template {
        return lines::print_template(name);
    }
    let (Some(from), Some(file)) = (args.from, args.file) else {
        return Err(Failure::text(Exit::Usage, "name a file, and with --from what it is"));
    };
    let form = match from {
        From::Ndjson => Form::Ndjson,
        From::Csv => Form::Csv,
        From::OnlineRetail if args.lines.is_any_given() => {
            return Err(Failure::text(Exit::Usage, "invoices go without the options of commands"));
        }
        From::OnlineRetail => return invoices(file, args.invoices, &args.server, context).await,
    };
    if args.invoices.is_any_given() {
        return Err(Failure::text(Exit::Usage, "commands go without the options of online-retail"));
    }
    lines::run(file, form, args.lines, &args.server, context).await
}

async fn invoices(
    file: PathBuf,
    invoices: Invoices,
    server: &Server,
    context: &Context,
) -> Result<(), Failure> {
    let options = Options {
        source: Source::File(file),
        site: invoices.site.map_or_else(|| SITE_DEFAULT.parse(), Ok).map_err(anyhow::Error::from)?,
        opening: invoices
            .opening_stock
            .map_or_else(|| OPENING_DEFAULT.parse(), Ok)
            .map_err(anyhow::Error::msg)?,
        force: invoices.force,
        actor: local_actor()?,
    };
    let report = match server.client(context)? {
        Some(client) => with_progress(options, &Remote::new(client)).await?,
        None => {
            let node = Node::start(&context.settings, Roles::ALL, None).await?;
            let report = into_node(options, &node).await;
            node.stop().await;
            report?
        }
    };
    match context.format() {
        Format::Json => Ok(output::json(&report)?),
        Format::Table => {
            output::line(report.table())?;
            Ok(output::line(report.summary())?)
        }
    }
}

/// Imports into a node of this process, once it can take commands.
pub(super) async fn into_node(options: Options, node: &Node) -> Result<Report, Failure> {
    let ledger = leading(node).await?;
    let queries =
        node.queries().ok_or_else(|| Failure::text(Exit::Failed, "this node has no read tables"))?;
    with_progress(options, &Local::new(ledger.clone(), queries.clone())).await
}

pub(super) fn local_actor() -> Result<Actor, Failure> {
    Actor::new(LOCAL_ACTOR).map_err(|error| Failure::new(Exit::Failed, error))
}

async fn with_progress(options: Options, target: &dyn Target) -> Result<Report, Failure> {
    let progress = Arc::new(Progress::new("import", "documents"));
    let bar = progress.clone();
    let mut on_progress = move |report: import::Progress| {
        bar.set(report.documents_done as u64, report.documents_total as u64);
    };
    let report = import::run(options, target, &mut on_progress).await;
    progress.done();
    report.map_err(|error| {
        let exit = match &error {
            import::Error::ImportedBefore(_) => Exit::Refused,
            import::Error::Unanswered { .. } | import::Error::Projections(_) => Exit::NotReady,
            _ => Exit::Failed,
        };
        Failure::new(exit, error)
    })
}
