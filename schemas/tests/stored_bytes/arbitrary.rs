//! Strategies for valid values: any event, any refusal, any decision.

use std::fmt::Debug;
use std::str::FromStr;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::string::string_regex;
use proptest::{array, prop_oneof};
use stockledger_schemas::event::{
    AdjustedLine, CommandRefused, CountedLine, HoldReleased, ItemRegistered, ItemUpdated, KeyCreated,
    KeyRevoked, LineMove, NoteRecorded, OrderCancelled, OrderPlaced, OrderReturned, OrderShipped, OutOfStock,
    PlacedLine, ReceivedLine, RefusedLine, ReturnMove, SiteOpened, SiteRegistered, SiteRenamed,
    StockAdjusted, StockCounted, StockHeld, StockReceived,
};
use stockledger_schemas::limits::{EVENTS_MAX, QUANTITY_MAX};
use stockledger_schemas::refusal::{
    CountSuperseded, ExceedsHold, ExceedsOpen, ExceedsReturnable, ExpectedQuantityStale, FirstKeyNotAdmin,
    HoldExists, InsufficientStock, KeyExists, NotInOrder, OrderExists, OrderFinished, QuantityLimit,
    Shortage, UnknownHold, UnknownKey, UnknownOrder,
};
use stockledger_schemas::{
    Balances, CommandKind, Context, Currency, Decision, Delta, Disposition, Event, Hash, HoldReason, KeyId,
    KeyScope, Level, Name, Order, OrderLine, OrderStatus, PartitionId, Quantity, Reason, Reference, Refusal,
    Request, Scope, Timestamp,
};

/// Any valid decision.
pub(crate) fn decision() -> impl Strategy<Value = Decision> {
    let head = (any::<u64>(), any::<u64>(), hash(), time());
    (head, scope(), of(request()), context(), vec(event(), 1..=EVENTS_MAX)).prop_map(
        |((term, seq, prev_hash, recorded_at), scope, request, context, events)| Decision {
            term,
            seq,
            prev_hash,
            recorded_at,
            scope,
            request,
            context,
            events,
        },
    )
}

/// Any valid event.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![directory_event(), stock_event(), order_event(), command_refused()]
}

fn directory_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (code(), name(), partition()).prop_map(|(site, name, partition)| SiteRegistered {
            site,
            name,
            partition
        }
        .into()),
        (code(), name(), partition()).prop_map(|(site, name, partition)| SiteRenamed {
            site,
            name,
            partition
        }
        .into()),
        Just(SiteOpened {}.into()),
        (id(), name(), unit()).prop_map(|(sku, name, unit)| ItemRegistered { sku, name, unit }.into()),
        (id(), name(), unit()).prop_map(|(sku, name, unit)| ItemUpdated { sku, name, unit }.into()),
        Just(NoteRecorded {}.into()),
        key_created().prop_map(Event::from),
        key_id().prop_map(|key_id| KeyRevoked { key_id }.into()),
    ]
}

fn key_created() -> impl Strategy<Value = KeyCreated> {
    let allowed = (vec(select(KeyScope::ALL), 0..4), of(vec(code(), 0..4)), of(time()));
    (key_id(), id(), hash(), allowed).prop_map(|(key_id, name, secret_hash, (scopes, sites, expires_at))| {
        KeyCreated { key_id, name, secret_hash, scopes, sites, expires_at }
    })
}

