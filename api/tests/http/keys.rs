//! API keys over HTTP: made, listed and revoked, on one node and on others, and who stands in the trail.
//!
//! Every route with every bad token: `key_matrix.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use stockledger::http::{self, App, Closing, Gate, Peer, Roles};
use stockledger::keys::{Keyring, Reading, Token};
use stockledger_log::{Entry, Log};
use stockledger_schemas::KeyScope;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::errors::assert_problem;
use crate::support::{Answer, PATIENCE, Service, get, send};

/// A service behind keys, with data at two sites.
pub(crate) struct Guarded {
    pub(crate) service: Service,
    pub(crate) keyring: Keyring,
    pub(crate) router: Router,
    pub(crate) boss: Token,
}

fn keyed(service: &Service) -> (Keyring, Router) {
    let log: Arc<dyn Log> = Arc::new(service.log.clone());
    let keyring = Keyring::follow(log, CancellationToken::new());
    let app = App::new(service.node.clone(), service.roles.clone(), Gate::Keyed(keyring.clone()));
    (keyring, http::router(app.telling(service.feed.clone())))
}

/// A service that is ending.
pub(crate) fn closed() -> Closing {
    let closing = Closing::default();
    closing.0.cancel();
    closing
}

pub(crate) fn request(method: &Method, path: &str, token: Option<&str>, body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let media_type = if path.starts_with("/v1/bulk") { "application/x-ndjson" } else { "application/json" };
    let request = request.header("content-type", media_type).header("idempotency-key", "a key of the matrix");
    // An answer without an end of its own ends at once.
    request.extension(closed()).body(Body::from(body.to_owned())).unwrap()
}

