//! Ids, texts, numbers, times and closed sets of words. Their bounds are those of the types that check them.

use stockledger_schemas as ours;
use stockledger_schemas::limits::{PARTITIONS_MAX, QUANTITY_MAX};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type,
};

use crate::http::describe::shape::{Named, Shape, one_of, refer};
use crate::http::list::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::http::problem::Code;

const CODE: &str = "^[A-Za-z0-9._-]+$";
const PRINTABLE: &str = "^[!-~]([ -~]*[!-~])?$";
const PROSE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
const POSITION: &str = "^[0-9]+\\.[0-9]+$";

/// Declares shapes by their names, each as a schema.
macro_rules! words {
    ($($(#[doc = $meaning:literal])+ $name:ident = $schema:expr;)+) => {
        $(
            $(#[doc = $meaning])+
            pub(in crate::http::describe) struct $name;

            impl Shape for $name {
                fn usage(named: &mut Named) -> RefOr<Schema> {
                    refer(named, stringify!($name), |_| {
                        $schema.description(Some(concat!($($meaning),+).trim()))
                    })
                }
            }
        )+
    };
}

fn text(min: usize, max: usize, pattern: &str, example: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(min)).max_length(Some(max));
    text.pattern(Some(pattern)).examples([example])
}

fn number(min: i64, example: i64) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    let number = number.format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
    number.minimum(Some(min)).maximum(Some(QUANTITY_MAX)).examples([example])
}

fn matching(pattern: &str, example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).examples([example])
}

fn time() -> ObjectBuilder {
    let time = ObjectBuilder::new().schema_type(Type::String);
    let time = time.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    time.examples(["2026-03-31T09:30:00.000000Z"])
}

