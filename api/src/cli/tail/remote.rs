//! The events of a server: by pages, or as a stream that is taken up again wherever it broke off.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::blocks::{Block, Blocks};
use super::{Args, Printer, stopped};
use crate::cli::{Exit, Failure, output};
use crate::client::{Client, Error, Headers};
use crate::feed;
use crate::text::segment;

/// Decisions of a page.
const PAGE: usize = 100;
/// How long to wait before a stream that broke off is asked for again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) async fn run(args: &Args, client: &Client, printer: &mut Printer) -> Result<(), Failure> {
    if args.follow { follow(args, client, printer).await } else { pages(args, client, printer).await }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Box<RawValue>>,
    has_more: bool,
    next_cursor: String,
    #[serde(default)]
    stopped: Vec<feed::Stopped>,
}

async fn pages(args: &Args, client: &Client, printer: &mut Printer) -> Result<(), Failure> {
    let mut path = format!("/v1/events?limit={PAGE}{}", args.query());
    while !printer.is_done() {
        let page: Page = client.get_json(&path).await?;
        for decision in &page.data {
            printer.print(decision.get().as_bytes())?;
        }
        if let Some(first) = page.stopped.first() {
            return Err(stopped(first));
        }
        if !page.has_more {
            return Ok(());
        }
        let next = Args { from: None, partition: None, ..args.clone() };
        path = format!("/v1/events?limit={PAGE}&after={}{}", segment(&page.next_cursor), next.query());
    }
    Ok(())
}

async fn follow(args: &Args, client: &Client, printer: &mut Printer) -> Result<(), Failure> {
    let path = format!("/v1/events/stream?{}", args.query().trim_start_matches('&'));
    let mut following = Following { last_id: String::new(), is_begun: false };
    loop {
        match following.once(client, &path, printer).await {
            Ok(()) if printer.is_done() => return Ok(()),
            // It was ended in order, or the server is away for a moment.
            Ok(()) => {}
            Err(Trouble::Server(error)) if following.is_begun && error.is_unreachable() => {
                output::say(format!("{error}; trying again"));
            }
            Err(Trouble::Server(error)) => return Err(error.into()),
            Err(Trouble::Ours(failure)) => return Err(failure),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

enum Trouble {
    Server(Error),
    Ours(Failure),
}

struct Following {
    /// Behind what to go on; empty before anything came.
    last_id: String,
    is_begun: bool,
}

impl Following {
    /// Reads one stream to its end.
    async fn once(&mut self, client: &Client, path: &str, printer: &mut Printer) -> Result<(), Trouble> {
        let mut headers = Headers::new();
        if let Ok(value) = HeaderValue::try_from(&self.last_id)
            && !value.is_empty()
        {
            headers.push((LAST_EVENT_ID, value));
        }
        let mut chunks = client.get_stream(path, headers).await.map_err(Trouble::Server)?;
        self.is_begun = true;
        let mut blocks = Blocks::default();
        while let Some(chunk) = chunks.next().await {
            blocks
                .add(&chunk.map_err(Trouble::Server)?)
                .map_err(|error| Trouble::Ours(Failure::new(Exit::Failed, error)))?;
            while let Some(block) = blocks.next() {
                self.take(&block, printer).map_err(Trouble::Ours)?;
                if printer.is_done() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, block: &Block, printer: &mut Printer) -> Result<(), Failure> {
        match block.event.as_str() {
            "" if !block.data.is_empty() => printer.print(&block.data)?,
            "stopped" => {
                let reason =
                    serde_json::from_slice(&block.data).map_err(|error| Failure::new(Exit::Failed, error))?;
                return Err(stopped(&reason));
            }
            // Come again, or something that a newer server says.
            _ => {}
        }
        // Only now: what was not printed comes again.
        if let Some(id) = &block.id {
            self.last_id.clone_from(id);
        }
        Ok(())
    }
}
