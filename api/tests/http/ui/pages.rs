//! Each page: its numbers, its links, what it shows of nothing and of what is wrong.

use axum::body::Body;
use axum::http::Request;

use crate::support::Service;
use crate::support::hammer::until_versions;
use crate::ui::{assert_page, assert_says, browse};

const HOSTILE: &str = "<script>alert(1)</script>\" onload='x' & <b>";

/// A shop with goods, an order that was shipped in part, one that was refused, and names that nobody should trust.
async fn shop() -> Service {
    let service = Service::start().await;
    service
        .put("/v1/items/MUG", &serde_json::json!({ "name": HOSTILE, "unit": "box" }).to_string())
        .await
        .expect(201);
    service.receive("MUG", 12_345).await;
    service.receive("CUP <1>", 7).await;
    let order = r#"{"order_id":"o/1","customer":"c-7","currency":"GBP","occurred_at":"2026-01-02T03:04:05Z",
        "lines":[{"sku":"MUG","quantity":1200,"unit_price_minor":255}]}"#;
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    let ship = r#"{"lines":[{"sku":"MUG","quantity":200}],"note":"first <i>van</i>"}"#;
    service.post("/v1/sites/uk/orders/o%2F1/shipments", ship).await.expect(201);
    let refused = r#"{"order_id":"o-2","lines":[{"sku":"CUP <1>","quantity":9}]}"#;
    service.post("/v1/sites/uk/orders", refused).await.expect(409);
    service
}

#[tokio::test]
async fn the_front_page_leads_a_browser_to_the_dashboard() {
    let service = Service::start().await;
    let front = browse(&service, "/").await.expect(303);
    assert_eq!((front.header("location"), front.header("vary")), ("/ui", "accept"));
}