words! {
    /// A place that holds stock, such as a warehouse or a shop.
    SiteId = text(1, ours::SiteId::BYTES_MAX, CODE, "uk");
    /// The stock keeping unit: what is counted. Percent-encoded in paths.
    Sku = text(1, ours::Sku::BYTES_MAX, PRINTABLE, "APPLE-1");
    /// The caller's id of an order, unique in its site for ever once accepted. Percent-encoded in paths.
    OrderId = text(1, ours::OrderId::BYTES_MAX, PRINTABLE, "order-1001");
    /// The id of a hold, unique in its site. Percent-encoded in paths.
    HoldId = text(1, ours::HoldId::BYTES_MAX, PRINTABLE, "hold-7");
    /// An opaque id of a customer. Personal data stays out of the ledger.
    CustomerId = text(1, ours::CustomerId::BYTES_MAX, PRINTABLE, "customer-42");
    /// Who did it: the name of an API key, `local` without one.
    Actor = text(1, ours::Actor::BYTES_MAX, PRINTABLE, "till-3");
    /// The id of an API key, which stands in its token and is no secret.
    KeyId = text(8, ours::KeyId::BYTES_MAX, "^[a-z0-9]+$", "3f9c0a11d2e4b567");
    /// The caller's key that makes a command idempotent; its scope is the site.
    IdempotencyKey = text(1, ours::IdempotencyKey::BYTES_MAX, PRINTABLE, "8c5c1b0e-order-1001");
    /// Ties the decisions of one piece of work together across systems.
    CorrelationId = text(1, ours::CorrelationId::BYTES_MAX, PRINTABLE, "basket-99");
    /// Free text of a person, without control characters; at most 500 bytes as UTF-8.
    Note = text(1, ours::Note::BYTES_MAX, PROSE, "two were wet");
    /// What a site or an item is called; at most 200 bytes as UTF-8.
    Name = text(1, ours::Name::BYTES_MAX, PROSE, "London");
    /// What a quantity of an item counts.
    Unit = text(1, ours::Unit::BYTES_MAX, CODE, "each");
    /// An ISO 4217 currency code.
    Currency = text(3, ours::Currency::BYTES_MAX, "^[A-Z]{3}$", "GBP");
    /// The kind of the document that caused a decision.
    ReferenceType = text(1, ours::ReferenceType::BYTES_MAX, CODE, "purchase_order");
    /// The id of the document that caused a decision.
    ReferenceId = text(1, ours::ReferenceId::BYTES_MAX, PRINTABLE, "PO-2026-17");
    /// SHA-256 as 64 hexadecimal digits.
    Sha256 = matching(
        "^[0-9a-f]{64}$",
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    );
    /// What the rows of read tables add up to.
    Digest = matching("^[0-9a-f]{16}$", "00a1b2c3d4e5f607");

    /// A quantity, in whole units.
    Quantity = number(ours::Quantity::MIN, 12);
    /// A quantity that may be nothing.
    Level = number(ours::Level::MIN, 12);
    /// A change of a quantity; not zero where it is asked for.
    Delta = number(-QUANTITY_MAX, -2);
    /// A balance, or a change of one.
    Balance = number(-QUANTITY_MAX, 12);
    /// A part of the ledger; every site lives on one.
    Partition = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(PARTITIONS_MAX - 1))
        .examples([0]);
    /// A version of the read tables.
    Version = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(u32::MAX))
        .examples([2]);

    /// The place of a decision in the ledger: `<partition>.<seq>`.
    Position = matching(POSITION, "0.17");
    /// A time of RFC 3339, to the microsecond; answers give it in UTC.
    Time = time();
    /// Continues the list that it came from. Opaque; good for the same path with the same filters.
    Cursor = ObjectBuilder::new().schema_type(Type::String);
    /// A place in a feed. Opaque, good for every filter and on every node, and never out of date.
    FeedCursor = ObjectBuilder::new().schema_type(Type::String);

    /// Why stock or an order changed. Each command takes some of these.
    Reason = one_of(ours::Reason::ALL.iter().map(|word| word.as_str()));
    /// Why goods that are on hand are not for sale.
    HoldReason = one_of(ours::HoldReason::ALL.iter().map(|word| word.as_str()));
    /// What happens to returned goods.
    Disposition = one_of(ours::Disposition::ALL.iter().map(|word| word.as_str()));
    /// Where an order stands.
    OrderStatus = one_of(ours::OrderStatus::ALL.iter().map(|word| word.as_str()));
    /// What an API key allows. None includes another.
    KeyScope = one_of(ours::KeyScope::ALL.iter().map(|word| word.as_str()));
    /// What somebody asked for.
    CommandKind = one_of(ours::CommandKind::ALL.iter().map(|word| word.as_str()));
    /// The stable name of a kind of problem, explained at `/problems/{code}`.
    ProblemCode = one_of(Code::ALL.iter().map(|code| code.as_str()));
    /// `recorded`: as the ledger said then; `occurred`: what was true then, as known today.
    Axis = one_of(["recorded", "occurred"]);
    /// What stock levels of a site are sorted by; with a minus, from the last to the first.
    SortOfSite = one_of(["sku", "-sku", "on_hand", "-on_hand", "available", "-available"]);
    /// What stock levels of an item are sorted by; with a minus, from the last to the first.
    SortOfItem = one_of(["site", "-site", "on_hand", "-on_hand", "available", "-available"]);
    /// Which end of a history comes first.
    First = one_of(["newest", "oldest"]);
}

/// Most values on a page.
pub(in crate::http::describe) struct Limit;

impl Shape for Limit {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        let limit = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        limit.maximum(Some(LIMIT_MAX)).default(Some(LIMIT_DEFAULT.into())).into()
    }
}

/// A time, or a position of the site's own partition.
pub(in crate::http::describe) struct Moment;

impl Shape for Moment {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        let moment = AnyOfBuilder::new().schema_type(SchemaType::AnyValue);
        moment.item(Time::usage(named)).item(Position::usage(named)).into()
    }
}
