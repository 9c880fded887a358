//! The values behind the golden files, all in one place.
//!
//! Every event has two files: `NAME.vN` is a decision with everything that may be said, `NAME.vN-bare` one with nothing
//! that may be left out. Every refusal has a file of its own, because a refusal is a stored fact with its own tag, and so has every
//! reason. The codes of commands, order statuses and holds stand together in two files.

use stockledger_schemas::event::{
    AdjustedLine, CommandRefused, CountedLine, HoldReleased, ItemRegistered, ItemUpdated, KeyCreated,
    KeyRevoked, LineMove, NoteRecorded, OrderCancelled, OrderPlaced, OrderReturned, OrderShipped, OutOfStock,
    PlacedLine, ReceivedLine, RefusedLine, ReturnMove, SiteOpened, SiteRegistered, SiteRenamed,
    StockAdjusted, StockCounted, StockHeld, StockReceived,
};
use stockledger_schemas::limits::{EVENTS_MAX, PARTITIONS_DEFAULT, QUANTITY_MAX, WINDOW_DEFAULT};
use stockledger_schemas::refusal::{
    CountSuperseded, ExceedsHold, ExceedsOpen, ExceedsReturnable, ExpectedQuantityStale, FirstKeyNotAdmin,
    HoldExists, InsufficientStock, KeyExists, NotInOrder, OrderExists, OrderFinished, QuantityLimit,
    Shortage, UnknownHold, UnknownKey, UnknownOrder,
};
use stockledger_schemas::{
    Actor, Balances, Claim, CommandKind, Context, CorrelationId, Decision, Delta, Disposition, Event,
    Genesis, Hash, HoldReason, IdempotencyKey, KeyScope, LedgerId, Level, Nonce, Note, Order, OrderLine,
    OrderStatus, PartitionId, Quantity, Reason, Record, Reference, ReferenceId, ReferenceType, Refusal,
    Request, Scope, SiteId, Sku, Timestamp, envelope,
};

use crate::values::{
    balances, currency, customer, delta, hold_id, key_id, level, name, order_id, quantity, site, sku, time,
    unit,
};

/// A record and the name of its golden file.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) record: Record,
}

/// Every sample, in no particular order.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = vec![
        sample("genesis", Record::Genesis(genesis())),
        sample("claim", Record::Claim(claim())),
        sample("claim-without-url", Record::Claim(Claim { url: None, term: 7, ..claim() })),
        sample("decision-limits", Record::Decision(at_the_limits())),
        sample("codes-refused", decision_of(refused_commands(&CommandKind::ALL[..12]))),
        // Files that were released stay as they are, so codes that came later have one of their own.
        sample("codes-refused-keys", decision_of(refused_commands(&CommandKind::ALL[12..]))),
        sample("codes-held", decision_of(held_for_every_reason())),
    ];
    samples.extend(Reason::ALL.iter().map(|reason| {
        let mut decision = bare(vec![NoteRecorded {}.into()]);
        decision.context.reason = Some(*reason);
        sample(&format!("reason-{reason}"), Record::Decision(decision))
    }));
    for (full, bare) in events() {
        let name = versioned_name(Event::TAGS, full.type_name());
        samples.push(sample(&name, full_decision(full)));
        samples.push(sample(&format!("{name}-bare"), bare_decision(bare)));
    }
    for refusal in refusals() {
        let event = refused(CommandKind::PlaceOrder, refusal.clone());
        let name = format!(
            "{}-{}",
            versioned_name(Event::TAGS, event.type_name()),
            versioned_name(Refusal::TAGS, refusal.type_name())
        );
        samples.push(sample(&name, bare_decision(event)));
    }
    samples
}

/// `order_placed.v1` for `order_placed`: the name outside and the newest version.
pub(crate) fn versioned_name(tags: &[(u16, u8, &str)], type_name: &str) -> String {
    let (_, version, _) = tags.iter().find(|(.., name)| *name == type_name).expect("a name of the table");
    format!("{type_name}.v{version}")
}

fn sample(name: &str, record: Record) -> Sample {
    Sample { name: name.to_owned(), record }
}

// Records.

fn genesis() -> Genesis {
    Genesis {
        ledger_id: LedgerId(std::array::from_fn(|at| b"stockledger-uuid"[at])),
        partition: PartitionId(3),
        partitions: PARTITIONS_DEFAULT,
        window: WINDOW_DEFAULT,
    }
}

