//! The log itself, without a server.

use std::time::Duration;

use tokio::time::Instant;

use super::{Args, Printer, begin, stopped};
use crate::cli::{Context, Exit, Failure};
use crate::feed::{self, Cursor, Feed};
use crate::storage::{self, Access};

/// Decisions of one look.
const TAKE_MAX: usize = 256;
/// How long to wait for news before looking again.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<(), Failure> {
    let log = storage::open_log(&context.settings, Access::Read).await?;
    let ledger_id =
        stockledger_writer::genesis::check(log.as_ref()).await.map_err(crate::node::Error::from)?.ledger_id;
    let feed = Feed::new(log.clone(), ledger_id, feed::Options::default());
    let printed = async {
        // Without following, a partition is told to its end before the next.
        for cursor in begin(args, log.partitions())? {
            read(&feed, cursor, args, printer).await?;
        }
        Ok(())
    };
    let printed = printed.await;
    feed.stop();
    log.close().await;
    printed
}

async fn read(feed: &Feed, cursor: Cursor, args: &Args, printer: &mut Printer) -> Result<(), Failure> {
    let not_ready = |error: feed::Error| Failure::new(Exit::NotReady, error);
    let mut reader = feed.reader(cursor, args.filter());
    while !printer.is_done() {
        let before = reader.cursor().clone();
        let patience = if args.follow { PATIENCE } else { Duration::ZERO };
        let batch = reader.wait(TAKE_MAX, usize::MAX, Instant::now() + patience).await.map_err(not_ready)?;
        for decision in &batch.decisions {
            printer.print(decision.json())?;
        }
        if let Some(first) = batch.stopped.first() {
            return Err(stopped(first));
        }
        match (batch.has_more, args.follow) {
            (true, _) if batch.decisions.is_empty() && *reader.cursor() == before => {
                return Err(not_ready(feed::Error::Unread));
            }
            (false, false) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
