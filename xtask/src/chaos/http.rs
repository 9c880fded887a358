//! What a client of the ledger does: a request, and what came back of it.

use std::fmt;
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A place in the ledger, `PARTITION.SEQ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Position {
    pub(crate) partition: u16,
    pub(crate) seq: u64,
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (partition, seq) = text.split_once('.').with_context(|| format!("{text:?} is no position"))?;
        Ok(Self { partition: partition.parse()?, seq: seq.parse()? })
    }
}

impl TryFrom<String> for Position {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.partition, self.seq)
    }
}

/// An answer of a server.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) position: Option<Position>,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a problem; empty for what is none.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Nobody listens: nothing was sent.
    NotSent,
    /// The request may have arrived.
    Lost,
}

/// A client with connections of its own.
pub(crate) struct Client(ureq::Agent);

impl Client {
    /// One that waits so long for an answer.
    pub(crate) fn new(patience: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_idle_age(Duration::from_secs(5))
            .build();
        Self(config.into())
    }

    /// Sends a command under a key.
    pub(crate) fn post(&self, url: &str, key: &str, body: &Value) -> Result<Answer, NoAnswer> {
        let request = self.0.post(url).header("content-type", "application/json");
        answer(request.header("idempotency-key", key).send(body.to_string()))
    }

    /// States how something is to be.
    pub(crate) fn put(&self, url: &str, body: &Value) -> Result<Answer, NoAnswer> {
        answer(self.0.put(url).header("content-type", "application/json").send(body.to_string()))
    }

    /// Reads, from tables that have reached these positions.
    pub(crate) fn get(&self, url: &str, positions: &[Position]) -> Result<Answer, NoAnswer> {
        let mut request = self.0.get(url);
        if !positions.is_empty() {
            let positions: Vec<String> = positions.iter().map(ToString::to_string).collect();
            request = request.header("ledger-min-position", positions.join(","));
        }
        answer(request.call())
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, NoAnswer> {
    let mut response = response.map_err(|error| match error {
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => NoAnswer::NotSent,
        _ => NoAnswer::Lost,
    })?;
    let position = response.headers().get("ledger-position");
    let position = position.and_then(|position| position.to_str().ok()?.parse().ok());
    let bytes = response.body_mut().read_to_vec().map_err(|_| NoAnswer::Lost)?;
    let body = serde_json::from_slice(&bytes).map_err(|_| NoAnswer::Lost)?;
    Ok(Answer { status: response.status().as_u16(), position, body })
}

#[cfg(test)]
mod tests {
    use super::{Client, Duration, NoAnswer, Position};
    use std::net::TcpListener;

    #[test]
    fn positions_are_read_and_shown() {
        assert_eq!("2.17".parse::<Position>().unwrap(), Position { partition: 2, seq: 17 });
        assert_eq!(Position { partition: 2, seq: 17 }.to_string(), "2.17");
        assert!("17".parse::<Position>().is_err());
    }

    #[test]
    fn nobody_there_and_nobody_answering_are_told_apart() {
        let client = Client::new(Duration::from_millis(200));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        assert_eq!(client.get(&url, &[]).unwrap_err(), NoAnswer::Lost);
        drop(listener);
        assert_eq!(client.get(&url, &[]).unwrap_err(), NoAnswer::NotSent);
    }
}