fn stock_event() -> impl Strategy<Value = Event> {
    let received = (id(), quantity(), balances()).prop_map(|(sku, quantity, after)| ReceivedLine {
        sku,
        quantity,
        after,
    });
    let adjusted =
        (id(), delta(), balances()).prop_map(|(sku, delta, after)| AdjustedLine { sku, delta, after });
    let counted = (id(), level(), of(any::<u64>()), delta(), balances()).prop_map(
        |(sku, counted, counted_at_seq, delta, after)| CountedLine {
            sku,
            counted,
            counted_at_seq,
            delta,
            after,
        },
    );
    let held = (id(), id(), quantity(), select(HoldReason::ALL), balances()).prop_map(
        |(hold_id, sku, quantity, reason, after)| StockHeld { hold_id, sku, quantity, reason, after },
    );
    let released = (id(), id(), quantity(), select(HoldReason::ALL), quantity(), level(), balances())
        .prop_map(|(hold_id, sku, quantity, reason, held_at_first, remaining, after)| HoldReleased {
            hold_id,
            sku,
            quantity,
            reason,
            held_at_first,
            remaining,
            after,
        });
    prop_oneof![
        vec(received, 0..4).prop_map(|lines| StockReceived { lines }.into()),
        vec(adjusted, 0..4).prop_map(|lines| StockAdjusted { lines }.into()),
        vec(counted, 0..4).prop_map(|lines| StockCounted { lines }.into()),
        held.prop_map(Event::from),
        released.prop_map(Event::from),
    ]
}

fn order_event() -> impl Strategy<Value = Event> {
    let placed =
        (id(), quantity(), of(level()), balances()).prop_map(|(sku, quantity, unit_price_minor, after)| {
            PlacedLine { sku, quantity, unit_price_minor, after }
        });
    let short =
        (id(), quantity(), level(), of(level())).prop_map(|(sku, requested, available, unit_price_minor)| {
            RefusedLine { sku, requested, available, unit_price_minor }
        });
    let returned = (any::<u16>(), quantity(), select(Disposition::ALL), of(id()), balances()).prop_map(
        |(line, quantity, disposition, hold_id, after)| ReturnMove {
            line,
            quantity,
            disposition,
            hold_id,
            after,
        },
    );
    prop_oneof![
        (id(), of(id()), of(currency()), vec(placed, 0..4)).prop_map(
            |(order_id, customer, currency, lines)| {
                OrderPlaced { order_id, customer, currency, lines }.into()
            }
        ),
        (id(), of(id()), of(currency()), vec(short, 0..4)).prop_map(
            |(order_id, customer, currency, lines)| {
                OutOfStock { order_id, customer, currency, lines }.into()
            }
        ),
        (order(), vec(line_move(), 0..4)).prop_map(|(order, moves)| OrderShipped { order, moves }.into()),
        (order(), vec(line_move(), 0..4)).prop_map(|(order, moves)| OrderCancelled { order, moves }.into()),
        (order(), vec(returned, 0..4)).prop_map(|(order, moves)| OrderReturned { order, moves }.into()),
    ]
}

