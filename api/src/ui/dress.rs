//! Problems as pages: who came with a browser gets HTML, every program the document that all routes answer with.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::access::cookie::Jar;
use crate::http::edge::RequestId;
use crate::http::page::accepts_html;
use crate::http::problem::{Code, Problem};
use crate::http::ui::frame::{Frame, Section, set_headers};
use crate::http::ui::sign_in;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    status: u16,
    code: &'static str,
    detail: &'a str,
    /// What more there is to say, one line each.
    more: Vec<String>,
    request_id: &'a str,
    is_retryable: bool,
    /// Where to try again.
    path: &'a str,
}

/// Stands around every page, outside of its guard.
pub(in crate::http) async fn dress(request: Request, next: Next) -> Response {
    if !accepts_html(request.headers()) {
        return next.run(request).await;
    }
    let id = request.extensions().get::<RequestId>().cloned();
    let is_read = request.method().is_safe();
    // Whoever showed nothing is asked for it; whoever showed what is no good hears why.
    let shown = Jar::of(request.extensions(), request.headers()).ticket(request.headers()).is_some()
        || request.headers().contains_key(header::AUTHORIZATION);
    let path = request.uri().path_and_query().map_or_else(String::new, |path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let id = id.as_ref().map_or("", RequestId::as_str);
    problem.log_cause(id, &path);
    if problem.code() == Code::Unauthenticated {
        let document = problem.document(id, &path);
        let said = if shown { document.detail() } else { "" };
        // A form has the address of its page, so both lead back there.
        return sign_in::form(Code::Unauthenticated.status(), said, &path).map_or_else(
            IntoResponse::into_response,
            |mut form| {
                form.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                form
            },
        );
    }
    dressed(&problem, id, if is_read { &path } else { "" })
}

fn dressed(problem: &Problem, request_id: &str, path: &str) -> Response {
    let document = problem.document(request_id, path);
    let code = problem.code();
    let template = ProblemPage {
        frame: Frame::new(code.title(), Section::Nowhere),
        status: code.status().as_u16(),
        code: code.as_str(),
        detail: document.detail(),
        more: document.more(),
        request_id,
        is_retryable: code.is_retryable(),
        path,
    };
    let mut response = match template.render() {
        Ok(html) => (code.status(), html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    problem.set_headers(response.headers_mut());
    set_headers(response.headers_mut());
    response
}
