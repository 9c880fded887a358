//! Whether a form was sent from one of our own pages: whoever can have a browser send one must not act as its owner.
//!
//! This holds without keys too, where every page of the world could otherwise have the browser of somebody on this machine
//! send a form here. JSON needs no such check: a browser asks before it sends that media type elsewhere, and nobody says yes.

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::http::problem::{Code, Problem};

/// Runs in front of every page, behind its guard.
pub(super) async fn own_origin(request: Request, next: Next) -> Result<Response, Problem> {
    if request.method().is_safe() || is_ours(request.headers(), request.uri()) {
        return Ok(next.run(request).await);
    }
    let detail =
        "the form was not sent from a page of this service: open the page here and send it from there";
    Err(Problem::new(Code::Forbidden, detail))
}

/// A browser of these days says itself where a request comes from; an older one, or one that speaks to us without TLS, says
/// of which origin the page is. Who says neither is no browser, and has the JSON.
fn is_ours(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = text(header::HOST.as_str()).or_else(|| uri.authority().map(|authority| authority.as_str()));
    let origin = text(header::ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    origin.zip(host).is_some_and(|((_, origin), host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_form_comes_from_one_of_our_pages_or_is_refused() {
        let cases: [(&[(&'static str, &'static str)], bool); 9] = [
            (&[], false),
            (&[("host", "ledger:7070")], false),
            (&[("host", "ledger:7070"), ("origin", "http://ledger:7070")], true),
            (&[("host", "ledger:7070"), ("origin", "https://ledger:7070")], true),
            (&[("host", "ledger:7070"), ("origin", "http://ledger:8080")], false),
            (&[("host", "ledger:7070"), ("origin", "null")], false),
            (
                &[
                    ("host", "ledger:7070"),
                    ("origin", "http://evil.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (&[("host", "inner"), ("origin", "https://outer"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "ledger"), ("origin", "http://ledger"), ("sec-fetch-site", "same-site")], false),
        ];
        for (headers, is_allowed) in cases {
            let pairs = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(is_ours(&pairs.collect(), &Uri::from_static("/ui")), is_allowed, "{headers:?}");
        }
    }
}
