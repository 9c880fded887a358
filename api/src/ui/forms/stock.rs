//! Forms about stock: receive, adjust, count, hold, release, and a note about anything else.

use stockledger_schemas::CommandKind;

use crate::http::sites::RecordNoteBody;
use crate::http::stock::{AdjustmentBody, CountBody, HoldBody, ReceiptBody, ReleaseBody};
use crate::http::ui::forms::Form;
use crate::http::ui::forms::shape::{Field, Kind, Lines, Shape};

const SKU: Field = Field::new("sku", "SKU", Kind::Text(64)).required();
const QUANTITY: Field = Field::new("quantity", "Quantity", Kind::Number).required();

const fn lines(columns: &'static [Field]) -> Option<Lines> {
    Some(Lines { columns, of_order: false, may_be_absent: false })
}

pub(super) const RECEIVE: Shape = Shape {
    command: CommandKind::ReceiveStock,
    title: "Receive stock",
    does: "Takes goods in: what is on hand grows by these quantities, all lines at once.",
    button: "Receive",
    fields: &[],
    lines: lines(&[SKU, QUANTITY]),
};

const ADJUST: Shape = Shape {
    command: CommandKind::AdjustStock,
    title: "Adjust stock",
    does: "Changes what is on hand by a difference, and says why. What is reserved or held stays.",
    button: "Adjust",
    fields: &[],
    lines: lines(&[
        SKU,
        Field::new("delta", "Change", Kind::Number).required().hint("Such as -3."),
        Field::new("expected_on_hand", "Only if on hand is", Kind::Number),
    ]),
};

const COUNT: Shape = Shape {
    command: CommandKind::CountStock,
    title: "Count stock",
    does: "States what is on hand. The ledger records the difference.",
    button: "Record the count",
    fields: &[],
    lines: lines(&[
        SKU,
        Field::new("counted", "Counted", Kind::Number).required(),
        Field::new("at_position", "Counted at position", Kind::Text(40))
            .hint("Empty for now. Else what moved after it is kept."),
    ]),
};

const HOLD: Shape = Shape {
    command: CommandKind::HoldStock,
    title: "Hold stock",
    does: "Sets goods aside: they stay on hand and cannot be promised to anybody.",
    button: "Hold",
    fields: &[
        Field::new("hold_id", "Name of the hold", Kind::Text(64))
            .required()
            .hint("A new one, to release it by."),
        SKU,
        QUANTITY,
    ],
    lines: None,
};

const RELEASE: Shape = Shape {
    command: CommandKind::ReleaseHold,
    title: "Release a hold",
    does: "Gives goods free that were set aside.",
    button: "Release",
    fields: &[
        Field::new("hold_id", "Name of the hold", Kind::Text(64)).target(),
        Field::new("quantity", "Quantity", Kind::Number).hint("All that is left, if left empty."),
    ],
    lines: None,
};

const NOTE: Shape = Shape {
    command: CommandKind::RecordNote,
    title: "Write a note",
    does: "Puts a remark on record among the events of the site. Nothing moves, and nobody can change it later.",
    button: "Record the note",
    fields: &[],
    lines: None,
};

macro_rules! forms {
    ($($(#[$meta:meta])* $form:ident = $input:ty, $shape:expr;)+) => {
        $(
            $(#[$meta])*
            pub(super) struct $form;

            impl Form for $form {
                type Input = $input;

                const SHAPE: Shape = $shape;
            }
        )+
    };
}

pub(super) use forms;

forms! {
    /// Goods come in.
    Receive = ReceiptBody, RECEIVE;
    /// A difference, and why.
    Adjust = AdjustmentBody, ADJUST;
    /// What somebody found.
    Count = CountBody, COUNT;
    /// Goods are set aside.
    Hold = HoldBody, HOLD;
    /// And given free.
    Release = ReleaseBody, RELEASE;
    /// A remark.
    Note = RecordNoteBody, NOTE;
}
