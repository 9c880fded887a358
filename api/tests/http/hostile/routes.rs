//! Every route, with the parameters that it knows and a body that it takes.

/// One route with one of its methods.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// As the router has it.
    pub(super) path: &'static str,
    /// The names of its parameters.
    pub(super) query: &'static [&'static str],
    /// A body that it takes; empty without one. Of several, the lines of bulk.
    pub(super) body: &'static str,
}

impl Route {
    pub(super) fn media_type(&self) -> &'static str {
        match self.path {
            "/v1/bulk" => "application/x-ndjson",
            path if path.starts_with("/ui/") => "application/x-www-form-urlencoded",
            _ => "application/json",
        }
    }
}

const fn read(path: &'static str, query: &'static [&'static str]) -> Route {
    Route { method: "GET", path, query, body: "" }
}

const fn post(path: &'static str, body: &'static str) -> Route {
    Route { method: "POST", path, query: &[], body }
}

const PAGE: &[&str] = &["limit", "cursor"];
const UI_PAGE: &[&str] = &["limit", "cursor", "format"];
const FORM: &[&str] = &["done", "sku", "hold_id"];
const PAST: &[&str] = &["as_of", "axis"];
const PAST_PAGE: &[&str] = &["limit", "cursor", "as_of", "axis"];

pub(super) const ROUTES: &[Route] = &[
    read("/", &[]),
    read("/ui", &[]),
    read("/ui/projections", &[]),
    read("/ui/projections/rebuild", &[]),
    post("/ui/projections/rebuild", ""),
    read("/ui/projections/switch", &["version"]),
    post("/ui/projections/switch", "version=2"),
    read("/ui/events", &["site", "sku", "order", "type", "limit", "cursor", "format"]),
    read("/ui/events/{position}", &[]),
    read("/ui/audit", &[]),
    read("/ui/style.css", &[]),
    read("/ui/icon.svg", &[]),
    read("/ui/live.js", &[]),
    read("/ui/account", &[]),
    read("/ui/keys", UI_PAGE),
    read("/ui/keys/new", &[]),
    post("/ui/keys/new", "key=f12&name=anna&scope-stock%3Aread=yes"),
    read("/ui/keys/{key_id}/revoke", &[]),
    post("/ui/keys/{key_id}/revoke", "key=f13"),
    read("/ui/sign-in", &["next"]),
    post("/ui/sign-in", "token=slk_x&next=/ui"),
    post("/ui/sign-out", ""),
    post("/ui/theme", "theme=dark"),
    read("/ui/open-site", FORM),
    post("/ui/open-site", "site=fr&name=Paris"),
    read("/ui/register-item", FORM),
    post("/ui/register-item", "sku=A&name=apple&unit=kg"),
    read("/ui/sites/{site}/receive", FORM),
    post(
        "/ui/sites/{site}/receive",
        "key=f1&lines-0-sku=A&lines-0-quantity=9&reason=purchase&note=n&reference_type=po",
    ),
    read("/ui/sites/{site}/adjust", FORM),
    post("/ui/sites/{site}/adjust", "key=f2&lines-0-sku=A&lines-0-delta=-1&reason=damaged"),
    read("/ui/sites/{site}/count", FORM),
    post("/ui/sites/{site}/count", "key=f3&lines-0-sku=A&lines-0-counted=7&lines-0-at_position=0.3"),
    read("/ui/sites/{site}/hold", FORM),
    post("/ui/sites/{site}/hold", "key=f4&hold_id=h&sku=A&quantity=1&reason=damaged"),
    read("/ui/sites/{site}/release", FORM),
    post("/ui/sites/{site}/release", "key=f5&hold_id=h&quantity=1"),
    read("/ui/sites/{site}/note", FORM),
    post("/ui/sites/{site}/note", "key=f11&note=a+remark"),
    read("/ui/sites/{site}/place-order", FORM),
    post(
        "/ui/sites/{site}/place-order",
        "key=f6&order_id=f&currency=GBP&lines-0-sku=A&lines-0-quantity=1&lines-0-unit_price_minor=2.5",
    ),
    read("/ui/sites/{site}/orders/{order_id}/ship", FORM),
    post("/ui/sites/{site}/orders/{order_id}/ship", "key=f7&rows=1&lines-0-sku=A&lines-0-quantity=1"),
    read("/ui/sites/{site}/orders/{order_id}/cancel", FORM),
    post("/ui/sites/{site}/orders/{order_id}/cancel", "key=f8&reason=unpaid"),
    read("/ui/sites/{site}/orders/{order_id}/return", FORM),
    post(
        "/ui/sites/{site}/orders/{order_id}/return",
        "key=f9&rows=1&lines-0-sku=A&lines-0-quantity=1&lines-0-disposition=damaged",
    ),
    read("/ui/sites", UI_PAGE),
    read("/ui/items", UI_PAGE),
    read("/ui/items/{sku}", UI_PAGE),
    read("/ui/sites/{site}", &[]),
    read("/ui/sites/{site}/stock", &["sku", "available", "as_of", "axis", "limit", "cursor", "format"]),
    read("/ui/sites/{site}/stock/{sku}", &["as_of", "axis", "limit", "cursor", "format"]),
    read("/ui/sites/{site}/orders", &["status", "order_id", "limit", "cursor", "format"]),
    read("/ui/sites/{site}/orders/{order_id}", &["format"]),
    read("/livez", &[]),
    read("/readyz", &[]),
    read("/startupz", &[]),
    read("/metrics", &[]),
    read("/v1/info", &[]),
    read("/problems", &[]),
    read("/problems/{code}", &[]),
    read("/openapi.json", &[]),
    read("/docs", &[]),
    read("/docs/{file}", &[]),
    read("/v1/sites", PAGE),
    read("/v1/sites/{site}", &[]),
    Route { method: "PUT", path: "/v1/sites/{site}", query: &[], body: r#"{"name":"London"}"# },
    read("/v1/items", PAGE),
    read("/v1/items/{sku}", &[]),
    Route { method: "PUT", path: "/v1/items/{sku}", query: &[], body: r#"{"name":"apple","unit":"kg"}"# },
    read("/v1/stock/{sku}", PAST_PAGE),
    read("/v1/sites/{site}/stock", PAST_PAGE),
    read("/v1/sites/{site}/stock/{sku}", PAST),
    read("/v1/sites/{site}/stock/{sku}/movements", &["limit", "cursor", "first", "as_of"]),
    read("/v1/sites/{site}/stock/{sku}/explain", PAST),
    read("/v1/sites/{site}/orders", &["limit", "cursor", "status"]),
    read("/v1/sites/{site}/orders/{order_id}", PAST),
    read("/v1/sites/{site}/orders/{order_id}/trail", PAGE),
    post(
        "/v1/sites/{site}/receipts",
        r#"{"lines":[{"sku":"A","quantity":9},{"sku":"B","quantity":3}],"reason":"purchase","note":"n","occurred_at":"2026-01-01T00:00:00Z","correlation_id":"c","reference":{"type":"po","id":"1"}}"#,
    ),
    post(
        "/v1/sites/{site}/adjustments",
        r#"{"lines":[{"sku":"A","delta":-1,"expected_on_hand":9}],"reason":"damaged"}"#,
    ),
    post(
        "/v1/sites/{site}/counts",
        r#"{"lines":[{"sku":"A","counted":7},{"sku":"B","counted":2,"at_position":"0.3"}]}"#,
    ),
    post("/v1/sites/{site}/holds", r#"{"hold_id":"h","sku":"A","quantity":1,"reason":"damaged"}"#),
    post("/v1/sites/{site}/holds/{hold_id}/release", r#"{"quantity":1}"#),
    post(
        "/v1/sites/{site}/orders",
        r#"{"order_id":"o","customer":"c","currency":"GBP","lines":[{"sku":"A","quantity":2,"unit_price_minor":5},{"sku":"B","quantity":1}]}"#,
    ),
    post("/v1/sites/{site}/orders/{order_id}/shipments", r#"{"lines":[{"sku":"A","quantity":1}]}"#),
    post("/v1/sites/{site}/orders/{order_id}/cancellation", r#"{"note":"changed their mind"}"#),
    post(
        "/v1/sites/{site}/orders/{order_id}/returns",
        r#"{"lines":[{"sku":"A","quantity":1,"disposition":"damaged"}]}"#,
    ),
    post("/v1/sites/{site}/notes", r#"{"note":"seen"}"#),
    Route {
        method: "POST",
        path: "/v1/bulk",
        query: &["stop_at_failure"],
        body: r#"{"command":"receive_stock","site":"uk","idempotency_key":"b1","body":{"lines":[{"sku":"A","quantity":4}]}}
{"command":"place_order","site":"uk","idempotency_key":"b2","body":{"order_id":"b","lines":[{"sku":"A","quantity":2}]}}
{"command":"cancel_order","site":"uk","order_id":"b","idempotency_key":"b3"}
"#,
    },
    read("/v1/audit/checkpoint", &["partition"]),
    read("/v1/audit/proof", &["position", "size"]),
    read("/v1/audit/consistency", &["partition", "from", "to"]),
    read("/v1/audit/key", &[]),
    read("/v1/audit/verification", &[]),
    post("/v1/audit/verifications", "{}"),
    // Without `wait`, which does as it says.
    read("/v1/events", &["after", "limit", "site", "sku", "order", "type"]),
    read("/v1/events/stream", &["after", "site", "sku", "order", "type"]),
    read("/v1/events/{position}", &["raw"]),
    read("/v1/keys", &[]),
    post(
        "/v1/keys",
        r#"{"key_id":"0123456789abcdef","name":"boss","secret_hash":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","scopes":["admin"]}"#,
    ),
    post("/v1/keys/{key_id}/revocation", r#"{"reason":"other"}"#),
    read("/v1/projections", &[]),
    post("/v1/projections/rebuilds", r#"{"switch":"manual","workers":1}"#),
    post("/v1/projections/switch", r#"{"version":2}"#),
    Route { method: "DELETE", path: "/v1/projections/{version}", query: &[], body: "" },
];
