//! Signing in with a browser, and what is kept there.

use crate::browser::{Browser, Scripts};
use crate::place::Place;

#[tokio::test]
async fn people_sign_in_with_their_key_and_out_again() {
    let place = Place::with_keys().await;
    let token = place.token.clone().unwrap();
    let browser = Browser::open(&place.url, Scripts::Blocked).await;
    browser.go("/ui/sites/uk/stock").await;
    browser.reads(&["Sign in", "API key"]).await;
    browser.fill("API key", "slk_wrong").await;
    browser.press("Sign in").await;
    browser.reads(&["the API key is not known"]).await;
    browser.fill("API key", &token).await;
    browser.press("Sign in").await;
    browser.reads(&["Stock at uk", "Coffee mug"]).await;
    assert_eq!(browser.path().await, "/ui/sites/uk/stock");
    browser.follow("Receive").await;
    browser.fill("SKU of line 1", "MUG").await;
    browser.fill("Quantity of line 1", "1").await;
    browser.press("Receive").await;
    browser.reads(&["Stock received at position"]).await;
    browser.follow("Events").await;
    browser.reads(&["boss"]).await;
    browser.follow("Account").await;
    browser.reads(&["recorded as boss", "audit:read"]).await;
    browser.press("Sign out").await;
    browser.reads(&["Sign in"]).await;
    browser.go("/ui").await;
    browser.reads(&["API key"]).await;
    browser.close().await;
}

#[tokio::test]
async fn no_script_sees_the_session() {
    let place = Place::with_keys().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui/sign-in").await;
    browser.fill("API key", place.token.as_deref().unwrap()).await;
    browser.press("Sign in").await;
    browser.reads(&["Overview"]).await;
    assert_eq!(browser.run("return document.cookie").await, "");
    browser.close().await;
}
