//! Reading: a small pool of read-only connections, and readers that wait for what comes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Sqlite;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Ends;
use super::file::{File, damaged_or_unavailable, is_damage, unavailable};
use super::rows;
use crate::{Bounds, Error, Reader, StoredRecord};

/// Reads that run at the same time; more wait for their turn.
const CONNECTIONS_MAX: u32 = 4;
/// Where records are read from.
#[derive(Debug)]
pub(super) struct Source {
    connections: SqlitePool,
    ends: Arc<Ends>,
    poll_interval: Duration,
}

impl Source {
    pub(super) fn new(file: &File, ends: Arc<Ends>) -> Self {
        let connections = PoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            // The pool tests a connection when it comes back; a second test would delay every read.
            .test_before_acquire(false)
            .connect_lazy_with(file.reading());
        Self { connections, ends, poll_interval: file.settings.poll_interval }
    }

    /// Records from `from` on; none if the log has not come so far.
    pub(super) async fn read(
        &self,
        partition: u16,
        from: u64,
        count_max: usize,
    ) -> Result<Vec<StoredRecord>, Error> {
        let mut connection = self.connection().await?;
        let mut count = count_max;
        let records = loop {
            match rows::read(&mut connection, partition, from, count).await {
                // Sound records that stand before the damage are given first, so that it is met where it is.
                Err(error) if is_damage(&error) && count > 1 => count /= 2,
                read => break read.map_err(|error| damaged_or_unavailable("read", error))?,
            }
        };
        match records.first() {
            Some(first) if first.offset != from => {
                Err(Error::Truncated { begin: first.offset, wanted: from })
            }
            _ => Ok(records),
        }
    }

    pub(super) async fn bounds(&self, partition: u16) -> Result<Bounds, Error> {
        let mut connection = self.connection().await?;
        let bounds = rows::bounds(&mut connection, partition).await;
        bounds.map_err(|error| damaged_or_unavailable("find the end", error))
    }

    async fn connection(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.connections.acquire().await.map_err(|error| unavailable("open a connection for reading", error))
    }

    /// Waits for the reads that are under way and closes their connections.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}

/// Reads one partition in order.
pub(super) struct SqliteReader {
    source: Arc<Source>,
    partition: u16,
    next: u64,
    end: watch::Receiver<u64>,
}

impl SqliteReader {
    pub(super) fn new(source: Arc<Source>, partition: u16, from: u64) -> Self {
        let end = source.ends.subscribe(partition);
        Self { source, partition, next: from, end }
    }
}

#[async_trait]
impl Reader for SqliteReader {
    async fn next(&mut self, max: usize, patience: Duration) -> Result<Vec<StoredRecord>, Error> {
        let deadline = crate::deadline(patience);
        loop {
            // Seen before the tables are read, so that a commit in between wakes us.
            self.end.mark_unchanged();
            let records = self.source.read(self.partition, self.next, max).await?;
            let now = Instant::now();
            if !records.is_empty() || max == 0 || now >= deadline {
                // Nothing is awaited from here on: a call that was dropped has not moved.
                self.next += records.len() as u64;
                return Ok(records);
            }
            // Either way out, the tables tell. The channel cannot close: the source keeps its other end.
            let _ = timeout_at(deadline.min(now + self.source.poll_interval), self.end.changed()).await;
        }
    }
}
