//! One line of the answer to bulk.

use serde::Serialize;
use stockledger_schemas::Position;
use stockledger_writer::Reply;

use crate::http::bulk::Outcome;
use crate::http::command::status_of;
use crate::http::dry_run::Purpose;
use crate::http::problem::{Document, Problem};
use crate::http::render::{self, Resource};

/// What `instance` is in the problem of a line that is about no resource yet.
const PATH: &str = "/v1/bulk";

#[derive(Serialize)]
struct Done<'a> {
    line: u64,
    status: u16,
    replayed: bool,
    #[serde(skip_serializing_if = "is_false")]
    dry_run: bool,
    position: Position,
    body: Resource<'a>,
}

#[derive(Serialize)]
struct Refused<'a> {
    line: u64,
    status: u16,
    /// Of a refusal that is on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    problem: Document<'a>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The answer to a line, with its line break.
pub(super) fn write(line: u64, outcome: &Outcome, purpose: Purpose, request_id: &str) -> Vec<u8> {
    let written = match outcome {
        Ok(reply) => done(line, reply, purpose),
        Err(problem) => Err(problem.clone()),
    };
    let refused = |problem: Problem| refused(line, &problem.in_answer_to(purpose), purpose, request_id);
    let mut json = written.unwrap_or_else(refused);
    json.push(b'\n');
    json
}

fn done(line: u64, reply: &Reply, purpose: Purpose) -> Result<Vec<u8>, Problem> {
    let replayed = reply.replayed;
    let position = purpose.stands_at(reply.position, replayed);
    let body = render::resource(reply)?;
    let (status, dry_run) = (status_of(reply).as_u16(), purpose == Purpose::DryRun);
    serde_json::to_vec(&Done { line, status, replayed, dry_run, position, body }).map_err(Problem::internal)
}

fn refused(line: u64, problem: &Problem, purpose: Purpose, request_id: &str) -> Vec<u8> {
    problem.log_cause(request_id, PATH);
    let decided = problem.decided();
    let refused = Refused {
        line,
        status: problem.code().status().as_u16(),
        replayed: decided.map(|decided| decided.replayed),
        dry_run: purpose == Purpose::DryRun,
        position: decided.map(|decided| decided.position),
        problem: problem.document(request_id, PATH),
    };
    serde_json::to_vec(&refused).unwrap_or_default()
}
