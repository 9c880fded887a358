//! `bench overload`: far more orders than can be done, for long. What is done must not get less for it.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::callers::Callers;
use super::load;
use super::place::Place;
use super::server::Server;
use crate::cli::output::{self, Format};
use crate::cli::{Context, Failure};
use crate::text::rounded;

/// What is offered, in peaks.
const TIMES_PEAK: f64 = 3.0;
/// What is offered before and after, in peaks.
const CALM: f64 = 0.3;
const CALM_LASTS: Duration = Duration::from_secs(5);
/// Parts of the calm after the storm that are looked at one by one.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS_MAX: u32 = 120;
/// It is over when the p99 is back at so many times what it was before.
const AS_BEFORE: u64 = 2;

/// How it is measured.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How long the peak, and then the overload, lasts
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections of the pool that all callers share
    #[arg(long, default_value_t = 512, value_name = "N")]
    connections: usize,
}

/// What a server did and took in one of the two parts.
struct Part {
    accepted: u64,
    per_second: f64,
    p99_us: u64,
    memory_max: u64,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let lasting = Duration::from_secs(args.seconds);
    output::say(format!("measuring the peak for {} s ...", args.seconds));
    let peak = Place::with(&context.settings, async |place| {
        let server = Server::start(place, true).await?;
        let load = load::run(&server, args.connections, lasting).await?;
        let memory_max = server.memory_max()?;
        server.stop().await?;
        let (per_second, p99_us) = (load.per_second(), load.p99_us());
        Ok(Part { accepted: load.requests(), per_second, p99_us, memory_max })
    });
    let peak = peak.await?;
    output::say(format!("offering {TIMES_PEAK} times as much for {} s ...", args.seconds));
    Place::with(&context.settings, async |place| {
        let server = Server::start(place, true).await?;
        let mut callers = Callers::open(&server, args.connections).await?;
        let calm = callers.offer(peak.per_second * CALM, CALM_LASTS).await?;
        let storm = callers.offer(peak.per_second * TIMES_PEAK, lasting).await?;
        let over = storm.ended;
        let mut recovered_after = None;
        for _ in 0..LOOKS_MAX {
            let look = callers.offer(peak.per_second * CALM, LOOK).await?;
            let is_calm = look.refused + look.given_up == 0
                && look.accepted.p99_us() <= AS_BEFORE * calm.accepted.p99_us();
            if is_calm {
                recovered_after = Some(Instant::now() - over);
                break;
            }
        }
        let overload = Part {
            accepted: storm.accepted.requests(),
            per_second: storm.accepted.per_second(),
            p99_us: storm.accepted.p99_us(),
            memory_max: server.memory_max()?,
        };
        let memory_after = server.memory()?;
        server.stop().await?;
        print(
            context,
            &peak,
            &overload,
            [storm.due, storm.refused, storm.given_up],
            memory_after,
            recovered_after,
        )
    })
    .await
}

fn print(
    context: &Context,
    peak: &Part,
    overload: &Part,
    [due, refused, given_up]: [u64; 3],
    memory_after: u64,
    recovered_after: Option<Duration>,
) -> Result<(), Failure> {
    let goodput = overload.per_second / peak.per_second.max(1.0);
    let memory = overload.memory_max as f64 / peak.memory_max.max(1) as f64;
    let recovered = recovered_after.map(|after| after.as_secs_f64());
    if context.format() == Format::Json {
        let part = |part: &Part| {
            json!({
                "accepted": part.accepted,
                "per_second": part.per_second.round(),
                "p99_us": part.p99_us,
                "memory_bytes_max": part.memory_max,
            })
        };
        return Ok(output::json(&json!({
            "peak": part(peak),
            "overload": part(overload),
            "offered": due,
            "refused": refused,
            "given_up": given_up,
            "memory_bytes_after": memory_after,
            "goodput_ratio": goodput,
            "memory_ratio": memory,
            "recovered_after_s": recovered,
        }))?);
    }
    let row = |name: &str, part: &Part| {
        vec![
            name.to_owned(),
            part.accepted.to_string(),
            rounded(part.per_second),
            format!("{:.1}", part.p99_us as f64 / 1_000.0),
            format!("{} MB", part.memory_max >> 20),
        ]
    };
    let rows = [row("peak", peak), row("three times the peak", overload)];
    output::table(&["orders", "accepted", "per second", "p99 ms", "memory at most"], &rows)?;
    output::line(format_args!(
        "Of {due} orders that came {refused} were refused and {given_up} found no connection within 1 s."
    ))?;
    output::line(format_args!(
        "Goodput is {goodput:.2} of the peak, memory {memory:.2} times; {} MB afterwards.",
        memory_after >> 20
    ))?;
    match recovered {
        Some(seconds) => output::line(format_args!("All was as before {seconds:.2} s after the overload."))?,
        None => output::line("All was not as before when the measurement ended.")?,
    }
    Ok(())
}
