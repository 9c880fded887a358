//! The part of the audit page about verifications: each state that it can be in, and who may begin one.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use stockledger_schemas::KeyScope;

use crate::errors::assert_problem;
use crate::keys::Guarded;
use crate::support::{Answer, send};
use crate::ui::{assert_page, assert_says};
use crate::verification::Scrubbed;

const BEGIN: &str = "/ui/audit/verifications";
const BUTTON: &str = "<form method=\"post\" action=\"/ui/audit/verifications\">";

fn form(from: &str) -> axum::http::request::Builder {
    let request = Request::post(BEGIN).header("content-type", "application/x-www-form-urlencoded");
    request.header("accept", "text/html").header("sec-fetch-site", from)
}

async fn press(scrubbed: &Scrubbed) -> Answer {
    send(&scrubbed.router, form("same-origin").body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_page_shows_that_the_log_was_never_verified_that_it_is_good_and_that_it_is_wrong() {
    let scrubbed = Scrubbed::start().await;
    let page = scrubbed.get("/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    assert_says(&page, &["The log was not verified yet.", "Verify now", "verify_every is off"]);

    let pressed = press(&scrubbed).await.expect(303);
    assert_eq!(pressed.header("location"), "/ui/audit");
    scrubbed.until("its end", |seen| seen["last"].is_object()).await;
    let page = scrubbed.get("/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    assert_says(
        &page,
        &["Verification Good", "The log is whole", "2 events in 2 decisions", "s ago", "Verify now"],
    );
    assert!(!page.text.contains("role=\"alert\""), "{}", page.text);

    let (partition, expected, found) = scrubbed.break_chain().await;
    scrubbed.verify().await;
    let page = scrubbed.get("/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    let told = [
        "Verification Wrong".to_owned(),
        format!("Partition {partition} is wrong at offset"),
        format!("to continue hash {expected}"),
        format!("it continues hash {found}"),
        "Keep everything as it is".to_owned(),
    ];
    assert_says(&page, &told.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(page.text.contains("role=\"alert\""), "{}", page.text);
}

#[tokio::test]
async fn the_page_shows_one_that_is_under_way_and_one_that_was_given_up() {
    let scrubbed = Scrubbed::start_patient(Duration::from_secs(3_600)).await;
    scrubbed.service.log.faults().set_available(false);
    scrubbed.begin().await.expect(202);
    scrubbed.until("its end", |seen| seen["broken_off"].is_object()).await;
    let page = scrubbed.get("/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    assert_says(&page, &["says nothing: reading partition", "The log was not verified yet."]);

    scrubbed.service.log.faults().set_available(true);
    scrubbed.service.log.faults().cut_off(3, 1);
    for _ in 0..2 {
        press(&scrubbed).await.expect(303);
    }
    let page = scrubbed.get("/ui/audit").await.expect(200);
    assert_page(&page, "Audit");
    assert_says(&page, &["Verifying: 0 of 0 records since", "Look again"]);
    assert!(page.text.contains("<progress id=\"verifying\"") && !page.text.contains(BUTTON), "{}", page.text);
    scrubbed.verifications.stop().await;
}

#[tokio::test]
async fn only_an_admin_may_begin_one_and_only_from_a_page_of_ours() {
    let guarded = Guarded::start().await;
    let both = [KeyScope::AuditRead, KeyScope::Admin];
    for (scopes, sees_button, status) in [(&both[..1], false, 403), (&both[..], true, 303)] {
        let token = guarded.key("somebody", scopes, json!({})).await;
        let page = guarded.get(&token, "/ui/audit").await.expect(200);
        assert_says(&page, &["The log was not verified yet."]);
        assert_eq!(page.text.contains(BUTTON), sees_button, "{}", page.text);
        let bearer = format!("Bearer {}", token.reveal());
        let send_from = async |from: &str| {
            let request = form(from).header("authorization", &bearer).body(Body::empty()).unwrap();
            send(&guarded.router, request).await
        };
        assert_eq!(send_from("cross-site").await.status, 403);
        assert_eq!(send_from("same-origin").await.status, status);
    }
    let nobody = send(&guarded.router, Request::post(BEGIN).body(Body::empty()).unwrap()).await;
    assert_problem(&nobody, 401, "unauthenticated");
}
