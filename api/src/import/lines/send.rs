//! Sending: a thread reads chunks ahead while the one before them is answered. No two of them are under way at once, so
//! the commands are decided in the order of the file.

use std::sync::Arc;

use bytes::Bytes;
use stockledger_schemas::Hash;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::door::{self, Answer, Door};
use super::read::{Command, Input, Item};
use super::report::{Report, Summary};
use super::{Error, Options, Progress};
use crate::import::patience::{ASK_AGAIN_AFTER, PATIENCE};

/// Most commands of one request.
const CHUNK_COMMANDS_MAX: usize = 1_000;
/// Bytes of one request, one command more or less.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Chunks that are read ahead.
const CHUNKS_AHEAD: usize = 2;

/// Some commands, one after the other.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Of each command: where it begins in the file, and in `bytes`.
    begins: Vec<(u64, usize)>,
}

impl Chunk {
    fn add(&mut self, Command { line, json }: Command) {
        self.begins.push((line, self.bytes.len()));
        self.bytes.extend_from_slice(&json);
        self.bytes.push(b'\n');
    }

    fn is_full(&self, commands_max: usize) -> bool {
        self.begins.len() >= commands_max || self.bytes.len() >= CHUNK_BYTES_MAX
    }
}

pub(super) struct Sender<'a> {
    pub(super) door: Door,
    pub(super) options: Options,
    pub(super) report: Report,
    pub(super) total: u64,
    pub(super) progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Sender<'_> {
    pub(super) async fn carry_out(mut self, input: Arc<Input>, hash: Hash) -> Result<Summary, Error> {
        self.report.summary =
            Summary { commands: self.total, dry_run: self.options.dry_run, ..Summary::default() };
        let commands_max = if self.options.stop_at_refusal { 1 } else { CHUNK_COMMANDS_MAX };
        let (chunks_tx, mut chunks) = mpsc::channel(CHUNKS_AHEAD);
        let reading =
            tokio::task::spawn_blocking(move || read_ahead(&input, &hash, commands_max, &chunks_tx));
        let sent = self.send_all(&mut chunks).await;
        // Whoever reads ahead then ends too.
        drop(chunks);
        let read = reading.await?;
        self.report.finish()?;
        sent.and(read)?;
        Ok(self.report.summary)
    }

    async fn send_all(&mut self, chunks: &mut mpsc::Receiver<Chunk>) -> Result<(), Error> {
        while let Some(chunk) = chunks.recv().await {
            if !self.send(chunk).await? {
                break;
            }
            let Summary { done, refused, .. } = self.report.summary;
            (self.progress)(Progress { done: done + refused, total: self.total });
        }
        Ok(())
    }

    /// Has a chunk decided, and goes on from the first command that has no decision yet for as long as that may help;
    /// says whether to go on with the next chunk.
    async fn send(&mut self, chunk: Chunk) -> Result<bool, Error> {
        let dry_run = if self.options.dry_run { "&dry_run=true" } else { "" };
        let path = format!("/v1/bulk?stop_at_failure=true{dry_run}");
        let bytes = Bytes::from(chunk.bytes);
        let mut begins = chunk.begins.as_slice();
        let mut give_up_at = Instant::now() + PATIENCE;
        while let Some((first_line, begin)) = begins.first().copied() {
            let answered = self.door.bulk(&path, bytes.slice(begin..)).await;
            let is_late = Instant::now() >= give_up_at;
            let unanswered = |line, source| Error::Unanswered { line, source };
            let why = match answered {
                Ok(answers) => {
                    let decided = answers.iter().take_while(|answer| !answer.is_passing()).count();
                    if !self.note(begins, &answers[..decided])? {
                        return Ok(false);
                    }
                    if decided > 0 {
                        give_up_at = Instant::now() + PATIENCE;
                    }
                    let found = answers.len();
                    let expected = begins.len();
                    begins = begins.get(decided..).unwrap_or_default();
                    let Some((line, _)) = begins.first().copied() else { break };
                    match answers.get(decided).and_then(Answer::refusal) {
                        Some(problem) if is_late => {
                            return Err(unanswered(line, door::Error::Undecided(problem)));
                        }
                        Some(problem) => problem.to_string(),
                        None => return Err(unanswered(line, door::Error::Count { expected, found })),
                    }
                }
                Err(error) if is_late || !error.is_passing() => return Err(unanswered(first_line, error)),
                Err(error) => error.to_string(),
            };
            tracing::warn!(why, "the ledger takes no commands at the moment; asking again");
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Ok(true)
    }

    /// Takes down what became of the first commands; says whether to go on.
    fn note(&mut self, begins: &[(u64, usize)], answers: &[Answer]) -> Result<bool, Error> {
        for ((line, _), answer) in begins.iter().zip(answers) {
            let is_done = self.report.answered(*line, answer)?;
            if !is_done && self.options.stop_at_refusal {
                self.report.summary.stopped_at = Some(*line);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn read_ahead(
    input: &Input,
    hash: &Hash,
    commands_max: usize,
    chunks: &mpsc::Sender<Chunk>,
) -> Result<(), Error> {
    let mut chunk = Chunk::default();
    for item in input.items(hash)? {
        match item {
            Item::Command(command) => chunk.add(command),
            // It was read before, so it has changed since.
            Item::Bad { line, detail } => {
                return Err(
                    input.unreadable(std::io::Error::other(format!("line {line} has changed: {detail}")))
                );
            }
            Item::Broken(source) => return Err(input.unreadable(source)),
        }
        if chunk.is_full(commands_max) && chunks.blocking_send(std::mem::take(&mut chunk)).is_err() {
            return Ok(());
        }
    }
    if !chunk.begins.is_empty() {
        // Nobody takes it only if the import has ended.
        drop(chunks.blocking_send(chunk));
    }
    Ok(())
}
