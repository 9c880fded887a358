//! Every route with every method, and everything that a caller can send changed in its structure: never a fault of ours,
//! always a success or a problem that is documented, and a ledger that is whole when all is done.
//!
//! The same requests come in every run; `STOCKLEDGER_FUZZ_SEED=N` gives others. A failure names the seed and shows the
//! smallest request that was found to fail.

mod mutate;
mod routes;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};
use stockledger::http::Code;
use stockledger_audit::verify::{Options, verify};
use tokio::runtime::Runtime;

use self::routes::{ROUTES, Route};
use crate::keys::closed;
use crate::support::{Answer, Service, get};

const REQUESTS: u32 = 20_000;
const SEED_VARIABLE: &str = "STOCKLEDGER_FUZZ_SEED";

/// A request as plain values, to be shown.
#[derive(Debug, Clone)]
struct Sent {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sent {
    /// Nothing where no HTTP library would send it.
    fn request(&self) -> Option<Request<Body>> {
        let request = Request::builder().method(self.method).uri(&self.path).extension(closed());
        let add = |request: axum::http::request::Builder, (name, value): &(&'static str, Vec<u8>)| {
            request.header(*name, value.as_slice())
        };
        self.headers.iter().fold(request, add).body(Body::from(self.body.clone())).ok()
    }
}

fn any_route() -> impl Strategy<Value = &'static Route> {
    (0..ROUTES.len()).prop_map(|index| &ROUTES[index])
}

fn any_sent() -> impl Strategy<Value = Sent> {
    any_route().prop_flat_map(|route| {
        let method = prop_oneof![
            8 => Just(route.method),
            1 => select(vec!["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"]),
        ];
        let media_type = prop_oneof![
            12 => Just(route.media_type().to_owned()),
            1 => select(vec!["text/plain", "application/json; charset=latin1", "", ",", "application/x-ndjson"])
                .prop_map(str::to_owned),
        ];
        let headers = (media_type, mutate::key(), mutate::min_position(), mutate::other_header());
        let path = mutate::path(route.path, route.query);
        (method, path, headers, mutate::body(route.body)).prop_map(|(method, path, headers, body)| {
            let (media_type, key, min_position, other) = headers;
            let mut all = vec![("prefer", b"wait=0".to_vec()), ("content-type", media_type.into_bytes())];
            // Without it no form would come any further.
            all.push(("sec-fetch-site", b"same-origin".to_vec()));
            all.extend(key.map(|key| ("idempotency-key", key)));
            all.extend(min_position.map(|position| ("ledger-min-position", position)));
            all.extend(other);
            Sent { method, path, headers: all, body }
        })
    })
}

/// Asserts what every answer is.
fn checked(answer: &Answer) -> Result<Option<Code>, TestCaseError> {
    prop_assert!(answer.headers.contains_key("x-request-id"));
    if (200..400).contains(&answer.status) {
        return Ok(None);
    }
    prop_assert!(answer.status < 500 || matches!(answer.status, 503 | 504), "{}", answer.text);
    prop_assert_eq!(answer.header("content-type"), "application/problem+json");
    if answer.text.is_empty() {
        // A HEAD has no body.
        return Ok(None);
    }
    let code = Code::from_name(answer.code());
    prop_assert!(code.is_some(), "{} is in no table", answer.text);
    let code = code.expect("asserted above");
    prop_assert_eq!(code.status().as_u16(), answer.status, "{}", &answer.text);
    prop_assert_eq!(&answer.json["type"], &serde_json::json!(format!("/problems/{}", code.as_str())));
    Ok(Some(code))
}

#[test]
fn every_route_withstands_whatever_is_sent() {
    let seed = std::env::var(SEED_VARIABLE).map_or(0, |seed| seed.parse().expect("the seed is a number"));
    let runtime = Runtime::new().expect("a runtime");
    let service = runtime.block_on(Service::start());
    let config = ProptestConfig {
        cases: REQUESTS,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (met, done) = (Mutex::new(HashSet::new()), Mutex::new(HashSet::new()));
    let outcome = TestRunner::new(config).run(&any_sent(), |sent| {
        let Some(request) = sent.request() else { return Ok(()) };
        let answer = runtime.block_on(service.send(request));
        if let Some(code) = checked(&answer)? {
            met.lock().expect("no panic").insert(code.as_str());
        } else {
            done.lock().expect("no panic").insert((sent.method, answer.status));
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{SEED_VARIABLE}={seed}: {}", outcome.unwrap_err());
    let (met, done) = (met.into_inner().expect("no panic"), done.into_inner().expect("no panic"));
    for code in ["malformed-request", "validation-failed", "unknown-site", "insufficient-stock", "not-found"]
    {
        assert!(met.contains(code), "the requests never met {code}: {met:?}");
    }
    for way in [("POST", 201), ("POST", 200), ("PUT", 201), ("GET", 200)] {
        assert!(done.contains(&way), "the requests never came to {way:?}: {done:?}");
    }
    runtime.block_on(async {
        for code in met {
            service.get(&format!("/problems/{code}")).await.expect(200);
        }
        is_whole(&service).await;
    });
}

/// Nothing that was sent left a mark that does not belong there: the log verifies, and no balance is impossible.
async fn is_whole(service: &Service) {
    let report = verify(Arc::new(service.log.clone()), &Options::default()).await.expect("a report");
    assert_eq!(report.failures().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    let stock = service.get("/v1/sites/uk/stock?limit=500").await.expect(200);
    let levels = stock.json["data"].as_array().expect("a list");
    assert!(!levels.is_empty(), "nothing was ever received");
    for level in levels {
        let number = |name: &str| level[name].as_i64().expect("a number");
        let promised = number("reserved") + number("held");
        assert!((0..=number("on_hand")).contains(&promised), "{level}");
    }
    assert_eq!(service.send(get("/readyz").body(Body::empty()).expect("a request")).await.status, 200);
}

/// The table of routes is written by hand, so that each has a body worth changing.
#[test]
fn every_route_of_the_service_is_in_the_table() {
    let mut missing = Vec::new();
    let mut directories = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http"))];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source");
            let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
            let routes = shipped.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
            missing.extend(
                routes.filter(|route| ROUTES.iter().all(|known| known.path != *route)).map(str::to_owned),
            );
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
