//! `import`: real input into a ledger, the local one or a server's.

use std::path::PathBuf;
use std::sync::Arc;

use stockledger_schemas::{Actor, SiteId};

use super::output::{self, Format, Progress};
use super::source::Server;
use super::{Context, Exit, Failure};
use crate::config::Roles;
use crate::http::LOCAL_ACTOR;
use crate::import::{self, Local, OpeningStock, Options, Remote, Report, Source, Target};
use crate::node::Node;
use crate::setup::Code;

/// What the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// The invoices of Online Retail II, CSV, plain or gzip
    OnlineRetail,
}

/// What to import, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger import --from online-retail invoices.csv.gz
  stockledger import --from online-retail invoices.csv --opening-stock 90% --server http://127.0.0.1:7070

The same import again changes nothing, and an import that was interrupted goes on where it stopped. The rules of the
import, and what the times of imported events mean: docs/import.md.")]
pub(super) struct Args {
    /// What the input is
    #[arg(long, value_enum)]
    from: From,
    /// The file
    file: PathBuf,
    /// The site that the invoices are of; opened if it is not known
    #[arg(long, default_value = "uk")]
    site: SiteId,
    /// What is there before the first invoice: just enough that nothing is ever short, or so many percent of that
    #[arg(long, default_value = "auto", value_name = "auto|N%")]
    opening_stock: OpeningStock,
    /// Import although the site was imported before from another file or with another opening stock
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let From::OnlineRetail = args.from;
    let options = Options {
        source: Source::File(args.file),
        site: args.site,
        opening: args.opening_stock,
        force: args.force,
        actor: local_actor()?,
    };
    let report = match args.server.client(context)? {
        Some(client) => with_progress(options, &Remote::new(client)).await?,
        None => {
            let node = Node::start(&context.settings, Roles::ALL, None).await?;
            let report = into_node(options, &node).await;
            node.stop().await;
            report?
        }
    };
    match context.format {
        Format::Json => Ok(output::json(&report)?),
        Format::Table => {
            output::line(report.table())?;
            Ok(output::line(report.summary())?)
        }
    }
}

/// Imports into a node of this process, once it can take commands.
pub(super) async fn into_node(options: Options, node: &Node) -> Result<Report, Failure> {
    let ledger = node.ledger().ok_or_else(|| Failure::text(Exit::Failed, "this node does not write"))?;
    ledger.led().await.map_err(|error| Failure::refused(Code::PartitionHalted, error))?;
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
