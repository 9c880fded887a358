//! A partition with one writer and no IO, on which commands are decided and carried out as the writer does it.

use std::collections::HashMap;
use std::sync::OnceLock;

use stockledger::http::fuzzing;
use stockledger_domain::{Change, Checked, Moment, Partition, Site, apply, decide, open_here};
use stockledger_projections::{View, fold};
use stockledger_schemas::{
    Actor, Context, Decision, Event, Hash, HoldReason, IdempotencyKey, Level, PartitionId, Position, Record,
    Request, Scope, SiteId, Sku, Timestamp, envelope,
};

const SITE: &str = "uk";
const PARTITIONS: u16 = 3;

/// What has happened before the first command of an input.
const BEFORE: &str = r#"
{"command":"open_site","site":"uk","body":{"name":"London"}}
{"command":"register_item","sku":"A","body":{"name":"apple"}}
{"command":"receive_stock","site":"uk","idempotency_key":"1","body":{"lines":[{"sku":"A","quantity":20},{"sku":"B","quantity":9}]}}
{"command":"place_order","site":"uk","idempotency_key":"2","body":{"order_id":"o","lines":[{"sku":"A","quantity":5},{"sku":"B","quantity":2}]}}
{"command":"ship_order","site":"uk","order_id":"o","idempotency_key":"3","body":{"lines":[{"sku":"A","quantity":2}]}}
{"command":"hold_stock","site":"uk","idempotency_key":"4","body":{"hold_id":"h","sku":"A","quantity":3,"reason":"damaged"}}
{"command":"place_order","site":"uk","idempotency_key":"5","body":{"order_id":"p","lines":[{"sku":"B","quantity":99}]}}
{"command":"return_order","site":"uk","order_id":"o","idempotency_key":"6","body":{"lines":[{"sku":"A","quantity":1,"disposition":"damaged"}]}}
{"command":"receive_stock","site":"uk","idempotency_key":"7","body":{"lines":[{"sku":"M","quantity":9007199254740991}]}}
"#;

/// A partition and all of its past.
#[derive(Clone)]
pub(crate) struct World {
    /// The state after each decision; the first is that of nothing.
    past: Vec<Partition>,
    log: Vec<Decision>,
}

/// A world in which something has happened.
pub(crate) fn stocked() -> &'static World {
    static STOCKED: OnceLock<World> = OnceLock::new();
    STOCKED.get_or_init(|| {
        let nothing = Partition::new(PartitionId::DIRECTORY, PARTITIONS);
        let mut world = World { past: vec![nothing], log: Vec::new() };
        for line in BEFORE.lines().filter(|line| !line.is_empty()) {
            let (command, key) = fuzzing::command(line.as_bytes()).expect("the line is valid");
            world.send(&command, key);
        }
        assert!(world.log.len() > BEFORE.lines().count() - 2, "every line was decided");
        world
    })
}

pub(crate) fn by_somebody() -> Context {
    Context::by(Actor::new("somebody").expect("the name is valid"))
}

impl World {
    /// The one site that is open.
    pub(crate) fn site() -> Scope {
        Scope::Site(SiteId::new(SITE).expect("the name is valid"))
    }

    pub(crate) fn state(&self) -> &Partition {
        self.past.last().expect("there is always the state of nothing")
    }

    /// The read tables of all that happened.
    pub(crate) fn view(&self) -> View {
        let mut view = View::of_nothing(PartitionId::DIRECTORY);
        for decision in &self.log {
            assert_eq!(fold(&mut view, decision), Ok(()), "what was decided can be folded");
        }
        view
    }

    /// Decides a command, writes and reads the decision, carries it out, and checks what is there then.
    pub(crate) fn send(&mut self, command: &Checked, key: Option<IdempotencyKey>) {
        let counted = self.counted(command);
        let moment = Moment { now: self.clock(), position: self.next(), counted: &counted };
        let event = match decide(self.state(), command, &moment) {
            Ok(Change::Nothing { .. }) => return,
            Ok(Change::Event(event)) => event,
            Err(rejection) => match rejection.into_event(command.command()) {
                Ok(event) => event,
                Err(_) => return,
            },
        };
        let opened = match &event {
            Event::SiteRegistered(event) if event.partition == self.state().id => Some(event.site.clone()),
            _ => None,
        };
        self.log(self.decision(command.scope().clone(), key, command.context().clone(), event));
        if let Some(site) = opened
            && let Change::Event(event) = open_here(self.state(), &site)
        {
            self.log(self.decision(Scope::Site(site), None, by_somebody(), event));
        }
    }

    /// The decision that would record `event` next.
    pub(crate) fn decision(
        &self,
        scope: Scope,
        key: Option<IdempotencyKey>,
        context: Context,
        event: Event,
    ) -> Decision {
        Decision {
            term: 1,
            seq: self.next().seq,
            prev_hash: Hash([0; 32]),
            recorded_at: self.clock(),
            scope,
            request: key.map(|key| Request { key, fingerprint: Hash([1; 32]) }),
            context,
            events: vec![event],
        }
    }

    fn log(&mut self, decision: Decision) {
        let bytes = envelope::encode_decision(&decision).expect("what was decided fits a record");
        assert_eq!(envelope::decode(&bytes), Ok(Record::Decision(decision.clone())));
        let mut state = self.state().clone();
        assert_eq!(apply(&mut state, decision.seq, &decision), Ok(()), "what was decided can be applied");
        holds(&state);
        self.log.push(decision);
        self.past.push(state);
        // Folds all of it again, which also shows that the fold stands on the decisions alone.
        drop(self.view());
    }

    fn next(&self) -> Position {
        Position::new(self.state().id, self.state().seq + 1)
    }

    /// Every decision is made a second after the one before.
    fn clock(&self) -> Timestamp {
        let micros = i64::try_from(self.next().seq).unwrap_or_default() * 1_000_000;
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MIN)
    }

    /// What was on hand at the positions that a count names.
    fn counted(&self, command: &Checked) -> HashMap<Sku, Level> {
        let Scope::Site(site) = command.scope() else { return HashMap::new() };
        let on_hand = |sku: &Sku, base: Position| {
            let state = self.past.get(usize::try_from(base.seq).ok()?)?;
            Some((sku.clone(), state.sites.get(site)?.stock_of(sku).on_hand))
        };
        command.command().count_bases().filter_map(|(sku, base)| on_hand(sku, base)).collect()
    }
}

/// Asserts what holds at every position: balances in their range, and holds and open orders that add up to what is held
/// and reserved.
pub(crate) fn holds(state: &Partition) {
    for (id, site) in &state.sites {
        for (sku, stock) in &site.stock {
            let balances = stock.balances();
            assert!(balances.is_possible(), "{id} {sku}: {balances:?}");
            for reason in HoldReason::ALL {
                assert_eq!(stock.held_for(*reason).get(), held(site, sku, *reason), "{id} {sku}: {reason:?}");
            }
            assert_eq!(balances.reserved.get(), open(site, sku), "{id} {sku}: reserved");
        }
    }
}

fn held(site: &Site, sku: &Sku, reason: HoldReason) -> i64 {
    let holds = site.holds.values().filter(|hold| hold.sku == *sku && hold.reason == reason);
    holds.map(|hold| hold.remaining.get()).sum()
}

fn open(site: &Site, sku: &Sku) -> i64 {
    let lines = site.orders.values().flat_map(|resident| &resident.order.lines);
    lines.filter(|line| line.sku == *sku).map(stockledger_schemas::OrderLine::open).sum()
}
