//! Which reasons each command takes. The sets are closed: a report that groups by reason must be able to trust them.

use stockledger_schemas::{CommandKind, Reason};

/// The reasons that a command may give, in the order in which they are shown.
#[must_use]
pub const fn allowed(command: CommandKind) -> &'static [Reason] {
    match command {
        CommandKind::ReceiveStock => &[
            Reason::OpeningBalance,
            Reason::Purchase,
            Reason::Production,
            Reason::CustomerReturn,
            Reason::Other,
        ],
        CommandKind::AdjustStock => &[
            Reason::Damaged,
            Reason::Shrinkage,
            Reason::Found,
            Reason::Correction,
            Reason::QualityControl,
            Reason::Promotion,
            Reason::Other,
        ],
        CommandKind::CountStock => &[Reason::CycleCount, Reason::Correction, Reason::Other],
        CommandKind::HoldStock => {
            &[Reason::Damaged, Reason::QualityControl, Reason::SafetyStock, Reason::Other]
        }
        CommandKind::CancelOrder => &[Reason::CustomerRequest, Reason::Unpaid, Reason::Other],
        CommandKind::ReturnOrder => {
            &[Reason::Damaged, Reason::WrongItem, Reason::CustomerRequest, Reason::Other]
        }
        CommandKind::OpenSite
        | CommandKind::RegisterItem
        | CommandKind::ReleaseHold
        | CommandKind::PlaceOrder
        | CommandKind::ShipOrder
        | CommandKind::RecordNote
        | CommandKind::CreateKey
        | CommandKind::RevokeKey => &[Reason::Other],
    }
}

/// Whether the command must say why: what is on hand never changes by a bare difference without a reason, and goods are
/// not set aside without one.
#[must_use]
pub const fn is_required(command: CommandKind) -> bool {
    matches!(command, CommandKind::AdjustStock | CommandKind::HoldStock)
}
