//! Commands by form: what is decided, what is refused and how that is said, and that no form is carried out twice.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use stockledger_schemas::KeyScope;

use crate::keys::Guarded;
use crate::support::{Answer, Service, options, send};
use crate::ui::{assert_page, assert_says, browse};

/// The fields of a form.
type Sent<'a> = &'a [(&'a str, &'a str)];

const FORM: &str = "application/x-www-form-urlencoded";

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    Request::post(path)
        .header("content-type", FORM)
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(body.join("&")))
        .unwrap()
}

async fn submit(service: &Service, path: &str, fields: &[(&str, &str)]) -> Answer {
    service.send(form(path, fields)).await
}

/// The value of the hidden field of this name.
fn hidden(answer: &Answer, name: &str) -> String {
    let begin = format!(r#"<input type="hidden" name="{name}" value=""#);
    let (_, rest) = answer.text.split_once(&begin).expect("the field is there");
    rest.split('"').next().unwrap().to_owned()
}

/// Opens a form, fills it in, sends it, and gives the page that tells what was decided.
async fn done(service: &Service, path: &str, fields: &[(&str, &str)]) -> Answer {
    let empty = browse(service, path).await.expect(200);
    let key = hidden(&empty, "key");
    let answer = submit(service, path, &[fields, &[("key", key.as_str())]].concat()).await.expect(303);
    let location = answer.header("location").to_owned();
    assert!(location.starts_with(&format!("{path}?done=")), "{location}");
    browse(service, &location).await.expect(200)
}

async fn level(service: &Service, sku: &str) -> [i64; 3] {
    let level = service.get(&format!("/v1/sites/uk/stock/{sku}")).await.expect(200);
    ["on_hand", "reserved", "held"].map(|name| level.json[name].as_i64().unwrap())
}

#[tokio::test]
async fn every_command_can_be_given_by_a_form() {
    let service = Service::start_with(options()).await;
    let open = browse(&service, "/ui/open-site").await.expect(200);
    assert_page(&open, "Open a site");
    let opened =
        submit(&service, "/ui/open-site", &[("site", "uk"), ("name", "Ümläut & Co")]).await.expect(303);
    let opened = browse(&service, opened.header("location")).await.expect(200);
    assert_says(&opened, &["Site registered at position 0."]);
    let item = [("sku", "MUG"), ("name", "Mug"), ("unit", "box")];
    submit(&service, "/ui/register-item", &item).await.expect(303);

    let lines = [
        ("lines-0-sku", "MUG"),
        ("lines-0-quantity", "1200"),
        ("lines-3-sku", "CUP"),
        ("lines-3-quantity", "5"),
    ];
    let more = [
        ("reason", "purchase"),
        ("note", "van 3"),
        ("occurred_at", "2026-01-02T03:04"),
        ("reference_type", "po"),
        ("reference_id", "77"),
    ];
    let received = done(&service, "/ui/sites/uk/receive", &[&lines[..], &more].concat()).await;
    assert_page(&received, "Receive stock at uk");
    assert_says(&received, &["Stock received at position", "MUG +1,200 1,200 1,200", "CUP +5 5 5"]);
    let movements = service.get("/v1/sites/uk/stock/MUG/movements").await.expect(200);
    let movement = &movements.json["data"][0];
    assert_eq!((&movement["reason"], &movement["note"]), (&json!("purchase"), &json!("van 3")));
    assert_eq!(movement["reference"], json!({ "type": "po", "id": "77" }));
    assert_eq!(movement["occurred_at"], "2026-01-02T03:04:00.000000Z");

    let adjust = [("lines-0-sku", "CUP"), ("lines-0-delta", "-1"), ("reason", "damaged")];
    assert_says(
        &done(&service, "/ui/sites/uk/adjust", &adjust).await,
        &["Stock adjusted", "CUP \u{2212}1 4 4"],
    );
    let count = [("lines-0-sku", "CUP"), ("lines-0-counted", "7")];
    assert_says(&done(&service, "/ui/sites/uk/count", &count).await, &["Stock counted", "CUP +3 7 7"]);
    let hold = [("hold_id", "h1"), ("sku", "CUP"), ("quantity", "2"), ("reason", "safety_stock")];
    let held = done(&service, "/ui/sites/uk/hold", &hold).await;
    assert_says(&held, &["Stock held", "CUP 0 7 5"]);
    let (_, record) = held.text.split_once("href=\"/ui/events/").expect("a link to the record");
    let record =
        browse(&service, &format!("/ui/events/{}", record.split('"').next().unwrap())).await.expect(200);
    assert!(record.text.contains(r#"href="/ui/sites/uk/release?hold_id=h1""#), "{}", record.text);
    let release = browse(&service, "/ui/sites/uk/release?hold_id=h1").await.expect(200);
    assert!(release.text.contains(r#"name="hold_id" value="h1""#), "{}", release.text);
    assert_says(
        &done(&service, "/ui/sites/uk/release", &[("hold_id", "h1")]).await,
        &["Hold released", "CUP 0 7 7"],
    );
    let noted =
        done(&service, "/ui/sites/uk/note", &[("note", "gate 4 was open"), ("reason", "other")]).await;
    assert_page(&noted, "Write a note at uk");
    assert_says(&noted, &["Note recorded at position", "Stock at uk"]);
    let unsaid = submit(&service, "/ui/sites/uk/note", &[("key", "unsaid"), ("note", " ")]).await.expect(422);
    assert!(unsaid.text.contains(r#"id="note-wrong""#), "it is said beside the field: {}", unsaid.text);

    let order = [
        ("order_id", "o/1"),
        ("customer", "c"),
        ("currency", "GBP"),
        ("lines-0-sku", "MUG"),
        ("lines-0-quantity", "10"),
        ("lines-0-unit_price_minor", "2.5"),
    ];
    let placed = done(&service, "/ui/sites/uk/place-order", &order).await;
    assert_says(&placed, &["Order placed", "Order o/1"]);
    let ship = browse(&service, "/ui/sites/uk/orders/o%2F1/ship").await.expect(200);
    assert_page(&ship, "Ship order o/1");
    assert_says(&ship, &["10 open"]);
    let part = [("rows", "1"), ("lines-0-sku", "MUG"), ("lines-0-quantity", "4")];
    assert_says(&done(&service, "/ui/sites/uk/orders/o%2F1/ship", &part).await, &["Order shipped", "6 open"]);
    let back = [
        ("rows", "1"),
        ("lines-0-sku", "MUG"),
        ("lines-0-quantity", "1"),
        ("lines-0-disposition", "restock"),
    ];
    assert_says(&done(&service, "/ui/sites/uk/orders/o%2F1/return", &back).await, &["Order returned"]);
    assert_says(
        &done(&service, "/ui/sites/uk/orders/o%2F1/cancel", &[("reason", "unpaid")]).await,
        &["Order cancelled"],
    );
    assert_eq!(level(&service, "MUG").await, [1_197, 0, 0]);
    let order = service.get("/v1/sites/uk/orders/o%2F1").await.expect(200);
    assert_eq!(order.json["lines"][0]["unit_price_minor"], 250);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_command() {
    let service = Service::start().await;
    let empty = browse(&service, "/ui/sites/uk/receive").await.expect(200);
    let key = hidden(&empty, "key");
    let fields = [("key", key.as_str()), ("lines-0-sku", "MUG"), ("lines-0-quantity", "3")];
    let first = submit(&service, "/ui/sites/uk/receive", &fields).await.expect(303);
    let again = submit(&service, "/ui/sites/uk/receive", &fields).await.expect(303);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(level(&service, "MUG").await, [3, 0, 0]);
    let other = [("key", key.as_str()), ("lines-0-sku", "MUG"), ("lines-0-quantity", "4")];
    let reused = submit(&service, "/ui/sites/uk/receive", &other).await;
    assert_says(&reused, &["This form was sent before"]);
    assert_ne!(hidden(&reused, "key"), key);
    assert_ne!(hidden(&browse(&service, "/ui/sites/uk/receive").await, "key"), key);
    submit(&service, "/ui/sites/uk/receive", &[("lines-0-sku", "MUG")]).await.expect(400);
    assert_eq!(level(&service, "MUG").await, [3, 0, 0]);
}

#[tokio::test]
async fn a_refusal_says_what_is_short_and_keeps_what_was_filled_in() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    let fields = [
        ("key", "k1"),
        ("order_id", "o-1"),
        ("note", "<b>hurry</b>"),
        ("lines-1-sku", "MUG"),
        ("lines-1-quantity", "9"),
    ];
    let refused = submit(&service, "/ui/sites/uk/place-order", &fields).await.expect(409);
    assert_page(&refused, "Place an order at uk");
    assert_says(
        &refused,
        &[
            "Insufficient stock",
            "9 of MUG requested but 5 available",
            "only 5 available",
            "receive goods first",
        ],
    );
    for kept in [
        r#"value="o-1""#,
        r#"name="lines-1-sku" value="MUG""#,
        r#"value="&#60;b&#62;hurry"#,
        r#"id="lines-1-quantity-wrong""#,
    ] {
        assert!(refused.text.contains(kept), "{kept}: {}", refused.text);
    }
    // What was refused stays so under its key; the form has a new one.
    let key = hidden(&refused, "key");
    assert_ne!(key, "k1");
    let mended =
        [("key", key.as_str()), ("order_id", "o-2"), ("lines-1-sku", "MUG"), ("lines-1-quantity", "5")];
    submit(&service, "/ui/sites/uk/place-order", &mended).await.expect(303);
    let unknown = submit(&service, "/ui/sites/uk/orders/none/ship", &[("key", "k2")]).await.expect(404);
    assert_says(&unknown, &["no order none was ever accepted"]);
}

#[tokio::test]
async fn what_is_not_valid_is_said_beside_its_field() {
    let service = Service::start().await;
    let cases: [(&str, Sent<'_>, &str, &str); 7] = [
        (
            "/ui/sites/uk/receive",
            &[("lines-2-sku", "A"), ("lines-2-quantity", "a dozen")],
            "lines-2-quantity-wrong",
            "a dozen is not a whole number",
        ),
        (
            "/ui/sites/uk/receive",
            &[("lines-2-sku", " "), ("lines-2-quantity", "3")],
            "lines-2-sku-wrong",
            "fill this in",
        ),
        (
            "/ui/sites/uk/receive",
            &[("lines-0-sku", "A"), ("lines-0-quantity", "0")],
            "lines-0-quantity-wrong",
            "0",
        ),
        (
            "/ui/sites/uk/adjust",
            &[("lines-0-sku", "A"), ("lines-0-delta", "1")],
            "reason-wrong",
            "must say why",
        ),
        (
            "/ui/sites/uk/hold",
            &[("hold_id", "h"), ("sku", "A"), ("quantity", "1.5"), ("reason", "other")],
            "quantity-wrong",
            "1.5",
        ),
        ("/ui/sites/uk/release", &[("hold_id", "\u{e9}")], "hold_id-wrong", "hold"),
        (
            "/ui/sites/uk/receive",
            &[("lines-0-sku", "A"), ("lines-0-quantity", "1"), ("occurred_at", "soon")],
            "occurred_at-wrong",
            "RFC 3339",
        ),
    ];
    for (path, fields, place, words) in cases {
        let invalid = submit(&service, path, &[fields, &[("key", "kept")]].concat()).await.expect(422);
        assert!(invalid.text.contains(&format!("id=\"{place}\"")), "{place}: {}", invalid.text);
        assert_says(&invalid, &["Mend what is marked", words]);
        assert_eq!(hidden(&invalid, "key"), "kept", "nothing was decided under it");
    }
}

#[tokio::test]
async fn more_lines_are_a_page_and_no_command() {
    let service = Service::start().await;
    let fields =
        [("key", "k"), ("rows", "5"), ("more", "1"), ("lines-4-sku", "MUG"), ("lines-4-quantity", "2")];
    let more = submit(&service, "/ui/sites/uk/receive", &fields).await.expect(200);
    assert!(more.text.contains(r#"id="lines-9-sku""#) && !more.text.contains("lines-10-sku"));
    assert_eq!((hidden(&more, "key"), hidden(&more, "rows")), ("k".to_owned(), "10".to_owned()));
    assert!(more.text.contains(r#"name="lines-4-sku" value="MUG""#));
    service.get("/v1/sites/uk/stock/MUG").await.expect(404);
    let last = submit(&service, "/ui/sites/uk/receive", &[("key", "k"), ("rows", "99999999"), ("more", "1")])
        .await
        .expect(200);
    assert!(last.text.contains(r#"id="lines-499-sku""#) && !last.text.contains("lines-500-sku"));
    assert!(!last.text.contains("More lines"));
}

#[tokio::test]
async fn a_program_gets_problems_and_needs_our_origin_all_the_same() {
    let service = Service::start().await;
    let mut program = form(
        "/ui/sites/uk/place-order",
        &[("key", "k"), ("order_id", "o"), ("lines-0-sku", "A"), ("lines-0-quantity", "1")],
    );
    program.headers_mut().remove("accept");
    let refused = service.send(program).await.expect(409);
    assert_eq!(refused.code(), "insufficient-stock");
    let mut elsewhere =
        form("/ui/sites/uk/receive", &[("key", "k2"), ("lines-0-sku", "A"), ("lines-0-quantity", "1")]);
    elsewhere.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    service.send(elsewhere).await.expect(403);
    service.get("/v1/sites/uk/stock/A").await.expect(404);
}

#[tokio::test]
async fn whoever_may_only_write_sees_no_order_and_no_decision_of_others() {
    let guarded = Guarded::start().await;
    let service = &guarded.service;
    service
        .post("/v1/sites/uk/orders", r#"{"order_id":"o-9","lines":[{"sku":"CANARY-SKU","quantity":3}]}"#)
        .await
        .expect(201);
    let of_others = service.receive("OTHER-SKU", 1).await.header("ledger-position").to_owned();
    let writer = guarded
        .key("packer", &[KeyScope::StockWrite, KeyScope::OrderManage], json!({ "sites": ["uk"] }))
        .await;
    // The tables are level before they are asked with another router.
    service.get("/v1/sites/uk").await.expect(200);
    let ask = async |request: Request<Body>| {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("authorization", format!("Bearer {}", writer.reveal()).parse().unwrap());
        send(&guarded.router, Request::from_parts(parts, body)).await
    };
    let page = |path: &str| Request::get(path).header("accept", "text/html").body(Body::empty()).unwrap();
    let ship = ask(page("/ui/sites/uk/orders/o-9/ship")).await.expect(200);
    assert!(!ship.text.contains("CANARY-SKU"), "{}", ship.text);
    let others = ask(page(&format!("/ui/sites/uk/receive?done={of_others}"))).await.expect(200);
    assert!(!others.text.contains("OTHER-SKU"), "{}", others.text);
    let fields = [("key", "k"), ("lines-0-sku", "MINE"), ("lines-0-quantity", "2")];
    let received = ask(form("/ui/sites/uk/receive", &fields)).await.expect(303);
    let own = ask(page(received.header("location"))).await.expect(200);
    assert_says(&own, &["Stock received at position", "MINE +2 2 2"]);
    assert!(!own.text.contains("/ui/events/"), "its record is for who may audit");
    ask(page("/ui/sites/uk/place-order")).await.expect(403);
    ask(page("/ui/open-site")).await.expect(403);
    ask(page("/ui/sites/fr/receive")).await.expect(404);
}

#[tokio::test]
async fn pages_lead_to_what_one_may_do() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    service
        .post("/v1/sites/uk/orders", r#"{"order_id":"o-1","lines":[{"sku":"MUG","quantity":3}]}"#)
        .await
        .expect(201);
    for (path, links) in [
        (
            "/ui/sites/uk/stock",
            &["/ui/sites/uk/receive", "/ui/sites/uk/count", "/ui/sites/uk/place-order"][..],
        ),
        ("/ui/sites/uk/stock/MUG", &["/ui/sites/uk/adjust?sku=MUG", "/ui/sites/uk/hold?sku=MUG"]),
        ("/ui/sites/uk/orders/o-1", &["/ui/sites/uk/orders/o-1/ship", "/ui/sites/uk/orders/o-1/cancel"]),
        ("/ui/sites", &["/ui/open-site"]),
        ("/ui/items", &["/ui/register-item"]),
    ] {
        let page = browse(&service, path).await.expect(200);
        for link in links {
            assert!(page.text.contains(&format!("href=\"{link}\"")), "{link} is not on {path}");
            browse(&service, link).await.expect(200);
        }
    }
    assert!(!browse(&service, "/ui/sites/uk/orders/o-1").await.text.contains("o-1/return"));
    let adjust = browse(&service, "/ui/sites/uk/adjust?sku=MUG").await.expect(200);
    assert!(adjust.text.contains(r#"name="lines-0-sku" value="MUG""#));
}
