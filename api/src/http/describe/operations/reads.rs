//! What is read from the read tables.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::{AS_OF, AXIS, list, query, read};
use crate::http::describe::operation::Operation;
use crate::http::describe::shape::{Named, Shape};
use crate::http::describe::shapes::views::{
    Explanation, Item, ItemList, MovementList, OrderList, ShownOrder, Site, SiteList, StockLevel, StockList,
    Trail,
};
use crate::http::describe::shapes::words::{First, OrderStatus};
use crate::http::problem::Code;

pub(super) fn all() -> Vec<Operation> {
    let mut all = directory();
    all.extend(stock());
    all.extend(orders());
    all
}

fn directory() -> Vec<Operation> {
    vec![
        list("/v1/sites", "listSites", "Sites", "List sites")
            .about("By id. A key for some sites sees those.")
            .answers::<SiteList>(200, "A page of sites.")
            .at_a_position(),
        read("/v1/sites/{site}", "getSite", "Sites", "Show a site")
            .answers::<Site>(200, "The site.")
            .at_a_position(),
        list("/v1/items", "listItems", "Items", "List items")
            .about("By SKU.")
            .answers::<ItemList>(200, "A page of items.")
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
            .given(&[AS_OF, AXIS])
            .about("By site. `as_of` is a time here: a position speaks for one partition alone.")
            .answers::<StockList>(200, "A page of stock levels, each with a position of its own."),
        list("/v1/sites/{site}/stock", "listStock", "Stock", "List the stock of a site")
            .given(&[AS_OF, AXIS])
            .about("By SKU.")
            .answers::<StockList>(200, "A page of stock levels.")
            .at_a_position(),
        read("/v1/sites/{site}/stock/{sku}", "getStock", "Stock", "Show how much of an item is at a site")
            .given(&[AS_OF, AXIS])
            .answers::<StockLevel>(200, "The stock level.")
            .at_a_position()
            .fails(&[Code::UnknownStock]),
        list("/v1/sites/{site}/stock/{sku}/movements", "listMovements", "Stock", "List what moved, and why")
            .given(&[query("first", "Which end comes first; the newest, if absent.", First::usage)])
            .about("One row for each change of a balance.")
            .answers::<MovementList>(200, "A page of movements.")
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
            .given(&[query("status", "Only those that stand like this.", OrderStatus::usage)])
            .about("The newest first.")
            .answers::<OrderList>(200, "A page of orders.")
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
