//! Carrying an import out.
//!
//! Commands go in chunks, each in order and answered whole before the next. The shipments of the orders that a chunk got
//! accepted stand first in the next one. So which command stands where in the log depends on nothing but the file: not on
//! the target, its speed, or how often the import was killed and begun again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stockledger_schemas::{Actor, PartitionId, Position, SiteId};

use super::online_retail::{self, Input};
use super::opening::OpeningStock;
use super::patience;
use super::plan::{self, Part, Plan, Step, Turn};
use super::report::Report;
use super::source::Source;
use super::target::{self, Answered, Outcome, Target};

/// Commands of one chunk. Part of the contract: with another number the same file gives other positions.
pub const CHUNK_COMMANDS_MAX: usize = 500;
/// Lines of the commands of one chunk, unless its first command alone has more; about a megabyte on the wire. As much a
/// part of the contract.
pub const CHUNK_LINES_MAX: usize = 10_000;

/// Events that a site begins with: it is registered in the directory and opened on its partition.
const SITE_EVENTS: u64 = 2;

/// What messages call the command that marks a site as imported.
const MARK: &str = "its mark on the site";

/// What to import, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file.
    pub source: Source,
    /// The site, which is opened if it is not known.
    pub site: SiteId,
    /// What is there before the first document.
    pub opening: OpeningStock,
    /// Whether to import although the site was imported before from something else.
    pub force: bool,
    /// Who does it. A server takes it from the credential instead.
    pub actor: Actor,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Documents whose orders are decided.
    pub documents_done: usize,
    /// All documents.
    pub documents_total: usize,
    /// Commands that were answered.
    pub commands: u64,
    /// Since the first command was sent.
    pub elapsed: Duration,
}

impl Progress {
    /// The rate so far.
    #[must_use]
    pub fn commands_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let commands = u32::try_from(self.commands).unwrap_or(u32::MAX);
        if seconds > 0.0 { f64::from(commands) / seconds } else { 0.0 }
    }
}

/// Why an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not as it must be. Nothing was sent.
    #[error(transparent)]
    Input(#[from] online_retail::Error),
    /// A command could not be made.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Reading the file was cut short by a fault of this program. Nothing was sent.
    #[error("reading the file did not come to an end")]
    Reading(#[source] tokio::task::JoinError),
    /// The site has been imported from something else. Nothing was changed.
    #[error(
        "site {0} was imported before from another file or with another opening stock; use --force to import on top"
    )]
    ImportedBefore(SiteId),
    /// The ledger did not take a command.
    #[error(
        "the import stopped at {at}: {why}; what was done stays, and running the same import again continues there"
    )]
    Stopped {
        /// At which command.
        at: String,
        /// Why it was not taken.
        why: String,
    },
    /// The ledger did not answer.
    #[error(
        "the import stopped at {at}; what was done stays, and running the same import again continues there"
    )]
    Unanswered {
        /// At which command.
        at: String,
        /// What went wrong.
        #[source]
        source: target::Error,
    },
    /// Everything is in the log, but the projections cannot be asked what came of it.
    #[error("everything is imported, but the projections do not answer")]
    Projections(#[source] target::Error),
}

