//! Problems: every answer that is not a success is one of these, as `application/problem+json` (RFC 9457).
//!
//! A handler returns a [`Problem`]; the edge, which alone knows the request's id and path, writes it out
//! (`Problem::into_document_response`). What a problem says about a fault of ours goes to the log, never to the caller.
//!
//! The codes stand in `code.rs`, what the ledger and the store say becomes a problem in `cause.rs`.

mod cause;
pub mod code;
pub(super) mod pages;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stockledger_domain::Invalid;
use stockledger_log::Causes;
use stockledger_schemas::refusal::Shortage;
use stockledger_schemas::{Position, SiteId};

pub use code::Code;

use crate::http::dry_run::Purpose;
use crate::http::headers::set_decided;
use crate::http::operation::Check;

pub(super) use cause::refusal;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a request was not fulfilled. Boxed, because the way of success should not carry its size.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: String,
    instance: Option<String>,
    errors: Vec<Invalid>,
    shortages: Vec<Shortage>,
    owner: Option<String>,
    checks: Vec<Check>,
    decided: Option<Decided>,
    purpose: Purpose,
    cause: Option<Cause>,
    retry_after_s: Option<u32>,
}

/// The decision behind a refusal that is on record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided {
    pub(super) position: Position,
    pub(super) replayed: bool,
}

/// A problem as it is written out.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'static str,
    request_id: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Invalid],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    shortages: &'a [Shortage],
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    checks: &'a [Check],
}

impl Document<'_> {
    /// What is wrong with this request and what to do.
    pub(super) const fn detail(&self) -> &str {
        self.detail
    }

    /// What stands beside the detail, one line for each.
    pub(super) fn more(&self) -> Vec<String> {
        let errors = self.errors.iter().filter(|error| *error.to_string() != *self.detail);
        let errors = errors.map(ToString::to_string);
        let short = self.shortages.iter().map(|Shortage { sku, requested, available }| {
            format!("{sku}: {requested} requested, {available} available")
        });
        errors.chain(short).collect()
    }
}

impl Problem {
    /// A problem of this kind; `detail` says what is wrong with this request and what to do.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            shortages: Vec::new(),
            owner: None,
            checks: Vec::new(),
            decided: None,
            purpose: Purpose::Decide,
            cause: None,
            retry_after_s: None,
        }))
    }

    /// There is no such site, or none for the caller, which is the same to them.
    #[must_use]
    pub fn unknown_site(site: &SiteId) -> Self {
        Self::new(Code::UnknownSite, format!("no site {site} was ever opened"))
    }

    /// A fault of ours: the caller hears that there is one, the log hears which.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let detail = "the program has a fault; the log has the details under the request id";
        Self::new(Code::Internal, detail).because(cause)
    }

    /// A command that is not valid, with everything that is wrong with it.
    #[must_use]
    pub fn invalid(errors: Vec<Invalid>) -> Self {
        let detail = match errors.as_slice() {
            [] => "the command is not valid".to_owned(),
            [only] if only.pointer.is_empty() => only.detail.clone(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first}; and {} more, see errors", rest.len()),
        };
        let mut problem = Self::new(Code::ValidationFailed, detail);
        problem.0.errors = errors;
        problem
    }

    /// One thing that is not valid, at a JSON pointer into the body.
    #[must_use]
    pub fn invalid_at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Invalid { pointer: pointer.into(), detail: detail.into() }])
    }

    /// Its kind.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What is not valid, each with its pointer.
    pub(super) fn errors(&self) -> &[Invalid] {
        &self.0.errors
    }

    /// What is short.
    pub(super) fn shortages(&self) -> &[Shortage] {
        &self.0.shortages
    }

    /// Where the ledger stands by it, if it is a refusal that stands for a decision.
    pub(super) fn decided(&self) -> Option<Decided> {
        self.0.decided.map(|Decided { position, replayed }| Decided {
            position: self.0.purpose.stands_at(position, replayed),
            replayed,
        })
    }

    /// Says itself when to try again, where the code alone knows no better than soon.
    pub(super) fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    pub(super) fn with_instance(mut self, path: String) -> Self {
        self.0.instance = Some(path);
        self
    }

    pub(super) fn with_shortages(mut self, shortages: Vec<Shortage>) -> Self {
        self.0.shortages = shortages;
        self
    }

    pub(super) fn with_owner(mut self, url: Option<String>) -> Self {
        self.0.owner = url;
        self
    }

    pub(super) fn with_checks(mut self, checks: Vec<Check>) -> Self {
        self.0.checks = checks;
        self
    }

    pub(super) fn with_decision(mut self, decided: Decided) -> Self {
        self.0.decided = Some(decided);
        self
    }

    /// The same problem as the answer to a command of this purpose.
    pub(super) fn in_answer_to(mut self, purpose: Purpose) -> Self {
        self.0.purpose = purpose;
        self
    }

    /// What the log is told.
    pub(super) fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The same problem of a value that stands at `prefix` in a larger one.
    pub(super) fn below(mut self, prefix: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, prefix);
        }
        self
    }

    /// The problem as the answer to the request of this id; `path` is the request's own.
    pub(super) fn document<'a>(&'a self, request_id: &'a str, path: &'a str) -> Document<'a> {
        let Inner { code, detail, instance, errors, shortages, owner, checks, .. } = &*self.0;
        Document {
            r#type: format!("/problems/{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail,
            instance: instance.as_deref().unwrap_or(path),
            code: code.as_str(),
            request_id,
            retryable: code.is_retryable(),
            errors,
            shortages,
            owner: owner.as_deref(),
            checks,
        }
    }

    /// Tells the log what the caller is not told; once, with everything that caused it.
    pub(super) fn log_cause(&self, request_id: &str, path: &str) {
        let Some(cause) = &self.0.cause else { return };
        let (code, cause) = (self.0.code.as_str(), Causes(cause.as_ref()));
        if self.0.code == Code::Internal {
            tracing::error!(request_id, path, code, %cause, "a request met a fault");
        } else {
            tracing::warn!(request_id, path, code, %cause, "a request could not be served");
        }
    }

    /// Writes the problem out.
    pub(super) fn into_document_response(self, request_id: &str, path: &str) -> Response {
        self.log_cause(request_id, path);
        let body = serde_json::to_vec(&self.document(request_id, path)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.0.code.status();
        self.set_headers(response.headers_mut());
        response
    }

    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.0.retry_after_s.or(self.0.code.retry_after_s()) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.0.purpose.mark(headers);
        if let Some(Decided { position, replayed }) = self.decided() {
            set_decided(headers, position, replayed);
        }
    }
}

/// Hands the problem to the edge, which writes it out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
