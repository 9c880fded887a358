//! Signing in: a token for a session, what a session opens, what ends it, and that no other page can use it.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use stockledger_schemas::KeyScope;

use crate::keys::Guarded;
use crate::support::{Answer, send};
use crate::ui::{assert_page, assert_says};

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// A browser that remembers its cookie.
struct Browser<'a> {
    guarded: &'a Guarded,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    /// With tables that are level with all that was decided.
    async fn new(guarded: &'a Guarded) -> Self {
        guarded.service.get("/v1/sites/uk").await.expect(200);
        Self { guarded, cookie: None }
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: &str) -> Answer {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        let request = request.header("accept", HTML).body(Body::from(body.to_owned())).unwrap();
        let answer = send(&self.guarded.router, request).await;
        if let Some(pair) = answer.header("set-cookie").split(';').next().filter(|pair| !pair.is_empty()) {
            self.cookie = Some(pair.to_owned());
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    async fn submit(&mut self, path: &str, body: &str) -> Answer {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("sec-fetch-site", "same-origin"), body).await
    }
}

#[tokio::test]
async fn a_token_opens_a_session_that_opens_what_its_key_does() {
    let guarded = Guarded::start().await;
    let reader = guarded.key("anna", &[KeyScope::StockRead], json!({})).await;
    let mut browser = Browser::new(&guarded).await;
    let asked = browser.get("/ui/sites/uk/stock?sku=C").await.expect(401);
    assert_page(&asked, "Sign in");
    assert!(asked.text.contains(r#"name="next" value="/ui/sites/uk/stock?sku=C""#), "{}", asked.text);
    assert!(!asked.text.contains("role=\"alert\""), "{}", asked.text);

    let body = format!("token={}&next=%2Fui%2Fsites%2Fuk%2Fstock", reader.reveal());
    let signed_in = browser.submit("/ui/sign-in", &body).await.expect(303);
    assert_eq!(signed_in.header("location"), "/ui/sites/uk/stock");
    let cookie = signed_in.header("set-cookie");
    assert!(
        cookie.starts_with("stockledger_session=") && cookie.contains("; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains("slk_") && !cookie.contains(reader.key_id().as_str()), "{cookie}");

    assert_page(&browser.get("/ui/sites/uk/stock").await.expect(200), "Stock at uk");
    let account = browser.get("/ui/account").await.expect(200);
    assert_says(&account, &["recorded as anna", "stock:read", "Sites all", "Sign out"]);
    let item = browser.get("/ui/sites/uk/stock/CANARY-SKU").await.expect(200);
    assert_says(&item, &["your key needs the scope audit:read"]);
    let forbidden = browser.get("/ui/projections").await.expect(403);
    assert_page(&forbidden, "Forbidden");
    assert_says(&forbidden, &["does not have the scope admin"]);
    browser.get("/v1/sites/uk/stock").await.expect(200);

    let cookie = browser.cookie.clone();
    browser.submit("/ui/sign-out", "").await.expect(303);
    browser.get("/ui").await.expect(401);
    browser.cookie = cookie;
    let ended = browser.get("/ui").await.expect(401);
    assert_says(&ended, &["the session has ended; sign in again"]);
}

#[tokio::test]
async fn what_is_no_key_opens_nothing_and_is_counted() {
    let guarded = Guarded::start().await;
    let mut browser = Browser::new(&guarded).await;
    let (begin, last) = guarded.boss.reveal().split_at(guarded.boss.reveal().len() - 1);
    let forged = format!("{begin}{}", if last == "0" { "1" } else { "0" });
    for token in ["", "slk_x", "%22%3E%3Cscript%3E", &forged] {
        let refused = browser.submit("/ui/sign-in", &format!("token={token}")).await.expect(401);
        assert_page(&refused, "Sign in");
        assert_says(&refused, &["the API key is not known"]);
        assert_eq!((refused.header("set-cookie"), browser.cookie.as_ref()), ("", None));
    }
    let late = guarded.key("late", KeyScope::ALL, json!({ "expires_at": "2020-01-01T00:00:00Z" })).await;
    let expired = browser.submit("/ui/sign-in", &format!("token={}", late.reveal())).await.expect(401);
    assert_says(&expired, &["the API key has expired"]);
    let elsewhere = format!("token={}&next=https%3A%2F%2Fevil.example%2Fui", guarded.boss.reveal());
    assert_eq!(browser.submit("/ui/sign-in", &elsewhere).await.expect(303).header("location"), "/ui");
}

#[tokio::test]
async fn a_session_ends_when_its_key_is_revoked() {
    let guarded = Guarded::start().await;
    let token = guarded.key("gone", KeyScope::ALL, json!({})).await;
    let mut browser = Browser::new(&guarded).await;
    browser.submit("/ui/sign-in", &format!("token={}", token.reveal())).await.expect(303);
    browser.get("/ui").await.expect(200);
    guarded.revoke(&token).await.expect(201);
    let ended = browser.get("/ui").await.expect(401);
    assert_page(&ended, "Sign in");
    assert_says(&ended, &["the session has ended"]);
    // Whoever sent a form meanwhile comes back to its page.
    let late =
        browser.submit("/ui/sites/uk/receive", "lines-0-sku=A&lines-0-quantity=1&key=k").await.expect(401);
    assert!(late.text.contains(r#"name="next" value="/ui/sites/uk/receive""#), "{}", late.text);
}

#[tokio::test]
async fn a_session_carries_out_no_command_of_the_json() {
    let guarded = Guarded::start().await;
    let token = guarded.key("all", KeyScope::ALL, json!({})).await;
    let mut browser = Browser::new(&guarded).await;
    browser.submit("/ui/sign-in", &format!("token={}", token.reveal())).await.expect(303);
    let request = Request::post("/v1/sites/uk/notes").header("content-type", "application/json");
    let request = request.header("idempotency-key", "k").header("sec-fetch-site", "same-origin");
    browser.send(request, r#"{"note":"by cookie"}"#).await.expect(401);
}

#[tokio::test]
async fn a_form_of_another_page_is_refused() {
    let guarded = Guarded::start().await;
    let token = guarded.key("all", KeyScope::ALL, json!({})).await;
    let mut browser = Browser::new(&guarded).await;
    browser.submit("/ui/sign-in", &format!("token={}", token.reveal())).await.expect(303);
    let form = || Request::post("/ui/sign-out").header("content-type", "application/x-www-form-urlencoded");
    for (what, request) in [
        (
            "another site",
            form().header("sec-fetch-site", "cross-site").header("host", "l").header("origin", "http://l"),
        ),
        ("a subdomain", form().header("sec-fetch-site", "same-site")),
        ("another origin", form().header("host", "ledger:7070").header("origin", "http://evil.example")),
        ("nobody", form()),
    ] {
        let refused = browser.send(request, "").await.expect(403);
        assert_page(&refused, "Forbidden");
        assert_says(&refused, &["not sent from a page of this service"]);
        assert_eq!(browser.get("/ui").await.status, 200, "{what} signed out");
    }
    browser
        .send(form().header("host", "ledger:7070").header("origin", "http://ledger:7070"), "")
        .await
        .expect(303);
    browser.get("/ui").await.expect(401);
}

#[tokio::test]
async fn the_theme_is_chosen_without_a_script() {
    let guarded = Guarded::start().await;
    let mut browser = Browser::new(&guarded).await;
    let both = browser.get("/ui/style.css").await.expect(200);
    assert!(both.text.contains("color-scheme: light dark;"));
    // A browser asks each time; what it has and is still the same is not sent again.
    assert_eq!((both.header("vary"), both.header("cache-control")), ("cookie", "no-cache"));
    let known = both.header("etag").to_owned();
    let again =
        browser.send(Request::get("/ui/style.css").header("if-none-match", &known), "").await.expect(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", known.as_str()));
    for (theme, scheme, media) in [
        ("dark", "color-scheme: dark;", "@media all {"),
        ("light", "color-scheme: light;", "@media not all {"),
    ] {
        browser.submit("/ui/theme", &format!("theme={theme}")).await.expect(303);
        let style = browser.get("/ui/style.css").await.expect(200);
        assert!(style.text.contains(scheme) && style.text.contains(media), "{theme}");
        assert!(!style.text.contains("prefers-color-scheme"), "{theme}");
        browser.send(Request::get("/ui/style.css").header("if-none-match", &known), "").await.expect(200);
    }
    browser.submit("/ui/theme", "theme=system").await.expect(303);
    assert_eq!(browser.get("/ui/style.css").await.expect(200).text, both.text);
    browser.submit("/ui/theme", "theme=%3Cb%3E").await.expect(400);
}
