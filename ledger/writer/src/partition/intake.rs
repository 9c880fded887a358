//! A command on its way to its decision.

use std::collections::HashMap;

use stockledger_domain::{Bundle, Checked};
use stockledger_schemas::{Actor, Context, Hash, Level, Order, OrderId, Request, Scope, SiteId, Sku};
use tokio::sync::oneshot;

use crate::partition::index::{ShortHash, key_hash};
use crate::partition::places::{Place, places_of};
use crate::partition::under_way::{Passage, UnderWay};
use crate::reply::{CommandError, Outcome, Reply, Ticket, answer};

/// What is to be decided.
#[derive(Debug)]
pub(crate) enum Work {
    /// A caller's command.
    Command(Asked),
    /// A caller's command, of which only the decision is wanted: nothing is written.
    DryRun(Asked),
    /// The directory says that this site lives here: take commands for it from now on.
    OpenHere(SiteId, Actor),
}

/// What a caller asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// One command.
    One(Box<Checked>),
    /// Several that are done together or not at all.
    Bundle(Box<Bundle>),
}

impl Asked {
    pub(crate) fn scope(&self) -> &Scope {
        match self {
            Self::One(command) => command.scope(),
            Self::Bundle(bundle) => bundle.scope(),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        match self {
            Self::One(command) => command.context(),
            Self::Bundle(bundle) => bundle.context(),
        }
    }

    /// The one order that it is about.
    pub(crate) fn order_id(&self) -> Option<&OrderId> {
        match self {
            Self::One(command) => command.command().order_id(),
            Self::Bundle(bundle) => bundle.order_id(),
        }
    }

    pub(crate) fn fingerprint(&self) -> Hash {
        match self {
            Self::One(command) => command.fingerprint(),
            Self::Bundle(bundle) => bundle.fingerprint(),
        }
    }

    /// What it is counted as.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::One(command) => command.command().kind().as_str(),
            Self::Bundle(_) => "bundle",
        }
    }

    fn lines(&self) -> usize {
        match self {
            Self::One(command) => command.command().lines(),
            Self::Bundle(bundle) => bundle.lines(),
        }
    }
}

impl Work {
    /// What a caller asks for, if one does.
    pub(crate) const fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Command(asked) | Self::DryRun(asked) => Some(asked),
            Self::OpenHere(..) => None,
        }
    }

    pub(crate) const fn is_dry_run(&self) -> bool {
        matches!(self, Self::DryRun(_))
    }

    /// The places that it takes among what is open.
    pub(crate) fn places(&self) -> u32 {
        places_of(self.asked().map_or(0, Asked::lines))
    }

    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Command(asked) | Self::DryRun(asked) => asked.scope().clone(),
            Self::OpenHere(site, _) => Scope::Site(site.clone()),
        }
    }
}

/// By what two commands are known to be the same one, sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) hash: ShortHash,
    pub(crate) fingerprint: Hash,
}

impl Key {
    /// The key of a command that has one.
    pub(crate) fn of(work: &Work, request: Option<&Request>) -> Option<Self> {
        match (work, request) {
            (_, Some(Request { key, fingerprint })) => {
                Some(Self { hash: key_hash(&work.scope(), key), fingerprint: *fingerprint })
            }
            (Work::OpenHere(site, _), None) => {
                let fingerprint = Hash::of(&[b"open\0", site.as_str().as_bytes()]);
                Some(Self { hash: fingerprint.short(), fingerprint })
            }
            (Work::Command(_) | Work::DryRun(_), None) => None,
        }
    }
}

/// What was read from the log for a command, because memory no longer holds it.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// A closed order that the command is about, and the decision that touched it last.
    pub(crate) order: Option<(Order, u64)>,
    /// What was on hand at the positions that a count names.
    pub(crate) counted: Option<HashMap<Sku, Level>>,
}

