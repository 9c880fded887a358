//! An open loop: orders come at a rate of their own, however slowly they are answered, as from many people who know nothing
//! of each other. Each waits for a connection of a pool; who waits too long gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::load::{Connection, Load};
use super::server::Server;
use crate::cli::{Exit, Failure};

/// How long an order waits for a connection before whoever wants it gives up.
const PATIENCE: Duration = Duration::from_secs(1);

/// A pool of connections, and the numbers of the orders that were sent over them.
pub(super) struct Callers {
    address: String,
    connections: Vec<Connection>,
    numbers: Arc<AtomicU64>,
}

/// What came of the orders of some time.
pub(super) struct Offered {
    /// Orders that were due.
    pub(super) due: u64,
    /// Those that were refused for want of room.
    pub(super) refused: u64,
    /// Those that found no connection in time.
    pub(super) given_up: u64,
    /// Those that were accepted, from sending to answer.
    pub(super) accepted: Load,
    /// When the last was due.
    pub(super) ended: Instant,
}

impl Callers {
    /// Opens the pool.
    pub(super) async fn open(server: &Server, count: usize) -> Result<Self, Failure> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Connection::open(server.address()).await?);
        }
        Ok(Self { address: server.address().to_owned(), connections, numbers: Arc::default() })
    }

    /// Has so many orders come per second for so long, and waits for the answers to all that were sent.
    pub(super) async fn offer(&mut self, per_second: f64, lasting: Duration) -> Result<Offered, Failure> {
        let began = Instant::now();
        let schedule =
            Arc::new(Schedule { began, per_second, until: began + lasting, next: AtomicU64::new(0) });
        let mut tasks = JoinSet::new();
        for connection in self.connections.drain(..) {
            let (schedule, numbers) = (schedule.clone(), self.numbers.clone());
            tasks.spawn(one_caller(self.address.clone(), connection, numbers, schedule));
        }
        let mut all = Offered {
            due: 0,
            refused: 0,
            given_up: 0,
            accepted: Load::new(tasks.len())?,
            ended: schedule.until,
        };
        while let Some(ended) = tasks.join_next().await {
            let (connection, came) = ended.map_err(|error| Failure::new(Exit::Failed, error))??;
            self.connections.push(connection);
            all.due += came.due;
            all.refused += came.refused;
            all.given_up += came.given_up;
            all.accepted.add(&came.accepted)?;
        }
        all.accepted.took(lasting);
        Ok(all)
    }
}

/// When each order is due.
struct Schedule {
    began: Instant,
    per_second: f64,
    until: Instant,
    next: AtomicU64,
}

impl Schedule {
    /// When the next order is due; none once the time is over.
    fn next(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.began + Duration::from_secs_f64(number as f64 / self.per_second);
        (due < self.until).then_some(due)
    }
}

async fn one_caller(
    address: String,
    mut connection: Connection,
    numbers: Arc<AtomicU64>,
    schedule: Arc<Schedule>,
) -> Result<(Connection, Offered), Failure> {
    let mut came =
        Offered { due: 0, refused: 0, given_up: 0, accepted: Load::new(1)?, ended: schedule.until };
    while let Some(due) = schedule.next() {
        came.due += 1;
        if due + PATIENCE < Instant::now() {
            came.given_up += 1;
            continue;
        }
        sleep_until(due).await;
        let sent = Instant::now();
        match connection.order(numbers.fetch_add(1, Ordering::Relaxed)).await {
            Ok(StatusCode::CREATED) => came.accepted.record(sent.elapsed()),
            Ok(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => came.refused += 1,
            Ok(status) => {
                return Err(Failure::text(Exit::Failed, format!("an order was answered with {status}")));
            }
            Err(_) => {
                came.refused += 1;
                connection = Connection::open(&address).await?;
            }
        }
    }
    Ok((connection, came))
}
