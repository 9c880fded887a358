//! Every limit on what a request may be, one step beyond: its own problem, never a fault of ours.

use axum::body::Body;
use axum::http::Request;
use std::sync::Arc;
use stockledger::http::{self, Credential, Peer, Rates};

use crate::errors::assert_problem;
use crate::support::{Answer, Service, get, post, send};

const RECEIPTS: &str = "/v1/sites/uk/receipts";

fn lines(count: usize) -> String {
    let lines = vec![r#"{"sku":"A","quantity":1}"#; count];
    format!(r#"{{"lines":[{}]}}"#, lines.join(","))
}

#[tokio::test]
async fn a_command_has_so_many_lines() {
    let service = Service::start().await;
    service.post(RECEIPTS, lines(2_000)).await.expect(201);
    assert_problem(&service.post(RECEIPTS, lines(2_001)).await, 422, "validation-failed");
}

#[tokio::test]
async fn json_is_only_so_deep() {
    let service = Service::start().await;
    for depth in [200, 100_000] {
        for (open, close) in [("[", "]"), (r#"{"lines":"#, "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            // In a member that is known, in one that is not, and as the whole.
            for body in [
                format!(r#"{{"lines":{nested}}}"#),
                format!(r#"{{"unknown":{nested},"lines":[]}}"#),
                nested.clone(),
            ] {
                let answer = service.post(RECEIPTS, body.clone()).await;
                assert!(matches!(answer.status, 400 | 422), "{depth} of {open}: {}", answer.text);
                let line = format!(
                    r#"{{"command":"receive_stock","site":"uk","idempotency_key":"k","body":{body}}}"#
                );
                let answers = service.bulk(line).await;
                assert!(matches!(answers[0]["status"].as_u64(), Some(400 | 422)), "{:?}", answers[0]);
            }
        }
    }
}

#[tokio::test]
async fn a_page_has_so_many_rows() {
    let service = Service::start().await;
    for limit in ["501", "0", "-1", "99999999999999999999"] {
        let answer = service.get(&format!("/v1/sites?limit={limit}")).await;
        assert!(matches!(answer.status, 400 | 422), "{limit}: {}", answer.text);
    }
    service.get("/v1/sites?limit=500").await.expect(200);
}

#[tokio::test]
async fn a_head_is_only_so_long() {
    let service = Service::start().await;
    let ask = async |path: &str, header: &str| {
        service.send(get(path).header("x-long", header).body(Body::empty()).unwrap()).await
    };
    let path = |length: usize| format!("/v1/sites?cursor={}", "x".repeat(length - 17));
    assert_problem(&ask(&path(8_192), "").await, 400, "invalid-cursor");
    assert_problem(&ask(&path(8_193), "").await, 414, "uri-too-long");
    ask("/v1/sites", &"x".repeat(32_000)).await.expect(200);
    assert_problem(&ask("/v1/sites", &"x".repeat(33_000)).await, 431, "headers-too-large");
}

fn info_of(peer: Option<&str>, credential: Option<&str>) -> Request<Body> {
    let mut request = get("/v1/info");
    if let Some(peer) = peer {
        request = request.extension(Peer(peer.parse().unwrap()));
    }
    if let Some(credential) = credential {
        request = request.extension(Credential(Arc::from(credential)));
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_client_asks_only_so_often_and_is_told_when_again() {
    let service = Service::start().await;
    // One request in the long run, three at once: what comes within this test is more.
    let router = http::router(service.app.clone().limited_to(Rates::new(1, 3)));
    let ask = async |peer, credential| -> Answer { send(&router, info_of(peer, credential)).await };
    let stranger = Some("192.0.2.1:1000");
    for left in [2, 1, 0] {
        let answer = ask(stranger, None).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=3");
        assert!(answer.header("ratelimit").starts_with(&format!("\"default\";r={left};t=")));
    }
    let refused = ask(Some("192.0.2.1:2000"), None).await;
    assert_problem(&refused, 429, "rate-limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"default\";r=0;t="));

    // Others are not concerned; nor is who has a credential, wherever it is used.
    ask(Some("192.0.2.2:1000"), None).await.expect(200);
    for peer in [stranger, Some("192.0.2.3:1"), Some("127.0.0.1:1")] {
        ask(peer, Some("key")).await.expect(200);
    }
    assert_problem(&ask(Some("127.0.0.1:1"), Some("key")).await, 429, "rate-limited");
    // This machine without a credential, and health, are never refused.
    for _ in 0..10 {
        assert_eq!(ask(Some("127.0.0.1:1"), None).await.expect(200).header("ratelimit"), "");
        let health = get("/livez").extension(Peer("192.0.2.1:1000".parse().unwrap()));
        send(&router, health.body(Body::empty()).unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_is_only_so_long() {
    let service = Service::start().await;
    let body = || Body::from(lines(1));
    let request = |key: String| post(RECEIPTS).header("idempotency-key", key).body(body()).unwrap();
    service.send(request("k".repeat(255))).await.expect(201);
    assert_problem(&service.send(request("k".repeat(256))).await, 400, "malformed-request");
}
