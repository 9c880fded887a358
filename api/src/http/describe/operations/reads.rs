//! What is read from the read tables.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::{AS_OF, AXIS, list, query, read};
use crate::http::describe::operation::{Given, Operation};
use crate::http::describe::shape::{Named, Shape};
use crate::http::describe::shapes::events::EventType;
use crate::http::describe::shapes::views::{
    Explanation, Item, ItemList, MovementList, OrderList, ShownOrder, Site, SiteList, StockLevel, StockList,
    Trail,
};
use crate::http::describe::shapes::words::{
    Actor, Axis, Balance, CustomerId, First, OrderStatus, Reason, Sku, SortOfItem, SortOfSite, Time,
};
use crate::http::problem::Code;

const BELOW: Given = query("below", "Only levels of which less than this is on hand.", Balance::usage);
const AVAILABLE_LT: Given =
    query("available_lt", "Only levels of which less than this is available.", Balance::usage);
const FIRST: Given = query("first", "Which end comes first; the newest, if absent.", First::usage);
const FROM: Given = query("from", "The first time that counts (a `+` in it is written `%2B`).", Time::usage);
const TO: Given = query("to", "The first time that does not count any more.", Time::usage);
const AXIS_OF_PERIOD: Given = query(
    "axis",
    "Whether `from` and `to` are about when it was recorded, which they are if it is absent, or when it happened; goes with \
     them.",
    Axis::usage,
);
/// Said of lists with filters that no index answers.
const LOOKED_AT: &str = "A page looks at so many rows at most: with filters it may hold fewer than `limit`, or none, while \
    `has_more` says that there is more to look at.";

pub(super) fn all() -> Vec<Operation> {
    let mut all = directory();
    all.extend(stock());
    all.extend(orders());
    all.into_iter().map(Operation::tagged).collect()
}

fn directory() -> Vec<Operation> {
    vec![
        list("/v1/sites", "listSites", "Sites", "List sites")
            .about("By id. A key for some sites sees those.")
            .answers::<SiteList>(200, "A page of sites.")
            .or_rows()
            .at_a_position(),
        read("/v1/sites/{site}", "getSite", "Sites", "Show a site")
            .answers::<Site>(200, "The site.")
            .at_a_position(),
        list("/v1/items", "listItems", "Items", "List items")
            .about("By SKU.")
            .answers::<ItemList>(200, "A page of items.")
            .or_rows()
            .at_a_position(),
        read("/v1/items/{sku}", "getItem", "Items", "Show an item")
            .answers::<Item>(200, "The item.")
            .at_a_position()
            .fails(&[Code::UnknownItem]),
    ]
}

fn stock() -> Vec<Operation> {
    vec![
        list("/v1/stock/{sku}", "listStockOfItem", "Stock", "List the stock of an item at all sites")
            .given(&[AS_OF, AXIS, BELOW, AVAILABLE_LT])
            .given(&[query("sort", "By what they are sorted; by site, if absent.", SortOfItem::usage)])
            .about(
                "`as_of` is a time here: a position speaks for one partition alone. All pages of a list that is filtered or \
                 sorted by balances are of the state of the first one.",
            )
            .answers::<StockList>(200, "A page of stock levels, each with a position of its own.")
            .or_rows(),
        list("/v1/sites/{site}/stock", "listStock", "Stock", "List the stock of a site")
            .given(&[AS_OF, AXIS, BELOW, AVAILABLE_LT])
            .given(&[
                query("sku_prefix", "Only items that begin like this.", Sku::usage),
                query("sort", "By what they are sorted; by SKU, if absent.", SortOfSite::usage),
            ])
            .about(
                "All pages of a list that is filtered or sorted by balances are of the state of the first one; so are all rows \
                 of one answer.",
            )
            .answers::<StockList>(200, "A page of stock levels.")
            .or_rows()
            .at_a_position(),
        read("/v1/sites/{site}/stock/{sku}", "getStock", "Stock", "Show how much of an item is at a site")
            .given(&[AS_OF, AXIS])
            .answers::<StockLevel>(200, "The stock level.")
            .at_a_position()
            .fails(&[Code::UnknownStock]),
        list("/v1/sites/{site}/stock/{sku}/movements", "listMovements", "Stock", "List what moved, and why")
            .given(&[
                FIRST,
                query("type", "Only movements by this type of event.", EventType::usage),
                query("reason", "Only movements for this reason.", Reason::usage),
                query("actor", "Only what this one did.", Actor::usage),
                FROM,
                TO,
                AXIS_OF_PERIOD,
            ])
            .about(LOOKED_AT)
            .answers::<MovementList>(200, "A page of movements, one for each change of a balance.")
            .or_rows()
            .at_a_position()
            .fails(&[Code::UnknownStock]),
        read(
            "/v1/sites/{site}/stock/{sku}/explain",
            "explainStock",
            "Stock",
            "Explain why a stock level is what it is",
        )
        .given(&[AS_OF, AXIS])
        .about("Answered by what was recorded: not with `axis=occurred`.")
        .answers::<Explanation>(200, "What adds up to the level.")
        .at_a_position()
        .fails(&[Code::UnknownStock]),
    ]
}

fn orders() -> Vec<Operation> {
    vec![
        list("/v1/sites/{site}/orders", "listOrders", "Orders", "List the orders of a site")
            .given(&[
                FIRST,
                query("status", "Only those that stand like this.", OrderStatus::usage),
                query("customer", "Only those of this customer.", CustomerId::usage),
                query("sku", "Only those with a line of this item.", Sku::usage),
                FROM,
                TO,
                AXIS_OF_PERIOD,
            ])
            .about(LOOKED_AT)
            .answers::<OrderList>(200, "A page of orders, as they are when it is read.")
            .or_rows()
            .at_a_position(),
        read("/v1/sites/{site}/orders/{order_id}", "getOrder", "Orders", "Show an order")
            .given(&[AS_OF, AXIS])
            .answers::<ShownOrder>(200, "The order.")
            .at_a_position()
            .fails(&[Code::UnknownOrder]),
        list(
            "/v1/sites/{site}/orders/{order_id}/trail",
            "listTrail",
            "Orders",
            "List how an order came to be what it is",
        )
        .about("Every step, refused ones too, the oldest first: who, when, why.")
        .answers::<Trail>(200, "A page of steps.")
        .or_rows()
        .at_a_position()
        .fails(&[Code::UnknownOrder]),
    ]
}

/// Positions with commas between them.
pub(super) struct Positions;

impl Shape for Positions {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        let positions = ObjectBuilder::new().schema_type(Type::String);
        positions.pattern(Some("^[0-9]+\\.[0-9]+( *, *[0-9]+\\.[0-9]+)*$")).examples(["0.17,3.4"]).into()
    }
}
