//! Forms about orders: place, ship, cancel, return.

use stockledger_schemas::CommandKind;

use crate::http::orders::{CancellationBody, OrderBody, ReturnBody, ShipmentBody};
use crate::http::ui::forms::Form;
use crate::http::ui::forms::shape::{Field, Kind, Lines, Shape};
use crate::http::ui::forms::stock::forms;

const SKU: Field = Field::new("sku", "SKU", Kind::Text(64)).required();
const QUANTITY: Field = Field::new("quantity", "Quantity", Kind::Number);

pub(super) const PLACE: Shape = Shape {
    command: CommandKind::PlaceOrder,
    title: "Place an order",
    does: "Promises goods to a customer. If one line is short, nothing of it is promised.",
    button: "Place the order",
    fields: &[
        Field::new("order_id", "Order", Kind::Text(64)).required().hint("A new name or number."),
        Field::new("customer", "Customer", Kind::Text(64)),
        Field::new("currency", "Currency", Kind::Text(3)).hint("Such as GBP, if there are prices."),
    ],
    lines: Some(Lines {
        columns: &[
            SKU,
            QUANTITY.required(),
            Field::new("unit_price_minor", "Price of one", Kind::Money).hint("Such as 2.55."),
        ],
        of_order: false,
        may_be_absent: false,
    }),
};

pub(super) const SHIP: Shape = Shape {
    command: CommandKind::ShipOrder,
    title: "Ship",
    does: "Goods of the order leave. Without any quantity, all that is open leaves.",
    button: "Ship",
    fields: &[],
    lines: Some(Lines { columns: &[SKU, QUANTITY], of_order: true, may_be_absent: true }),
};

const CANCEL: Shape = Shape {
    command: CommandKind::CancelOrder,
    title: "Cancel",
    does: "Gives up what is not shipped yet. Its goods can be promised to others; nothing brings it back.",
    button: "Cancel what is open",
    fields: &[],
    lines: None,
};

const RETURN: Shape = Shape {
    command: CommandKind::ReturnOrder,
    title: "Take back goods of",
    does: "Goods that were shipped come back: for sale again, or held as damaged.",
    button: "Take back",
    fields: &[],
    lines: Some(Lines {
        columns: &[
            SKU,
            QUANTITY,
            Field::new(
                "disposition",
                "What becomes of it",
                Kind::Choice(&[("restock", "Back for sale"), ("damaged", "Held as damaged")]),
            ),
        ],
        of_order: true,
        may_be_absent: false,
    }),
};

forms! {
    /// Goods are promised.
    Place = OrderBody, PLACE;
    /// They leave.
    Ship = ShipmentBody, SHIP;
    /// They are given up.
    Cancel = CancellationBody, CANCEL;
    /// They come back.
    Return = ReturnBody, RETURN;
}
