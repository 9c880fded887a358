//! What somebody may do about what a page shows, as links to forms. Whoever may not do it does not see it.

use stockledger_projections::views::Order;
use stockledger_schemas::{HoldId, OrderStatus, SiteId, Sku};

use crate::http::access::{Access, Caller};
use crate::http::command::Input;
use crate::http::ui::forms::{Form, directory, orders, stock};
use crate::http::ui::frame::{site_path, site_path_of};
use crate::http::ui::query::address;

/// A link to a form.
#[derive(Debug, Clone)]
pub(in crate::http::ui) struct Action {
    pub(in crate::http::ui) text: &'static str,
    pub(in crate::http::ui) path: String,
}

const fn access<F: Form>() -> Access {
    F::Input::ACCESS
}

/// What the action is called that leads to a new order.
pub(in crate::http::ui) const PLACE_AN_ORDER: &str = "Place an order";
const RELEASE: &str = "Release a hold";
const NOTE: &str = "Write a note";

const AT_SITE: [(&str, &str, Access); 7] = [
    ("Receive", "receive", access::<stock::Receive>()),
    ("Adjust", "adjust", access::<stock::Adjust>()),
    ("Count", "count", access::<stock::Count>()),
    ("Hold", "hold", access::<stock::Hold>()),
    (RELEASE, "release", access::<stock::Release>()),
    (PLACE_AN_ORDER, "place-order", access::<orders::Place>()),
    (NOTE, "note", access::<stock::Note>()),
];

/// At a site.
pub(in crate::http::ui) fn at_site(caller: &Caller, site: &SiteId) -> Vec<Action> {
    let may = AT_SITE.iter().filter(|(.., access)| caller.check(*access, Some(site)).is_ok());
    may.map(|(text, form, _)| Action { text, path: site_path(site, form) }).collect()
}

/// With an item at a site.
pub(in crate::http::ui) fn of_item(caller: &Caller, site: &SiteId, sku: &Sku) -> Vec<Action> {
    let takes_sku = |action: &Action| ![RELEASE, NOTE].contains(&action.text);
    let with_sku =
        |action: Action| Action { path: address(&action.path, &[("sku", sku.as_str())]), ..action };
    at_site(caller, site).into_iter().filter(takes_sku).map(with_sku).collect()
}

/// With a hold: give it free.
pub(in crate::http::ui) fn of_hold(caller: &Caller, site: &SiteId, hold_id: &HoldId) -> Vec<Action> {
    let with_hold =
        |action: Action| Action { path: address(&action.path, &[("hold_id", hold_id.as_str())]), ..action };
    let release = |action: &Action| action.text == RELEASE;
    at_site(caller, site).into_iter().filter(release).map(with_hold).collect()
}

/// With an order as it stands.
pub(in crate::http::ui) fn of_order(caller: &Caller, order: &Order) -> Vec<Action> {
    let is_open = matches!(order.status, OrderStatus::Placed | OrderStatus::PartiallyShipped);
    let is_refused = order.status == OrderStatus::Refused;
    let can_return = !is_refused && order.lines.iter().any(|line| line.shipped > line.returned);
    let all = [
        ("Ship", "ship", access::<orders::Ship>(), is_open),
        ("Cancel", "cancel", access::<orders::Cancel>(), is_open),
        ("Take goods back", "return", access::<orders::Return>(), can_return),
    ];
    let path = site_path_of(&order.site, "orders", order.order_id.as_str());
    let may = |access: Access| caller.check(access, Some(&order.site)).is_ok();
    let may = all.into_iter().filter(|(_, _, access, is_possible)| *is_possible && may(*access));
    may.map(|(text, form, ..)| Action { text, path: format!("{path}/{form}") }).collect()
}

/// With the ledger as a whole: open a site.
pub(in crate::http::ui) fn open_site(caller: &Caller) -> Vec<Action> {
    everywhere(caller, "Open a site", "/ui/open-site", access::<directory::Open>())
}

/// Register an item.
pub(in crate::http::ui) fn register_item(caller: &Caller) -> Vec<Action> {
    everywhere(caller, "Register an item", "/ui/register-item", access::<directory::Register>())
}

fn everywhere(caller: &Caller, text: &'static str, path: &str, access: Access) -> Vec<Action> {
    let is_allowed = caller.check(access, None).is_ok();
    is_allowed.then(|| Action { text, path: path.to_owned() }).into_iter().collect()
}