/// A command and everything that goes with it until it is answered.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) work: Work,
    pub(crate) request: Option<Request>,
    pub(crate) key: Option<Key>,
    /// Whether it stands in [`OpenKeys`], so that a second command with its key waits for it.
    pub(crate) key_is_open: bool,
    pub(crate) prepared: Prepared,
    pub(crate) caller: Caller,
    ticket: Ticket,
}

/// Whoever waits for an outcome.
#[derive(Debug)]
pub(crate) struct Caller {
    reply: oneshot::Sender<Outcome>,
    /// Its place among the commands that may be open at once, given back when it is answered.
    _place: Place,
    /// Its key among those that are under way, taken out when it is answered.
    passage: Option<Passage>,
}

impl Caller {
    pub(crate) fn answer(self, outcome: Outcome) {
        answer(self.reply, outcome);
    }
}

impl Pending {
    pub(crate) fn new(
        work: Work,
        request: Option<Request>,
        key: Option<Key>,
        place: Place,
    ) -> (Self, Ticket, oneshot::Receiver<Outcome>) {
        let (reply, outcome) = oneshot::channel();
        let ticket = Ticket::default();
        let caller = Caller { reply, _place: place, passage: None };
        let prepared = Prepared::default();
        let pending =
            Self { work, request, key, key_is_open: false, prepared, caller, ticket: ticket.clone() };
        (pending, ticket, outcome)
    }

    /// The command is let in. A dry run comes to no decision, so whoever has its key need not wait for it.
    pub(crate) fn enter(&mut self, under_way: &UnderWay) {
        let key = self.key.filter(|_| !self.work.is_dry_run());
        self.caller.passage = key.map(|key| under_way.enter(key.hash));
    }

    /// Whether its caller still waits.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.caller.reply.is_closed()
    }

    /// Takes the command to decide it; false if its caller has given it up.
    pub(crate) fn take(&self) -> bool {
        self.ticket.take()
    }
}

/// The callers that wait for a key whose first command is undecided or unconfirmed.
#[derive(Debug, Default)]
pub(crate) struct OpenKeys(HashMap<ShortHash, Vec<(Hash, Caller)>>);

impl OpenKeys {
    /// Opens the key of a command that comes first, or lets the command wait for the one that did. A dry run waits too,
    /// but opens none: it uses no key.
    pub(crate) fn enter(&mut self, mut pending: Pending) -> Option<Pending> {
        let Some(key) = pending.key.filter(|_| !pending.key_is_open) else { return Some(pending) };
        if let Some(waiting) = self.0.get_mut(&key.hash) {
            waiting.push((key.fingerprint, pending.caller));
            return None;
        }
        if pending.work.is_dry_run() {
            return Some(pending);
        }
        self.0.insert(key.hash, Vec::new());
        pending.key_is_open = true;
        Some(pending)
    }

    /// Gives back the callers that wait for a key, with what they sent; the key is no longer open.
    pub(crate) fn leave(&mut self, pending: &Pending) -> Vec<(Hash, Caller)> {
        let key = pending.key.filter(|_| pending.key_is_open);
        key.and_then(|key| self.0.remove(&key.hash)).unwrap_or_default()
    }

    /// Whether others wait for the key of a command.
    pub(crate) fn has_waiters(&self, pending: &Pending) -> bool {
        let key = pending.key.filter(|_| pending.key_is_open);
        key.and_then(|key| self.0.get(&key.hash)).is_some_and(|waiting| !waiting.is_empty())
    }

    /// Answers a command and everybody who waits for its key; they get its outcome if they sent the same thing.
    pub(crate) fn answer(&mut self, pending: Pending, outcome: Outcome) {
        for (fingerprint, caller) in self.leave(&pending) {
            let same = pending.key.is_some_and(|key| key.fingerprint == fingerprint);
            caller.answer(match &outcome {
                Ok(reply) if same => Ok(Reply { replayed: true, ..reply.clone() }),
                Ok(_) => Err(CommandError::KeyReused),
                Err(error) if same => Err(error.clone()),
                Err(_) => {
                    Err(CommandError::NotApplied("another command under the same key came to no decision"))
                }
            });
        }
        pending.caller.answer(outcome);
    }
}
