//! The ledger of this process as a target.

use std::time::Duration;

use async_trait::async_trait;
use stockledger_domain::command::Checked;
use stockledger_projections::views::KnownSite;
use stockledger_projections::{Queries, Waited};
use stockledger_schemas::{Event, Position, Refusal, SiteId};
use stockledger_writer::{CommandError, Ledger, Reply};
use tokio::time::Instant;

use super::{Answered, Error, Outcome, Submission, Target};

/// How long the projections may take to come level with the last command.
const LEVEL_WITHIN: Duration = Duration::from_secs(300);

/// The ledger and the projections of this process.
#[derive(Clone)]
pub struct Local {
    ledger: Ledger,
    queries: Queries,
}

impl Local {
    /// The target. The ledger must be led, and a projector must be running, or the import ends in waiting for it.
    #[must_use]
    pub const fn new(ledger: Ledger, queries: Queries) -> Self {
        Self { ledger, queries }
    }

    async fn known(&self, site: &SiteId) -> Result<KnownSite, Error> {
        self.queries.site(site).await?.ok_or_else(|| Error::UnknownSite(site.clone()))
    }
}

#[async_trait]
impl Target for Local {
    async fn open_site(&self, command: Checked) -> Result<Outcome, Error> {
        Ok(outcome(self.ledger.submit(command, None).await))
    }

    async fn submit(&self, chunk: Vec<Submission>) -> Result<Vec<Outcome>, Error> {
        let mut waiting = Vec::with_capacity(chunk.len());
        let mut refused_at_once = None;
        for Submission { command, key } in chunk {
            match self.ledger.enqueue(command, key).await {
                Ok(pending) => waiting.push(pending),
                Err(error) => {
                    refused_at_once = Some(outcome(Err(error)));
                    break;
                }
            }
        }
        let mut outcomes = Vec::with_capacity(waiting.len() + 1);
        for pending in waiting {
            outcomes.push(outcome(pending.wait().await));
            if matches!(outcomes.last(), Some(Outcome::Later(_) | Outcome::Failed(_))) {
                // Those behind it are given up: commands are taken in order, so none of them was taken before it, and
                // none may be decided without it.
                return Ok(outcomes);
            }
        }
        outcomes.extend(refused_at_once);
        Ok(outcomes)
    }

    async fn level_with(&self, _: &SiteId, positions: &[Position]) -> Result<(), Error> {
        match self.queries.wait_for(positions, Instant::now() + LEVEL_WITHIN).await? {
            Waited::Reached => Ok(()),
            Waited::Halted { reason, .. } => Err(Error::Halted(reason.to_string())),
            Waited::Behind { .. } => Err(Error::NotLevel { waited_seconds: LEVEL_WITHIN.as_secs() }),
        }
    }

    async fn units_on_hand(&self, site: &SiteId) -> Result<i64, Error> {
        let site = self.known(site).await?;
        Ok(self.queries.units_on_hand(&site).await?.value)
    }
}

fn outcome(result: Result<Reply, CommandError>) -> Outcome {
    match result {
        Ok(reply) => decided(&reply),
        Err(CommandError::KeyReused) => Outcome::KeyReused,
        Err(CommandError::UnknownSite(_)) => Outcome::UnknownSite,
        Err(
            passing @ (CommandError::NotApplied(_)
            | CommandError::Recovering(_)
            | CommandError::Overloaded
            | CommandError::OutcomeUnknown),
        ) => Outcome::Later(passing.to_string()),
        Err(other) => Outcome::Failed(other.to_string()),
    }
}

fn decided(reply: &Reply) -> Outcome {
    let answered = Answered { position: reply.position, is_replay: reply.replayed };
    for event in &reply.decision.events {
        match event {
            Event::OutOfStock(_) => return Outcome::Short(answered),
            Event::CommandRefused(refused) => match &refused.refusal {
                Refusal::InsufficientStock(_) => return Outcome::Short(answered),
                other => return Outcome::Failed(format!("the ledger refused it: {}", other.type_name())),
            },
            _ => {}
        }
    }
    Outcome::Done(answered)
}