fn claim() -> Claim {
    Claim {
        ledger_id: genesis().ledger_id,
        partition: PartitionId(3),
        term: 1,
        node: name("ledger-1.example"),
        url: Some(name("http://ledger-1.example:7070")),
        nonce: Nonce([0xa5; 16]),
        recorded_at: time(1_259_653_500_000_000),
    }
}

/// What the first decision after the golden `genesis` and `claim` has as its `prev_hash`.
pub(crate) fn hash_after_claim() -> Hash {
    let genesis = envelope::encode(&Record::Genesis(genesis())).expect("encodes");
    let claim = envelope::encode(&Record::Claim(claim())).expect("encodes");
    let start = Hash::of(&[b"stockledger-genesis", &genesis]);
    Hash::of(&[&[1], &start.0, &claim])
}

fn bare_decision(event: Event) -> Record {
    decision_of(vec![event])
}

fn decision_of(events: Vec<Event>) -> Record {
    Record::Decision(bare(events))
}

fn bare(events: Vec<Event>) -> Decision {
    Decision {
        term: 1,
        seq: 1,
        prev_hash: hash_after_claim(),
        recorded_at: time(1_259_653_500_000_001),
        scope: Scope::Directory,
        request: None,
        context: Context::by(Actor::new("anonymous").expect("valid")),
        events,
    }
}

fn full_decision(event: Event) -> Record {
    Record::Decision(Decision {
        term: 300,
        seq: 70_000,
        prev_hash: Hash(std::array::from_fn(|at| u8::try_from(at).expect("below 32"))),
        recorded_at: time(1_767_225_600_123_456),
        scope: Scope::Site(site()),
        request: Some(Request {
            key: IdempotencyKey::new("online-retail:489434:order").expect("valid"),
            fingerprint: Hash([0xfe; 32]),
        }),
        context: Context {
            actor: Actor::new("key:till-7").expect("valid"),
            occurred_at: Some(time(-86_400_000_000)),
            reason: Some(Reason::Other),
            note: Some(Note::new("Größe \"XL\" \\ 数量 5").expect("valid")),
            reference: Some(Reference {
                kind: ReferenceType::new("purchase_order").expect("valid"),
                id: ReferenceId::new("PO 4711/2").expect("valid"),
            }),
            correlation_id: Some(CorrelationId::new("batch-2009-12").expect("valid")),
        },
        events: vec![event],
    })
}

/// As many events, and as large and as long values, as there may be.
fn at_the_limits() -> Decision {
    let most = Level::new(QUANTITY_MAX).expect("valid");
    let line = ReceivedLine {
        sku: Sku::new("~".repeat(Sku::BYTES_MAX)).expect("valid"),
        quantity: Quantity::new(QUANTITY_MAX).expect("valid"),
        after: Balances { on_hand: most, reserved: Level::ZERO, held: most },
    };
    let adjusted = AdjustedLine {
        sku: sku("!"),
        delta: Delta::new(-QUANTITY_MAX).expect("valid"),
        after: Balances { on_hand: level(250), reserved: level(251), held: level(65_536) },
    };
    let mut events = vec![NoteRecorded {}.into(); EVENTS_MAX - 2];
    events.push(StockReceived { lines: vec![line] }.into());
    events.push(StockAdjusted { lines: vec![adjusted] }.into());
    Decision {
        term: u64::MAX,
        seq: u64::MAX,
        prev_hash: Hash([0; 32]),
        recorded_at: Timestamp::MAX,
        scope: Scope::Site(SiteId::new("s".repeat(SiteId::BYTES_MAX)).expect("valid")),
        request: Some(Request {
            key: IdempotencyKey::new("k".repeat(IdempotencyKey::BYTES_MAX)).expect("valid"),
            fingerprint: Hash([0xff; 32]),
        }),
        context: Context {
            occurred_at: Some(Timestamp::MIN),
            note: Some(Note::new("ä".repeat(Note::BYTES_MAX / 2)).expect("valid")),
            ..Context::by(Actor::new("a".repeat(Actor::BYTES_MAX)).expect("valid"))
        },
        events,
    }
}

// Events: with everything, and with nothing that may be left out.

