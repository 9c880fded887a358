//! A connection that is one too many: told so in one write, and closed.
//!
//! It is accepted and refused rather than left in the system's queue: a caller, or its load balancer, that knows at once
//! can go elsewhere; one that waits in the queue takes a live server for a dead one.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::limits::{REFUSAL_LASTS_MAX, REFUSALS_MAX};
use super::peers::TooMany;
use crate::http::problem::{Code, MEDIA_TYPE, Problem};

/// Refuses connections.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
    at_once: Arc<Semaphore>,
    in_all: Bytes,
    of_this_peer: Bytes,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            at_once: Arc::new(Semaphore::new(REFUSALS_MAX)),
            in_all: answer("the server has as many connections as it takes; try again a little later"),
            of_this_peer: answer("this address has as many connections as one may have; close some or wait"),
        }
    }

    /// Refuses a connection without TLS.
    pub(super) fn refuse(&self, mut stream: TcpStream, why: TooMany) {
        let Ok(permit) = self.at_once.clone().try_acquire_owned() else { return };
        let answer = match why {
            TooMany::InAll => self.in_all.clone(),
            TooMany::OfThisPeer => self.of_this_peer.clone(),
        };
        tokio::spawn(async move {
            let refusing = async {
                stream.write_all(&answer).await?;
                stream.shutdown().await?;
                // A connection that is closed with bytes unread is reset, and the caller may never see the answer.
                let mut unread = [0; 1_024];
                while stream.read(&mut unread).await? > 0 {}
                Ok::<(), std::io::Error>(())
            };
            // Whether it was read is the caller's affair.
            drop(timeout(REFUSAL_LASTS_MAX, refusing).await);
            drop(permit);
        });
    }
}

fn answer(detail: &str) -> Bytes {
    let problem = Problem::new(Code::Overloaded, detail);
    let body = serde_json::to_string(&problem.document("", "/")).unwrap_or_default();
    let retry_after = Code::Overloaded.retry_after_s().unwrap_or(1);
    let length = body.len();
    Bytes::from(format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {MEDIA_TYPE}\r\nretry-after: {retry_after}\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}
