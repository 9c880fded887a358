//! A small client of the HTTP interface, for the commands of this program that talk to a server.
//!
//! It keeps connections alive, bounds how long and how large an answer may be, and turns a problem document into one
//! readable message. With `https://` the server must show a certificate that is
//! trusted ([`Trust`]). It never repeats a request by itself; who may, knows the idempotency key.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::Token;
use crate::tls::{self, Trust};

/// How long making a connection may take.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take, from the first byte of the request to the last of the answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Largest answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A client of one server. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    /// Without a slash at its end.
    server: String,
    /// What is sent as `Authorization`; marked as a secret, so that nothing prints it.
    authorization: Option<HeaderValue>,
    http: Arc<legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

/// What a server says when it refuses: the members of a problem document (RFC 9457) that people and programs need.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Problem {
    /// What kind of problem, for programs.
    pub code: String,
    /// What kind of problem, for people.
    pub title: String,
    /// What is wrong with this request.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// By what the server's log names the request.
    pub request_id: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = if self.detail.is_empty() { &self.title } else { &self.detail };
        match (self.code.is_empty(), said.is_empty()) {
            (true, true) => formatter.write_str("it does not say why"),
            (true, false) => formatter.write_str(said),
            (false, true) => formatter.write_str(&self.code),
            (false, false) => write!(formatter, "{said} ({})", self.code),
        }
    }
}

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one of a server.
    #[error("{0:?} is not the address of a server; it must look like http://127.0.0.1:7070")]
    Address(String),
    /// TLS cannot be used as it is set.
    #[error("connecting to {server} over TLS")]
    Tls {
        /// Which server.
        server: String,
        /// What is wrong.
        #[source]
        source: Box<tls::Error>,
    },
    /// The request cannot be made.
    #[error("the request {path:?} cannot be made")]
    Request {
        /// Of which resource.
        path: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server cannot be reached, or the connection broke. The request may have been carried out.
    #[error("{server} cannot be reached")]
    Unreachable {
        /// Which server.
        server: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server did not answer in time. The request may have been carried out.
    #[error("{server} did not answer within {} s", .within.as_secs())]
    Late {
        /// Which server.
        server: String,
        /// How long was waited.
        within: Duration,
    },
    /// The server refused.
    #[error("{server} answered {status}: {problem}")]
    Refused {
        /// Which server.
        server: String,
        /// With which status.
        status: StatusCode,
        /// Why.
        problem: Box<Problem>,
    },
    /// The answer is not what this client understands.
    #[error("{server} answered {path:?} with something else than expected")]
    Answer {
        /// Which server.
        server: String,
        /// Of which resource.
        path: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// Whether the server is not there, or says that it is not ready: trying again later may help.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Late { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Address(_) | Self::Tls { .. } | Self::Request { .. } | Self::Answer { .. } => false,
        }
    }

    /// The code of the server's problem document, if it refused with one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { problem, .. } => Some(&problem.code),
            _ => None,
        }
    }
}

/// Headers of one request beside those that every request has.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

impl Client {
    /// A client of the server at `address`, such as `http://127.0.0.1:7070`. It connects when it is first used.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Tls`].
    pub fn new(address: &str) -> Result<Self, Error> {
        Self::trusting(address, &Trust::System)
    }

