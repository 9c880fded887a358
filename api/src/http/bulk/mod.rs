//! `POST /v1/bulk`: many commands in one request, one a line, answered one a line.
//!
//! Both ways are streams, so neither the request nor the answer is ever held as a whole. Commands are handed to the
//! ledger in the order of the lines, many at a time, and answered in that order. A line that is refused does not stop
//! those after it: each line is a command of its own, with its own key, as if it had come alone.
//!
//! A caller must read answers while it sends: when it does not, nothing more is read from it.

mod answer;
mod line;
mod lines;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::Either;
use futures_util::stream::{self, Stream, StreamExt};
use stockledger_writer::{Ledger, PendingReply, Reply};

use self::line::Line;
use self::lines::{Lines, Read};
use crate::http::App;
use crate::http::command::require_media_type;
use crate::http::edge::RequestId;
use crate::http::problem::Problem;
use crate::http::segments::{NoParameters, Parameters};

/// Most commands of one request that wait for their answer at a time.
pub const IN_FLIGHT_MAX: usize = 1_000;
/// Longest line.
pub const LINE_BYTES_MAX: usize = 2 << 20;

/// Most answers that are sent together. Whatever is ready goes out at once; this bounds one write.
const ANSWERS_PER_WRITE_MAX: usize = 256;

const MEDIA_TYPE: &str = "application/x-ndjson";
/// What the same format is also called.
const MEDIA_TYPES: &[&str] = &[
    MEDIA_TYPE,
    "application/ndjson",
    "application/jsonl",
    "application/json-lines",
    "application/x-jsonlines",
];

pub(super) fn router() -> axum::Router<App> {
    axum::Router::new().route("/v1/bulk", post(bulk))
}

async fn bulk(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    let ledger = app.ledger()?.clone();
    let (parts, body) = request.into_parts();
    require_media_type(&parts.headers, MEDIA_TYPES)?;
    let session = Arc::new(Session { ledger, request_id });
    let answers = answers(session, Lines::new(body.into_data_stream()));
    let writes =
        answers.ready_chunks(ANSWERS_PER_WRITE_MAX).map(|answers| Ok::<_, Infallible>(joined(answers)));
    let mut response = Response::new(Body::from_stream(writes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Ok(response)
}

/// What the lines of one request share.
struct Session {
    ledger: Ledger,
    request_id: RequestId,
}

/// What becomes of one line.
type Outcome = Result<Reply, Problem>;

/// The answers in the order of the lines. Dropping the stream, as when the caller goes away, gives up what the ledger
/// has not taken yet.
fn answers(session: Arc<Session>, lines: Lines) -> impl Stream<Item = Vec<u8>> {
    let waiting = stream::unfold((session, lines), |(session, mut lines)| async move {
        let (number, read) = lines.next().await?;
        let submitted = session.submit(read).await;
        let answering = Arc::clone(&session);
        let answer = async move {
            let outcome = match submitted {
                Either::Left(outcome) => outcome,
                Either::Right(pending) => pending.wait().await.map_err(line::problem_of_command),
            };
            answer::write(number, &outcome, answering.request_id.as_str())
        };
        Some((answer, (session, lines)))
    });
    waiting.buffered(IN_FLIGHT_MAX)
}

impl Session {
    /// Hands a line over; done when the next line may be read.
    async fn submit(&self, read: Read) -> Either<Outcome, PendingReply> {
        match self.try_submit(read).await {
            Ok(submitted) => submitted,
            Err(problem) => Either::Left(Err(problem)),
        }
    }

    async fn try_submit(&self, read: Read) -> Result<Either<Outcome, PendingReply>, Problem> {
        let Line { command, key, is_awaited } = line::parse(&read.into_line()?)?;
        if is_awaited {
            let outcome = self.ledger.submit(command, key).await;
            return Ok(Either::Left(outcome.map_err(line::problem_of_command)));
        }
        let pending = self.ledger.enqueue(command, key).await.map_err(line::problem_of_command)?;
        Ok(Either::Right(pending))
    }
}

fn joined(answers: Vec<Vec<u8>>) -> Bytes {
    let mut answers = answers.into_iter();
    let mut joined = answers.next().unwrap_or_default();
    for answer in answers {
        joined.extend_from_slice(&answer);
    }
    joined.into()
}
