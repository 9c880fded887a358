//! `bench readers`: a thousand streams of events that all get everything, beside those who place the orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::callers::Callers;
use super::place::Place;
use super::server::Server;
use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};

/// Connections of those who place orders.
const CONNECTIONS: usize = 32;
/// How long each of the three measurements takes.
const LASTS: Duration = Duration::from_secs(20);
/// How long readers are given to get the last event.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

const REQUEST: &[u8] = b"GET /v1/events/stream?after=end HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// What the answer of a stream that has begun holds.
const BEGUN: &[u8] = b"text/event-stream";
/// What stands before each decision.
const DECISION: &[u8] = b"\ndata: {\"position\"";

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Streams of events, each of all events
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    readers: usize,
    /// Orders per second
    #[arg(long, default_value_t = 100, value_name = "N")]
    rate: u32,
}

/// How far the readers are, together.
#[derive(Debug, Default)]
struct Seen {
    begun: AtomicU64,
    decisions: AtomicU64,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    Place::with(&context.settings, async |place| {
        let connections_max = (args.readers + 2 * CONNECTIONS).to_string();
        let server = Server::start_with(place, true, &["--connections-max", &connections_max]).await?;
        let mut callers = Callers::open(&server, CONNECTIONS).await?;
        let rate = f64::from(args.rate);
        output::say("measuring without readers ...");
        let before = callers.offer(rate, LASTS).await?.accepted.p99_us();
        output::say(format!("measuring with {} readers ...", args.readers));
        let seen = Arc::new(Seen::default());
        let readers = Readers::begin(args.readers, server.address(), &seen)?;
        until(&seen.begun, args.readers as u64, CAUGHT_UP_WITHIN).await;
        let begun = seen.begun.load(Ordering::Relaxed);
        if begun < args.readers as u64 {
            let text = format!("only {begun} of {} streams began", args.readers);
            return Err(Failure::text(Exit::Failed, text));
        }
        let offered = callers.offer(rate, LASTS).await?;
        let due = offered.accepted.requests() * args.readers as u64;
        let late = until(&seen.decisions, due, CAUGHT_UP_WITHIN).await;
        let received = seen.decisions.load(Ordering::Relaxed);
        readers.end()?;
        output::say("measuring without readers again ...");
        let after = callers.offer(rate, LASTS).await?.accepted.p99_us();
        server.stop().await?;
        print(context, [before, offered.accepted.p99_us(), after], [due, received], late)
    })
    .await
}

/// The readers, on a thread of their own: an order's answer must not wait in this process until they have read.
struct Readers {
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl Readers {
    fn begin(count: usize, address: &str, seen: &Arc<Seen>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let mut readers = JoinSet::new();
        for _ in 0..count {
            readers.spawn_on(read(address.to_owned(), seen.clone()), runtime.handle());
        }
        let stopped = stop.clone().cancelled_owned();
        let thread = std::thread::spawn(move || {
            runtime.block_on(stopped);
            drop(readers);
        });
        Ok(Self { stop, thread })
    }

    fn end(self) -> Result<(), Failure> {
        self.stop.cancel();
        self.thread.join().map_err(|_| Failure::text(Exit::Failed, "the thread of the readers broke down"))
    }
}

/// Reads a stream for as long as it goes on, and counts what it tells.
async fn read(address: String, seen: Arc<Seen>) -> Result<(), std::io::Error> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(REQUEST).await?;
    let mut buffer = vec![0; 64 << 10];
    // What may be the beginning of something that is looked for.
    let mut kept = 0;
    let mut has_begun = false;
    loop {
        let read = connection.read(&mut buffer[kept..]).await?;
        if read == 0 {
            return Ok(());
        }
        let text = &buffer[..kept + read];
        if !has_begun && occurrences(text, BEGUN) > 0 {
            has_begun = true;
            seen.begun.fetch_add(1, Ordering::Relaxed);
        }
        seen.decisions.fetch_add(occurrences(text, DECISION), Ordering::Relaxed);
        let length = text.len();
        kept = length.min(DECISION.len() - 1);
        buffer.copy_within(length - kept..length, 0);
    }
}

fn occurrences(text: &[u8], part: &[u8]) -> u64 {
    text.windows(part.len()).filter(|window| *window == part).count() as u64
}

/// Waits until a count is reached, or for so long; how long it took.
async fn until(count: &AtomicU64, target: u64, within: Duration) -> Duration {
    let began = Instant::now();
    while count.load(Ordering::Relaxed) < target && began.elapsed() < within {
        sleep(POLL).await;
    }
    began.elapsed()
}

fn print(
    context: &Context,
    [before, beside, after]: [u64; 3],
    [due, received]: [u64; 2],
    late: Duration,
) -> Result<(), Failure> {
    let ratio = beside as f64 / (before.max(after).max(1)) as f64;
    if context.format() == Format::Json {
        return Ok(output::json(&json!({
            "p99_us_before": before,
            "p99_us_beside_readers": beside,
            "p99_us_after": after,
            "ratio": ratio,
            "decisions_due": due,
            "decisions_received": received,
            "last_received_after_ms": late.as_millis(),
        }))?);
    }
    let milliseconds = |micros: u64| micros as f64 / 1_000.0;
    output::line(format_args!(
        "Readers got {received} of {due} decisions, the last {} ms after the last order was answered.",
        late.as_millis()
    ))?;
    output::line(format_args!(
        "p99 of orders beside them: {:.2} ms; without them {:.2} ms before and {:.2} ms after: {ratio:.2} times the larger.",
        milliseconds(beside),
        milliseconds(before),
        milliseconds(after),
    ))?;
    Ok(())
}
