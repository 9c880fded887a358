//! A partition with one writer and no IO: commands go in, decisions are applied and kept.

use std::collections::HashMap;

use stockledger_domain::{
    Change, Checked, Command, Invalid, Moment, Partition, Rejection, Undecidable, apply, decide, open_here,
};
use stockledger_schemas::{
    Actor, Context, Decision, Event, Hash, Level, PartitionId, Position, Scope, SiteId, Sku, Timestamp,
};

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It was not well formed.
    Invalid(Vec<Invalid>),
    /// It could not be decided here.
    Undecidable(Undecidable),
    /// All was already as it wants it, since that decision.
    Nothing { since: u64 },
    /// It was decided, for or against.
    Logged(Event),
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) state: Partition,
    pub(crate) log: Vec<Decision>,
}

pub(crate) fn site_id(text: &str) -> SiteId {
    SiteId::new(text).unwrap()
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

pub(crate) fn main_site() -> Scope {
    Scope::Site(site_id("main"))
}

pub(crate) fn by_somebody() -> Context {
    Context::by(Actor::new("somebody").unwrap())
}

impl World {
    /// A partition of a ledger of three, to which nothing has happened.
    pub(crate) fn empty(partition: u16) -> Self {
        Self { state: Partition::new(PartitionId(partition), 3), log: Vec::new() }
    }

    /// The directory's partition with the open site `main`; two decisions have been made.
    pub(crate) fn with_main_site() -> Self {
        let mut world = Self::empty(0);
        let open =
            stockledger_domain::command::OpenSite { site: site_id("main"), name: "Main".parse().unwrap() };
        world.send(Scope::Directory, Command::OpenSite(open), by_somebody());
        world.open_here("main");
        world
    }

    pub(crate) fn open_here(&mut self, site: &str) -> Outcome {
        match open_here(&self.state, &site_id(site)) {
            Change::Nothing { since } => Outcome::Nothing { since },
            Change::Event(event) => self.log(Scope::Site(site_id(site)), by_somebody(), event),
        }
    }

    pub(crate) fn send(&mut self, scope: Scope, command: Command, context: Context) -> Outcome {
        let command = match Checked::new(scope, command, context) {
            Ok(command) => command,
            Err(problems) => return Outcome::Invalid(problems),
        };
        let event = match self.decide(&command) {
            Ok(Change::Nothing { since }) => return Outcome::Nothing { since },
            Ok(Change::Event(event)) => event,
            Err(rejection) => match rejection.into_event(command.command()) {
                Ok(event) => event,
                Err(undecidable) => return Outcome::Undecidable(undecidable),
            },
        };
        self.log(command.scope().clone(), command.context().clone(), event)
    }

    pub(crate) fn decide(&self, command: &Checked) -> Result<Change, Rejection> {
        let counted = self.counted(command);
        let moment = Moment { now: self.clock(), position: self.next_position(), counted: &counted };
        decide(&self.state, command, &moment)
    }

    pub(crate) fn next_position(&self) -> Position {
        Position::new(self.state.id, self.state.seq + 1)
    }

    /// The decision that would record `event` next.
    pub(crate) fn decision(&self, scope: Scope, context: Context, event: Event) -> Decision {
        Decision {
            term: 1,
            seq: self.next_position().seq,
            prev_hash: Hash([0; 32]),
            recorded_at: self.clock(),
            scope,
            request: None,
            context,
            events: vec![event],
        }
    }

    fn log(&mut self, scope: Scope, context: Context, event: Event) -> Outcome {
        let decision = self.decision(scope, context, event.clone());
        apply(&mut self.state, decision.seq, &decision).expect("what was decided can be applied");
        self.log.push(decision);
        Outcome::Logged(event)
    }

    /// Every decision is made a second after the one before.
    fn clock(&self) -> Timestamp {
        let seconds = i64::try_from(self.next_position().seq).unwrap();
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    /// What was on hand at the positions that a count names, by folding the log up to there.
    fn counted(&self, command: &Checked) -> HashMap<Sku, Level> {
        let Scope::Site(site) = command.scope() else { return HashMap::new() };
        let bases = command.command().count_bases();
        bases.map(|(sku, base)| (sku.clone(), self.replayed(base.seq).on_hand(site, sku))).collect()
    }

    fn on_hand(&self, site: &SiteId, sku: &Sku) -> Level {
        self.state.sites.get(site).map_or(Level::ZERO, |site| site.stock_of(sku).on_hand)
    }

    /// The same partition as it was after decision `seq`, from the log alone.
    pub(crate) fn replayed(&self, seq: u64) -> Self {
        let mut state = Partition::new(self.state.id, self.state.partitions);
        let log: Vec<_> = self.log.iter().filter(|decision| decision.seq <= seq).cloned().collect();
        for decision in &log {
            apply(&mut state, decision.seq, decision).expect("what was applied can be applied again");
        }
        Self { state, log }
    }
}
