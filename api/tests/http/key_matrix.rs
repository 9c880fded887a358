//! Every route with every bad token: none lets one in, and no answer tells what the ledger holds.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use stockledger::http::{self, Access, Route};
use stockledger::keys::Token;
use stockledger_schemas::KeyScope;

use crate::errors::assert_problem;
use crate::keys::{Guarded, key_body, request};
use crate::support::{Answer, send};

/// What no answer to a stranger may hold: they stand in names, ids, notes and quantities of the site `uk`.
const SECRETS: [&str; 6] =
    ["CANARY-SKU", "canary-order", "canary-hold", "canary-note", "31337", "Canary Site"];

/// A path of the route that exists, about the site `uk` where it is about one.
fn path_of(route: &Route) -> String {
    let path = route.path.replace("{site}", "uk").replace("{sku}", "CANARY-SKU");
    let path = path.replace("{order_id}", "canary-order").replace("{hold_id}", "canary-hold");
    let path = path.replace("{version}", "1").replace("{code}", "internal").replace("{key_id}", "key00001");
    let path = path.replace("{position}", "0.1");
    let path = path.replace("{file}", "swagger-ui.css");
    assert!(!path.contains('{'), "{path} has an id that this test does not know");
    let parameters = match route.path {
        "/v1/audit/proof" => "?position=0.1",
        "/v1/audit/consistency" => "?from=0.1",
        "/ui/projections/switch" => "?version=1",
        _ => "",
    };
    format!("{path}{parameters}")
}

/// A body that would be carried out.
fn body_of(route: &Route) -> String {
    let line = |member: &str, value: i64| json!([{ "sku": "CANARY-SKU", member: value }]);
    let body = match route.path {
        "/v1/sites/{site}" | "/v1/items/{sku}" => json!({ "name": "taken over" }),
        "/v1/sites/{site}/notes" => json!({ "note": "taken over" }),
        "/v1/sites/{site}/receipts" => json!({ "lines": line("quantity", 1) }),
        "/v1/sites/{site}/adjustments" => json!({ "reason": "found", "lines": line("delta", 1) }),
        "/v1/sites/{site}/counts" => json!({ "lines": line("counted", 40_000) }),
        "/v1/sites/{site}/holds" => json!({ "hold_id": "mine", "sku": "CANARY-SKU", "quantity": 1 }),
        "/v1/sites/{site}/orders" => json!({ "order_id": "mine", "lines": line("quantity", 1) }),
        "/v1/sites/{site}/orders/{order_id}/returns" => {
            json!({ "lines": [{ "sku": "CANARY-SKU", "quantity": 1, "disposition": "restock" }] })
        }
        "/v1/keys" => {
            let token = Token::generate().unwrap();
            key_body(&token, "thief", KeyScope::ALL, &json!({}))
        }
        "/v1/projections/switch" => json!({ "back": true }),
        "/v1/bulk" => json!({
            "command": "record_note", "site": "uk", "idempotency_key": "k", "body": { "note": "taken over" },
        }),
        _ => json!({}),
    };
    if route.method == Method::GET || route.method == Method::DELETE {
        String::new()
    } else {
        body.to_string()
    }
}

/// Asserts that an answer has nothing of what the ledger holds at `uk`, neither in its body nor in its headers.
#[track_caller]
fn assert_no_secret(answer: &Answer, what: &str) {
    // What the caller sent is no secret to them.
    let path = answer.json["instance"].as_str().unwrap_or_default();
    for secret in SECRETS.into_iter().filter(|secret| !path.contains(secret)) {
        assert!(!answer.text.contains(secret), "{what}: {}", answer.text);
        assert!(!format!("{:?}", answer.headers).contains(secret), "{what}: {:?}", answer.headers);
    }
}

/// Asserts that an answer does not even say how far the ledger is.
#[track_caller]
fn assert_tells_nothing(answer: &Answer, what: &str) {
    assert_no_secret(answer, what);
    assert_eq!(answer.header("ledger-position"), "", "{what}");
}