    /// The same, with whom to believe if the address begins with `https://`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn trusting(address: &str, trust: &Trust) -> Result<Self, Error> {
        let wrong = || Error::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let is_whole = uri.query().is_none() && uri.host().is_some_and(|host| !host.is_empty());
        let config = match uri.scheme_str() {
            // Nobody is believed where nobody has to be.
            Some("http") if is_whole => tls::client_config(&Trust::Nobody),
            Some("https") if is_whole => tls::client_config(trust),
            _ => return Err(wrong()),
        };
        let config =
            config.map_err(|source| Error::Tls { server: address.to_owned(), source: Box::new(source) })?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        let server = address.trim_end_matches('/').to_owned();
        Ok(Self { server, authorization: None, http: Arc::new(http) })
    }

    /// The same client, showing an API key with every request.
    #[must_use]
    pub fn with_token(mut self, token: &Token) -> Self {
        let value = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
        self.authorization = value.ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        self
    }

    /// Reads a resource. `path` begins with a slash, its segments percent-encoded ([`segment`](crate::text::segment)).
    ///
    /// # Errors
    /// Any [`Error`] but those of [`Client::new`]; so do all of the following.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.get_json_with(path, Headers::new()).await
    }

    /// Reads a resource with headers of its own.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn get_json_with<T: DeserializeOwned>(&self, path: &str, headers: Headers) -> Result<T, Error> {
        let answer = self.send(Method::GET, path, headers, None).await?;
        self.parsed(path, &answer)
    }

    /// Reads a resource whose answer goes on for as long as there is something to tell. It may be silent for
    /// [`ANSWER_WITHIN`] at most.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn get_stream(&self, path: &str, headers: Headers) -> Result<Chunks, Error> {
        let request = self.request(Method::GET, path, headers, None)?;
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.http.request(request));
        let response = answered.await.map_err(|_| self.late())?.map_err(|error| self.unreachable(error))?;
        let (status, body) = (response.status(), response.into_body());
        if status.is_success() {
            return Ok(Chunks { client: self.clone(), body });
        }
        let answer = tokio::time::timeout(ANSWER_WITHIN, Limited::new(body, ANSWER_BYTES_MAX).collect());
        let answer = answer.await.map_err(|_| self.late())?.map_err(|error| self.unreachable(error))?;
        let problem = serde_json::from_slice(&answer.to_bytes()).unwrap_or_default();
        Err(Error::Refused { server: self.server.clone(), status, problem })
    }

    /// Puts a resource.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn put_json<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        self.send_json(Method::PUT, path, Headers::new(), body).await
    }

    /// Posts a document with headers of its own, such as an idempotency key.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        headers: Headers,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.send_json(Method::POST, path, headers, body).await
    }

    /// Sends a document by a method and with headers of its own.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        headers: Headers,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = self.json(path, body)?;
        let answer = self.send(method, path, headers, Some(body)).await?;
        self.parsed(path, &answer)
    }

    /// Deletes a resource.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn delete_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.send(Method::DELETE, path, Headers::new(), None).await?;
        self.parsed(path, &answer)
    }

    /// Posts many documents, one a line, and returns the lines of the answer.
    ///
    /// # Errors
    /// As [`Client::get_json`].
    pub async fn post_ndjson<T: DeserializeOwned>(
        &self,
        path: &str,
        headers: Headers,
        documents: &[impl Serialize],
    ) -> Result<Vec<T>, Error> {
        let mut bytes = Vec::new();
        for document in documents {
            serde_json::to_writer(&mut bytes, document).map_err(|source| unsendable(path, source))?;
            bytes.push(b'\n');
        }
        let body = Body { media_type: "application/x-ndjson", bytes: bytes.into() };
        let answer = self.send(Method::POST, path, headers, Some(body)).await?;
        let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(|line| self.parsed(path, line)).collect()
    }

    fn json(&self, path: &str, body: &impl Serialize) -> Result<Body, Error> {
        let bytes = serde_json::to_vec(body).map_err(|source| unsendable(path, source))?;
        Ok(Body { media_type: "application/json", bytes: bytes.into() })
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, answer: &[u8]) -> Result<T, Error> {
        let (server, path) = (self.server.clone(), path.to_owned());
        serde_json::from_slice(answer).map_err(|source| Error::Answer { server, path, source })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: Headers,
        body: Option<Body>,
    ) -> Result<Bytes, Error> {
        let request = self.request(method, path, headers, body)?;
        let exchanged = tokio::time::timeout(ANSWER_WITHIN, self.exchange(request)).await;
        let (status, answer) = exchanged.map_err(|_| self.late())??;
        if status.is_success() {
            return Ok(answer);
        }
        let problem = serde_json::from_slice(&answer).unwrap_or_default();
        Err(Error::Refused { server: self.server.clone(), status, problem })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: Headers,
        body: Option<Body>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, body.media_type);
                body.bytes
            }
            None => Bytes::new(),
        };
        request.body(Full::new(bytes)).map_err(|source| unsendable(path, source))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Error> {
        let response = self.http.request(request).await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(|error| self.unreachable(error))?.to_bytes()))
    }

    fn late(&self) -> Error {
        Error::Late { server: self.server.clone(), within: ANSWER_WITHIN }
    }

    fn unreachable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unreachable { server: self.server.clone(), source: source.into() }
    }
}

/// An answer that goes on.
#[derive(Debug)]
pub struct Chunks {
    client: Client,
    body: Incoming,
}

impl Chunks {
    /// What came next; nothing at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            let frame = match tokio::time::timeout(ANSWER_WITHIN, self.body.frame()).await {
                Ok(frame) => frame?,
                Err(_) => return Some(Err(self.client.late())),
            };
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers.
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(self.client.unreachable(error))),
            }
        }
    }
}

/// What a request carries.
struct Body {
    media_type: &'static str,
    bytes: Bytes,
}

fn unsendable(path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Request { path: path.to_owned(), source: source.into() }
}
