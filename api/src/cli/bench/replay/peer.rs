//! The same orders by other software: `xtask/peers/cqrs-es`, built before, on the same server.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use stockledger_log::Log;
use tokio::process::Command;

use super::figures::{Figure, Unit};
use super::tables::Tables;
use crate::cli::bench::order_steps;
use crate::cli::{Exit, Failure};

/// What the peer prints, of which these are looked at.
#[derive(Deserialize)]
struct Measured {
    orders: u64,
    seconds: f64,
}

pub(super) async fn measure(
    program: &Path,
    log: &dyn Log,
    tables: &Tables,
    orders: u64,
) -> Result<Figure, Failure> {
    let Some(server) = tables.server() else {
        return Err(Failure::text(
            Exit::Usage,
            "the peer needs MySQL or MariaDB: name it with --projections",
        ));
    };
    let directory = tempfile::tempdir()?;
    let steps = directory.path().join("orders.ndjson");
    order_steps::write(log, orders, &mut BufWriter::new(File::create(&steps)?)).await?;
    let password = utf8_percent_encode(server.password().unwrap_or_default(), NON_ALPHANUMERIC);
    let url = format!("mysql://{}:{password}@{}/{}", server.user(), server.place(), server.database());
    let output = Command::new(program)
        .env("PEER_MYSQL", url)
        .args(["--stock", "--count", &orders.to_string(), "--orders"])
        .arg(&steps)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| {
            Failure::new(Exit::Failed, anyhow::Error::new(error).context(program.display().to_string()))
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::text(Exit::Failed, format!("the peer failed: {said}")));
    }
    let measured: Measured = serde_json::from_slice(&output.stdout).map_err(|error| {
        Failure::new(Exit::Failed, anyhow::Error::new(error).context("reading what the peer says"))
    })?;
    let elapsed = Duration::from_secs_f64(measured.seconds.max(0.0));
    Ok(Figure::new(
        "cqrs-es with mysql-es, order and stock views",
        measured.orders,
        Unit::PeerOrders,
        elapsed,
    ))
}
