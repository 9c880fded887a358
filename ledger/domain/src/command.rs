//! Commands: what somebody asks for, in the imperative, as it was sent.
//!
//! A [`Command`] is well formed by its types; [`Checked`] adds what the types cannot say. Only a checked command can be
//! decided, and what is not well formed never reaches the log.

mod basis;
mod bundle;
mod check;
mod fingerprint;
pub mod reason;

pub use basis::{Basis, NoSubject, Subject};
pub use bundle::{Bundle, Misfit};
pub(crate) use bundle::{overlap, skus};
pub(crate) use check::RETURN_HOLD_PREFIX;
use serde::{Deserialize, Serialize};
use stockledger_schemas::{
    Actor, CommandKind, Context, Currency, CustomerId, Delta, Disposition, Hash, HoldId, HoldReason, KeyId,
    KeyScope, Level, Name, OrderId, Position, Quantity, Scope, SiteId, Sku, Timestamp, Unit,
};

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Open a site, or give it another name. Directory.
    OpenSite(OpenSite),
    /// Register an item, or change its description. Directory.
    RegisterItem(RegisterItem),
    /// Take goods in.
    ReceiveStock(ReceiveStock),
    /// Change what is on hand by a difference.
    AdjustStock(AdjustStock),
    /// State what is on hand.
    CountStock(CountStock),
    /// Set goods aside.
    HoldStock(HoldStock),
    /// Give goods that were set aside free.
    ReleaseHold(ReleaseHold),
    /// Promise goods to a customer.
    PlaceOrder(PlaceOrder),
    /// Send goods of an order off.
    ShipOrder(ShipOrder),
    /// Give up what is not shipped of an order.
    CancelOrder(CancelOrder),
    /// Take goods of an order back.
    ReturnOrder(ReturnOrder),
    /// Put a remark on record.
    RecordNote(RecordNote),
    /// Open the ledger to somebody. Directory.
    CreateKey(CreateKey),
    /// Close it to somebody again. Directory.
    RevokeKey(RevokeKey),
}

impl Command {
    /// Which command this is.
    #[must_use]
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::OpenSite(_) => CommandKind::OpenSite,
            Self::RegisterItem(_) => CommandKind::RegisterItem,
            Self::ReceiveStock(_) => CommandKind::ReceiveStock,
            Self::AdjustStock(_) => CommandKind::AdjustStock,
            Self::CountStock(_) => CommandKind::CountStock,
            Self::HoldStock(_) => CommandKind::HoldStock,
            Self::ReleaseHold(_) => CommandKind::ReleaseHold,
            Self::PlaceOrder(_) => CommandKind::PlaceOrder,
            Self::ShipOrder(_) => CommandKind::ShipOrder,
            Self::CancelOrder(_) => CommandKind::CancelOrder,
            Self::ReturnOrder(_) => CommandKind::ReturnOrder,
            Self::RecordNote(_) => CommandKind::RecordNote,
            Self::CreateKey(_) => CommandKind::CreateKey,
            Self::RevokeKey(_) => CommandKind::RevokeKey,
        }
    }

    /// How many lines it has.
    #[must_use]
    pub fn lines(&self) -> usize {
        match self {
            Self::ReceiveStock(command) => command.lines.len(),
            Self::AdjustStock(command) => command.lines.len(),
            Self::CountStock(command) => command.lines.len(),
            Self::PlaceOrder(command) => command.lines.len(),
            Self::ShipOrder(command) => command.lines.as_ref().map_or(0, Vec::len),
            Self::ReturnOrder(command) => command.lines.len(),
            Self::OpenSite(_)
            | Self::RegisterItem(_)
            | Self::HoldStock(_)
            | Self::ReleaseHold(_)
            | Self::CancelOrder(_)
            | Self::RecordNote(_)
            | Self::CreateKey(_)
            | Self::RevokeKey(_) => 0,
        }
    }

    /// The order that it is about.
    #[must_use]
    pub const fn order_id(&self) -> Option<&OrderId> {
        match self {
            Self::PlaceOrder(command) => Some(&command.order_id),
            Self::ShipOrder(command) => Some(&command.order_id),
            Self::CancelOrder(command) => Some(&command.order_id),
            Self::ReturnOrder(command) => Some(&command.order_id),
            _ => None,
        }
    }

    /// The hold that it is about.
    #[must_use]
    pub const fn hold_id(&self) -> Option<&HoldId> {
        match self {
            Self::HoldStock(command) => Some(&command.hold_id),
            Self::ReleaseHold(command) => Some(&command.hold_id),
            _ => None,
        }
    }

    /// The positions that a count names, with their SKUs, in the order of the lines. What was on hand there must be
    /// fetched before the command is decided; see [`Moment::counted`](crate::Moment::counted).
    pub fn count_bases(&self) -> impl Iterator<Item = (&Sku, Position)> {
        let lines = match self {
            Self::CountStock(command) => command.lines.as_slice(),
            _ => &[],
        };
        lines.iter().filter_map(|line| Some((&line.sku, line.at_position?)))
    }
}

