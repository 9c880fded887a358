//! A closed loop: each connection sends its next order as soon as the last one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::server::Server;
use crate::cli::{Exit, Failure};

/// Different SKUs; each order takes three of them.
pub(super) const SKUS: u64 = 1_000;
/// The longest latency that is told apart; a longer one counts as this.
const LATENCY_US_MAX: u64 = 60_000_000;
/// Unmeasured orders at first: caches fill, connections open, the first decision of the term is confirmed.
const WARM_UP: Duration = Duration::from_millis(500);

/// What a loop measured: how long each request took, and how many there were.
pub(super) struct Load {
    pub(super) connections: usize,
    latencies_us: Histogram<u64>,
    took: Duration,
}

impl Load {
    pub(super) fn new(connections: usize) -> Result<Self, Failure> {
        let latencies_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self { connections, latencies_us, took: Duration::ZERO })
    }

    pub(super) fn record(&mut self, latency: Duration) {
        self.latencies_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Takes in what another loop measured at the same time.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.latencies_us.add(&other.latencies_us).map_err(|error| Failure::new(Exit::Failed, error))
    }

    pub(super) fn took(&mut self, took: Duration) {
        self.took = took;
    }

    pub(super) fn requests(&self) -> u64 {
        self.latencies_us.len()
    }

    pub(super) fn per_second(&self) -> f64 {
        self.requests() as f64 / self.took.as_secs_f64().max(0.001)
    }

    pub(super) fn p50_us(&self) -> u64 {
        self.latencies_us.value_at_quantile(0.5)
    }

    pub(super) fn p99_us(&self) -> u64 {
        self.latencies_us.value_at_quantile(0.99)
    }

    pub(super) fn p999_us(&self) -> u64 {
        self.latencies_us.value_at_quantile(0.999)
    }
}

/// Sends orders over so many connections for so long.
pub(super) async fn run(server: &Server, connections: usize, lasting: Duration) -> Result<Load, Failure> {
    let numbers = Arc::new(AtomicU64::new(0));
    let measure_from = Instant::now() + WARM_UP;
    let until = measure_from + lasting;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let connection = Connection::open(server.address()).await?;
        tasks.spawn(one_connection(connection, numbers.clone(), measure_from, until));
    }
    let mut load = Load::new(connections)?;
    while let Some(measured) = tasks.join_next().await {
        let measured = measured.map_err(|error| Failure::new(Exit::Failed, error))??;
        load.add(&measured)?;
    }
    load.took(lasting);
    Ok(load)
}

async fn one_connection(
    mut connection: Connection,
    numbers: Arc<AtomicU64>,
    measure_from: Instant,
    until: Instant,
) -> Result<Load, Failure> {
    let mut load = Load::new(1)?;
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        if began >= until {
            return Ok(load);
        }
        let status = connection.order(number).await?;
        if status != StatusCode::CREATED {
            return Err(Failure::text(Exit::Failed, format!("an order was answered with {status}")));
        }
        if began >= measure_from {
            load.record(began.elapsed());
        }
    }
}

/// One connection to a server, and the way to order over it.
pub(super) struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| Failure::new(Exit::Failed, error))?;
        tokio::spawn(connection);
        Ok(Self { host: address.to_owned(), sender })
    }

    /// Places an order of three lines; what it was answered with.
    pub(super) async fn order(&mut self, number: u64) -> Result<StatusCode, Failure> {
        let [first, second, third] = [number, number * 7 + 1, number * 13 + 2].map(|sku| sku % SKUS);
        let body = format!(
            "{{\"order_id\":\"o-{number}\",\"customer\":\"c-{first}\",\"currency\":\"GBP\",\"lines\":[\
             {{\"sku\":\"SKU-{first}\",\"quantity\":1,\"unit_price_minor\":295}},\
             {{\"sku\":\"SKU-{second}\",\"quantity\":2,\"unit_price_minor\":1250}},\
             {{\"sku\":\"SKU-{third}\",\"quantity\":3}}]}}"
        );
        let request = Request::post("/v1/sites/bench/orders")
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("idempotency-key", format!("order-{number}"))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        let failed = |error: hyper::Error| Failure::new(Exit::Failed, error);
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        response.into_body().collect().await.map_err(failed)?;
        Ok(status)
    }
}