fn events() -> Vec<(Event, Event)> {
    let same = |event: Event| (event.clone(), event);
    vec![
        same(SiteRegistered { site: site(), name: name("London"), partition: PartitionId(1_023) }.into()),
        same(SiteRenamed { site: site(), name: name("Zürich"), partition: PartitionId(0) }.into()),
        same(SiteOpened {}.into()),
        same(ItemRegistered { sku: sku("85123A"), name: name("HANGING HEART"), unit: unit("each") }.into()),
        same(ItemUpdated { sku: sku("85123A"), name: name("White heart"), unit: unit("box-12") }.into()),
        same(NoteRecorded {}.into()),
        (key_created(true), key_created(false)),
        same(KeyRevoked { key_id: key_id() }.into()),
        (StockReceived { lines: received_lines() }.into(), StockReceived { lines: vec![] }.into()),
        (StockAdjusted { lines: adjusted_lines() }.into(), StockAdjusted { lines: vec![] }.into()),
        (
            StockCounted { lines: vec![counted(None)] }.into(),
            StockCounted { lines: vec![counted(Some(6))] }.into(),
        ),
        same(stock_held()),
        same(hold_released()),
        (placed(Some(295)), placed(None)),
        (out_of_stock(Some(0)), out_of_stock(None)),
        (
            OrderShipped { order: order(Some(295)), moves: line_moves() }.into(),
            OrderShipped { order: order(None), moves: line_moves() }.into(),
        ),
        (
            OrderCancelled { order: order(Some(295)), moves: line_moves() }.into(),
            OrderCancelled { order: order(None), moves: line_moves() }.into(),
        ),
        (
            OrderReturned { order: order(Some(295)), moves: vec![returned(true), returned(false)] }.into(),
            OrderReturned { order: order(None), moves: vec![returned(false)] }.into(),
        ),
        (
            CommandRefused {
                command: CommandKind::ReleaseHold,
                order_id: Some(order_id()),
                hold_id: Some(hold_id()),
                refusal: Refusal::UnknownHold(UnknownHold {}),
            }
            .into(),
            refused(CommandKind::RecordNote, OrderExists {}.into()),
        ),
    ]
}

fn key_created(with_all: bool) -> Event {
    KeyCreated {
        key_id: key_id(),
        name: Actor::new("till 3").expect("valid"),
        secret_hash: Hash([0xa5; 32]),
        scopes: if with_all { KeyScope::ALL.to_vec() } else { vec![] },
        sites: with_all.then(|| vec![site(), SiteId::new("depot-2").expect("valid")]),
        expires_at: with_all.then(|| time(1_767_225_600_000_000)),
    }
    .into()
}

fn received_lines() -> Vec<ReceivedLine> {
    vec![
        ReceivedLine { sku: sku("85123A"), quantity: quantity(12), after: balances(12, 0, 0) },
        ReceivedLine { sku: sku("79323 P"), quantity: quantity(70_000), after: balances(70_250, 250, 251) },
    ]
}

fn adjusted_lines() -> Vec<AdjustedLine> {
    vec![
        AdjustedLine { sku: sku("85123A"), delta: delta(-126), after: balances(1, 0, 0) },
        AdjustedLine { sku: sku("22041"), delta: delta(125), after: balances(126, 0, 1) },
    ]
}

fn counted(counted_at_seq: Option<u64>) -> CountedLine {
    CountedLine {
        sku: sku("22041"),
        counted: level(48),
        counted_at_seq,
        delta: delta(-2),
        after: balances(48, 10, 5),
    }
}

fn stock_held() -> Event {
    StockHeld {
        hold_id: hold_id(),
        sku: sku("22041"),
        quantity: quantity(5),
        reason: HoldReason::QualityControl,
        after: balances(50, 10, 5),
    }
    .into()
}

fn held_for_every_reason() -> Vec<Event> {
    let held = |reason: &HoldReason| StockHeld {
        hold_id: hold_id(),
        sku: sku("22041"),
        quantity: quantity(1),
        reason: *reason,
        after: balances(1, 0, 1),
    };
    HoldReason::ALL.iter().map(|reason| held(reason).into()).collect()
}

