//! API keys as pages: listed, made with a token that is shown once, and revoked, by admins alone.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use stockledger::keys::Token;
use stockledger_schemas::KeyScope;

use crate::keys::Guarded;
use crate::support::{Answer, send};
use crate::ui::{assert_page, assert_says};

const HTML: &str = "text/html,*/*;q=0.8";

async fn get(guarded: &Guarded, token: &Token, path: &str) -> Answer {
    let request = Request::get(path).header("accept", HTML);
    let request = request.header("authorization", format!("Bearer {}", token.reveal()));
    send(&guarded.router, request.body(Body::empty()).unwrap()).await
}

async fn submit(guarded: &Guarded, token: &Token, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::post(path).header("accept", HTML).header("sec-fetch-site", "same-origin");
    let request = request.header("authorization", format!("Bearer {}", token.reveal()));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(&guarded.router, request.body(Body::from(body)).unwrap()).await
}

/// What a form sends without being asked.
fn hidden(page: &Answer, name: &str) -> String {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_made_with_a_token_that_is_shown_once_and_works() {
    let guarded = Guarded::start().await;
    let boss = guarded.boss.clone();
    let form = get(&guarded, &boss, "/ui/keys/new").await.expect(200);
    assert_page(&form, "Make an API key");
    let (key, token) = (hidden(&form, "key"), hidden(&form, "token"));
    assert_says(&form, &["admin", "stock:read", "audit:read"]);
    let fields = [
        ("key", key.as_str()),
        ("token", &token),
        ("name", "anna"),
        ("scope-stock:read", "yes"),
        ("sites", "uk, fr"),
        ("expires_at", "2090-01-02T03:04"),
    ];
    let made = submit(&guarded, &boss, "/ui/keys/new", &fields).await.expect(200);
    assert_page(&made, "Make an API key");
    assert_says(&made, &["The key is made.", &token, "on record as anna"]);
    // Two clicks are one key, and the second shows the same token.
    let again = submit(&guarded, &boss, "/ui/keys/new", &fields).await.expect(200);
    assert_says(&again, &["The key is made.", &token]);

    let anna: Token = token.parse().unwrap();
    get(&guarded, &anna, "/ui").await.expect(200);
    get(&guarded, &anna, "/ui/keys").await.expect(403);
    let keys = get(&guarded, &boss, "/ui/keys").await.expect(200);
    assert_page(&keys, "API keys");
    assert_says(&keys, &["anna", anna.key_id().as_str(), "live stock:read", "uk, fr", "2090-01-02 03:04:00"]);
    assert!(!keys.text.contains(&token) && !keys.text.contains(&anna.hash().to_string()), "{}", keys.text);
    assert_eq!(keys.text.matches(anna.key_id().as_str()).count(), 3, "one row: {}", keys.text);
    let csv = get(&guarded, &boss, "/ui/keys?format=csv").await.expect(200);
    assert!(csv.text.contains(",anna,live,"), "{}", csv.text);
}

#[tokio::test]
async fn what_is_not_valid_makes_no_key_and_keeps_what_was_filled_in() {
    let guarded = Guarded::start().await;
    let boss = guarded.boss.clone();
    let form = get(&guarded, &boss, "/ui/keys/new").await.expect(200);
    let (key, token) = (hidden(&form, "key"), hidden(&form, "token"));
    let fields = [
        ("key", key.as_str()),
        ("token", &token),
        ("name", "<b>anna"),
        ("scope-audit:read", "yes"),
        ("expires_at", "soon"),
    ];
    let refused = submit(&guarded, &boss, "/ui/keys/new", &fields).await.expect(422);
    assert_page(&refused, "Make an API key");
    assert_says(&refused, &["Not made.", "expires_at"]);
    assert!(refused.text.contains("value=\"&#60;b&#62;anna\""), "{}", refused.text);
    assert!(refused.text.contains("name=\"scope-audit:read\" value=\"yes\" checked"), "{}", refused.text);
    assert_eq!((hidden(&refused, "key"), hidden(&refused, "token")), (key.clone(), token.clone()));
    let none = submit(&guarded, &boss, "/ui/keys/new", &[("key", &key), ("token", "slk_x")]).await;
    none.expect(400);
    let nowhere = [&fields[..3], &[("scope-audit:read", "yes"), ("sites", " , ")]].concat();
    let nowhere = submit(&guarded, &boss, "/ui/keys/new", &nowhere).await.expect(422);
    assert_says(&nowhere, &["Not made.", "sites"]);
    let all = get(&guarded, &boss, "/ui/keys?format=json").await.expect(200);
    assert_eq!(all.json["data"].as_array().unwrap().len(), 1, "{}", all.text);
}

#[tokio::test]
async fn a_form_that_was_decided_goes_on_with_a_key_and_a_token_of_its_own() {
    let guarded = Guarded::start().await;
    let boss = guarded.boss.clone();
    let form = get(&guarded, &boss, "/ui/keys/new").await.expect(200);
    let (key, token) = (hidden(&form, "key"), hidden(&form, "token"));
    let named = |name: &'static str| {
        [("key", key.as_str()), ("token", token.as_str()), ("name", name), ("scope-audit:read", "yes")]
    };
    submit(&guarded, &boss, "/ui/keys/new", &named("anna")).await.expect(200);
    let refused = submit(&guarded, &boss, "/ui/keys/new", &named("bert")).await.expect(422);
    assert_says(&refused, &["Not made."]);
    let (new_key, new_token) = (hidden(&refused, "key"), hidden(&refused, "token"));
    assert!(new_key != key && new_token != token);
    let fields =
        [("key", new_key.as_str()), ("token", &new_token), ("name", "bert"), ("scope-audit:read", "yes")];
    let made = submit(&guarded, &boss, "/ui/keys/new", &fields).await.expect(200);
    assert_says(&made, &["The key is made.", &new_token, "on record as bert"]);
}

#[tokio::test]
async fn a_key_is_revoked_after_a_second_look() {
    let guarded = Guarded::start().await;
    let boss = guarded.boss.clone();
    let anna = guarded.key("anna", &[KeyScope::StockRead], json!({})).await;
    let path = format!("/ui/keys/{}/revoke", anna.key_id());
    let asked = get(&guarded, &boss, &path).await.expect(200);
    assert_page(&asked, "Revoke an API key");
    assert!(!asked.text.contains("signed in with"), "{}", asked.text);
    get(&guarded, &anna, "/ui").await.expect(200);
    let key = hidden(&asked, "key");
    let revoked = submit(&guarded, &boss, &path, &[("key", &key)]).await.expect(303);
    assert_eq!(revoked.header("location"), "/ui/keys");
    get(&guarded, &anna, "/ui").await.expect(401);
    assert_says(&get(&guarded, &boss, "/ui/keys").await, &["revoked stock:read"]);
    let own = get(&guarded, &boss, &format!("/ui/keys/{}/revoke", boss.key_id())).await.expect(200);
    assert_says(&own, &["you are signed out"]);
    let unknown = submit(&guarded, &boss, "/ui/keys/nobody00/revoke", &[("key", "k")]).await.expect(404);
    assert_says(&unknown, &["Not done."]);
    assert_ne!(hidden(&unknown, "key"), "k", "what was decided under a key stays so");
}
