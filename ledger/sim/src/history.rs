//! What clients did and heard, and whether it can be true.

use std::sync::Arc;

use stockledger_domain::command::Checked;
use stockledger_schemas::{Decision, Event, IdempotencyKey, Position, Scope};
use stockledger_writer::{CommandError, Reply};

use crate::mark::Mark;
use crate::shop;
use crate::topic::Topic;

/// What became of one attempt, as its client saw it.
#[derive(Debug)]
pub enum Heard {
    /// A decision.
    Reply(Reply),
    /// An error of the ledger.
    Error(CommandError),
    /// Nothing: the request or the reply was lost, or the client gave up waiting.
    Nothing,
}

/// Everything that was asked for.
#[derive(Debug, Default)]
pub struct History {
    asked: Vec<Asked>,
    /// The highest seq that anybody was answered with, by partition.
    acknowledged: Vec<u64>,
}

/// One command under one key, however often it was sent.
#[derive(Debug)]
struct Asked {
    command: Checked,
    key: IdempotencyKey,
    /// Whether another command was sent under the key before: a mistake of the client.
    is_reuse: bool,
    /// What was acknowledged, by partition, before it was sent first.
    before: Vec<u64>,
    /// The processes that were asked and have not answered.
    outstanding: u32,
    /// Whether some attempt may have been, or may yet be, applied without its client knowing.
    may_be_applied: bool,
    /// Whether it can never be applied, as far as its client was told.
    is_hopeless: bool,
    answer: Option<Answer>,
}

#[derive(Debug, Clone)]
struct Answer {
    position: Position,
    decision: Arc<Decision>,
    process: usize,
}

impl History {
    /// A command is about to be asked for under a key; its number.
    pub fn ask(&mut self, command: Checked, key: IdempotencyKey, is_reuse: bool) -> usize {
        self.asked.push(Asked {
            command,
            key,
            is_reuse,
            before: self.acknowledged.clone(),
            outstanding: 0,
            may_be_applied: false,
            is_hopeless: false,
            answer: None,
        });
        self.asked.len() - 1
    }

    /// As [`History::ask`], under a key of its own.
    pub fn ask_fresh(&mut self, command: Checked) -> usize {
        let key = crate::client::key(self.asked.len());
        self.ask(command, key, false)
    }

    /// How many were asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// A command and its key.
    #[must_use]
    pub fn request(&self, number: usize) -> (Checked, Option<IdempotencyKey>) {
        let asked = &self.asked[number];
        (asked.command.clone(), asked.has_key().then(|| asked.key.clone()))
    }

    /// Whether it was answered with a decision that its key is remembered by.
    #[must_use]
    pub fn is_remembered(&self, number: usize) -> bool {
        self.asked[number].answer.is_some() && self.asked[number].has_key()
    }

    /// Whether its client knows what became of it.
    #[must_use]
    pub fn is_settled(&self, number: usize) -> bool {
        let asked = &self.asked[number];
        asked.answer.is_some() || asked.is_hopeless
    }

    /// The position of a decision about the site that a command is about, if anybody knows one.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        self.asked.iter().rev().find_map(|asked| Some(asked.answer.as_ref()?.position))
    }

    /// It is sent once more.
    ///
    /// # Errors
    /// What cannot be true.
    pub fn sent(&mut self, number: usize, topic: &Topic) -> Result<(), String> {
        let asked = &mut self.asked[number];
        if asked.is_surely_not_applied() && asked.find(topic).is_some() {
            return Err(format!(
                "key {}: told that nothing was written, and it stands in the log",
                asked.key
            ));
        }
        asked.outstanding += 1;
        Ok(())
    }

    /// An attempt came to this.
    ///
    /// # Errors
    /// What cannot be true.
    pub fn heard(
        &mut self,
        number: usize,
        process: usize,
        heard: Heard,
        topic: &Topic,
    ) -> Result<Vec<Mark>, String> {
        let acknowledged = &mut self.acknowledged;
        let asked = &mut self.asked[number];
        asked.outstanding -= 1;
        match heard {
            Heard::Reply(reply) => asked.take_reply(reply, process, topic, acknowledged),
            Heard::Error(error) => asked.take_error(&error, topic),
            Heard::Nothing => {
                asked.may_be_applied = true;
                Ok(Vec::new())
            }
        }
    }

    /// What must be true in the end of everything that was asked for.
    ///
    /// # Errors
    /// What is not.
    pub fn check(&self, topic: &Topic) -> Result<Vec<Mark>, String> {
        let mut marks = Vec::new();
        let mut keyed = 0;
        for asked in &self.asked {
            let found = asked.find(topic).filter(|_| !asked.is_reuse);
            keyed += usize::from(found.is_some());
            if asked.is_surely_not_applied() && found.is_some() && asked.answer.is_none() {
                return Err(format!(
                    "key {}: told that nothing was written, and it stands in the log",
                    asked.key
                ));
            }
            if let Some(answer) = &asked.answer {
                let is_lost = is_spoiled(topic, answer.position);
                if !is_lost {
                    asked.check_answer(answer, topic)?;
                }
            }
            if asked.may_be_applied && !asked.is_reuse {
                marks.push(if found.is_some() { Mark::UnknownWasApplied } else { Mark::UnknownWasNot });
            }
        }
        let decided: usize = topic.all().map(|partition| with_key(partition.referee.decisions())).sum();
        let is_whole = topic.all().all(|partition| !partition.is_truncated);
        if is_whole && decided != keyed {
            return Err(format!("{decided} decisions have a key, but {keyed} of those keys were sent"));
        }
        Ok(marks)
    }
}

