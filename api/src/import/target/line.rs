//! A command as a line of `POST /v1/bulk`: the ids of the route beside the name of the command, the rest as the body that
//! the route takes.

use serde::Serialize;
use stockledger_domain::command::{
    AdjustmentLine, Checked, Command, CountLine, PlaceOrder, ReceiptLine, ReturnLine, ShipmentLine,
};
use stockledger_schemas::{
    CommandKind, Context, CorrelationId, HoldId, IdempotencyKey, Name, Note, OrderId, Quantity, Reason,
    Reference, Scope, SiteId, Sku, Timestamp, Unit,
};

use super::Submission;

/// See the head of this file.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    command: CommandKind,
    #[serde(flatten)]
    route: Route<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a IdempotencyKey>,
    body: Body<'a>,
}

/// The ids in the route of a command.
#[derive(Default, Serialize)]
struct Route<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a SiteId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_id: Option<&'a HoldId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a Sku>,
}

/// The body of a command: what is its own, and what all have in common.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    #[serde(flatten)]
    own: Own<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a Note>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a CorrelationId>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Own<'a> {
    Site {
        name: &'a Name,
    },
    Item {
        name: &'a Name,
        unit: &'a Unit,
    },
    Receipt {
        lines: &'a [ReceiptLine],
    },
    Adjustment {
        lines: &'a [AdjustmentLine],
    },
    Count {
        lines: &'a [CountLine],
    },
    Hold {
        hold_id: &'a HoldId,
        sku: &'a Sku,
        quantity: Quantity,
    },
    Release {
        #[serde(skip_serializing_if = "Option::is_none")]
        quantity: Option<Quantity>,
    },
    Order(&'a PlaceOrder),
    Shipment {
        #[serde(skip_serializing_if = "Option::is_none")]
        lines: Option<&'a [ShipmentLine]>,
    },
    Return {
        lines: &'a [ReturnLine],
    },
    Nothing {},
}

impl<'a> Line<'a> {
    /// The line of a command.
    pub(super) fn new(submission: &'a Submission) -> Self {
        let (scope, command) = (submission.command.scope(), submission.command.command());
        let (route, own) = route_and_own(scope, command);
        let body = Body::new(own, submission.command.context());
        Self { command: command.kind(), route, idempotency_key: submission.key.as_ref(), body }
    }
}

impl<'a> Body<'a> {
    /// The body of a command by itself, for its own route.
    pub(super) fn of(command: &'a Checked) -> Self {
        let (_, own) = route_and_own(command.scope(), command.command());
        Self::new(own, command.context())
    }

    fn new(own: Own<'a>, context: &'a Context) -> Self {
        Self {
            own,
            occurred_at: context.occurred_at,
            reason: context.reason,
            note: context.note.as_ref(),
            reference: context.reference.as_ref(),
            correlation_id: context.correlation_id.as_ref(),
        }
    }
}

fn route_and_own<'a>(scope: &'a Scope, command: &'a Command) -> (Route<'a>, Own<'a>) {
    let site = match scope {
        Scope::Site(site) => Some(site),
        Scope::Directory => None,
    };
    let at_site = Route { site, ..Route::default() };
    let of_order = |order_id: &'a OrderId| Route { site, order_id: Some(order_id), ..Route::default() };
    match command {
        Command::OpenSite(open) => {
            (Route { site: Some(&open.site), ..Route::default() }, Own::Site { name: &open.name })
        }
        Command::RegisterItem(item) => (
            Route { sku: Some(&item.sku), ..Route::default() },
            Own::Item { name: &item.name, unit: &item.unit },
        ),
        Command::ReceiveStock(receipt) => (at_site, Own::Receipt { lines: &receipt.lines }),
        Command::AdjustStock(adjustment) => (at_site, Own::Adjustment { lines: &adjustment.lines }),
        Command::CountStock(count) => (at_site, Own::Count { lines: &count.lines }),
        Command::HoldStock(hold) => {
            (at_site, Own::Hold { hold_id: &hold.hold_id, sku: &hold.sku, quantity: hold.quantity })
        }
        Command::ReleaseHold(release) => {
            let route = Route { site, hold_id: Some(&release.hold_id), ..Route::default() };
            (route, Own::Release { quantity: release.quantity })
        }
        Command::PlaceOrder(order) => (at_site, Own::Order(order)),
        Command::ShipOrder(shipment) => {
            (of_order(&shipment.order_id), Own::Shipment { lines: shipment.lines.as_deref() })
        }
        Command::CancelOrder(cancel) => (of_order(&cancel.order_id), Own::Nothing {}),
        Command::ReturnOrder(goods) => (of_order(&goods.order_id), Own::Return { lines: &goods.lines }),
        // No input makes keys, and bulk would refuse them.
        Command::RecordNote(_) | Command::CreateKey(_) | Command::RevokeKey(_) => (at_site, Own::Nothing {}),
    }
}
