//! What happens to every request: it gets an id, a panic becomes an answer, and a problem is written out.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::http::headers::{LEDGER_POSITION, REQUEST_ID};
use crate::http::problem::{Code, Problem};

/// Longest request id that is taken over from a caller.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Longest path with its query string. The longest that means something is a filter beside a cursor.
pub(super) const URI_BYTES_MAX: usize = 8 << 10;
/// Names and values of all headers of a request together.
pub(super) const HEAD_BYTES_MAX: usize = 32 << 10;

/// What a request is called in answers and in the log.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id where it is short and plain, else a new one: it goes into the log, so nothing there may be
    /// forged with it.
    fn of(headers: &HeaderMap) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
        let is_sane = |id: &HeaderValue| {
            (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
        };
        match headers.get(REQUEST_ID) {
            Some(id) if is_sane(id) => Self(id.clone()),
            _ => Self::new(),
        }
    }

    fn new() -> Self {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none")))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Runs around every route.
pub(super) async fn edge(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let uri = request.uri().clone();
    request.extensions_mut().insert(id.clone());
    // A query may hold what somebody looks for; a path is what the request is about.
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = %request.method(),
        path = uri.path(),
        status = Empty,
        position = Empty
    );
    let answered = async {
        match check_head(&request) {
            Ok(()) => {
                let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
                answered.unwrap_or_else(|panic| panicked(panic.as_ref()).into_response())
            }
            Err(problem) => problem.into_response(),
        }
    };
    let mut response = answered.instrument(span.clone()).await;
    let _entered = span.enter();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let code = problem.code();
        let document = problem.into_document_response(id.as_str(), uri.path());
        response = with_headers_of(document, response.headers_mut());
        response.extensions_mut().insert(code);
    }
    span.record("status", response.status().as_u16());
    if let Some(position) = response.headers().get(LEDGER_POSITION).and_then(|value| value.to_str().ok()) {
        span.record("position", position);
    }
    tracing::debug!("answered");
    response.headers_mut().insert(REQUEST_ID, id.0);
    response
}

/// The document with what layers and router have said beside it, such as `Allow`.
fn with_headers_of(mut document: Response, said: &mut HeaderMap) -> Response {
    said.remove(header::CONTENT_LENGTH);
    for (name, value) in &*said {
        document.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    document
}

/// Refuses a head that is longer than any honest one.
fn check_head(request: &Request) -> Result<(), Problem> {
    let uri = request.uri().path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI_BYTES_MAX {
        let detail = format!("an address has at most {URI_BYTES_MAX} bytes");
        return Err(Problem::new(Code::UriTooLong, detail));
    }
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let headers: usize = request.headers().iter().map(field).sum();
    if headers > HEAD_BYTES_MAX {
        let detail = format!("the headers have at most {HEAD_BYTES_MAX} bytes together");
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Problem::internal(format!("a handler panicked: {message}"))
}

pub(super) async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(Code::NotFound, format!("there is no path {}; / has some to begin with", uri.path()))
}

/// The router adds the header `Allow`.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("{} does not take {method}; see the header Allow", uri.path()),
    )
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn faulty() -> Response {
        panic!("a secret of the program")
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_tells_nothing() {
        let router = Router::new().route("/", get(faulty)).layer(axum::middleware::from_fn(edge));
        let request = Request::get("/").header("x-request-id", "mine-1").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["x-request-id"], "mine-1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["code"], "internal");
        assert_eq!(document["request_id"], "mine-1");
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }

    #[test]
    fn an_id_that_could_forge_a_log_line_is_replaced() {
        for id in ["", "two words", "\"quoted\"", &"x".repeat(129)] {
            let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).unwrap())]);
            assert!(Uuid::parse_str(RequestId::of(&headers).as_str()).is_ok(), "{id}");
        }
        assert_eq!(Uuid::parse_str(RequestId::new().as_str()).unwrap().get_version_num(), 7);
    }
}
