//! How much was recorded lately, on the overview: of the log itself, by the minute, and of nobody else's sites.

use axum::body::Body;
use serde_json::json;
use stockledger::http::{self, App, Gate, Roles};
use stockledger_schemas::KeyScope;

use crate::keys::{Guarded, request};
use crate::support::{Answer, Service, get, send};
use crate::ui::events::level;
use crate::ui::{assert_page, assert_says, browse, words};

/// How many bars a page has, in each of its two widths.
fn bars(page: &Answer) -> usize {
    page.text.matches("<rect class=\"bar\"").count() / 2
}

#[tokio::test]
async fn the_overview_tells_how_much_was_recorded_in_the_last_hour() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    for (order_id, status) in [("o-1", 201), ("o-2", 201), ("o-3", 409)] {
        let order = format!(r#"{{"order_id":"{order_id}","lines":[{{"sku":"MUG","quantity":2}}]}}"#);
        service.post("/v1/sites/uk/orders", order).await.expect(status);
    }
    level(&service).await;
    let page = browse(&service, "/ui").await.expect(200);
    assert_page(&page, "Overview");
    assert_says(
        &page,
        &["Events, last hour 9", "Events a minute", ": 9 events, 2 orders placed, 1 refused."],
    );
    // All of it is of this minute, or of two if one began meanwhile.
    assert!((1..=2).contains(&bars(&page)), "{}", page.text);
    assert!(page.text.contains(r#"<a href="/ui/events"><span class="label">Events, last hour"#));
}

#[tokio::test]
async fn a_node_that_only_answers_counts_what_others_wrote() {
    let service = Service::start().await;
    service.receive("MUG", 5).await;
    service.get("/v1/sites/uk").await.expect(200);
    level(&service).await;
    let roles = Roles { writer: None, projector: None, ..service.roles.clone() };
    let reader = App::new(service.node.clone(), roles, Gate::Open).telling(service.feed.clone());
    let asked = get("/ui").header("accept", "text/html").body(Body::empty()).unwrap();
    let page = send(&http::router(reader), asked).await.expect(200);
    assert_says(&page, &["Events, last hour 3", "not here"]);
    assert_eq!(words(&page).matches("not counted all of it").count(), 0);
}

#[tokio::test]
async fn events_of_other_sites_are_not_counted_for_a_key_of_one() {
    let guarded = Guarded::start().await;
    guarded.service.get("/v1/sites/uk").await.expect(200);
    level(&guarded.service).await;
    let count = async |sites: serde_json::Value| {
        let token = guarded.key("reader", &[KeyScope::StockRead], sites).await;
        let mut asked = request(&axum::http::Method::GET, "/ui", Some(token.reveal()), "");
        asked.headers_mut().insert("accept", "text/html".parse().unwrap());
        send(&guarded.router, asked).await.expect(200)
    };
    // Opened there, received, held, ordered; what the directory says of it is told to whoever may see all.
    let uk = count(json!({ "sites": ["uk"] })).await;
    assert_says(&uk, &["Events, last hour 5"]);
    assert!(
        uk.text.contains("<a href=\"#pace\">"),
        "who may not see events is not sent to them: {}",
        uk.text
    );
    let fr = count(json!({ "sites": ["fr"] })).await;
    assert_says(&fr, &["Events, last hour 1", ": 1 event, 0 orders placed"]);
    assert_eq!(bars(&fr), 1);
}
