//! The pages that the `type` of a problem leads to: for people, as HTML or plain text.

use axum::http::HeaderMap;
use axum::response::Response;

use crate::http::access::{Access, Routes};
use crate::http::page::{self, Page};
use crate::http::problem::{Code, Problem};
use crate::http::segments::Segments;

pub(in crate::http) fn routes() -> Routes {
    Routes::new().get("/problems", Access::Open, index).get("/problems/{code}", Access::Open, one)
}

async fn index(headers: HeaderMap) -> Response {
    let links = Code::ALL.iter().map(|code| {
        let text = format!("{} {}", code.status().as_u16(), code.title());
        (format!("/problems/{}", code.as_str()), text)
    });
    let text = vec!["Every answer that is not a success names one of these codes.".to_owned()];
    page::respond(&headers, &Page { title: "Problems".to_owned(), text, links: links.collect() })
}

async fn one(Segments(name): Segments<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let code = Code::from_name(&name).ok_or_else(|| {
        Problem::new(Code::NotFound, "there is no problem of this name; /problems lists them all")
    })?;
    let retry = if code.is_retryable() {
        "The same request, sent again without any change, may succeed."
    } else {
        "The same request, sent again without any change, meets the same problem."
    };
    let status = format!("Status {}, code {}.", code.status().as_u16(), code.as_str());
    let text = vec![status, code.explanation().to_owned(), retry.to_owned()];
    let links = vec![("/problems".to_owned(), "all problems".to_owned())];
    Ok(page::respond(&headers, &Page { title: code.title().to_owned(), text, links }))
}