fn command_refused() -> impl Strategy<Value = Event> {
    (select(CommandKind::ALL), of(id()), of(id()), refusal()).prop_map(
        |(command, order_id, hold_id, refusal)| CommandRefused { command, order_id, hold_id, refusal }.into(),
    )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let shortage = (id(), quantity(), level()).prop_map(|(sku, requested, available)| Shortage {
        sku,
        requested,
        available,
    });
    prop_oneof![
        vec(shortage, 0..4).prop_map(|shortages| InsufficientStock { shortages }.into()),
        select(vec![
            OrderExists {}.into(),
            UnknownOrder {}.into(),
            HoldExists {}.into(),
            UnknownHold {}.into()
        ]),
        select(OrderStatus::ALL).prop_map(|status| OrderFinished { status }.into()),
        id().prop_map(|sku| NotInOrder { sku }.into()),
        id().prop_map(|sku| QuantityLimit { sku }.into()),
        Just(KeyExists {}.into()),
        Just(UnknownKey {}.into()),
        Just(FirstKeyNotAdmin {}.into()),
        (id(), quantity(), level())
            .prop_map(|(sku, requested, open)| ExceedsOpen { sku, requested, open }.into()),
        (id(), quantity(), level()).prop_map(|(sku, requested, returnable)| ExceedsReturnable {
            sku,
            requested,
            returnable
        }
        .into()),
        (id(), level(), level()).prop_map(|(sku, expected, on_hand)| ExpectedQuantityStale {
            sku,
            expected,
            on_hand
        }
        .into()),
        (id(), any::<u64>()).prop_map(|(sku, counted_seq)| CountSuperseded { sku, counted_seq }.into()),
        (of(quantity()), level())
            .prop_map(|(requested, remaining)| ExceedsHold { requested, remaining }.into()),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let line = (id(), quantity(), array::uniform3(level()), of(level())).prop_map(
        |(sku, ordered, [shipped, cancelled, returned], unit_price_minor)| OrderLine {
            sku,
            ordered,
            shipped,
            cancelled,
            returned,
            unit_price_minor,
        },
    );
    (id(), of(id()), of(currency()), time(), time(), vec(line, 0..4)).prop_map(
        |(order_id, customer, currency, placed_at, occurred_at, lines)| Order {
            order_id,
            customer,
            currency,
            placed_at,
            occurred_at,
            lines,
        },
    )
}

fn line_move() -> impl Strategy<Value = LineMove> {
    (any::<u16>(), quantity(), balances()).prop_map(|(line, quantity, after)| LineMove {
        line,
        quantity,
        after,
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Directory), code().prop_map(Scope::Site)]
}

fn request() -> impl Strategy<Value = Request> {
    (id(), hash()).prop_map(|(key, fingerprint)| Request { key, fingerprint })
}

fn context() -> impl Strategy<Value = Context> {
    let note = text("[A-Za-zÀ-ž]\\PC{0,80}");
    let reference = (code(), id()).prop_map(|(kind, id)| Reference { kind, id });
    (id(), of(time()), of(select(Reason::ALL)), of(note), of(reference), of(id())).prop_map(
        |(actor, occurred_at, reason, note, reference, correlation_id)| Context {
            actor,
            occurred_at,
            reason,
            note,
            reference,
            correlation_id,
        },
    )
}

fn balances() -> impl Strategy<Value = Balances> {
    array::uniform3(level()).prop_map(|[on_hand, reserved, held]| Balances { on_hand, reserved, held })
}

/// Numbers of every stored width, with the bounds of the widths and of the type.
fn number() -> impl Strategy<Value = i64> {
    let bounds = vec![0, 250, 251, 65_535, 65_536, 4_294_967_295, 4_294_967_296, QUANTITY_MAX];
    prop_oneof![0..=300_i64, 0..=100_000_i64, 0..=QUANTITY_MAX, select(bounds)]
}

fn level() -> impl Strategy<Value = Level> {
    number().prop_map(|number| Level::new(number).expect("in range"))
}

fn quantity() -> impl Strategy<Value = Quantity> {
    number().prop_map(|number| Quantity::new(number.max(1)).expect("in range"))
}

fn delta() -> impl Strategy<Value = Delta> {
    (number(), any::<bool>())
        .prop_map(|(number, negative)| Delta::new(if negative { -number } else { number }).expect("in range"))
}

fn time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.micros()..=Timestamp::MAX.micros())
        .prop_map(|micros| Timestamp::from_micros(micros).expect("in range"))
}

fn hash() -> impl Strategy<Value = Hash> {
    array::uniform32(any::<u8>()).prop_map(Hash)
}

fn partition() -> impl Strategy<Value = PartitionId> {
    any::<u16>().prop_map(PartitionId)
}

fn name() -> impl Strategy<Value = Name> {
    text("[A-Za-zÀ-ž]\\PC{0,40}")
}

fn currency() -> impl Strategy<Value = Currency> {
    text("[A-Z]{3}")
}

fn id<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
    text("[!-~]([ -~]{0,62}[!-~])?")
}

fn code<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
    text("[A-Za-z0-9._-]{1,64}")
}

fn unit<T: FromStr<Err: Debug> + Debug>() -> impl Strategy<Value = T> {
    text("[A-Za-z0-9._-]{1,32}")
}

fn key_id() -> impl Strategy<Value = KeyId> {
    text("[a-z0-9]{8,32}")
}

fn text<T: FromStr<Err: Debug> + Debug>(pattern: &str) -> impl Strategy<Value = T> {
    let strategy = string_regex(pattern).expect("a valid pattern");
    strategy.prop_map(|text| text.parse().expect("the pattern makes valid texts only"))
}
