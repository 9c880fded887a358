//! A list as rows: CSV, or JSON one a line, page by page as the caller takes it.
//!
//! Nothing is kept but the page that is being sent, however long the list is. What goes wrong before the first byte is a
//! problem; what goes wrong later breaks the answer off, so that nobody takes a part of a list for all of it.

use std::io;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;

use super::format::Rows;
use super::{Pages, Portion};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::headers::set_position;
use crate::http::problem::Problem;
use crate::http::table::{self, Row};

const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The rest of a list.
struct Rest<P: Pages> {
    app: App,
    /// Whoever reads it, where callers are told apart; they may do so for long.
    caller: Option<Caller>,
    pages: P,
    rows: Rows,
    /// Where it goes on; absent at the end.
    next: Option<P::Key>,
}

/// The answer that begins with a page, and goes on with those behind it if all are wanted.
pub(super) fn respond<P: Pages>(
    (app, caller): (App, Option<Caller>),
    pages: P,
    rows: Rows,
    (first, is_whole): (Portion<P::Row, P::Key>, bool),
) -> Result<Response, Problem> {
    let Portion { at, data, next, .. } = first;
    let mut begin = match rows {
        Rows::Csv => table::csv_header::<P::Row>().map_err(Problem::internal)?,
        Rows::Ndjson => Vec::new(),
    };
    begin.extend(written(rows, &data)?);
    let rest = Rest { app, caller, pages, rows, next: next.filter(|_| is_whole) };
    let begin = Some(Bytes::from(begin)).filter(|begin| !begin.is_empty());
    let body = stream::unfold((begin, rest), |(begin, mut rest)| async move {
        let write = match begin {
            Some(begin) => Ok(begin),
            None => rest.take().await.transpose()?,
        };
        Some((write, (None, rest)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    let media_type = match rows {
        Rows::Csv => table::CSV,
        Rows::Ndjson => NDJSON,
    };
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(at) = at {
        set_position(headers, at.position);
    }
    Ok(response)
}

impl<P: Pages> Rest<P> {
    /// The next page that holds anything; nothing at the end.
    async fn take(&mut self) -> Result<Option<Bytes>, io::Error> {
        while let Some(next) = self.next.take() {
            let page = self.page(next).await.map_err(|problem| {
                problem.log_cause("none", "a list");
                io::Error::other(problem.code().as_str())
            })?;
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// Every page waits for its turn as any other read, so that a slow caller holds nobody up.
    async fn page(&mut self, after: P::Key) -> Result<Bytes, Problem> {
        self.caller.as_ref().map_or(Ok(()), |caller| caller.check_still_let_in(&self.app))?;
        let _turn = self.app.room().read().await?;
        let Portion { data, next, .. } = self.pages.page(Some(after), self.pages.at_once()).await?;
        self.next = next;
        written(self.rows, &data).map(Bytes::from)
    }
}

fn written<R: Row>(rows: Rows, data: &[R]) -> Result<Vec<u8>, Problem> {
    match rows {
        Rows::Csv => table::csv_lines(data).map_err(Problem::internal),
        Rows::Ndjson => {
            let mut lines = Vec::new();
            for row in data {
                serde_json::to_writer(&mut lines, row).map_err(Problem::internal)?;
                lines.push(b'\n');
            }
            Ok(lines)
        }
    }
}
