//! What commands are asked with.

use stockledger_domain::command::reason;
use stockledger_projections::rebuild::{WORKERS_DEFAULT, WORKERS_MAX};
use stockledger_schemas as ours;
use stockledger_schemas::limits::{KEY_SITES_MAX, LINES_MAX};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::words::{
    Actor, CorrelationId, Currency, CustomerId, Delta, Disposition, HoldId, KeyId, KeyScope, Level, Name,
    Note, OrderId, Position, Quantity, ReferenceId, ReferenceType, Sha256, SiteId, Sku, Time, Unit, Version,
};
use crate::http::describe::shape::{Members, Named, Shape, UpTo, objects, one_of, or_null, refer};

/// Lines of a command.
type Lines<T> = UpTo<T, LINES_MAX>;

/// Declares the bodies of commands: their own members, and those that every command takes.
macro_rules! commands {
    ($($(#[doc = $meaning:literal])+ $name:ident {
        $($(#[doc = $member_meaning:literal])* $presence:ident $member:ident: $shape:ty,)*
    })+) => {
        $(
            $(#[doc = $meaning])+
            pub(in crate::http::describe) struct $name;

            impl Shape for $name {
                fn usage(named: &mut Named) -> RefOr<Schema> {
                    refer(named, stringify!($name), |named| {
                        let own = Members::closed(concat!($($meaning),+))
                            $(.$presence(
                                stringify!($member),
                                concat!("" $(, $member_meaning)*),
                                <$shape as Shape>::usage(named),
                            ))*;
                        with_context(own, ours::CommandKind::$name, named)
                    })
                }
            }
        )+
    };
}

/// The members that every command takes.
fn with_context(own: Members, kind: ours::CommandKind, named: &mut Named) -> Members {
    let reasons = one_of(reason::allowed(kind).iter().map(|reason| reason.as_str())).into();
    let why = "Why; this command takes these reasons.";
    let own = match kind {
        ours::CommandKind::AdjustStock => own.must("reason", why, reasons),
        _ => own.may("reason", why, or_null(reasons)),
    };
    let own = own.may("occurred_at", "When it happened, if not now.", <Option<Time>>::usage(named));
    let own = match kind {
        ours::CommandKind::RecordNote => own.must("note", "The remark.", Note::usage(named)),
        _ => own.may("note", "What a person wants to say about it.", <Option<Note>>::usage(named)),
    };
    let reference = <Option<Reference>>::usage(named);
    let own = own.may("reference", "The document that caused it.", reference);
    let correlation = <Option<CorrelationId>>::usage(named);
    own.may("correlation_id", "What it belongs to, across systems.", correlation)
}

commands! {
    /// Opens a site, or renames it.
    OpenSite {
        /// What it is called.
        must name: Name,
    }
    /// Registers an item, or describes it anew.
    RegisterItem {
        /// What it is called.
        must name: Name,
        /// What a quantity counts; `each`, if absent.
        may unit: Unit,
    }
    /// Takes goods in.
    ReceiveStock {
        /// What came; equal SKUs are added up.
        must lines: Lines<ReceiptLine>,
    }
    /// Changes what is on hand by a difference.
    AdjustStock {
        /// What changes; equal SKUs are added up.
        must lines: Lines<AdjustmentLine>,
    }
    /// States what is on hand.
    CountStock {
        /// What was counted; a SKU stands here once.
        must lines: Lines<CountLine>,
    }
    /// Sets goods aside. Without a reason it is `other`.
    HoldStock {
        /// Your id of the hold.
        must hold_id: HoldId,
        /// What.
        must sku: Sku,
        /// How much.
        must quantity: Quantity,
    }
    /// Gives goods that were set aside free.
    ReleaseHold {
        /// How much; all that is left, if absent.
        may quantity: Option<Quantity>,
    }
    /// Promises goods to a customer, all of them or none.
    PlaceOrder {
        /// Your id of the order.
        must order_id: OrderId,
        /// Who orders.
        may customer: Option<CustomerId>,
        /// The currency of the prices.
        may currency: Option<Currency>,
        /// What is ordered; equal SKUs are added up at the place and price of the first.
        must lines: Lines<OrderedLine>,
    }
    /// Sends goods of an order off.
    ShipOrder {
        /// What leaves; all that is open, if absent.
        may lines: Option<Lines<ShipmentLine>>,
    }
    /// Gives up what is not shipped of an order.
    CancelOrder {}
    /// Takes goods of an order back.
    ReturnOrder {
        /// What came back.
        must lines: Lines<ReturnLine>,
    }
    /// Puts a remark on record.
    RecordNote {}
    /// Makes an API key. You make the token; only its hash comes here.
    CreateKey {
        /// The id that stands in the token.
        must key_id: KeyId,
        /// Who acts with it.
        must name: Actor,
        /// SHA-256 of the whole token.
        must secret_hash: Sha256,
        /// What it allows; each scope once.
        must scopes: UpTo<KeyScope, { ours::KeyScope::ALL.len() }>,
        /// Where, each site once; at all sites, if absent.
        may sites: Option<UpTo<SiteId, KEY_SITES_MAX>>,
        /// Until when; for ever, if absent.
        may expires_at: Option<Time>,
    }
    /// Revokes an API key.
    RevokeKey {}
}

objects! {
    /// A document that caused a decision.
    closed Reference {
        /// Its kind.
        must type: ReferenceType,
        /// Its id.
        must id: ReferenceId,
    }
    /// One line of a receipt.
    closed ReceiptLine {
        /// What.
        must sku: Sku,
        /// How much.
        must quantity: Quantity,
    }
    /// One line of an adjustment.
    closed AdjustmentLine {
        /// What.
        must sku: Sku,
        /// By how much; not zero.
        must delta: Delta,
        /// Refuse unless exactly this much is on hand.
        may expected_on_hand: Option<Level>,
    }
    /// One line of a count.
    closed CountLine {
        /// What.
        must sku: Sku,
        /// What the person found.
        must counted: Level,
        /// The last decision that the count includes; what moved after it is kept. Now, if absent.
        may at_position: Option<Position>,
        /// Refuse unless exactly this much is on hand when it is booked.
        may expected_on_hand: Option<Level>,
    }
    /// One line of a new order.
    closed OrderedLine {
        /// What.
        must sku: Sku,
        /// How much.
        must quantity: Quantity,
        /// The price of one, in minor units of the currency.
        may unit_price_minor: Option<Level>,
    }
    /// One line of a shipment.
    closed ShipmentLine {
        /// What.
        must sku: Sku,
        /// How much.
        must quantity: Quantity,
    }
    /// One line of a return.
    closed ReturnLine {
        /// What.
        must sku: Sku,
        /// How much.
        must quantity: Quantity,
        /// What happens to it.
        must disposition: Disposition,
    }
    /// Begins a rebuild of the read tables.
    closed BeginRebuild {
        /// `auto`: queries are switched as soon as the new version is level; `manual`: when somebody says so.
        may switch: SwitchWhen,
        /// Partitions that are loaded at the same moment.
        may workers: Workers,
    }
    /// Switches queries: to a version, or back to the one before.
    closed SwitchVersion {
        /// To which; not together with `back`.
        may version: Option<Version>,
        /// To the one before.
        may back: bool,
        /// Even though its rows are not those of the version in use.
        may accept_difference: bool,
    }
}

/// When queries are switched to a new version.
pub(in crate::http::describe) struct SwitchWhen;

impl Shape for SwitchWhen {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        one_of(["auto", "manual"]).default(Some("auto".into())).into()
    }
}

/// How many partitions are loaded at once.
pub(in crate::http::describe) struct Workers;

impl Shape for Workers {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        let workers = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        workers.maximum(Some(WORKERS_MAX)).default(Some(WORKERS_DEFAULT.into())).into()
    }
}
