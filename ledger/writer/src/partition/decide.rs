//! One command against the speculative state: answered from what is known, sent to be prepared, or decided.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use stockledger_chain::{Verdict, admit};
use stockledger_domain::{Change, Moment, Unbundled, Undecidable, apply, decide, decide_bundle, open_here};
use stockledger_rules::{Rule, keeps};
use stockledger_schemas::{
    Actor, Context, Decision, Event, PartitionId, Position, Scope, SiteId, Timestamp, envelope,
};

use super::flight::InFlight;
use super::{Asked, Pending, Work, Writer};
use crate::reply::{CommandError, Reply};

/// What deciding a command came to.
enum Decided {
    /// Something happened, or was refused: a record.
    Events(Box<(Context, Vec<Event>)>),
    /// It is so already, since this decision.
    AlreadySo(u64),
}

impl Writer {
    /// Decides a command; a record to append, or nothing if it is answered or will be later.
    pub(super) fn decide(&mut self, pending: Pending) -> Option<(InFlight, Bytes)> {
        if !pending.take() {
            // The caller has gone; those who sent the same after it have not, but were promised nothing either.
            self.open_keys.answer(pending, Err(CommandError::NotApplied("it was given up while it waited")));
            return None;
        }
        let known = pending.key.and_then(|key| self.confirmed.keys.get(&key.hash));
        if let Some(seq) = known.filter(|_| keeps(Rule::KeysAreRemembered)) {
            self.answer_from_log(pending, seq);
            return None;
        }
        let pending = if keeps(Rule::OpenKeysWait) { self.open_keys.enter(pending)? } else { pending };
        let pending = self.with_what_it_needs(pending)?;
        // Also the decision's `recorded_at`: never before that of the last one.
        let clock = self.environment.now();
        let now = if keeps(Rule::TimeNeverFalls) { clock.max(self.ahead.recorded_at) } else { clock };
        let decided = self.decide_now(&pending, now);
        if pending.work.is_dry_run() || decided.is_err() {
            self.forget_its_order(&pending);
        }
        match decided {
            Ok(Decided::AlreadySo(seq)) => {
                self.answer_from_log(pending, seq);
                None
            }
            Ok(Decided::Events(happened)) if pending.work.is_dry_run() => {
                let (context, events) = *happened;
                self.foretell(pending, now, context, events);
                None
            }
            Ok(Decided::Events(happened)) => {
                let (context, events) = *happened;
                self.record(pending, now, context, events)
            }
            Err(error @ CommandError::Changed { last }) => {
                let seq = last.map_or(self.ahead.chain.seq, |last| last.seq);
                self.tell_when_certain(pending, seq, Err(error));
                None
            }
            Err(error) => {
                self.open_keys.answer(pending, Err(error));
                None
            }
        }
    }

    fn decide_now(&self, pending: &Pending, now: Timestamp) -> Result<Decided, CommandError> {
        let asked = match &pending.work {
            Work::OpenHere(site, actor) => return Ok(self.open_site_here(site, actor)),
            Work::Command(asked) | Work::DryRun(asked) => asked,
        };
        if let Scope::Site(site) = asked.scope()
            && !self.ahead.domain.sites.contains_key(site)
        {
            return Err(CommandError::UnknownSite(site.clone()));
        }
        let nothing = HashMap::new();
        let moment = Moment {
            now,
            position: Position::new(self.partition, self.ahead.chain.seq + 1),
            counted: pending.prepared.counted.as_ref().unwrap_or(&nothing),
        };
        let never_logged = |undecidable| never_logged(self.partition, undecidable);
        let events = match asked {
            Asked::One(command) => match decide(&self.ahead.domain, command, &moment) {
                Ok(Change::Event(event)) => vec![event],
                Ok(Change::Nothing { since }) => return Ok(Decided::AlreadySo(since)),
                Err(rejection) => vec![rejection.into_event(command.command()).map_err(never_logged)?],
            },
            Asked::Bundle(bundle) => match decide_bundle(&self.ahead.domain, bundle, &moment) {
                Ok(events) => events,
                Err(Unbundled::Refused(event)) => vec![*event],
                Err(Unbundled::Misfit(misfit)) => return Err(CommandError::Misfit(misfit)),
                Err(Unbundled::Undecidable(undecidable)) => return Err(never_logged(undecidable)),
            },
        };
        Ok(Decided::Events(Box::new((asked.context().clone(), events))))
    }

