//! What changes something.

use serde_json::{Value, json};
use utoipa::openapi::path::HttpMethod;

use super::query;
use crate::http::describe::operation::{Given, IDEMPOTENCY_KEY, Operation};
use crate::http::describe::shape::Shape;
use crate::http::describe::shapes::answers::{
    Adjustment, Count, Hold, MadeKey, OpenedSite, Order, Receipt, RegisteredItem, Remark, RevokedKey,
};
use crate::http::describe::shapes::commands::{
    AdjustStock, CancelOrder, CountStock, CreateKey, HoldStock, OpenSite, PlaceOrder, ReceiveStock,
    RecordNote, RegisterItem, ReleaseHold, ReturnOrder, RevokeKey, ShipOrder,
};
use crate::http::problem::Code;

const IS_THERE_BEFORE: &str = "It was decided before, and this is the answer of then.";

const DRY_RUN: Given = query(
    "dry_run",
    "Say what the command would be answered with if it came now: the same status, body and problem, with the header \
     `Dry-Run: true`. Nothing is written and the key is not used.",
    bool::usage,
);

pub(super) fn all() -> Vec<Operation> {
    let mut all = directory();
    all.extend(stock());
    all.extend(orders());
    all.extend(keys());
    all.push(bulk());
    all
}

/// A command: where it is posted, and its name.
struct Posted(&'static str, &'static str, &'static str, &'static str);

impl Posted {
    fn takes<B: Shape, A: Shape>(self, example: Value) -> Operation {
        self.takes_if_given::<B, A>(true, example)
    }

    fn takes_if_given<B: Shape, A: Shape>(self, is_required: bool, example: Value) -> Operation {
        let Self(path, id, tag, summary) = self;
        decided(Operation::new(HttpMethod::Post, path, id, tag, summary).given(&[IDEMPOTENCY_KEY]))
            .body::<B>(is_required, example)
            .answers::<A>(201, "Decided.")
            .answers::<A>(200, IS_THERE_BEFORE)
            .of_a_decision()
            .fails(&[Code::IdempotencyKeyMissing, Code::IdempotencyKeyReused])
    }
}

/// What every command may be asked with, and may meet.
fn decided(operation: Operation) -> Operation {
    operation.given(&[DRY_RUN]).fails(&[
        Code::NotApplied,
        Code::Overloaded,
        Code::NotPartitionOwner,
        Code::PartitionHalted,
        Code::WriterRecovering,
        Code::OutcomeUnknown,
    ])
}

fn directory() -> Vec<Operation> {
    vec![
        decided(Operation::new(
            HttpMethod::Put,
            "/v1/sites/{site}",
            "openSite",
            "Sites",
            "Open a site, or rename it",
        ))
        .body::<OpenSite>(true, json!({ "name": "London" }))
        .answers::<OpenedSite>(201, "Opened.")
        .answers::<OpenedSite>(200, "It was open before.")
        .of_a_decision(),
        Posted("/v1/sites/{site}/notes", "recordNote", "Sites", "Put a remark on record")
            .takes::<RecordNote, Remark>(json!({ "note": "the roof leaks above aisle 4" })),
        decided(Operation::new(
            HttpMethod::Put,
            "/v1/items/{sku}",
            "registerItem",
            "Items",
            "Register an item, or describe it anew",
        ))
        .body::<RegisterItem>(true, json!({ "name": "apple, red", "unit": "kg" }))
        .answers::<RegisteredItem>(201, "Registered.")
        .answers::<RegisteredItem>(200, "It was registered before.")
        .of_a_decision(),
    ]
}

fn stock() -> Vec<Operation> {
    vec![
        Posted("/v1/sites/{site}/receipts", "receiveStock", "Stock", "Take goods in")
            .takes::<ReceiveStock, Receipt>(json!({
                "lines": [{ "sku": "APPLE-1", "quantity": 120 }, { "sku": "PEAR-2", "quantity": 40 }],
                "reason": "purchase",
                "reference": { "type": "purchase_order", "id": "PO-2026-17" },
            }))
            .fails(&[Code::QuantityLimit]),
        Posted(
            "/v1/sites/{site}/adjustments",
            "adjustStock",
            "Stock",
            "Change what is on hand by a difference",
        )
        .takes::<AdjustStock, Adjustment>(json!({
            "lines": [{ "sku": "APPLE-1", "delta": -2, "expected_on_hand": 120 }],
            "reason": "damaged",
            "note": "two were wet",
        }))
        .about("Promised goods are not written off: what would take `available` below zero is refused.")
        .based()
        .fails(&[Code::InsufficientStock, Code::ExpectedQuantityStale, Code::QuantityLimit]),
        Posted("/v1/sites/{site}/counts", "countStock", "Stock", "State what was counted")
            .takes::<CountStock, Count>(json!({ "lines": [{ "sku": "APPLE-1", "counted": 118 }] }))
            .about("The difference is booked. With `at_position`, what moved after that position is kept.")
            .based()
            .fails(&[Code::InsufficientStock, Code::ExpectedQuantityStale, Code::QuantityLimit]),
        Posted("/v1/sites/{site}/holds", "holdStock", "Stock", "Set goods aside")
            .takes::<HoldStock, Hold>(json!({
                "hold_id": "hold-7", "sku": "APPLE-1", "quantity": 5, "reason": "quality_control",
            }))
            .fails(&[Code::InsufficientStock, Code::HoldExists, Code::QuantityLimit]),
        Posted(
            "/v1/sites/{site}/holds/{hold_id}/release",
            "releaseHold",
            "Stock",
            "Give goods of a hold free",
        )
        .takes_if_given::<ReleaseHold, Hold>(false, json!({ "quantity": 2 }))
        .fails(&[Code::UnknownHold, Code::HoldState]),
    ]
}

