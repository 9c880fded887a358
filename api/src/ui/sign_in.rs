//! `/ui/sign-in`, `/ui/sign-out`: an API key for a session, and back.
//!
//! The key is looked at once and not kept: the browser gets a ticket, this node remembers which key it stands for
//! (`access/sessions.rs`). The form must come from one of our own pages, as every form.

use std::time::Instant;

use askama::Template;
use axum::RequestExt;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::http::App;
use crate::http::access::cookie::Jar;
use crate::http::access::{Access, Routes, identified};
use crate::http::page::accepts_html;
use crate::http::problem::{Code, Problem};
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::fields::Fields;
use crate::http::ui::frame::{Frame, Section, page_with};

const FRONT: &str = "/ui";

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/sign-in", Access::Open, show).post("/ui/sign-in", Access::Open, sign_in).post(
        "/ui/sign-out",
        Access::Open,
        sign_out,
    )
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    problem: String,
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    next: String,
}

async fn show(Parameters(Asked { next }): Parameters<Asked>) -> Result<Response, Problem> {
    form(StatusCode::OK, "", &next)
}

/// The form with what was wrong; afterwards the browser goes on to `next`.
pub(super) fn form(status: StatusCode, problem: &str, next: &str) -> Result<Response, Problem> {
    let frame = Frame::new("Sign in", Section::Account);
    page_with(status, &SignIn { frame, problem: problem.to_owned(), next: ours(next).to_owned() })
}

async fn sign_in(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, extensions) = (request.headers().clone(), request.extensions().clone());
    let fields: Fields = request.extract_with_state(&app).await?;
    let next = ours(fields.get("next"));
    let key = match identified(&app, &extensions, fields.get("token")) {
        Ok(Some(key)) => key,
        // Nobody is told apart here: there is nothing to sign in to.
        Ok(None) => return Ok(Redirect::to(next).into_response()),
        Err(problem) if problem.code() == Code::Unauthenticated && accepts_html(&headers) => {
            let document = problem.document("", "");
            return form(StatusCode::UNAUTHORIZED, document.detail(), next);
        }
        Err(problem) => return Err(problem),
    };
    let jar = Jar::of(&extensions, &headers);
    if let Some(former) = jar.ticket(&headers) {
        app.sessions().close(former);
    }
    let ticket = app.sessions().open(&key.key_id, Instant::now()).map_err(Problem::internal)?;
    tracing::debug!(key_id = %key.key_id, name = %key.name, "somebody signed in with a browser");
    Ok(with_cookie(Redirect::to(next), jar.keep(&ticket)))
}

async fn sign_out(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    request: Request,
) -> Response {
    let jar = Jar::of(request.extensions(), request.headers());
    if let Some(ticket) = jar.ticket(request.headers()) {
        app.sessions().close(ticket);
    }
    with_cookie(Redirect::to("/ui/sign-in"), jar.forget())
}

/// The answer with a cookie to be kept.
pub(super) fn with_cookie(answer: impl IntoResponse, cookie: Option<HeaderValue>) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// Where a browser is sent is one of our own pages, whoever wrote the address.
fn ours(next: &str) -> &str {
    let rest = next.strip_prefix(FRONT);
    let is_page = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_page && is_plain { next } else { FRONT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for next in ["/ui", "/ui?x=1", "/ui/sites/uk/stock?sku=A%20B&limit=5"] {
            assert_eq!(ours(next), next);
        }
        for next in [
            "",
            "/",
            "//evil.example",
            "https://evil.example/ui",
            "/uix",
            "/ui\\..",
            "/ui/\r\nx: y",
            "/v1/info",
        ] {
            assert_eq!(ours(next), FRONT, "{next}");
        }
    }
}