/// Imports a file and waits until the projections are level. The same import again goes on where it stopped, or changes
/// nothing.
///
/// # Errors
/// [`Error`]; after the first command it is safe to run the same import again.
pub async fn run(
    options: Options,
    target: &dyn Target,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Report, Error> {
    let started = Instant::now();
    let source = options.source.clone();
    let reading = tokio::task::spawn_blocking(move || online_retail::read(&source));
    let input = reading.await.map_err(Error::Reading)??;
    let plan = Plan::new(&input, options.opening, options.site.clone(), options.actor.clone())?;
    let report = described(&input, &plan);
    let import = Import {
        options: &options,
        target,
        plan: &plan,
        turn: Turn::First,
        report,
        reached: BTreeMap::new(),
    };
    let mut report = import.carry_out(input.documents.len(), progress).await?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// What the file alone says.
fn described(input: &Input, plan: &Plan<'_>) -> Report {
    let documents = || input.documents.iter();
    Report {
        documents: count(documents()),
        lines: input.lines,
        skipped_lines: input.skipped_lines,
        items: count(input.items.iter()),
        opening_units: plan.opening_units(),
        order_lines: documents().map(|document| count(document.order.iter())).sum(),
        returns: count(documents().filter(|document| !document.receipt.is_empty())),
        adjustments: count(documents().filter(|document| document.adjustment.is_some())),
        events: SITE_EVENTS,
        ..Report::default()
    }
}

fn count<T>(things: impl Iterator<Item = T>) -> u64 {
    things.fold(0, |count, _| count + 1)
}

struct Import<'a> {
    options: &'a Options,
    target: &'a dyn Target,
    plan: &'a Plan<'a>,
    turn: Turn,
    report: Report,
    /// The last decision in each partition.
    reached: BTreeMap<PartitionId, Position>,
}

impl Import<'_> {
    async fn carry_out(
        mut self,
        documents_total: usize,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Report, Error> {
        self.claim_site().await?;
        let started = Instant::now();
        let (mut commands, mut documents_done) = (0, 0);
        let mut steps = self.plan.steps(self.turn).peekable();
        let mut shipments = Vec::new();
        loop {
            let chunk = next_chunk(std::mem::take(&mut shipments), &mut steps)?;
            let Some(last) = chunk.last() else { break };
            documents_done = documents_done.max(last.documents_done);
            commands += count(chunk.iter());
            shipments = self.submit(chunk).await?;
            progress(Progress { documents_done, documents_total, commands, elapsed: started.elapsed() });
        }
        let documents_done = documents_total;
        progress(Progress { documents_done, documents_total, commands, elapsed: started.elapsed() });
        self.look().await
    }

    /// Marks the site as imported from this, and opens it first if nobody has. The mark comes before everything else: an
    /// import that is refused changes nothing.
    async fn claim_site(&mut self) -> Result<(), Error> {
        let mut outcome = self.mark().await?;
        if outcome == Outcome::UnknownSite {
            self.open_site().await?;
            outcome = self.mark().await?;
        }
        if outcome == Outcome::KeyReused && self.options.force {
            self.turn = Turn::OnTop;
            outcome = self.mark().await?;
        }
        match outcome {
            Outcome::Done(answered) => {
                self.report.was_begun_before = answered.is_replay;
                self.note(answered);
            }
            Outcome::KeyReused => return Err(Error::ImportedBefore(self.options.site.clone())),
            other => return Err(stopped(MARK, &other)),
        }
        Ok(())
    }

    async fn mark(&self) -> Result<Outcome, Error> {
        let outcomes = self.target.submit(vec![self.plan.marker(self.turn)?]).await;
        let unanswered = |source| Error::Unanswered { at: MARK.to_owned(), source };
        let outcome = outcomes.map_err(unanswered)?.pop();
        outcome.ok_or_else(|| unanswered(target::Error::Answers { expected: 1, found: 0 }))
    }

    async fn open_site(&mut self) -> Result<(), Error> {
        let at = format!("opening site {}", self.options.site);
        match self.target.open_site(self.plan.open_site()?).await {
            Ok(Outcome::Done(answered)) => {
                self.reach(answered.position);
                self.report.new_events += SITE_EVENTS;
                Ok(())
            }
            Ok(other) => Err(stopped(&at, &other)),
            Err(source) => Err(Error::Unanswered { at, source }),
        }
    }

    /// Has a chunk decided; returns the shipments of the orders that were accepted.
    async fn submit(&mut self, chunk: Vec<Step>) -> Result<Vec<Step>, Error> {
        let names: Vec<String> = chunk.iter().map(Step::name).collect();
        let (submissions, parts): (Vec<_>, Vec<_>) =
            chunk.into_iter().map(|step| (step.submission, step.part)).unzip();
        let first = || names.first().cloned().unwrap_or_default();
        let outcomes = patience::submit(self.target, &submissions).await;
        let outcomes = outcomes.map_err(|source| Error::Unanswered { at: first(), source })?;
        let found = outcomes.len();
        let mut shipments = Vec::new();
        for ((part, name), outcome) in parts.iter().zip(&names).zip(outcomes) {
            shipments.extend(self.settle(*part, name, &outcome)?);
        }
        if found == parts.len() {
            return Ok(shipments);
        }
        let source = target::Error::Answers { expected: parts.len(), found };
        Err(Error::Unanswered { at: first(), source })
    }

    /// Books what became of one command; the shipment that follows from it, if one does.
    fn settle(&mut self, part: Part, name: &str, outcome: &Outcome) -> Result<Option<Step>, Error> {
        match (part, outcome) {
            (Part::Order(document), Outcome::Done(answered)) => {
                self.note(*answered);
                return Ok(Some(self.plan.shipment(document)?));
            }
            (Part::Shipment(units), Outcome::Done(answered)) => {
                self.note(*answered);
                self.report.orders_shipped += 1;
                self.report.units_shipped += units;
            }
            (_, Outcome::Done(answered)) => self.note(*answered),
            (Part::Order(_), Outcome::Short(answered)) => {
                self.note(*answered);
                self.report.orders_refused += 1;
            }
            (Part::Adjustment, Outcome::Short(answered)) => {
                self.note(*answered);
                self.report.adjustments_refused += 1;
            }
            (_, Outcome::KeyReused) if self.turn == Turn::OnTop => self.report.already_imported += 1,
            (_, other) => return Err(stopped(name, other)),
        }
        Ok(None)
    }

    fn note(&mut self, answered: Answered) {
        self.report.events += 1;
        self.report.new_events += u64::from(!answered.is_replay);
        self.reach(answered.position);
    }

    fn reach(&mut self, position: Position) {
        let reached = self.reached.entry(position.partition).or_insert(position);
        *reached = position.max(*reached);
    }

    /// Asks the projections what came of it all, once they are level.
    async fn look(mut self) -> Result<Report, Error> {
        let positions: Vec<Position> = self.reached.values().copied().collect();
        self.target.level_with(&self.options.site, &positions).await.map_err(Error::Projections)?;
        let units = self.target.units_on_hand(&self.options.site).await.map_err(Error::Projections)?;
        self.report.units_on_hand = units;
        Ok(self.report)
    }
}

/// The shipments of the chunk before, then as many of the other steps as there is room for.
fn next_chunk<S>(shipments: Vec<Step>, steps: &mut std::iter::Peekable<S>) -> Result<Vec<Step>, Error>
where
    S: Iterator<Item = Result<Step, plan::Error>>,
{
    let mut chunk = shipments;
    let mut lines = 0;
    while chunk.len() < CHUNK_COMMANDS_MAX {
        let fits = |step: &Result<Step, plan::Error>| {
            let more = step.as_ref().map_or(0, Step::lines);
            chunk.is_empty() || lines + more <= CHUNK_LINES_MAX
        };
        let Some(step) = steps.next_if(fits) else { break };
        let step = step?;
        lines += step.lines();
        chunk.push(step);
    }
    Ok(chunk)
}

fn stopped(at: &str, outcome: &Outcome) -> Error {
    let why = match outcome {
        Outcome::Failed(why) | Outcome::Later(why) => why.clone(),
        Outcome::KeyReused => "its idempotency key was used before for something else".to_owned(),
        Outcome::UnknownSite => "the ledger does not know the site".to_owned(),
        Outcome::Short(_) => "the ledger refused it for lack of stock".to_owned(),
        Outcome::Done(_) => "the answer does not fit".to_owned(),
    };
    Error::Stopped { at: at.to_owned(), why }
}