fn orders() -> Vec<Operation> {
    vec![
        Posted("/v1/sites/{site}/orders", "placeOrder", "Orders", "Place an order")
            .takes::<PlaceOrder, Order>(json!({
                "order_id": "order-1001",
                "customer": "customer-42",
                "currency": "GBP",
                "lines": [{ "sku": "APPLE-1", "quantity": 3, "unit_price_minor": 250 }],
            }))
            .about("All lines are promised, or the order is refused as a whole, which is on record too.")
            .fails(&[Code::InsufficientStock, Code::OrderExists, Code::QuantityLimit]),
        Posted(
            "/v1/sites/{site}/orders/{order_id}/shipments",
            "shipOrder",
            "Orders",
            "Send goods of an order off",
        )
        .takes_if_given::<ShipOrder, Order>(false, json!({ "lines": [{ "sku": "APPLE-1", "quantity": 1 }] }))
        .based()
        .fails(&[Code::UnknownOrder, Code::OrderState, Code::InsufficientStock]),
        Posted(
            "/v1/sites/{site}/orders/{order_id}/cancellation",
            "cancelOrder",
            "Orders",
            "Give up what is not shipped of an order",
        )
        .takes_if_given::<CancelOrder, Order>(false, json!({ "reason": "customer_request" }))
        .based()
        .fails(&[Code::UnknownOrder, Code::OrderState]),
        Posted(
            "/v1/sites/{site}/orders/{order_id}/returns",
            "returnOrder",
            "Orders",
            "Take goods of an order back",
        )
        .takes::<ReturnOrder, Order>(json!({
            "lines": [{ "sku": "APPLE-1", "quantity": 1, "disposition": "restock" }],
        }))
        .based()
        .fails(&[Code::UnknownOrder, Code::OrderState, Code::QuantityLimit, Code::HoldExists]),
    ]
}

fn keys() -> Vec<Operation> {
    vec![
        Posted("/v1/keys", "createKey", "Keys", "Make an API key")
            .takes::<CreateKey, MadeKey>(json!({
                "key_id": "3f9c0a11d2e4b567",
                "name": "till-3",
                "secret_hash": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                "scopes": ["stock:read", "order:place"],
                "sites": ["uk"],
            }))
            .about(
                "From the first key on nobody comes in without one; the first must have the scope `admin`.",
            )
            .fails(&[Code::KeyExists, Code::FirstKeyNotAdmin]),
        Posted("/v1/keys/{key_id}/revocation", "revokeKey", "Keys", "Revoke an API key")
            .takes_if_given::<RevokeKey, RevokedKey>(false, json!({}))
            .fails(&[Code::UnknownKey]),
    ]
}

fn bulk() -> Operation {
    let lines = "{\"command\":\"receive_stock\",\"site\":\"uk\",\"idempotency_key\":\"b1\",\
                 \"body\":{\"lines\":[{\"sku\":\"APPLE-1\",\"quantity\":4}]}}\n";
    Operation::new(HttpMethod::Post, "/v1/bulk", "bulk", "Bulk", "Send many commands, one a line")
        .given(&[query(
            "stop_at_failure",
            "Hand no more lines over once one came to no decision for a reason that may pass.",
            bool::usage,
        ), query(
            "dry_run",
            "Write nothing: each line is answered as if it came alone and now.",
            bool::usage,
        ), query(
            "atomic",
            "Do all lines together or none: one decision under the key of the request, at most 16 lines of one site and without \
             keys of their own.",
            bool::usage,
        ), Given {
            is_required: false,
            meaning: "With `atomic=true` the key of all lines together.",
            ..IDEMPOTENCY_KEY
        }])
        .about(
            "Each line is a `BulkLine`, and is answered by a `BulkAnswer`, in order. Each is a command of its own: one that is \
             refused does not stop those after it. Read answers while you send. A line needs what the route of its command \
             needs.\n\nWith `atomic=true` the lines are done together or not at all. They have one `reason`, `note` and the like, \
             no two of them move the same SKU, at most one is about an order, and none counts, opens, registers or \
             remarks. When one cannot be done, the others are answered with `another-line-refused`. A repetition under the \
             same key is answered as the first time, for ever.",
        )
        .body_as::<String>("application/x-ndjson", false, json!(lines))
        .answers_as::<String>(200, "application/x-ndjson", "An answer a line, as they are decided.")
        .fails(&[
            Code::NotPartitionOwner,
            Code::IdempotencyKeyMissing,
            Code::AnotherLineRefused,
        ])
}