/// The commands, refused because of an order in every status in turn.
fn refused_commands(commands: &[CommandKind]) -> Vec<Event> {
    let statuses = OrderStatus::ALL.iter().cycle();
    let commands = commands.iter().zip(statuses);
    commands.map(|(command, status)| refused(*command, OrderFinished { status: *status }.into())).collect()
}

fn hold_released() -> Event {
    HoldReleased {
        hold_id: hold_id(),
        sku: sku("22041"),
        quantity: quantity(2),
        reason: HoldReason::Damaged,
        held_at_first: quantity(5),
        remaining: level(3),
        after: balances(50, 10, 3),
    }
    .into()
}

fn placed(unit_price_minor: Option<i64>) -> Event {
    let with_customer = unit_price_minor.is_some();
    let line = |code: &str, ordered: i64| PlacedLine {
        sku: sku(code),
        quantity: quantity(ordered),
        unit_price_minor: unit_price_minor.map(level),
        after: balances(100, ordered, 0),
    };
    OrderPlaced {
        order_id: order_id(),
        customer: with_customer.then(customer),
        currency: with_customer.then(currency),
        lines: vec![line("85123A", 12), line("22041", 48)],
    }
    .into()
}

fn out_of_stock(unit_price_minor: Option<i64>) -> Event {
    let with_customer = unit_price_minor.is_some();
    let line = |code: &str, requested: i64, available: i64| RefusedLine {
        sku: sku(code),
        requested: quantity(requested),
        available: level(available),
        unit_price_minor: unit_price_minor.map(level),
    };
    OutOfStock {
        order_id: order_id(),
        customer: with_customer.then(customer),
        currency: with_customer.then(currency),
        lines: vec![line("85123A", 12, 12), line("22041", 48, 47)],
    }
    .into()
}

fn order(unit_price_minor: Option<i64>) -> Order {
    let with_customer = unit_price_minor.is_some();
    let line = OrderLine {
        shipped: level(7),
        cancelled: level(4),
        returned: level(2),
        ..OrderLine::new(sku("85123A"), quantity(12), unit_price_minor.map(level))
    };
    Order {
        order_id: order_id(),
        customer: with_customer.then(customer),
        currency: with_customer.then(currency),
        placed_at: time(1_259_653_500_000_000),
        occurred_at: time(1_259_653_499_999_999),
        lines: vec![line, OrderLine::new(sku("22041"), quantity(48), None)],
    }
}

fn line_moves() -> Vec<LineMove> {
    vec![
        LineMove { line: 0, quantity: quantity(7), after: balances(93, 5, 0) },
        LineMove { line: 1_999, quantity: quantity(1), after: balances(0, 0, 0) },
    ]
}

fn returned(damaged: bool) -> ReturnMove {
    ReturnMove {
        line: 0,
        quantity: quantity(1),
        disposition: if damaged { Disposition::Damaged } else { Disposition::Restock },
        hold_id: damaged.then(hold_id),
        after: balances(95, 5, i64::from(damaged)),
    }
}

fn refused(command: CommandKind, refusal: Refusal) -> Event {
    CommandRefused { command, order_id: None, hold_id: None, refusal }.into()
}

// Refusals.

fn refusals() -> Vec<Refusal> {
    let shortage = |code: &str| Shortage { sku: sku(code), requested: quantity(48), available: level(47) };
    vec![
        InsufficientStock { shortages: vec![shortage("22041"), shortage("85123A")] }.into(),
        OrderExists {}.into(),
        UnknownOrder {}.into(),
        OrderFinished { status: OrderStatus::Cancelled }.into(),
        NotInOrder { sku: sku("22041") }.into(),
        ExceedsOpen { sku: sku("22041"), requested: quantity(2), open: level(1) }.into(),
        ExceedsReturnable { sku: sku("22041"), requested: quantity(2), returnable: level(0) }.into(),
        ExpectedQuantityStale { sku: sku("22041"), expected: level(10), on_hand: level(9) }.into(),
        CountSuperseded { sku: sku("22041"), counted_seq: 4_294_967_296 }.into(),
        HoldExists {}.into(),
        UnknownHold {}.into(),
        ExceedsHold { requested: None, remaining: level(0) }.into(),
        QuantityLimit { sku: sku("22041") }.into(),
        KeyExists {}.into(),
        UnknownKey {}.into(),
        FirstKeyNotAdmin {}.into(),
    ]
}
