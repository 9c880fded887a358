//! Where commands go in: bulk of a server, or of the service in this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::client::{ANSWER_BYTES_MAX, Client, Headers, Problem};

const MEDIA_TYPE: &str = "application/x-ndjson";

/// Where commands go in.
#[derive(Debug, Clone)]
pub enum Door {
    /// A server.
    Server(Client),
    /// The service in this process.
    Here(Router),
}

/// Why there are no answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server does not answer, or not as it should.
    #[error(transparent)]
    Server(#[from] crate::client::Error),
    /// The service in this process does not take commands.
    #[error("the commands were not taken: {0}")]
    Here(Problem),
    /// The answer of the service in this process cannot be read: a fault of this program.
    #[error("the answers cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answers do not fit what was sent.
    #[error("{expected} commands were sent and {found} answers came back")]
    Count {
        /// How many commands were sent.
        expected: usize,
        /// How many answers came.
        found: usize,
    },
    /// The command has no decision, and asking again for a while did not help.
    #[error("{0}")]
    Undecided(Problem),
}

impl Error {
    /// Whether the same again may help.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Server(crate::client::Error::Refused { problem, .. }) if problem.retryable => true,
            Self::Server(error) => error.is_unreachable(),
            Self::Here(problem) | Self::Undecided(problem) => problem.retryable,
            Self::Unreadable(_) | Self::Count { .. } => false,
        }
    }
}

/// A line of the answer of bulk.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) status: u16,
    #[serde(default)]
    pub(super) replayed: bool,
    pub(super) position: Option<String>,
    pub(super) problem: Option<Box<RawValue>>,
}

impl Answer {
    /// Why the command was not done, if it was not.
    pub(super) fn refusal(&self) -> Option<Problem> {
        let problem = self.problem.as_ref()?;
        Some(serde_json::from_str(problem.get()).unwrap_or_default())
    }

    /// Whether it has no decision and may have one later.
    pub(super) fn is_passing(&self) -> bool {
        self.refusal().is_some_and(|problem| problem.retryable)
    }
}

impl Door {
    /// Sends lines and gives the answers, in order.
    pub(super) async fn bulk(&self, path: &str, lines: Bytes) -> Result<Vec<Answer>, Error> {
        match self {
            Self::Server(client) => Ok(client.post_lines(path, Headers::new(), lines).await?),
            Self::Here(router) => bulk_here(router.clone(), path, lines).await,
        }
    }
}

async fn bulk_here(router: Router, path: &str, lines: Bytes) -> Result<Vec<Answer>, Error> {
    let request = Request::post(path).header(header::CONTENT_TYPE, MEDIA_TYPE).body(Body::from(lines));
    let request = request.map_err(|error| Error::Unreadable(error.into()))?;
    let Ok(response) = router.oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| Error::Unreadable(error.into()))?;
    if !parts.status.is_success() {
        return Err(Error::Here(serde_json::from_slice(&body).unwrap_or_default()));
    }
    let answers = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let answers = answers.map(serde_json::from_slice).collect::<Result<_, _>>();
    answers.map_err(|error| Error::Unreadable(error.into()))
}
