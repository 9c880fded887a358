//! `bench slow-clients`: hundreds of clients that are slow on purpose, beside some that are not.

use std::net::{AddrParseError, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::callers::Callers;
use super::place::Place;
use super::server::Server;
use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};

/// How often a slow client sends a byte.
const DRIP: Duration = Duration::from_secs(1);
const RECEIVE_BUFFER_BYTES: u32 = 4 << 10;
/// Asks for about 100 KB.
const LARGE_ANSWER: &[u8] = b"GET /v1/sites/bench/stock?limit=500 HTTP/1.1\r\nhost: localhost\r\n\r\n";
/// Connections of those who are not slow.
const CONNECTIONS: usize = 32;
/// How long the quiet before and after is measured.
const QUIET: Duration = Duration::from_secs(20);
/// Longer than every limit of the server.
const DROPPED_WITHIN: Duration = Duration::from_secs(90);

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Slow clients, a quarter of each kind
    #[arg(long, default_value_t = 500, value_name = "N")]
    clients: usize,
    /// Orders per second of those who are not slow
    #[arg(long, default_value_t = 500, value_name = "N")]
    rate: u32,
}

/// The ways to be slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Head,
    Body,
    Idle,
    NeverReads,
}

const KINDS: [Kind; 4] = [Kind::Head, Kind::Body, Kind::Idle, Kind::NeverReads];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Head => "a head, byte by byte",
            Self::Body => "a body, byte by byte",
            Self::Idle => "no further request",
            Self::NeverReads => "never reads an answer",
        }
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    Place::with(&context.settings, async |place| {
        let server = Server::start(place, true).await?;
        let mut callers = Callers::open(&server, CONNECTIONS).await?;
        let rate = f64::from(args.rate);
        output::say("measuring without slow clients ...");
        let before = callers.offer(rate, QUIET).await?.accepted.p99_us();
        output::say(format!("measuring with {} slow clients, until the last is dropped ...", args.clients));
        let mut slow = JoinSet::new();
        for (number, kind) in (0..args.clients).zip(KINDS.into_iter().cycle()) {
            let address = server.address().to_owned();
            slow.spawn(async move { (kind, be_slow(kind, &address, number).await) });
        }
        let beside = callers.offer(rate, DROPPED_WITHIN).await?;
        let mut dropped = Vec::new();
        while let Some(ended) = slow.join_next().await {
            let (kind, after) = ended.map_err(|error| Failure::new(Exit::Failed, error))?;
            dropped.push((kind, after?));
        }
        output::say("measuring without slow clients again ...");
        let after = callers.offer(rate, QUIET).await?.accepted.p99_us();
        server.stop().await?;
        let failed = beside.refused + beside.given_up;
        print(context, [before, beside.accepted.p99_us(), after], failed, &dropped)
    })
    .await
}

/// How long a slow client was borne; nothing if it was not dropped.
async fn be_slow(kind: Kind, address: &str, number: usize) -> Result<Option<Duration>, Failure> {
    let socket = TcpSocket::new_v4()?;
    // Whoever means not to read keeps no room for what comes.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    let address: SocketAddr =
        address.parse().map_err(|error: AddrParseError| Failure::new(Exit::Failed, error))?;
    let mut connection = socket.connect(address).await?;
    let began = Instant::now();
    match kind {
        Kind::Head => connection.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").await?,
        Kind::Body => {
            let head = format!(
                "POST /v1/sites/bench/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                 idempotency-key: slow-{number}\r\ncontent-length: 10000\r\n\r\n"
            );
            connection.write_all(head.as_bytes()).await?;
        }
        Kind::Idle => connection.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await?,
        Kind::NeverReads => {}
    }
    let (mut from_server, mut to_server) = connection.into_split();
    let dropped = async {
        let mut answer = [0; 4_096];
        match kind {
            Kind::NeverReads => {
                let mut asks = interval(DRIP);
                while to_server.write_all(LARGE_ANSWER).await.is_ok() {
                    asks.tick().await;
                }
            }
            Kind::Idle => while matches!(from_server.read(&mut answer).await, Ok(1..)) {},
            Kind::Head | Kind::Body => {
                let mut drops = interval(DRIP);
                loop {
                    tokio::select! {
                        read = from_server.read(&mut answer) => if !matches!(read, Ok(1..)) { break },
                        _ = drops.tick() => if to_server.write_all(b" ").await.is_err() { break },
                    }
                }
            }
        }
    };
    Ok(timeout(DROPPED_WITHIN, dropped).await.ok().map(|()| began.elapsed()))
}

fn print(
    context: &Context,
    [before, beside, after]: [u64; 3],
    failed: u64,
    dropped: &[(Kind, Option<Duration>)],
) -> Result<(), Failure> {
    let ratio = beside as f64 / (before.max(after).max(1)) as f64;
    let of_kind = |kind: Kind| {
        let of_kind = dropped.iter().filter(move |(found, _)| *found == kind);
        let times: Vec<f64> =
            of_kind.clone().filter_map(|(_, after)| Some(after.as_ref()?.as_secs_f64())).collect();
        (of_kind.count(), times.len(), times.into_iter().fold(0.0, f64::max))
    };
    if context.format() == Format::Json {
        let kinds: Vec<_> = KINDS
            .into_iter()
            .map(|kind| {
                let (clients, dropped, last_s) = of_kind(kind);
                json!({ "kind": kind.name(), "clients": clients, "dropped": dropped, "last_dropped_after_s": last_s })
            })
            .collect();
        return Ok(output::json(&json!({
            "p99_us_before": before,
            "p99_us_beside_slow_clients": beside,
            "p99_us_after": after,
            "ratio": ratio,
            "not_answered": failed,
            "slow": kinds,
        }))?);
    }
    let rows = KINDS.map(|kind| {
        let (clients, dropped, last_s) = of_kind(kind);
        vec![kind.name().to_owned(), clients.to_string(), dropped.to_string(), format!("{last_s:.1}")]
    });
    output::table(&["slow clients", "clients", "dropped", "the last after s"], &rows)?;
    let milliseconds = |micros: u64| micros as f64 / 1_000.0;
    output::line(format_args!(
        "p99 of orders beside them: {:.2} ms; without them {:.2} ms before and {:.2} ms after: {ratio:.2} times the larger. \
         {failed} orders were not answered.",
        milliseconds(beside),
        milliseconds(before),
        milliseconds(after),
    ))?;
    Ok(())
}
