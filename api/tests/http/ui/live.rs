//! Pages that renew themselves: which do, of which events they wait for news, and that a session opens no more by it.

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use serde_json::json;
use stockledger_log::Entry;
use stockledger_projections::{Activity, Status};
use stockledger_schemas::{KeyScope, PartitionId};
use tokio::time::Instant;

use crate::keys::{Guarded, closed};
use crate::support::{Answer, PATIENCE, Service, get, send};
use crate::ui::events::level;
use crate::ui::{assert_page, assert_says, browse};

/// The stream that a page waits for news from; nothing if it does not renew itself.
fn stream(page: &Answer) -> Option<String> {
    let (_, rest) = page.text.split_once("data-stream=\"")?;
    Some(rest.split('"').next().unwrap().replace("&#38;", "&"))
}

#[tokio::test]
async fn a_page_waits_for_news_of_what_it_is_about() {
    let service = Service::start().await;
    service.receive("M/G", 5).await;
    let order = r#"{"order_id":"o/1","lines":[{"sku":"M/G","quantity":2}]}"#;
    service.post("/v1/sites/uk/orders", order).await.expect(201);
    level(&service).await;
    let at = service.get("/v1/sites/uk/stock/M%2FG").await.expect(200);
    let at = at.header("ledger-position").to_owned();
    for (path, about) in [
        ("/ui/sites/uk/stock", "site=uk&"),
        ("/ui/sites/uk/stock?sku=M&available=9", "site=uk&"),
        ("/ui/sites/uk/stock/M%2FG", "site=uk&sku=M%2FG&"),
        ("/ui/sites/uk/orders", "site=uk&"),
        ("/ui/sites/uk/orders/o%2F1", "site=uk&order=o%2F1&"),
    ] {
        let page = browse(&service, path).await.expect(200);
        assert_eq!(stream(&page), Some(format!("/v1/events/stream?{about}after={at}")), "{path}");
    }
    for (path, about) in [("/ui", ""), ("/ui/events?site=uk&type=order_placed", "site=uk&type=order_placed&")]
    {
        let page = browse(&service, path).await.expect(200);
        let found = stream(&page).unwrap();
        let cursor = found.strip_prefix(&format!("/v1/events/stream?{about}after=")).expect(path);
        let behind = service.get(&format!("/v1/events?after={cursor}")).await.expect(200);
        assert_eq!(behind.json["data"], json!([]), "{path} shows all that there is");
    }
}

#[tokio::test]
async fn what_shows_nothing_new_waits_for_nothing() {
    let service = Service::start().await;
    for number in 0..3 {
        service.receive(&format!("S{number}"), 5).await;
    }
    level(&service).await;
    let events = browse(&service, "/ui/events?limit=1").await.expect(200);
    let older = events.text.split("href=\"").find(|link| link.contains("rel=\"next\"")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    for path in [
        "/ui/sites/uk/stock?as_of=0.1",
        "/ui/sites/uk/stock/S1?as_of=0.3",
        &older,
        "/ui/sites",
        "/ui/account",
        "/ui/sign-in",
        "/ui/sites/uk/receive",
        "/ui/projections",
    ] {
        let page = browse(&service, path).await.expect(200);
        assert_eq!(stream(&page), None, "{path}");
        let policy = page.header("content-security-policy");
        assert!(!page.text.contains("<script"), "{path}");
        assert!(
            path.contains("as_of") || path == older || !policy.contains("script-src"),
            "{path}: {policy}"
        );
    }
}

#[tokio::test]
async fn tables_that_have_stopped_are_said_so_and_wait_for_nothing() {
    let service = Service::start().await;
    service.receive("A", 10).await;
    let home = service.get("/v1/sites/uk").await.json["partition"].as_u64().unwrap();
    let home = PartitionId(u16::try_from(home).unwrap());
    service.log.faults().land(home.0, Entry::new(Bytes::new(), Bytes::from_static(b"nonsense")));
    let is_halted = |status: &Status| matches!(status.activity, Activity::Halted { .. });
    let deadline = Instant::now() + PATIENCE;
    assert!(service.projector.progress().until(home, deadline, is_halted).await);
    service.feed.end(deadline).await;
    for path in ["/ui", "/ui/sites/uk/stock", "/ui/sites/uk/stock/A"] {
        // No table comes further, so none is waited for.
        let request = get(path).header("accept", "text/html").body(Body::empty()).unwrap();
        let page = service.send(request).await.expect(200);
        assert_says(&page, &["These numbers have stopped:", "stopped", "10"]);
        assert!(page.text.contains("note bad"), "{}", page.text);
        assert_eq!(stream(&page), None, "{path}");
    }
    let overview = get("/ui").header("accept", "text/html").body(Body::empty()).unwrap();
    let overview = service.send(overview).await.expect(200);
    assert_says(
        &overview,
        &["A partition of the log cannot be read on", "halted", ": 3 events, 0 orders placed"],
    );
}

#[tokio::test]
async fn a_session_reads_the_stream_as_its_key_does() {
    let guarded = Guarded::start().await;
    guarded.service.get("/v1/sites/uk").await.expect(200);
    level(&guarded.service).await;
    let signed_in = async |scopes: &[KeyScope], sites: serde_json::Value| {
        let token = guarded.key("reader", scopes, sites).await;
        let form = Request::post("/ui/sign-in").header("content-type", "application/x-www-form-urlencoded");
        let form = form.header("sec-fetch-site", "same-origin").header("accept", "text/html");
        let body = Body::from(format!("token={}", token.reveal()));
        let answer = send(&guarded.router, form.body(body).unwrap()).await.expect(303);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    };
    let ask = async |cookie: &str, path: &str, accept: &str| {
        let request = Request::get(path).header("cookie", cookie).header("accept", accept);
        // A stream ends as soon as it has told what there is.
        send(&guarded.router, request.extension(closed()).body(Body::empty()).unwrap()).await
    };
    let stock = signed_in(&[KeyScope::StockRead], json!({})).await;
    let page = ask(&stock, "/ui/sites/uk/stock", "text/html").await.expect(200);
    assert_page(&page, "Stock at uk");
    assert_eq!(stream(&page), None, "who may not read events has no stream of them");
    ask(&stock, "/v1/events/stream", "text/event-stream").await.expect(403);

    let both = [KeyScope::StockRead, KeyScope::AuditRead];
    let fr = signed_in(&both, json!({ "sites": ["fr"] })).await;
    let page = ask(&fr, "/ui/sites/fr/stock", "text/html").await.expect(200);
    let own = stream(&page).expect("a stream of the own site");
    ask(&fr, &own, "text/event-stream").await.expect(200);
    let all = ask(&fr, "/v1/events?after=0.0", "application/json").await.expect(200);
    assert!(!all.text.contains("CANARY"), "{}", all.text);
    ask(&fr, "/ui/sites/uk/stock", "text/html").await.expect(404);
    // A ticket that nobody has opens nothing, however it is asked for.
    ask("stockledger_session=0", "/v1/events/stream", "text/event-stream").await.expect(401);
}