/// See [`Command::OpenSite`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenSite {
    /// The site.
    pub site: SiteId,
    /// What it is called.
    pub name: Name,
}

/// See [`Command::RegisterItem`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterItem {
    /// The item.
    pub sku: Sku,
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
}

/// See [`Command::ReceiveStock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiveStock {
    /// What came; equal SKUs are added up.
    pub lines: Vec<ReceiptLine>,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLine {
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
}

/// See [`Command::AdjustStock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdjustStock {
    /// What changes; equal SKUs are added up.
    pub lines: Vec<AdjustmentLine>,
}

/// One line of an adjustment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentLine {
    /// What.
    pub sku: Sku,
    /// By how much; not zero.
    pub delta: Delta,
    /// Refuse unless exactly this much is on hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_on_hand: Option<Level>,
}

/// See [`Command::CountStock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CountStock {
    /// What was counted; a SKU stands here once.
    pub lines: Vec<CountLine>,
}

/// One line of a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountLine {
    /// What.
    pub sku: Sku,
    /// What the person found.
    pub counted: Level,
    /// The last decision that the person's count includes; what moved after it is kept. Now, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_position: Option<Position>,
    /// Refuse unless exactly this much is on hand when it is booked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_on_hand: Option<Level>,
}

/// See [`Command::HoldStock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStock {
    /// The caller's id of the hold.
    pub hold_id: HoldId,
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
    /// Why it is not for sale.
    pub reason: HoldReason,
}

/// See [`Command::ReleaseHold`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseHold {
    /// The hold.
    pub hold_id: HoldId,
    /// How much; all that is left, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
}

/// See [`Command::PlaceOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceOrder {
    /// The caller's id of the order.
    pub order_id: OrderId,
    /// Who orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The currency of the prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// What is ordered; equal SKUs are added up at the place and price of the first.
    pub lines: Vec<OrderedLine>,
}

/// One line of a new order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedLine {
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
    /// The price of one, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price_minor: Option<Level>,
}

/// See [`Command::ShipOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShipOrder {
    /// The order.
    pub order_id: OrderId,
    /// What leaves, equal SKUs added up; all that is open, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<ShipmentLine>>,
}

/// One line of a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShipmentLine {
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
}

/// See [`Command::CancelOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CancelOrder {
    /// The order.
    pub order_id: OrderId,
}

/// See [`Command::ReturnOrder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReturnOrder {
    /// The order.
    pub order_id: OrderId,
    /// What came back; equal SKUs with equal dispositions are added up.
    pub lines: Vec<ReturnLine>,
}

/// One line of a return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnLine {
    /// What.
    pub sku: Sku,
    /// How much.
    pub quantity: Quantity,
    /// What happens to it.
    pub disposition: Disposition,
}

/// See [`Command::RecordNote`]; the remark is the note of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordNote {}

/// See [`Command::CreateKey`]. The token stays with its holder; the ledger gets its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreateKey {
    /// The id of the key, which stands in its token.
    pub key_id: KeyId,
    /// Who acts with it.
    pub name: Actor,
    /// SHA-256 of the whole token.
    pub secret_hash: Hash,
    /// What it allows; each scope once.
    pub scopes: Vec<KeyScope>,
    /// Where, each site once; at all sites, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<SiteId>>,
    /// Until when; for ever, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// See [`Command::RevokeKey`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokeKey {
    /// The key.
    pub key_id: KeyId,
}

/// One thing that is wrong with a command, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Invalid {
    /// JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// A command that is well formed in every respect, with its context and its scope. Made by [`Checked::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    scope: Scope,
    command: Command,
    context: Context,
    basis: Option<Basis>,
}
