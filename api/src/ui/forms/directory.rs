//! Forms about the directory: open a site, register an item.

use stockledger_schemas::CommandKind;

use crate::http::items::RegisterItemBody;
use crate::http::sites::OpenSiteBody;
use crate::http::ui::forms::Form;
use crate::http::ui::forms::shape::{Field, Kind, Shape};
use crate::http::ui::forms::stock::forms;

const OPEN: Shape = Shape {
    command: CommandKind::OpenSite,
    title: "Open a site",
    does: "A site is a place that holds stock. One that is open already gets the name that is given here.",
    button: "Open",
    fields: &[
        Field::new("site", "Id", Kind::Text(64))
            .target()
            .hint("Short and lasting, such as uk. It cannot be changed."),
        Field::new("name", "Name", Kind::Text(200)).required(),
    ],
    lines: None,
};

const REGISTER: Shape = Shape {
    command: CommandKind::RegisterItem,
    title: "Register an item",
    does: "Says what a SKU is called and what a quantity of it counts, at all sites. One that is known is described anew.",
    button: "Register",
    fields: &[
        Field::new("sku", "SKU", Kind::Text(64)).target(),
        Field::new("name", "Name", Kind::Text(200)).required(),
        Field::new("unit", "Unit", Kind::Text(32)).hint("Such as each, box or kg; each, if left empty."),
    ],
    lines: None,
};

forms! {
    /// A place that holds stock.
    Open = OpenSiteBody, OPEN;
    /// What a SKU is called.
    Register = RegisterItemBody, REGISTER;
}