    fn open_site_here(&self, site: &SiteId, actor: &Actor) -> Decided {
        match open_here(&self.ahead.domain, site) {
            Change::Event(event) => Decided::Events(Box::new((Context::by(actor.clone()), vec![event]))),
            Change::Nothing { since } => Decided::AlreadySo(since),
        }
    }

    /// Makes the record and moves the speculative state behind it. The record is checked as a reader would check it
    /// before anybody else sees it, so nothing that cannot be read or applied is ever appended.
    fn record(
        &mut self,
        pending: Pending,
        now: Timestamp,
        context: Context,
        events: Vec<Event>,
    ) -> Option<(InFlight, Bytes)> {
        let decision = self.next_decision(&pending, now, context, events);
        match self.go_ahead(&decision) {
            Ok((after, bytes)) => {
                let record = InFlight { decision: Arc::new(decision), hash: after.hash, after, pending };
                Some((record, bytes))
            }
            Err(error) => {
                self.open_keys.answer(pending, Err(error));
                None
            }
        }
    }

    fn next_decision(
        &self,
        pending: &Pending,
        now: Timestamp,
        context: Context,
        events: Vec<Event>,
    ) -> Decision {
        Decision {
            term: self.ahead.chain.term,
            seq: self.ahead.chain.seq + 1,
            prev_hash: self.ahead.chain.hash,
            recorded_at: now,
            scope: pending.work.scope(),
            request: pending.request.clone(),
            context,
            events,
        }
    }

    /// Answers a dry run with the decision that its command would have come to. Nothing moves: neither the speculative
    /// state nor the log. What it rests on may still be in flight, so the answer waits until that is certain, and is
    /// found anew if it turns out never to have happened.
    fn foretell(&mut self, pending: Pending, now: Timestamp, context: Context, events: Vec<Event>) {
        let decision = self.next_decision(&pending, now, context, events);
        if let Err(error) = envelope::encode_decision(&decision) {
            return self.open_keys.answer(pending, Err(CommandError::TooLarge(error.to_string())));
        }
        let position = Position::new(self.partition, decision.seq);
        let reply = Reply { position, decision: Arc::new(decision), replayed: false };
        self.tell_when_certain(pending, self.ahead.chain.seq, Ok(reply));
    }

    fn go_ahead(&mut self, decision: &Decision) -> Result<(stockledger_chain::State, Bytes), CommandError> {
        let bytes =
            envelope::encode_decision(decision).map_err(|error| CommandError::TooLarge(error.to_string()))?;
        let internal = |error: &dyn std::fmt::Display| CommandError::Internal(error.to_string());
        let admission =
            admit(&self.ahead.chain, self.ahead.chain.next_offset, &bytes).map_err(|halt| internal(&halt))?;
        match &admission.verdict {
            Verdict::Decision(read) if read.as_ref() == decision => {}
            verdict => return Err(internal(&format_args!("the record reads back as {verdict:?}"))),
        }
        if let Err(impossible) = apply(&mut self.ahead.domain, decision.seq, decision) {
            // The speculative state may be half changed: nothing more is decided against it.
            self.ahead_is_broken = true;
            tracing::error!(partition = %self.partition, %impossible, "a decision of our own cannot be applied");
            return Err(internal(&impossible));
        }
        self.ahead.chain = admission.next;
        self.ahead.recorded_at = decision.recorded_at;
        Ok((admission.next, Bytes::from(bytes)))
    }
}

/// What cannot be decided here. The edge and the steps before this one leave none of these over.
fn never_logged(partition: PartitionId, undecidable: Undecidable) -> CommandError {
    match undecidable {
        Undecidable::Changed { last } => {
            CommandError::Changed { last: last.map(|seq| Position::new(partition, seq)) }
        }
        Undecidable::CountBases(invalid) => CommandError::Invalid(invalid),
        other => CommandError::Internal(other.to_string()),
    }
}