/// Whether the log does not hold what was answered there any more: it lost or changed what it had acknowledged.
fn is_spoiled(topic: &Topic, position: Position) -> bool {
    topic
        .at(position.partition.0)
        .is_ok_and(|partition| partition.is_truncated || partition.unreadable_from.is_some())
}

fn with_key(decisions: &[Arc<Decision>]) -> usize {
    decisions.iter().filter(|decision| decision.request.is_some()).count()
}

impl Asked {
    /// Commands of the directory are idempotent by themselves and are sent without their key.
    fn has_key(&self) -> bool {
        *self.command.scope() != Scope::Directory
    }

    fn is_surely_not_applied(&self) -> bool {
        self.outstanding == 0 && !self.may_be_applied && self.answer.is_none() && !self.is_reuse
    }

    /// Where the decision about its key stands.
    fn find(&self, topic: &Topic) -> Option<u64> {
        topic.all().find_map(|partition| partition.referee.by_key(self.command.scope(), &self.key))
    }

    fn take_reply(
        &mut self,
        reply: Reply,
        process: usize,
        topic: &Topic,
        acknowledged: &mut Vec<u64>,
    ) -> Result<Vec<Mark>, String> {
        if self.is_reuse {
            return Err(format!("key {}: another command was answered under a key that was used", self.key));
        }
        let mut marks = Vec::new();
        let Reply { position, decision, .. } = reply;
        let answer = Answer { position, decision, process };
        let is_lost = is_spoiled(topic, position);
        if let Some(first) = self.answer.as_ref().filter(|_| self.has_key()) {
            if (first.position, &first.decision) != (answer.position, &answer.decision) && !is_lost {
                return Err(format!(
                    "key {}: answered with {} and then with {}",
                    self.key, first.position, answer.position
                ));
            }
            if first.process != process {
                marks.push(Mark::ReplayedElsewhere);
            }
            marks.extend(self.was_restocked(&answer, topic));
            return Ok(marks);
        }
        if !is_lost {
            self.check_answer(&answer, topic)?;
        }
        let is_ours = answer.decision.request.as_ref().is_some_and(|request| request.key == self.key);
        let partition = usize::from(position.partition.0);
        let before = self.before.get(partition).copied().unwrap_or_default();
        if is_ours && position.seq <= before && !is_lost {
            return Err(format!(
                "key {}: decided as {position}, before {before} which was answered before it was sent",
                self.key
            ));
        }
        if acknowledged.len() <= partition {
            acknowledged.resize(partition + 1, 0);
        }
        acknowledged[partition] = acknowledged[partition].max(position.seq);
        self.answer = Some(answer);
        Ok(marks)
    }

    /// The answer must be the decision that stands in the log.
    fn check_answer(&self, answer: &Answer, topic: &Topic) -> Result<(), String> {
        let partition = topic.at(answer.position.partition.0).map_err(|error| error.to_string())?;
        match partition.referee.decision(answer.position.seq) {
            Some(decision) if *decision == answer.decision => Ok(()),
            Some(_) => Err(format!("key {}: {} is another decision in the log", self.key, answer.position)),
            None => Err(format!("key {}: {} is acknowledged and not in the log", self.key, answer.position)),
        }
    }

    fn was_restocked(&self, answer: &Answer, topic: &Topic) -> Option<Mark> {
        let is_refused = matches!(answer.decision.events.first(), Some(Event::OutOfStock(_)));
        let lines = shop::ordered(&self.command).filter(|_| is_refused)?;
        let Scope::Site(site) = self.command.scope() else { return None };
        let partition = topic.at(answer.position.partition.0).ok()?;
        partition.referee.books().could_fill(site, &lines).then_some(Mark::RefusedAfterRestock)
    }

    fn take_error(&mut self, error: &CommandError, topic: &Topic) -> Result<Vec<Mark>, String> {
        match error {
            CommandError::OutcomeUnknown => {
                self.may_be_applied = true;
                Ok(Vec::new())
            }
            CommandError::KeyReused if self.is_reuse => {
                self.is_hopeless = true;
                Ok(vec![Mark::KeyReused])
            }
            // A record that was changed cannot be answered from.
            CommandError::Internal(_) if topic.all().any(|partition| partition.unreadable_from.is_some()) => {
                self.may_be_applied = true;
                Ok(Vec::new())
            }
            CommandError::KeyReused | CommandError::Internal(_) | CommandError::TooLarge(_) => {
                Err(format!("key {}: {error}", self.key))
            }
            CommandError::Invalid(_) => {
                self.is_hopeless = true;
                Ok(Vec::new())
            }
            _ if self.is_surely_not_applied() && self.find(topic).is_some() => {
                Err(format!("key {}: told that nothing was written, and it stands in the log", self.key))
            }
            _ => Ok(vec![Mark::NotApplied]),
        }
    }
}
