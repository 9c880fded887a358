//! The parts of a request's address as checked types: ids in the path, parameters in the query string.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::App;
use crate::http::problem::{Code, Problem};

/// The ids in a path, percent-decoded. One that breaks the rules of its type is `validation-failed` on every route and
/// with every method: nothing can have that id, and the rule helps more than "not found".
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Path::from_request_parts(parts, app).await.map(|Path(ids)| Self(ids)).map_err(invalid_segment)
    }
}

fn invalid_segment(rejection: PathRejection) -> Problem {
    let detail = match rejection {
        PathRejection::FailedToDeserializePathParams(error) => match error.into_kind() {
            ErrorKind::DeserializeError { message, .. } | ErrorKind::Message(message) => message,
            ErrorKind::ParseError { value, .. }
            | ErrorKind::ParseErrorAtKey { value, .. }
            | ErrorKind::ParseErrorAtIndex { value, .. } => {
                format!("{value} must be a whole number that is not too large")
            }
            ErrorKind::InvalidUtf8InPathParam { key } => format!("{key} must be UTF-8 once percent-decoded"),
            other => return Problem::internal(other.to_string()),
        },
        other => return Problem::internal(other),
    };
    Problem::new(Code::ValidationFailed, format!("the path has an id that nothing can have: {detail}"))
}

/// The parameters of a query string; those that `T` does not know are refused, so that a misspelt filter never gives
/// wrong data.
pub(super) struct Parameters<T>(pub(super) T);

/// For routes that take no parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(malformed_query(&rejection)),
        }
    }
}

fn malformed_query(rejection: &dyn std::error::Error) -> Problem {
    let cause = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
    Problem::new(Code::MalformedRequest, format!("the query string is not valid: {cause}"))
}
