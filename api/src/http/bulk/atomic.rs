//! `POST /v1/bulk?atomic=true`: the lines of one request are done together or not at all.
//!
//! They are one bundle: one decision under the `Idempotency-Key` of the request, so a repetition is answered line by line as
//! the first time, for ever. Unlike other bulk, such a request is read whole before anything is decided. When one line cannot
//! be done, it is answered with its own problem and every other line with `another-line-refused`.

use axum::http::request::Parts;
use bytes::Bytes;
use stockledger_domain::command::Misfit;
use stockledger_domain::{Bundle, Checked, Invalid};
use stockledger_schemas::limits::EVENTS_MAX;
use stockledger_writer::{CommandError, Ledger, Reply};

use super::answer::Writer;
use super::line;
use crate::http::access::Caller;
use crate::http::dry_run::Purpose;
use crate::http::headers::idempotency_key;
use crate::http::problem::{Code, Problem};
use crate::http::render;

/// A line with its number in the body, from 1.
type Numbered<T> = (u64, T);

/// Has the lines of a body decided; the answers, a line each.
///
/// # Errors
/// What is wrong with the request as a whole.
pub(super) async fn carry_out(
    ledger: &Ledger,
    caller: &Caller,
    parts: &Parts,
    body: &Bytes,
    purpose: Purpose,
    writer: &Writer<'_>,
) -> Result<Vec<u8>, Problem> {
    let key = idempotency_key(&parts.headers)?;
    let lines = numbered(body)?;
    let parsed: Vec<Numbered<Result<Checked, Problem>>> =
        lines.iter().map(|(number, line)| (*number, line::parse_of_bundle(line, caller))).collect();
    let numbers: Vec<u64> = parsed.iter().map(|(number, _)| *number).collect();
    let bundle = match bundled(parsed) {
        Ok(bundle) => bundle,
        Err(problems) => return Ok(writer.all(&numbers, problems)),
    };
    let refused_by = bundle.clone();
    let outcome = match purpose {
        Purpose::Decide => ledger.submit_bundle(bundle, key).await,
        Purpose::DryRun => ledger.dry_run_bundle(bundle, key).await,
    };
    Ok(match outcome {
        Ok(reply) => answered(&numbers, &refused_by, &reply, writer),
        Err(CommandError::Misfit(misfit)) => {
            let mut problems: Vec<Option<Problem>> = numbers.iter().map(|_| None).collect();
            set(&mut problems, misfit);
            writer.all(&numbers, problems)
        }
        Err(error) => {
            // It concerns all of them alike.
            let problem = Problem::from(error);
            writer.all(&numbers, numbers.iter().map(|_| Some(problem.clone())).collect())
        }
    })
}

/// The lines that are not blank.
fn numbered(body: &Bytes) -> Result<Vec<Numbered<&[u8]>>, Problem> {
    let lines =
        (1..).zip(body.split(|byte| *byte == b'\n')).map(|(number, line)| (number, line.trim_ascii()));
    let lines: Vec<Numbered<&[u8]>> = lines.filter(|(_, line)| !line.is_empty()).collect();
    match lines.len() {
        0 => Err(Problem::new(Code::MalformedRequest, "the body has no lines")),
        1..=EVENTS_MAX => Ok(lines),
        more => {
            let detail = format!("at most {EVENTS_MAX} lines are done together, and these are {more}");
            Err(Problem::new(Code::ValidationFailed, detail))
        }
    }
}

/// The bundle that the lines make, or the problem of each line that has one.
fn bundled(parsed: Vec<Numbered<Result<Checked, Problem>>>) -> Result<Bundle, Vec<Option<Problem>>> {
    if parsed.iter().any(|(_, line)| line.is_err()) {
        return Err(parsed.into_iter().map(|(_, line)| line.err()).collect());
    }
    let commands: Vec<Checked> = parsed.into_iter().filter_map(|(_, line)| line.ok()).collect();
    let mut problems: Vec<Option<Problem>> = commands.iter().map(|_| None).collect();
    Bundle::new(commands).map_err(|misfits| {
        for misfit in misfits {
            set(&mut problems, misfit);
        }
        problems
    })
}

fn set(problems: &mut [Option<Problem>], Misfit { index, invalid }: Misfit) {
    let Invalid { pointer, detail } = invalid;
    let pointer = if pointer.is_empty() { pointer } else { format!("/body{pointer}") };
    if let Some(problem) = problems.get_mut(index) {
        *problem = Some(Problem::invalid_at(pointer, detail));
    }
}

/// The answers that a decision stands for.
fn answered(numbers: &[u64], bundle: &Bundle, reply: &Reply, writer: &Writer<'_>) -> Vec<u8> {
    let refused = reply.decision.events.first().and_then(|event| bundle.refused_by(event));
    let Some(refused) = refused else {
        let parts = numbers.iter().zip(&reply.decision.events);
        return parts.flat_map(|(number, event)| writer.part(*number, reply, event)).collect();
    };
    let decided = render::decided(reply);
    let mut answers = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        answers.extend(if index == refused {
            writer.line(*number, &Ok(reply.clone()))
        } else {
            writer.line(*number, &Err(another_line_refused().with_decision(decided)))
        });
    }
    answers
}

pub(super) fn another_line_refused() -> Problem {
    let detail = "nothing was done, because another line of the request cannot be done; its answer says why";
    Problem::new(Code::AnotherLineRefused, detail)
}
