//! One line of the answer to bulk.

use serde::Serialize;
use stockledger_schemas::{Event, Position};
use stockledger_writer::Reply;

use super::atomic::another_line_refused;
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

/// Writes the answers of a request.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) request_id: &'a str,
    pub(super) purpose: Purpose,
}

impl Writer<'_> {
    /// The answer to a line, with its line break.
    pub(super) fn line(self, line: u64, outcome: &Outcome) -> Vec<u8> {
        let written = match outcome {
            Ok(reply) => render::resource(reply).and_then(|body| self.done(line, reply, body)),
            Err(problem) => Err(problem.clone()),
        };
        self.ended(line, written)
    }

    /// The answer to a line that was done together with others, and is this event of their decision.
    pub(super) fn part(self, line: u64, reply: &Reply, event: &Event) -> Vec<u8> {
        let body = render::resource_of(reply, event);
        self.ended(line, body.and_then(|body| self.done(line, reply, body)))
    }

    /// The answers to lines none of which is done: each with its problem, if it has one of its own.
    pub(super) fn all(self, lines: &[u64], problems: Vec<Option<Problem>>) -> Vec<u8> {
        let answers = lines.iter().zip(problems);
        let problems = answers.map(|(line, problem)| (line, problem.unwrap_or_else(another_line_refused)));
        problems.flat_map(|(line, problem)| self.line(*line, &Err(problem))).collect()
    }

    fn ended(self, line: u64, written: Result<Vec<u8>, Problem>) -> Vec<u8> {
        let refused = |problem: Problem| self.refused(line, &problem.in_answer_to(self.purpose));
        let mut json = written.unwrap_or_else(refused);
        json.push(b'\n');
        json
    }

    fn done(self, line: u64, reply: &Reply, body: Resource<'_>) -> Result<Vec<u8>, Problem> {
        let replayed = reply.replayed;
        let position = self.purpose.stands_at(reply.position, replayed);
        let (status, dry_run) = (status_of(reply).as_u16(), self.purpose == Purpose::DryRun);
        serde_json::to_vec(&Done { line, status, replayed, dry_run, position, body })
            .map_err(Problem::internal)
    }

    fn refused(self, line: u64, problem: &Problem) -> Vec<u8> {
        problem.log_cause(self.request_id, PATH);
        let decided = problem.decided();
        let refused = Refused {
            line,
            status: problem.code().status().as_u16(),
            replayed: decided.map(|decided| decided.replayed),
            dry_run: self.purpose == Purpose::DryRun,
            position: decided.map(|decided| decided.position),
            problem: problem.document(self.request_id, PATH),
        };
        serde_json::to_vec(&refused).unwrap_or_default()
    }
}
