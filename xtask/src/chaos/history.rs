//! What clients did and what they were told: the one witness that does not come from the program.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::http::{Answer, NoAnswer, Position};

/// What a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Receive,
    Place,
    Ship,
    Cancel,
}

/// A command as a client sends it, as often as it likes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Command {
    pub(crate) key: String,
    pub(crate) action: Action,
    pub(crate) site: &'static str,
    /// The order that it is about, if it is about one.
    pub(crate) order_id: Option<String>,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was decided, for or against, and this is the answer for ever.
    Decided(Decided),
    /// This request wrote nothing, the server says, or never reached it.
    Nothing(String),
    /// Nobody knows yet.
    Unknown(String),
    /// An answer that a correct command must not get.
    Wrong(String),
}

/// The answer to a command that was decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Decided {
    pub(crate) status: u16,
    pub(crate) position: Position,
    pub(crate) body: Value,
}

/// One request of a client.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    pub(crate) node: &'static str,
    /// When it was sent and when it came back, since the run began.
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    pub(crate) outcome: Outcome,
}

/// A command with all that was done about it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) command: Command,
    pub(crate) attempts: Vec<Attempt>,
}

/// Codes that promise that the request recorded nothing.
const NOTHING: [&str; 7] = [
    "not-applied",
    "overloaded",
    "not-partition-owner",
    "partition-halted",
    "writer-recovering",
    "keys-unread",
    "rate-limited",
];
const UNKNOWN: [&str; 2] = ["outcome-unknown", "in-progress"];

impl Outcome {
    /// What an answer says about the command.
    pub(crate) fn of(answer: Result<Answer, NoAnswer>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent) => return Self::Nothing("not-sent".to_owned()),
            Err(NoAnswer::Lost) => return Self::Unknown("no-answer".to_owned()),
        };
        let code = answer.code().to_owned();
        if NOTHING.contains(&code.as_str()) {
            return Self::Nothing(code);
        }
        if UNKNOWN.contains(&code.as_str()) {
            return Self::Unknown(code);
        }
        match (answer.status, answer.position) {
            (200 | 201 | 409, Some(position)) => {
                Self::Decided(Decided { status: answer.status, position, body: told(answer.body) })
            }
            (status, _) => Self::Wrong(format!("{status} {}", answer.body)),
        }
    }
}

/// An answer without what belongs to the request.
fn told(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    body
}

impl Entry {
    /// The first answer that decided the command.
    pub(crate) fn decided(&self) -> Option<(&Attempt, &Decided)> {
        self.attempts.iter().find_map(|attempt| match &attempt.outcome {
            Outcome::Decided(decided) => Some((attempt, decided)),
            _ => None,
        })
    }

    /// Whether every request was told that nothing was written.
    pub(crate) fn is_nothing(&self) -> bool {
        self.attempts.iter().all(|attempt| matches!(attempt.outcome, Outcome::Nothing(_)))
    }

    pub(crate) fn first_sent(&self) -> Duration {
        self.attempts.first().map_or(Duration::MAX, |attempt| attempt.sent)
    }
}

/// Writes a history down, an entry a line.
pub(crate) fn save(entries: &[Entry], path: &Path) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(writing)?);
    for entry in entries {
        serde_json::to_writer(&mut file, entry).with_context(writing)?;
        file.write_all(b"\n").with_context(writing)?;
    }
    file.flush().with_context(writing)
}

#[cfg(test)]
mod tests {
    use super::{Answer, NoAnswer, Outcome};
    use serde_json::json;

    fn outcome(status: u16, position: Option<&str>, code: &str) -> Outcome {
        let position = position.map(|position| position.parse().unwrap());
        Outcome::of(Ok(Answer { status, position, body: json!({ "code": code, "request_id": "7" }) }))
    }

    #[test]
    fn an_answer_decides_promises_or_leaves_open() {
        let Outcome::Decided(decided) = outcome(409, Some("0.3"), "insufficient-stock") else {
            panic!("a refusal that is on record decides")
        };
        assert_eq!(decided.body, json!({ "code": "insufficient-stock" }), "without the id of the request");
        assert_eq!(outcome(503, None, "not-applied"), Outcome::Nothing("not-applied".to_owned()));
        assert_eq!(outcome(504, None, "outcome-unknown"), Outcome::Unknown("outcome-unknown".to_owned()));
        assert_eq!(Outcome::of(Err(NoAnswer::Lost)), Outcome::Unknown("no-answer".to_owned()));
        assert_eq!(Outcome::of(Err(NoAnswer::NotSent)), Outcome::Nothing("not-sent".to_owned()));
    }

    #[test]
    fn an_answer_that_no_correct_command_gets_is_wrong() {
        for (status, position, code) in
            [(500, None, "internal"), (404, None, "unknown-site"), (201, None, ""), (422, Some("0.1"), "")]
        {
            assert!(matches!(outcome(status, position, code), Outcome::Wrong(_)), "{status} {code}");
        }
    }
}
