//! `bench bulk`: one request of very many lines, all the way through. What it costs in memory is measured with it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::load::SKUS;
use super::place::Place;
use super::server::Server;
use crate::cli::output::{self, Format};
use crate::cli::{Context, Exit, Failure};
use crate::text::rounded;

/// Lines that are written together.
const LINES_PER_WRITE: u64 = 256;
/// Where in an answer its status stands at the latest.
const HEAD_BYTES: usize = 48;
const DONE: &[u8] = b"\"status\":201";

/// How much is sent.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Lines of the request
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,
}

/// One line of the result.
struct Figure {
    projector: bool,
    lines: u64,
    took: Duration,
    memory_before: u64,
    memory_max: u64,
    until_level: Option<Duration>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let mut figures = Vec::new();
    for projector in [false, true] {
        let with = if projector { "on" } else { "off" };
        output::say(format!("sending {} lines, projector {with} ...", args.lines));
        let measured = Place::with(&context.settings, async |place| {
            let server = Server::start(place, projector).await?;
            let memory_before = server.memory()?;
            let took = send(server.address(), args.lines).await?;
            let memory_max = server.memory_max()?;
            let until_level = if projector { Some(server.until_level().await?) } else { None };
            server.stop().await?;
            Ok(Figure { projector, lines: args.lines, took, memory_before, memory_max, until_level })
        });
        figures.push(measured.await?);
    }
    print(context, &figures)
}

/// Sends one request and reads its answers while it is sent; how long that took. Every line must be done.
async fn send(address: &str, lines: u64) -> Result<Duration, Failure> {
    let failed = |error: hyper::Error| Failure::new(Exit::Failed, error);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(failed)?;
    tokio::spawn(connection);
    let writes = (0..lines.div_ceil(LINES_PER_WRITE)).map(move |write| {
        let first = write * LINES_PER_WRITE;
        let text: String = (first..lines.min(first + LINES_PER_WRITE)).map(line).collect();
        Ok::<_, Infallible>(Frame::data(Bytes::from(text)))
    });
    let request = Request::post("/v1/bulk")
        .header("host", address)
        .header("content-type", "application/x-ndjson")
        .body(StreamBody::new(stream::iter(writes)))
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let began = Instant::now();
    let response = sender.send_request(request).await.map_err(failed)?;
    let done = count_done(response).await?;
    let took = began.elapsed();
    if done == lines {
        return Ok(took);
    }
    Err(Failure::text(Exit::Failed, format!("{done} of {lines} lines were done")))
}

/// A receipt of one line.
fn line(number: u64) -> String {
    let sku = number % SKUS;
    format!(
        "{{\"command\":\"receive_stock\",\"site\":\"bench\",\"idempotency_key\":\"bulk-{number}\",\
         \"body\":{{\"lines\":[{{\"sku\":\"SKU-{sku}\",\"quantity\":1}}]}}}}\n"
    )
}

async fn count_done(mut response: Response<Incoming>) -> Result<u64, Failure> {
    let (mut done, mut buffer) = (0, BytesMut::new());
    while let Some(frame) = response.body_mut().frame().await {
        let frame = frame.map_err(|error| Failure::new(Exit::Failed, error))?;
        let Ok(data) = frame.into_data() else { continue };
        buffer.extend_from_slice(&data);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let answer = buffer.split_to(end + 1);
            let head = &answer[..answer.len().min(HEAD_BYTES)];
            done += u64::from(head.windows(DONE.len()).any(|part| part == DONE));
        }
    }
    Ok(done)
}

fn print(context: &Context, figures: &[Figure]) -> Result<(), Failure> {
    let per_second = |figure: &Figure| figure.lines as f64 / figure.took.as_secs_f64().max(0.001);
    if context.format() == Format::Json {
        let figures: Vec<Value> = figures
            .iter()
            .map(|figure| {
                json!({
                    "projector": figure.projector,
                    "lines": figure.lines,
                    "lines_per_second": per_second(figure).round(),
                    "memory_before_bytes": figure.memory_before,
                    "memory_max_bytes": figure.memory_max,
                    "seconds_until_level": figure.until_level.map(|time| time.as_secs_f64()),
                })
            })
            .collect();
        return Ok(output::json(&json!({ "bulk": figures }))?);
    }
    let megabytes = |bytes: u64| (bytes >> 20).to_string();
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| {
            vec![
                format!("projector {}", if figure.projector { "on" } else { "off" }),
                figure.lines.to_string(),
                rounded(per_second(figure)),
                megabytes(figure.memory_before),
                megabytes(figure.memory_max),
                figure.until_level.map(|time| format!("{:.1}", time.as_secs_f64())).unwrap_or_default(),
            ]
        })
        .collect();
    let heading = ["one bulk request", "lines", "per second", "MB before", "MB at most", "level after s"];
    Ok(output::table(&heading, &rows)?)
}