pub(crate) fn key_body(token: &Token, name: &str, scopes: &[KeyScope], more: &Value) -> Value {
    let mut body = json!({
        "key_id": token.key_id(), "name": name, "secret_hash": token.hash(), "scopes": scopes,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Waits for a condition, with a deadline.
async fn until(mut is_met: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut again = interval(std::time::Duration::from_millis(5));
    while !is_met() {
        assert!(Instant::now() < deadline, "the condition was never met");
        again.tick().await;
    }
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        let service = Service::start().await;
        service.put("/v1/sites/uk", r#"{"name":"Canary Site"}"#).await.expect(200);
        service.put("/v1/sites/fr", r#"{"name":"France"}"#).await.expect(201);
        service.receive("CANARY-SKU", 31_337).await;
        let hold = r#"{"hold_id":"canary-hold","sku":"CANARY-SKU","quantity":7}"#;
        service.post("/v1/sites/uk/holds", hold).await.expect(201);
        let order =
            r#"{"order_id":"canary-order","note":"canary-note","lines":[{"sku":"CANARY-SKU","quantity":2}]}"#;
        service.post("/v1/sites/uk/orders", order).await.expect(201);
        let (keyring, router) = keyed(&service);
        until(|| keyring.is_read()).await;
        let boss = Token::generate().unwrap();
        let guarded = Self { service, keyring, router, boss: boss.clone() };
        // The first one needs none.
        let body = key_body(&boss, "boss", &[KeyScope::Admin], &json!({}));
        guarded.post(None, "/v1/keys", "first", &body).await.expect(201);
        guarded
    }

    async fn post(&self, token: Option<&Token>, path: &str, key: &str, body: &Value) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let request = request.header("idempotency-key", key).body(Body::from(body.to_string()));
        send(&self.router, request.unwrap()).await
    }

    pub(crate) async fn get(&self, token: &Token, path: &str) -> Answer {
        send(&self.router, request(&Method::GET, path, Some(token.reveal()), "")).await
    }

    /// A key that boss makes; the members of `more` go into its body.
    pub(crate) async fn key(&self, name: &str, scopes: &[KeyScope], more: Value) -> Token {
        let token = Token::generate().unwrap();
        let body = key_body(&token, name, scopes, &more);
        self.post(Some(&self.boss), "/v1/keys", token.key_id().as_str(), &body).await.expect(201);
        token
    }

    pub(crate) async fn revoke(&self, token: &Token) -> Answer {
        let path = format!("/v1/keys/{}/revocation", token.key_id());
        self.post(Some(&self.boss), &path, &format!("revoke {}", token.key_id()), &json!({})).await
    }
}

#[tokio::test]
async fn without_keys_a_browser_here_is_no_door_for_a_page_of_somebody_else() {
    let service = Service::start().await;
    let ask = async |peer: &str, host: &str| {
        let request = get("/v1/info").header("host", host).extension(Peer(peer.parse().unwrap()));
        send(&service.router, request.body(Body::empty()).unwrap()).await
    };
    for host in ["localhost", "LOCALHOST:7070", "ledger.localhost", "127.0.0.1:7070", "[::1]:7070"] {
        ask("127.0.0.1:9", host).await.expect(200);
    }
    for host in ["evil.example", "evil.example:7070", "192.0.2.1", "localhost.evil.example", "a b"] {
        let refused = ask("127.0.0.1:9", host).await.expect(403);
        assert_eq!(refused.code(), "forbidden", "{host}");
        assert!(refused.json["detail"].as_str().unwrap().contains("localhost"), "{}", refused.text);
    }
    // Whoever comes from elsewhere was let in on purpose.
    ask("192.0.2.1:9", "ledger.example").await.expect(200);
}

#[tokio::test]
async fn a_key_for_some_sites_sees_those_in_the_list_of_sites() {
    let guarded = Guarded::start().await;
    for site in ["aa", "zz"] {
        guarded.service.put(&format!("/v1/sites/{site}"), r#"{"name":"Another"}"#).await.expect(201);
    }
    let sites = json!({ "sites": ["zz", "fr", "not-yet", "aa"] });
    let token = guarded.key("abroad", &[KeyScope::StockRead], sites).await;
    let ids = |answer: &Answer| -> Vec<String> {
        let data = answer.json["data"].as_array().unwrap().iter();
        data.map(|site| site["site"].as_str().unwrap().to_owned()).collect()
    };
    guarded.service.get("/v1/sites").await.expect(200);
    let all = guarded.get(&token, "/v1/sites").await.expect(200);
    assert_eq!(
        (ids(&all), &all.json["has_more"]),
        (vec!["aa".into(), "fr".into(), "zz".into()], &json!(false))
    );
    let first = guarded.get(&token, "/v1/sites?limit=2").await.expect(200);
    assert_eq!((ids(&first), &first.json["has_more"]), (vec!["aa".into(), "fr".into()], &json!(true)));
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let rest = guarded.get(&token, &format!("/v1/sites?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((ids(&rest), &rest.json["has_more"]), (vec!["zz".into()], &json!(false)));
}

#[tokio::test]
async fn each_line_of_bulk_needs_what_its_command_needs() {
    let guarded = Guarded::start().await;
    let token = guarded.key("till", &[KeyScope::StockWrite], json!({ "sites": ["fr"] })).await;
    let line = |command: &str, site: &str, body: Value| {
        json!({ "command": command, "site": site, "idempotency_key": format!("{command} {site}"), "body": body })
            .to_string()
    };
    let receipt = json!({ "lines": [{ "sku": "A", "quantity": 1 }] });
    let order = json!({ "order_id": "1", "lines": [{ "sku": "A", "quantity": 1 }] });
    let lines = [
        line("receive_stock", "fr", receipt.clone()),
        line("receive_stock", "uk", receipt.clone()),
        line("receive_stock", "nowhere", receipt),
        line("place_order", "fr", order),
        json!({ "command": "register_item", "sku": "A", "body": { "name": "An item" } }).to_string(),
        json!({ "command": "open_site", "site": "uk", "body": { "name": "Mine" } }).to_string(),
    ];
    let answer =
        send(&guarded.router, request(&Method::POST, "/v1/bulk", Some(token.reveal()), &lines.join("\n")))
            .await;
    let answers: Vec<Value> =
        answer.expect(200).text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<(u64, &str)> = answers
        .iter()
        .map(|line| (line["status"].as_u64().unwrap(), line["problem"]["code"].as_str().unwrap_or_default()))
        .collect();
    let expected = [
        (201, ""),
        (404, "unknown-site"),
        (404, "unknown-site"),
        (403, "forbidden"),
        (403, "forbidden"),
        (403, "forbidden"),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_name_of_the_key_stands_in_the_trail() {
    let guarded = Guarded::start().await;
    let till = guarded.key("till 3", &[KeyScope::OrderPlace, KeyScope::AuditRead], json!({})).await;
    let order = json!({ "order_id": "1", "lines": [{ "sku": "CANARY-SKU", "quantity": 1 }] });
    guarded.post(Some(&till), "/v1/sites/uk/orders", "k", &order).await.expect(201);
    guarded.service.get("/v1/sites/uk/orders/1").await.expect(200);
    let trail = guarded.get(&till, "/v1/sites/uk/orders/1/trail").await.expect(200);
    assert_eq!(trail.json["data"][0]["actor"], "till 3");
    let keys = guarded.get(&guarded.boss, "/v1/keys").await.expect(200);
    let made_by: BTreeSet<&str> =
        keys.json["data"].as_array().unwrap().iter().map(|key| key["created_by"].as_str().unwrap()).collect();
    assert_eq!(made_by, BTreeSet::from(["boss", "local"]));
}

#[tokio::test]
async fn keys_are_listed_without_what_could_be_used_of_them() {
    let guarded = Guarded::start().await;
    let till = guarded.key("till", &[KeyScope::OrderPlace], json!({ "sites": ["fr"] })).await;
    let late =
        guarded.key("late", &[KeyScope::StockRead], json!({ "expires_at": "2020-01-01T00:00:00Z" })).await;
    guarded.revoke(&till).await.expect(201);
    let page = guarded.get(&guarded.boss, "/v1/keys?limit=2").await.expect(200);
    assert_eq!(page.json["data"].as_array().unwrap().len(), 2);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = guarded.get(&guarded.boss, &format!("/v1/keys?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(rest.json["has_more"], false);
    let all: Vec<Value> =
        [&page, &rest].iter().flat_map(|page| page.json["data"].as_array().unwrap().clone()).collect();
    let find = |token: &Token| all.iter().find(|key| key["key_id"] == token.key_id().as_str()).unwrap();
    assert_eq!((&find(&till)["status"], &find(&till)["revoked_by"]), (&json!("revoked"), &json!("boss")));
    assert_eq!(find(&till)["sites"], json!(["fr"]));
    assert_eq!(find(&late)["status"], "expired");
    assert_eq!(
        (&find(&guarded.boss)["status"], &find(&guarded.boss)["scopes"]),
        (&json!("live"), &json!(["admin"]))
    );
    for token in [&till, &late, &guarded.boss] {
        let text = format!("{}{}", page.text, rest.text);
        assert!(!text.contains(token.reveal()) && !text.contains(&token.hash().to_string()));
    }
}

#[tokio::test]
async fn commands_about_keys_answer_again_what_they_answered() {
    let guarded = Guarded::start().await;
    let token = Token::generate().unwrap();
    let body = key_body(&token, "till", &[KeyScope::StockRead], &json!({}));
    let made = guarded.post(Some(&guarded.boss), "/v1/keys", "k", &body).await.expect(201);
    let again = guarded.post(Some(&guarded.boss), "/v1/keys", "k", &body).await.expect(200);
    assert_eq!(made.json, again.json);
    assert_problem(&guarded.post(Some(&guarded.boss), "/v1/keys", "other", &body).await, 409, "key-exists");
    let revoked = guarded.revoke(&token).await.expect(201);
    let path = format!("/v1/keys/{}/revocation", token.key_id());
    let again = guarded.post(Some(&guarded.boss), &path, "another key", &json!({})).await.expect(200);
    assert_eq!(revoked.json, again.json);
    let unknown = guarded.post(Some(&guarded.boss), "/v1/keys/nobodyskey/revocation", "u", &json!({})).await;
    assert_problem(&unknown, 404, "unknown-key");
    let wrong = key_body(&Token::generate().unwrap(), "local", &[], &json!({ "sites": [] }));
    let wrong = guarded.post(Some(&guarded.boss), "/v1/keys", "w", &wrong).await;
    assert_problem(&wrong, 422, "validation-failed");
    let pointers: Vec<&str> = wrong.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/name", "/scopes", "/sites"]);
}

#[tokio::test]
async fn the_first_key_must_be_able_to_make_others() {
    let service = Service::start().await;
    let (keyring, router) = keyed(&service);
    until(|| keyring.is_read()).await;
    let open = send(&router, request(&Method::GET, "/v1/sites", None, "")).await;
    open.expect(200);
    let till = key_body(&Token::generate().unwrap(), "till", &[KeyScope::StockRead], &json!({}));
    let refused = send(&router, request(&Method::POST, "/v1/keys", None, &till.to_string())).await;
    assert_problem(&refused, 409, "first-key-not-admin");
    assert!(!keyring.is_any());
}

#[tokio::test]
async fn from_the_first_key_on_every_node_asks_for_one_and_hears_of_revocations() {
    let guarded = Guarded::start().await;
    // Another process, which reads the same log and nothing else, and plays no role that needs more.
    let log: Arc<dyn Log> = Arc::new(guarded.service.log.clone());
    let keyring = Keyring::follow(log, CancellationToken::new());
    let roles = Roles { api: guarded.service.roles.api.clone(), ..Roles::default() };
    let other = http::router(App::new(guarded.service.node.clone(), roles, Gate::Keyed(keyring.clone())));
    until(|| keyring.is_read()).await;
    let reader = guarded.key("reader", &[KeyScope::StockRead], json!({})).await;
    let read = async |token: Option<&str>| {
        send(&other, request(&Method::GET, "/v1/sites/uk/stock/CANARY-SKU", token, "")).await.status
    };
    assert_eq!(read(None).await, 401);
    let deadline = Instant::now() + std::time::Duration::from_secs(5);
    let mut again = interval(std::time::Duration::from_millis(5));
    while read(Some(reader.reveal())).await != 200 {
        assert!(Instant::now() < deadline, "the key is not known within 5 s");
        again.tick().await;
    }
    guarded.revoke(&reader).await.expect(201);
    // Where it was revoked it opens nothing as soon as that is answered.
    assert_problem(&guarded.get(&reader, "/v1/sites").await, 401, "unauthenticated");
    let deadline = Instant::now() + std::time::Duration::from_secs(5);
    while read(Some(reader.reveal())).await != 401 {
        assert!(Instant::now() < deadline, "the revocation is not obeyed within 5 s");
        again.tick().await;
    }
}

#[tokio::test]
async fn nobody_comes_in_before_the_keys_are_read() {
    let service = Service::start().await;
    service.log.faults().set_available(false);
    let (keyring, router) = keyed(&service);
    for path in ["/v1/sites", "/v1/info", "/v1/sites/uk/stock"] {
        assert_problem(&send(&router, request(&Method::GET, path, None, "")).await, 503, "keys-unread");
    }
    let ready = send(&router, request(&Method::GET, "/readyz", None, "")).await;
    assert!(
        ready.json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["role"] == "keyring" && check["ready"] == false)
    );
    send(&router, request(&Method::GET, "/livez", None, "")).await.expect(200);
    service.log.faults().set_available(true);
    until(|| keyring.reading() == Reading::Following).await;
    send(&router, request(&Method::GET, "/v1/sites", None, "")).await.expect(200);
}

#[tokio::test]
async fn a_log_that_stops_keeps_the_keys_that_were_read() {
    let guarded = Guarded::start().await;
    let token = guarded.key("reader", &[KeyScope::StockRead], json!({})).await;
    guarded.service.log.faults().land(0, Entry::new("", "not a record"));
    until(|| matches!(guarded.keyring.reading(), Reading::Halted { .. })).await;
    guarded.get(&token, "/v1/sites").await.expect(200);
    assert_problem(
        &send(&guarded.router, request(&Method::GET, "/v1/sites", None, "")).await,
        401,
        "unauthenticated",
    );
    let ready = send(&guarded.router, request(&Method::GET, "/readyz", None, "")).await;
    let checks = ready.json["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["role"] == "keyring" && check["state"] == "halted"),
        "{}",
        ready.text
    );
}

#[tokio::test]
async fn a_header_that_is_not_one_bearer_token_is_no_key() {
    let guarded = Guarded::start().await;
    let token = guarded.key("reader", &[KeyScope::StockRead], json!({})).await;
    let good = format!("Bearer {}", token.reveal());
    let with = |values: &[&str]| {
        let request = Request::get("/v1/sites");
        let request = values.iter().fold(request, |request, value| request.header("authorization", *value));
        request.body(Body::empty()).unwrap()
    };
    for value in [&good, &format!("bearer  {} ", token.reveal()), &format!("BEARER {}", token.reveal())] {
        send(&guarded.router, with(&[value])).await.expect(200);
    }
    let basic = format!("Basic {}", token.reveal());
    for values in [&[token.reveal()][..], &[&basic], &[&good, &good], &["Bearer"], &["Bearer "]] {
        assert_problem(&send(&guarded.router, with(values)).await, 401, "unauthenticated");
    }
}