#[tokio::test]
async fn no_route_lets_a_bad_token_in() {
    let guarded = Guarded::start().await;
    let stranger = Token::generate().unwrap();
    let expired = guarded.key("late", KeyScope::ALL, json!({ "expires_at": "2020-01-01T00:00:00Z" })).await;
    let revoked = guarded.key("gone", KeyScope::ALL, json!({})).await;
    guarded.revoke(&revoked).await.expect(201);
    let forged = stranger.reveal().replacen(stranger.key_id().as_str(), guarded.boss.key_id().as_str(), 1);
    let bad = [
        ("none", None),
        ("empty", Some("")),
        ("no token", Some("slk_nonsense")),
        ("unknown", Some(stranger.reveal())),
        ("forged", Some(forged.as_str())),
        ("expired", Some(expired.reveal())),
        ("revoked", Some(revoked.reveal())),
    ];
    let before: Vec<String> =
        guarded.service.ledger.status().iter().map(|s| s.position.to_string()).collect();
    let mut guarded_routes = 0;
    for route in http::routes() {
        let path = path_of(&route);
        for (what, token) in bad {
            let answer = send(&guarded.router, request(&route.method, &path, token, &body_of(&route))).await;
            let what = format!("{} {path} with {what}", route.method);
            if route.method == Method::GET {
                let head = send(&guarded.router, request(&Method::HEAD, &path, token, "")).await;
                assert_eq!(head.status, answer.status, "HEAD, as {what}");
            }
            if route.access == Access::Open {
                assert_ne!(answer.status, 401, "{what}");
                assert_tells_nothing(&answer, &what);
                continue;
            }
            assert_problem(&answer, 401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
            assert_tells_nothing(&answer, &what);
            guarded_routes += 1;
        }
    }
    assert!(guarded_routes > 200, "{guarded_routes}");
    let after: Vec<String> = guarded.service.ledger.status().iter().map(|s| s.position.to_string()).collect();
    assert_eq!(before, after, "a bad token did something");
}

#[tokio::test]
async fn no_route_lets_a_key_in_that_lacks_its_scope() {
    let guarded = Guarded::start().await;
    for scope in KeyScope::ALL {
        let all_but: Vec<KeyScope> = KeyScope::ALL.iter().copied().filter(|other| other != scope).collect();
        let token = guarded.key("almost", &all_but, json!({})).await;
        for route in http::routes().into_iter().filter(|route| route.access.scope() == Some(*scope)) {
            let (path, body) = (path_of(&route), body_of(&route));
            let answer =
                send(&guarded.router, request(&route.method, &path, Some(token.reveal()), &body)).await;
            assert_problem(&answer, 403, "forbidden");
            assert!(answer.json["detail"].as_str().unwrap().contains(scope.as_str()), "{}", answer.text);
            assert_tells_nothing(&answer, &format!("{} {path}", route.method));
        }
    }
}

#[tokio::test]
async fn every_route_lets_the_key_in_that_has_its_scope_and_no_other() {
    let guarded = Guarded::start().await;
    for scope in KeyScope::ALL {
        let token = guarded.key("exactly", &[*scope], json!({})).await;
        for route in http::routes() {
            // What it does to the tables and the keys is tested where they are.
            if route.method != Method::GET {
                continue;
            }
            let answer =
                send(&guarded.router, request(&route.method, &path_of(&route), Some(token.reveal()), ""))
                    .await;
            let is_let_in = route.access.scope().is_none_or(|needed| needed == *scope);
            assert_eq!(answer.status != 403, is_let_in, "{scope} at {}: {}", route.path, answer.text);
            assert_ne!(answer.status, 401, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn another_site_is_as_one_that_does_not_exist() {
    let guarded = Guarded::start().await;
    let all_but_admin: Vec<KeyScope> =
        KeyScope::ALL.iter().copied().filter(|scope| *scope != KeyScope::Admin).collect();
    let token = guarded.key("abroad", &all_but_admin, json!({ "sites": ["fr"] })).await;
    let secret = Some(token.reveal());
    for route in http::routes() {
        let (path, body) = (path_of(&route), body_of(&route));
        let ask = async |path: &str| send(&guarded.router, request(&route.method, path, secret, &body)).await;
        let answer = ask(&path).await;
        let what = format!("{} {path}", route.method);
        match route.access {
            Access::AtSite(_) => {
                assert_problem(&answer, 404, "unknown-site");
                assert_tells_nothing(&answer, &what);
                // Byte for byte but for the name that the caller gave, and the id of the request.
                let missing = ask(&path.replace("/uk", "/nowhere")).await;
                let neutral = |answer: &Answer, site: &str| {
                    let mut json = answer.json.clone();
                    json["request_id"] = Value::Null;
                    json.to_string().replace(site, "SITE")
                };
                assert_eq!(neutral(&answer, "uk"), neutral(&missing, "nowhere"), "{what}");
            }
            Access::AllSites(_) | Access::FromHere(_) => {
                assert_problem(&answer, 403, "forbidden");
                assert_tells_nothing(&answer, &what);
            }
            Access::OwnSites(_) | Access::AnyKey => {
                assert_ne!(answer.status, 401, "{what}");
                assert_no_secret(&answer, &what);
            }
            Access::Open => {}
        }
    }
    guarded.get(&token, "/v1/sites/fr/stock").await.expect(200);
    // However it is written, the site that counts is the one that the handler gets.
    for path in ["/v1/sites/%75k/stock", "/v1/sites/u%6B/stock"] {
        assert_problem(&guarded.get(&token, path).await, 404, "unknown-site");
    }
    guarded.get(&token, "/v1/sites/%66r/stock").await.expect(200);
    for path in ["/v1/sites/fr%2F..%2Fuk/stock", "/v1/sites/fr%00/stock", "/v1/sites/%FF/stock"] {
        assert_problem(&guarded.get(&token, path).await, 422, "validation-failed");
    }
    assert_problem(&guarded.get(&token, "/v1/sites/fr/../uk/stock").await, 404, "not-found");
}

#[test]
fn every_route_says_what_it_needs_in_a_way_that_fits_its_path() {
    let mut seen = BTreeSet::new();
    for Route { method, path, access } in http::routes() {
        assert!(seen.insert(format!("{method} {path}")), "{method} {path} is there twice");
        match access {
            Access::AtSite(_) => {
                let is_at_site =
                    ["/v1/sites/{site}", "/ui/sites/{site}"].iter().any(|at| path.starts_with(at));
                assert!(is_at_site, "{method} {path}");
            }
            Access::OwnSites(_) => assert!(!path.contains("{site}"), "{method} {path}"),
            Access::Open => {
                let open = ["/", "/livez", "/readyz", "/startupz", "/problems", "/problems/{code}"];
                let described = ["/openapi.json", "/docs", "/docs/{file}"];
                let looks = [
                    "/ui/style.css",
                    "/ui/icon.svg",
                    "/ui/live.js",
                    "/ui/theme",
                    "/ui/sign-in",
                    "/ui/sign-out",
                ];
                assert!(
                    [&open[..], &described, &looks].concat().contains(&path),
                    "{method} {path} is open to everybody"
                );
            }
            Access::FromHere(_) => assert_eq!(path, "/metrics"),
            Access::AllSites(_) | Access::AnyKey => {}
        }
    }
}

#[test]
fn the_page_about_security_has_every_route() {
    let page = include_str!("../../../docs/security.md");
    for Route { method, path, access } in http::routes() {
        let needs = match access {
            Access::Open => "nothing".to_owned(),
            Access::FromHere(scope) => format!("nothing from this machine, else `{scope}` at all sites"),
            Access::AnyKey => "any key".to_owned(),
            Access::AtSite(scope) => format!("`{scope}` at the site"),
            Access::OwnSites(scope) => format!("`{scope}`"),
            Access::AllSites(scope) => format!("`{scope}` at all sites"),
        };
        let row = format!("| `{method} {path}` | {needs} |");
        assert!(page.contains(&row), "docs/security.md has no row {row}");
    }
}
