//! One line of the answer to bulk.

use serde::Serialize;
use stockledger_schemas::Position;
use stockledger_writer::Reply;

use crate::http::bulk::Outcome;
use crate::http::command::status_of;
use crate::http::problem::{Document, Problem};
use crate::http::render::{self, Resource};

/// What `instance` is in the problem of a line that is about no resource yet.
const PATH: &str = "/v1/bulk";

#[derive(Serialize)]
struct Done<'a> {
    line: u64,
    status: u16,
    replayed: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Position>,
    problem: Document<'a>,
}

/// The answer to a line, with its line break.
pub(super) fn write(line: u64, outcome: &Outcome, request_id: &str) -> Vec<u8> {
    let written = match outcome {
        Ok(reply) => done(line, reply),
        Err(problem) => Err(problem.clone()),
    };
    let mut json = written.unwrap_or_else(|problem| refused(line, &problem, request_id));
    json.push(b'\n');
    json
}

fn done(line: u64, reply: &Reply) -> Result<Vec<u8>, Problem> {
    let Reply { position, replayed, .. } = *reply;
    let body = render::resource(reply)?;
    serde_json::to_vec(&Done { line, status: status_of(reply).as_u16(), replayed, position, body })
        .map_err(Problem::internal)
}

fn refused(line: u64, problem: &Problem, request_id: &str) -> Vec<u8> {
    problem.log_cause(request_id, PATH);
    let decided = problem.decided();
    let refused = Refused {
        line,
        status: problem.code().status().as_u16(),
        replayed: decided.map(|decided| decided.replayed),
        position: decided.map(|decided| decided.position),
        problem: problem.document(request_id, PATH),
    };
    serde_json::to_vec(&refused).unwrap_or_default()
}
