//! The server under load: this very program as a process of its own.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::load::SKUS;
use super::place::Place;
use crate::cli::{Exit, Failure};
use crate::client::Client;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const LEVEL_WITHIN: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(20);
/// Never sold out.
const OPENING: i64 = 1_000_000_000_000;

pub(super) struct Server {
    address: String,
    client: Client,
    child: Child,
}

impl Server {
    /// Starts it with or without a projector, with a site and stock in it.
    pub(super) async fn start(place: &Place, projector: bool) -> Result<Self, Failure> {
        Self::start_with(place, projector, &[]).await
    }

    /// The same with more arguments.
    pub(super) async fn start_with(
        place: &Place,
        projector: bool,
        arguments: &[&str],
    ) -> Result<Self, Failure> {
        let address = free_address()?;
        let roles = if projector { "writer,projector,api" } else { "writer" };
        let mut program = Command::new(std::env::current_exe()?);
        program.args(["serve", "--listen", &address, "--roles", roles]).args(arguments);
        place.tell(&mut program);
        let child = program
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let client = Client::new(&format!("http://{address}"))?;
        let server = Self { address, client, child };
        server.until_ready().await?;
        server.stock_up().await?;
        Ok(server)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// How long it takes from now until the read tables are level with the log.
    pub(super) async fn until_level(&self) -> Result<Duration, Failure> {
        let began = Instant::now();
        while began.elapsed() < LEVEL_WITHIN {
            let projections = self.client.get_json("/v1/projections").await?;
            if lag(&projections) == Some(0) {
                return Ok(began.elapsed());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Failure::text(Exit::Failed, "the read tables did not become level"))
    }

    /// The memory of the process at this moment, in bytes.
    pub(super) fn memory(&self) -> Result<u64, Failure> {
        self.memory_of("VmRSS:")
    }

    /// The most memory that the process ever had, in bytes.
    pub(super) fn memory_max(&self) -> Result<u64, Failure> {
        self.memory_of("VmHWM:")
    }

    fn memory_of(&self, name: &str) -> Result<u64, Failure> {
        let gone = || Failure::text(Exit::Failed, "the server has ended");
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().ok_or_else(gone)?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes << 10).ok_or_else(gone)
    }

    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    async fn until_ready(&self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            match self.client.get_json::<Value>("/readyz").await {
                Ok(_) => return Ok(()),
                Err(error) if began.elapsed() > STARTS_WITHIN => return Err(error.into()),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn stock_up(&self) -> Result<(), Failure> {
        let site = json!({ "name": "Bench" });
        self.client.put_json::<Value>("/v1/sites/bench", &site).await?;
        let lines: Vec<Value> =
            (0..SKUS).map(|sku| json!({ "sku": format!("SKU-{sku}"), "quantity": OPENING })).collect();
        let receipt = json!({ "reason": "opening_balance", "lines": lines });
        let key = (HeaderName::from_static("idempotency-key"), HeaderValue::from_static("opening"));
        let path = "/v1/sites/bench/receipts";
        self.client.post_json::<Value>(path, vec![key], &receipt).await?;
        Ok(())
    }
}

/// Records that the read tables lack, of all partitions together.
fn lag(projections: &Value) -> Option<u64> {
    let partitions = projections.get("partitions")?.as_array()?;
    partitions.iter().map(|partition| partition.get("lag_records")?.as_u64()).sum()
}

fn free_address() -> Result<String, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
