//! `POST /v1/bulk`: many commands in one request, one a line, answered one a line.
//!
//! Both ways are streams, so neither the request nor the answer is ever held as a whole. Commands are handed to the
//! ledger in the order of the lines, many at a time, and answered in that order. A line that is refused does not stop
//! those after it: each line is a command of its own, with its own key, as if it had come alone. With
//! `?stop_at_failure=true` no more lines are handed over once one came to no decision for a reason that may pass, such as a
//! log that is away: whoever sends commands that build on each other can then send the rest again.
//!
//! With `?dry_run=true`, or of a line with the member `dry_run`, nothing is written. Each such line is answered as if it came
//! alone and now: what the lines before it would have done, were they not dry runs, it does not meet.
//!
//! With `?atomic=true` a few lines of one site are done together or not at all: `atomic.rs`.
//!
//! A caller must read answers while it sends: when it does not, nothing more is read from it.

mod answer;
mod atomic;
mod line;
mod lines;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::Either;
use futures_util::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use stockledger_writer::{Ledger, PendingReply, Reply};

use self::answer::Writer;
use self::line::Line;
use self::lines::{Lines, Read};
use crate::http::App;
use crate::http::access::{Access, Caller, Routes};
use crate::http::command::{require_media_type, whole_body};
use crate::http::conditional::based_on_nothing;
use crate::http::dry_run::Purpose;
use crate::http::edge::RequestId;
use crate::http::patience::Patience;
use crate::http::problem::{Code, Problem};
use crate::http::room::Share;
use crate::http::segments::Parameters;

/// The command and the key of one line, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(super) fn command_of(
    line: &[u8],
) -> Result<(stockledger_domain::Checked, Option<stockledger_schemas::IdempotencyKey>), Problem> {
    line::parse(line, &Caller::local()?).map(|line| (line.command, line.key))
}

/// Checks a line as bulk would, without sending it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_line(line: &[u8]) -> Result<(), String> {
    let parsed = Caller::local().and_then(|caller| line::parse(line, &caller));
    let Err(problem) = parsed else { return Ok(()) };
    let document = problem.document("", "");
    let more = document.more();
    // There is no other line in it.
    let detail = || document.detail().replace(" at line 1 column ", " at column ");
    Err(if more.is_empty() { detail() } else { more.join("; ") })
}

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

/// Each line needs what the route of its command needs.
pub(super) fn routes() -> Routes {
    Routes::new().post("/v1/bulk", Access::AnyKey, bulk)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkParameters {
    #[serde(default)]
    stop_at_failure: bool,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    atomic: bool,
}

async fn bulk(
    State(app): State<App>,
    Parameters(BulkParameters { stop_at_failure, dry_run, atomic }): Parameters<BulkParameters>,
    Extension(request_id): Extension<RequestId>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let ledger = app.ledger()?.clone();
    let (parts, body) = request.into_parts();
    require_media_type(&parts.headers, MEDIA_TYPES)?;
    based_on_nothing(&parts.headers)?;
    let purpose = Purpose::of(dry_run);
    if atomic {
        let body = whole_body(&app, &parts, body).await?;
        let writer = Writer { request_id: request_id.as_str(), purpose };
        let answers = atomic::carry_out(&ledger, &caller, &parts, &body.bytes, purpose, &writer).await?;
        return Ok(ndjson(Body::from(answers)));
    }
    let room = app.room().stream()?;
    let has_failed = AtomicBool::new(false);
    let session = Arc::new(Session {
        app: app.clone(),
        ledger,
        caller,
        request_id,
        stop_at_failure,
        purpose,
        has_failed,
        _room: room,
    });
    let lines = Lines::new(body.into_data_stream(), Patience::of(&parts.extensions));
    let answers = answers(session, lines);
    let writes =
        answers.ready_chunks(ANSWERS_PER_WRITE_MAX).map(|answers| Ok::<_, Infallible>(joined(answers)));
    Ok(ndjson(Body::from_stream(writes)))
}

fn ndjson(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// What the lines of one request share.
struct Session {
    app: App,
    ledger: Ledger,
    caller: Caller,
    request_id: RequestId,
    stop_at_failure: bool,
    /// What is wanted of all lines, whatever they say.
    purpose: Purpose,
    /// Whether a line came to no decision for a reason that may pass.
    has_failed: AtomicBool,
    /// Its place among the streams that are open.
    _room: Share,
}

/// What becomes of one line.
type Outcome = Result<Reply, Problem>;

/// The answers in the order of the lines. Dropping the stream, as when the caller goes away, gives up what the ledger
/// has not taken yet.
fn answers(session: Arc<Session>, lines: Lines) -> impl Stream<Item = Vec<u8>> {
    let waiting = stream::unfold((session, lines), |(session, mut lines)| async move {
        let (number, read) = lines.next().await?;
        let (submitted, purpose) = session.submit(read).await;
        let answering = Arc::clone(&session);
        let answer = async move {
            let outcome = match submitted {
                Either::Left(outcome) => outcome,
                Either::Right(pending) => pending.wait().await.map_err(line::problem_of_command),
            };
            answering.note(&outcome);
            let writer = Writer { request_id: answering.request_id.as_str(), purpose };
            writer.line(number, &outcome)
        };
        Some((answer, (session, lines)))
    });
    waiting.buffered(IN_FLIGHT_MAX)
}

impl Session {
    /// Hands a line over; done when the next line may be read. With what is wanted of it.
    async fn submit(&self, read: Read) -> (Either<Outcome, PendingReply>, Purpose) {
        let (purpose, submitted) = match self.taken(read) {
            Ok(line) => {
                let purpose = if self.purpose == Purpose::DryRun { self.purpose } else { line.purpose };
                (purpose, self.hand_over(line, purpose).await)
            }
            Err(problem) => (self.purpose, Err(problem)),
        };
        let submitted = submitted.unwrap_or_else(|problem| {
            let outcome = Err(problem);
            // At once, not when it is answered: the next line may be read before.
            self.note(&outcome);
            Either::Left(outcome)
        });
        (submitted, purpose)
    }

    fn note(&self, outcome: &Outcome) {
        if matches!(outcome, Err(problem) if problem.code().is_retryable()) {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    fn taken(&self, read: Read) -> Result<Line, Problem> {
        if self.stop_at_failure && self.has_failed.load(Ordering::Relaxed) {
            let detail = "a line before it came to no decision, and the request asks to stop then";
            return Err(Problem::new(Code::NotApplied, detail));
        }
        // A request may go on for long.
        self.caller.check_still_let_in(&self.app)?;
        line::parse(&read.into_line()?, &self.caller)
    }

    async fn hand_over(
        &self,
        line: Line,
        purpose: Purpose,
    ) -> Result<Either<Outcome, PendingReply>, Problem> {
        let Line { command, key, is_awaited, .. } = line;
        let pending = match purpose {
            Purpose::DryRun => self.ledger.enqueue_dry_run(command, key).await,
            Purpose::Decide if is_awaited => {
                let outcome = self.ledger.submit(command, key).await;
                return Ok(Either::Left(outcome.map_err(line::problem_of_command)));
            }
            Purpose::Decide => self.ledger.enqueue(command, key).await,
        };
        pending.map(Either::Right).map_err(line::problem_of_command)
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