#[tokio::test]
async fn the_overview_sums_up_what_is_there() {
    let service = shop().await;
    let overview = browse(&service, "/ui").await.expect(200);
    assert_page(&overview, "Overview");
    assert_says(
        &overview,
        &[
            "On hand 12,152 units of 2 items",
            "Available 11,152 not reserved or held",
            "Open orders 1 1,000 units reserved",
            "Refused orders 1 out of stock",
            "Items low in stock 1 10 or fewer",
            "United Kingdom uk 12,152 1,000 0 11,152 1 1 1",
            "CUP &#60;1&#62;",
            "0 s behind",
            "leading running",
        ],
    );
    assert!(overview.text.contains(r#"href="/ui/sites/uk/orders?status=refused""#));
    assert!(overview.text.contains(r#"href="/ui/sites/uk/stock?available=10""#));
}

#[tokio::test]
async fn an_empty_ledger_says_what_to_do() {
    let service = Service::start_with(crate::support::options()).await;
    let overview = browse(&service, "/ui").await.expect(200);
    assert_page(&overview, "Overview");
    assert_says(&overview, &["No site is open yet", "Nothing is recorded yet"]);
    for (path, title, says) in [
        ("/ui/sites", "Sites", "No site is open yet."),
        ("/ui/items", "Items", "No item is described yet."),
        ("/ui/items/X", "X", "No site ever saw it."),
    ] {
        let page = browse(&service, path).await.expect(200);
        assert_page(&page, title);
        assert_says(&page, &[says]);
    }
}

#[tokio::test]
async fn stock_is_listed_searched_and_looked_up_in_the_past() {
    let service = shop().await;
    let stock = browse(&service, "/ui/sites/uk/stock").await.expect(200);
    assert_page(&stock, "Stock at uk");
    assert_says(&stock, &["CUP &#60;1&#62; 7 0 0 low 7", "12,145 1,000 0 11,145 box", "2 items shown"]);
    assert!(stock.text.contains(r#"href="/ui/sites/uk/stock/CUP%20%3C1%3E""#));
    let found =
        browse(&service, "/ui/sites/uk/stock?sku=MU&available=&as_of=&axis=recorded").await.expect(200);
    assert_says(&found, &["1 item shown"]);
    assert!(!found.text.contains("CUP"));
    let low = browse(&service, "/ui/sites/uk/stock?available=10").await.expect(200);
    assert!(low.text.contains("CUP") && !low.text.contains("stock/MUG"));
    let none = browse(&service, "/ui/sites/uk/stock?sku=ZZ").await.expect(200);
    assert_says(&none, &["Nothing here matches."]);
    let first = browse(&service, "/ui/sites/uk/stock?limit=1").await.expect(200);
    let next = first.text.split("href=\"").find(|link| link.contains("rel=\"next\"")).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let second = browse(&service, &next).await.expect(200);
    assert_says(&second, &["12,145", "1 item shown"]);
    let level = service.get("/v1/sites/uk/stock/MUG/movements?first=oldest").await.expect(200);
    let position = level.json["data"][0]["position"].as_str().unwrap().to_owned();
    let past = browse(&service, &format!("/ui/sites/uk/stock?as_of={position}")).await.expect(200);
    assert_says(&past, &["12,345 0 0 12,345 box", "as recorded then"]);
    let low =
        browse(&service, &format!("/ui/sites/uk/stock?as_of={position}&available=12345")).await.expect(200);
    assert_says(&low, &["12,345 0 0 12,345 box", "1 item shown"]);
    let low =
        browse(&service, &format!("/ui/sites/uk/stock?as_of={position}&available=12344")).await.expect(200);
    assert_says(&low, &["Nothing here matches."]);
    let by_occurrence = "/ui/sites/uk/stock?as_of=2026-01-01T00:00&axis=occurred&available=3";
    let neither = browse(&service, by_occurrence).await.expect(400);
    assert_page(&neither, "Malformed request");
}

#[tokio::test]
async fn an_item_shows_its_history_and_why_its_level_is_what_it_is() {
    let service = shop().await;
    let item = browse(&service, "/ui/sites/uk/stock/MUG").await.expect(200);
    assert_page(&item, "&#60;script&#62;alert(1)&#60;/script&#62;&#34; onload=&#39;x&#39; &#38; &#60;b&#62;");
    assert_says(
        &item,
        &[
            "counted in box",
            "On hand 12,145",
            "Reserved 1,000 for open orders",
            "Available 11,145",
            "Why it is 12,145",
            "All movements add up",
            "Stock received 1 0 +12,345 0 0",
            "Reserved for 1 open order o/1 1,000 since",
            "\u{2212}200 \u{2212}200 0 12,145 o/1 local first &#60;i&#62;van&#60;/i&#62;",
            "3 movements shown",
        ],
    );
    assert!(item.text.contains(r#"href="/ui/sites/uk/orders/o%2F1""#));
    assert_eq!(item.text.matches("<svg").count(), 2);
    assert!(item.text.contains("highest 12,345, 12,145 at the end, in box."), "{}", item.text);
}

#[tokio::test]
async fn the_past_of_an_item_has_nothing_of_what_came_later() {
    let service = shop().await;
    let movements = service.get("/v1/sites/uk/stock/MUG/movements?first=oldest").await.expect(200);
    let first = &movements.json["data"][0];
    let (position, at) = (first["position"].as_str().unwrap(), first["recorded_at"].as_str().unwrap());
    for as_of in [position.to_owned(), at.to_owned(), format!("{at}&axis=occurred")] {
        let path = format!("/ui/sites/uk/stock/MUG?as_of={as_of}");
        let page = browse(&service, &path).await.expect(200);
        let is_by_occurrence = as_of.contains("axis");
        // The order is said to have happened before.
        let (shown, all) = if is_by_occurrence {
            ("2 movements shown", "All 2")
        } else {
            ("1 movement shown", "One movement by")
        };
        assert_says(&page, &[shown, all, "On hand 12,345"]);
        assert!(!page.text.contains("Order shipped"), "{as_of}: {}", page.text);
        let csv = browse(&service, &format!("{path}&format=csv")).await.expect(200);
        assert_eq!(csv.text.lines().count(), if is_by_occurrence { 3 } else { 2 }, "{}", csv.text);
        assert!(page.text.contains("?as_of="), "the rows for programs are those of then: {}", page.text);
    }
    let before = browse(&service, "/ui/sites/uk/stock/MUG?as_of=0.1").await.expect(200);
    assert_says(&before, &["Nothing moved until then.", "On hand 0"]);
}

#[tokio::test]
async fn orders_lead_to_their_trail_and_the_trail_to_people_and_items() {
    let service = shop().await;
    let orders = browse(&service, "/ui/sites/uk/orders").await.expect(200);
    assert_page(&orders, "Orders at uk");
    assert_says(
        &orders,
        &["o/1 2026-01-02 03:04:05 Partially shipped c-7 1 1,200 200 1,000", "Refused 1 9 0 0"],
    );
    let refused = browse(&service, "/ui/sites/uk/orders?status=refused").await.expect(200);
    assert!(!refused.text.contains("o%2F1") && refused.text.contains("orders/o-2"));
    let order = browse(&service, "/ui/sites/uk/orders/o%2F1").await.expect(200);
    assert_page(&order, "Order o/1");
    assert_says(
        &order,
        &[
            "1,200 200 0 0 box 2.55 GBP",
            "Order placed 2026-01-02 03:04:05 UTC by local",
            "Order shipped",
            "key test-",
        ],
    );
    let refused = browse(&service, "/ui/sites/uk/orders/o-2").await.expect(200);
    assert_says(&refused, &["Out of stock", "CUP &#60;1&#62; 9 7"]);
    let found = browse(&service, "/ui/sites/uk/orders?order_id=o%2F1").await.expect(303);
    assert_eq!(found.header("location"), "/ui/sites/uk/orders/o%2F1");
}

#[tokio::test]
async fn every_table_has_the_same_rows_as_csv_and_json() {
    let service = shop().await;
    service.receive("=1+1", 1).await;
    for (path, rows) in [
        ("/ui/sites", 1),
        ("/ui/items", 1),
        ("/ui/items/MUG", 1),
        ("/ui/sites/uk/stock", 3),
        ("/ui/sites/uk/stock?available=10", 2),
        ("/ui/sites/uk/stock/MUG", 3),
        ("/ui/sites/uk/orders", 2),
        ("/ui/sites/uk/orders/o%2F1", 1),
    ] {
        let page = browse(&service, path).await.expect(200);
        let sign = if path.contains('?') { '&' } else { '?' };
        for format in ["csv", "json"] {
            assert!(page.text.contains(&format!("format={format}\"")), "{path} has no link to {format}");
        }
        let csv = browse(&service, &format!("{path}{sign}format=csv")).await.expect(200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(csv.text.lines().count(), rows + 1, "{path}: {}", csv.text);
        let json = browse(&service, &format!("{path}{sign}format=json")).await.expect(200);
        assert_eq!(json.json["data"].as_array().unwrap().len(), rows, "{path}: {}", json.text);
    }
    let stock = browse(&service, "/ui/sites/uk/stock?format=csv").await.expect(200);
    assert!(stock.text.contains("uk,'=1+1,1,0,0,1,"), "{}", stock.text);
    let api = service.get("/v1/sites/uk/stock").await.expect(200);
    let own = browse(&service, "/ui/sites/uk/stock?format=json").await.expect(200);
    assert_eq!(own.json["data"], api.json["data"]);
}

#[tokio::test]
async fn a_problem_is_a_page_for_a_browser_and_a_document_for_a_program() {
    let service = shop().await;
    let page = browse(&service, "/ui/sites/nowhere/stock").await.expect(404);
    assert_page(&page, "Unknown site");
    assert_says(&page, &["no site nowhere was ever opened", "status 404"]);
    assert!(page.text.contains(r#"href="/problems/unknown-site""#));
    let document = service.get("/ui/sites/nowhere/stock").await.expect(404);
    assert_eq!(
        (document.header("content-type"), document.code()),
        ("application/problem+json", "unknown-site")
    );
    let hostile = browse(&service, "/ui/sites/uk/stock/%3Cscript%3E").await.expect(404);
    assert!(!hostile.text.contains("<script"), "{}", hostile.text);
    let query = browse(&service, "/ui/sites/uk/stock?colour=%3Cscript%3E").await.expect(400);
    assert!(!query.text.contains("<script"), "{}", query.text);
}

#[tokio::test]
async fn what_pages_load_comes_from_here() {
    let service = Service::start().await;
    let style = browse(&service, "/ui/style.css").await.expect(200);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert!(style.text.contains("prefers-color-scheme: dark") && !style.text.contains("url("));
    let icon = browse(&service, "/ui/icon.svg").await.expect(200);
    assert_eq!(icon.header("content-type"), "image/svg+xml");
    let script = browse(&service, "/ui/live.js").await.expect(200);
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    assert!(
        script.text.len() < 10_000 && !script.text.contains("eval") && !script.text.contains("innerHTML")
    );
    let known = script.header("etag").to_owned();
    let again = crate::support::get("/ui/live.js").header("if-none-match", &known);
    let again = service.send(again.body(Body::empty()).unwrap()).await.expect(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", known.as_str()));
}

#[tokio::test]
async fn projections_say_where_each_version_stands() {
    let service = shop().await;
    // The tables are level before it is asked how far they are.
    service.get("/v1/sites/uk").await.expect(200);
    let page = browse(&service, "/ui/projections").await.expect(200);
    assert_page(&page, "Projections");
    let json = service.get("/v1/projections").await.expect(200);
    let digest = json.json["versions"][0]["digest"].as_str().unwrap();
    assert_says(&page, &["Version 1 Active", digest, "0 s, 0 records"]);
}

#[tokio::test]
async fn a_node_without_an_audit_key_says_so_on_the_page_too() {
    let service = Service::start().await;
    let page = browse(&service, "/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    assert_says(&page, &["this node signs no checkpoints: it has no audit key"]);
}

#[tokio::test]
async fn tables_are_rebuilt_and_changed_over_after_a_second_look() {
    let service = shop().await;
    service.get("/v1/sites/uk").await.expect(200);
    let submit = async |path: &str, body: &str| {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("sec-fetch-site", "same-origin").header("accept", "text/html");
        service.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let asked = browse(&service, "/ui/projections/rebuild").await.expect(200);
    assert_page(&asked, "Rebuild the read tables");
    let begun = submit("/ui/projections/rebuild", "").await.expect(303);
    assert_eq!(begun.header("location"), "/ui/projections");
    until_versions(&service.router, |seen| !seen["last_rebuild"].is_null()).await;
    let page = browse(&service, "/ui/projections").await.expect(200);
    assert_says(&page, &["Version 2 Active", "Version 1 Retired", "Answer from this version"]);
    let asked = browse(&service, "/ui/projections/switch?version=1").await.expect(200);
    assert_page(&asked, "Answer from version 1");
    submit("/ui/projections/switch", "version=1").await.expect(303);
    assert_says(&browse(&service, "/ui/projections").await, &["Version 1 Active"]);
    let none = submit("/ui/projections/switch", "version=9").await.expect(404);
    assert_page(&none, "Answer from version 9");
    assert_says(&none, &["Not done."]);
    submit("/ui/projections/switch", "version=x").await.expect(400);
}
