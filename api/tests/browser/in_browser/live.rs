//! Pages that renew themselves: numbers change while one looks, and nothing that one does is taken away.

use serde_json::{Value, json};

use crate::browser::{Browser, Scripts, TAB};
use crate::place::Place;

/// What a renewal would throw away: it is there as long as the page was neither loaded again nor replaced.
async fn mark(browser: &Browser) {
    browser.run("document.querySelector('#now').dataset.mark = 'kept'; window.loaded = 'once'").await;
}

/// Whether the page was loaded only once, and whether its numbers are still those that were marked.
async fn marks(browser: &Browser) -> (bool, bool) {
    let marks = "return [window.loaded === 'once', document.querySelector('#now').dataset.mark === 'kept']";
    let marks = browser.run(marks).await;
    (marks[0].as_bool().unwrap(), marks[1].as_bool().unwrap())
}

async fn receive(place: &Place, quantity: u32) {
    let lines = json!([{ "sku": "TEA", "quantity": quantity }]);
    place.post("/v1/sites/uk/receipts", json!({ "lines": lines })).await;
}

#[tokio::test]
async fn numbers_change_while_somebody_looks_at_them() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    for (path, before, after) in [
        ("/ui", "On hand 1,205", "On hand 1,206"),
        ("/ui/sites/uk/stock?sku=TEA", "TEA Black tea 8", "TEA Black tea 9"),
        ("/ui/sites/uk/stock/TEA", "Why it is 9", "Why it is 10"),
        ("/ui/events?sku=TEA&type=stock_received", "4 decisions shown", "5 decisions shown"),
    ] {
        browser.go(path).await;
        browser.reads(&["Live", "Pause", before]).await;
        mark(&browser).await;
        receive(&place, 1).await;
        browser.reads(&[after, "Live"]).await;
        assert_eq!(marks(&browser).await, (true, false), "{path} was renewed and not loaded");
    }
    browser.go("/ui/sites/uk/orders/o-1").await;
    browser.reads(&["Live", "Partially shipped"]).await;
    place
        .post("/v1/sites/uk/orders/o-1/shipments", json!({ "lines": [{ "sku": "MUG", "quantity": 10 }] }))
        .await;
    browser.reads(&["Status Shipped", "Live"]).await;
    browser.close().await;
}

#[tokio::test]
async fn nothing_is_taken_from_whoever_works_with_the_page() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui/sites/uk/stock").await;
    browser.reads(&["Live"]).await;
    mark(&browser).await;
    browser.fill("SKU begins with", "TE").await;
    receive(&place, 5).await;
    browser.reads(&["Something new was recorded", "Show it", "Black tea 7"]).await;
    assert_eq!(browser.focused().await.1, "sku", "whoever types goes on to type");
    // Also who has left the field: what was typed waits for its button.
    browser.keys(TAB).await;
    assert_eq!(marks(&browser).await, (true, true));
    assert_eq!(browser.value("SKU begins with").await, "TE");
    browser.press("Show it").await;
    browser.reads(&["Black tea 12"]).await;
    assert_eq!(marks(&browser).await, (true, false));
    assert_eq!(browser.value("SKU begins with").await, "TE");
    assert_eq!(browser.focused().await.0, "Pause", "the keyboard is where the button was");
    browser.close().await;
}

#[tokio::test]
async fn news_wait_for_whoever_has_scrolled_and_for_whoever_pauses() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui").await;
    browser.resize(390).await;
    browser.reads(&["Live", "On hand 1,205"]).await;
    browser.run("window.scrollTo(0, 400)").await;
    mark(&browser).await;
    receive(&place, 1).await;
    browser.reads(&["Something new was recorded"]).await;
    assert_eq!(marks(&browser).await, (true, true));
    assert_eq!(browser.run("return window.scrollY").await, json!(400));
    // Back at the top it comes by itself.
    browser.run("window.scrollTo(0, 0)").await;
    browser.reads(&["On hand 1,206", "Live"]).await;

    browser.press("Pause").await;
    browser.reads(&["Paused", "Go on"]).await;
    receive(&place, 1).await;
    browser.go("/ui/sites/uk/stock").await;
    browser.comes_to_read("Black tea 9").await;
    browser.reads(&["Paused"]).await;
    mark(&browser).await;
    receive(&place, 1).await;
    browser.press("Go on").await;
    browser.reads(&["Live", "Black tea 10"]).await;
    assert_eq!(marks(&browser).await, (true, false));
    browser.close().await;
}

#[tokio::test]
async fn without_scripts_nothing_is_said_of_it() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Blocked).await;
    browser.go("/ui").await;
    browser.reads(&["On hand 1,205"]).await;
    let text = browser.text().await;
    assert!(!text.contains("Live") && !text.contains("Pause"), "{text}");
    browser.close().await;
}

#[tokio::test]
async fn a_session_is_told_of_news_until_it_ends() {
    let place = Place::with_keys().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui/sites/uk/stock").await;
    browser.fill("API key", place.token.as_deref().unwrap()).await;
    browser.press("Sign in").await;
    browser.reads(&["Live", "Black tea 7"]).await;
    receive(&place, 1).await;
    browser.reads(&["Black tea 8", "Live"]).await;
    // As another window of the same browser would.
    let sign_out = "return fetch('/ui/sign-out', { method: 'POST', redirect: 'manual' }).then(() => null)";
    assert_eq!(browser.run(sign_out).await, Value::Null);
    browser.reads(&["Not live"]).await;
    let text = browser.text().await;
    assert!(text.contains("Black tea"), "what was there stays: {text}");
    browser.close().await;
}
