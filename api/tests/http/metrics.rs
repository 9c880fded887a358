//! What is measured: that it is right, that it is bounded, who may see it, and that dashboard and alarms name nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use stockledger::http::{self, App, Gate, Peer, Rates};
use tokio::time::{Instant, interval};

use crate::errors::assert_problem;
use crate::keys::Guarded;
use crate::support::{Answer, PARTITIONS, PATIENCE, Service, get, send};

const DASHBOARD: &str = include_str!("../../../docs/operations/grafana.json");
const RULES: &str = include_str!("../../../docs/operations/alerts.yml");
const GUIDE: &str = include_str!("../../../docs/operations/README.md");

/// Every series with its value.
fn series(text: &str) -> BTreeMap<String, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample is a name and a value");
        (name.to_owned(), value.parse().expect("a value is a number"))
    };
    samples.map(sample).collect()
}

/// The names of all metrics, with or without samples.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The names of ours that a text has in it, each without what a histogram adds.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = text.split(|letter: char| !is_part(letter)).filter(|word| word.starts_with("stockledger_"));
    let suffixes = ["_bucket", "_sum", "_count"];
    let bare =
        |word: &str| suffixes.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned();
    words.map(bare).collect()
}

/// A shop that has done a little of everything, and what it measured.
async fn busy() -> (Service, String) {
    let service = Service::start().await;
    let text = make_busy(&service).await;
    (service, text)
}

async fn make_busy(service: &Service) -> String {
    service.receive("LAMP", 10).await;
    let order = |id: &str, quantity: u32| {
        format!(r#"{{"order_id":"{id}","lines":[{{"sku":"LAMP","quantity":{quantity}}}]}}"#)
    };
    service.post_as("k", "/v1/sites/uk/orders", order("o-1", 3)).await.expect(201);
    service.post_as("k", "/v1/sites/uk/orders", order("o-1", 3)).await.expect(200);
    service.post("/v1/sites/uk/orders", order("o-2", 8)).await.expect(409);
    service.post("/v1/sites/nowhere/orders", order("o-3", 1)).await.expect(404);
    let together = Request::post("/v1/bulk?atomic=true").header("content-type", "application/x-ndjson");
    let hold = r#"{"command":"hold_stock","site":"uk","body":{"hold_id":"h","sku":"LAMP","quantity":1,"reason":"other"}}"#;
    let together = together.header("idempotency-key", "together").body(Body::from(hold));
    service.send(together.expect("a request")).await.expect(200);
    service.get("/v1/sites/uk/orders/o-1").await.expect(200);
    service.get("/no/such/path").await.expect(404);
    service.get("/metrics").await.expect(200).text
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (service, text) = busy().await;
    let series = series(&text);
    let of = |name: &str| *series.get(name).unwrap_or_else(|| panic!("there is no {name} in\n{text}"));
    let expected = [
        (r#"stockledger_commands_total{command="open_site",outcome="done"}"#, 1.0),
        (r#"stockledger_commands_total{command="receive_stock",outcome="done"}"#, 1.0),
        (r#"stockledger_commands_total{command="place_order",outcome="done"}"#, 2.0),
        (r#"stockledger_commands_total{command="place_order",outcome="refused"}"#, 1.0),
        (r#"stockledger_commands_total{command="place_order",outcome="unknown_site"}"#, 1.0),
        (r#"stockledger_commands_total{command="bundle",outcome="done"}"#, 1.0),
        (r#"stockledger_command_duration_seconds_count{command="place_order"}"#, 4.0),
        ("stockledger_idempotent_replays_total", 1.0),
        ("stockledger_out_of_stock_total", 1.0),
        (r#"stockledger_events_appended_total{type="order_placed"}"#, 1.0),
        (r#"stockledger_events_appended_total{type="out_of_stock"}"#, 1.0),
        (
            r#"stockledger_http_requests_total{method="POST",route="/v1/sites/{site}/orders",status="409"}"#,
            1.0,
        ),
        (r#"stockledger_http_requests_total{method="GET",route="none",status="404"}"#, 1.0),
        (r#"stockledger_http_problems_total{code="insufficient-stock"}"#, 1.0),
        (r#"stockledger_http_problems_total{code="unknown-site"}"#, 1.0),
        ("stockledger_store_up", 1.0),
        ("stockledger_projection_active_version", 1.0),
        ("stockledger_replay_running", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(of(name), value, "{name}");
    }
    // Site registered and opened, stock received, an order placed and one refused, goods set aside.
    assert_eq!(of("stockledger_commit_batch_events_sum"), 6.0);
    assert!(of("stockledger_commit_duration_seconds_count") >= 1.0);
    for status in service.ledger.status() {
        let partition = status.partition.0;
        let at = |name: &str| of(&format!("stockledger_{name}{{partition=\"{partition}\"}}"));
        assert_eq!(at("append_position"), status.position.seq as f64);
        assert_eq!(at("projection_position"), status.position.seq as f64);
        assert_eq!(at("idempotency_keys"), status.keys as f64);
        assert_eq!((at("projection_lag_events"), at("projection_lag_seconds")), (0.0, 0.0));
        assert_eq!((at("writer_queue_length"), at("void_records_total")), (0.0, 0.0));
        for (metric, state, value) in [
            ("writer_state", "leading", 1.0),
            ("writer_state", "halted", 0.0),
            ("projection_state", "running", 1.0),
            ("projection_state", "retrying", 0.0),
        ] {
            let name = format!("stockledger_{metric}{{partition=\"{partition}\",state=\"{state}\"}}");
            assert_eq!(of(&name), value, "{name}");
        }
    }
}

#[tokio::test]
async fn a_rebuild_shows_how_far_it_is() {
    let (service, gate) = Service::start_gated(1).await;
    service.put("/v1/sites/uk", r#"{"name":"London"}"#).await.expect(201);
    service.receive("A", 1).await;
    let begun = service.post("/v1/projections/rebuilds", r#"{"switch":"manual"}"#).await;
    begun.expect(202);
    gate.commits.until_entered(2).await;
    let during = series(&metrics_of(&service).await);
    assert_eq!(during["stockledger_replay_running"], 1.0);
    assert_eq!(during["stockledger_projection_active_version"], 1.0);
    let (done, left) =
        (r#"stockledger_replay_events_total{version="2"}"#, r#"stockledger_replay_lag_events{version="2"}"#);
    assert!(during[done] >= 1.0 && during[left] >= 1.0, "{during:?}");
    gate.commits.open();
    let deadline = Instant::now() + PATIENCE;
    let mut again = interval(Duration::from_millis(10));
    while !metrics_of(&service).await.contains("stockledger_replay_running 0") {
        assert!(Instant::now() < deadline, "the rebuild did not end");
        again.tick().await;
    }
}

/// What a service of its own, which has not asked the database yet, says of the same node.
async fn metrics_of(service: &Service) -> String {
    let app = App::new(service.node.clone(), service.roles.clone(), Gate::Open);
    send(&http::router(app), get("/metrics").body(Body::empty()).unwrap()).await.expect(200).text
}

#[tokio::test]
async fn nothing_that_a_caller_chooses_makes_a_series() {
    let (service, before) = busy().await;
    for number in 0..200 {
        let body = format!(r#"{{"lines":[{{"sku":"SKU-{number}","quantity":1}}]}}"#);
        service.post("/v1/sites/uk/receipts", body).await.expect(201);
        service.get(&format!("/v1/sites/uk/stock/SKU-{number}")).await.expect(200);
        service.get(&format!("/v1/sites/site-{number}/orders/o-{number}")).await.expect(404);
        service.get(&format!("/path/{number}")).await.expect(404);
        let strange = Request::builder().method(format!("STRANGE{number}").as_str()).uri("/v1/sites");
        service.send(strange.body(Body::empty()).unwrap()).await.expect(405);
    }
    let after = service.get("/metrics").await.expect(200).text;
    let new: Vec<String> =
        series(&after).into_keys().filter(|name| !series(&before).contains_key(name)).collect();
    // Two routes and one method that were not asked before, each with the buckets of its histogram.
    assert!(new.len() < 100, "{new:#?}");
    for part in ["SKU-", "site-", "/path", "STRANGE", "o-1"] {
        assert!(!after.contains(part), "{part}");
    }
}

#[tokio::test]
async fn whoever_asks_for_open_metrics_gets_it() {
    let (service, _) = busy().await;
    let plain = service.get("/metrics").await.expect(200);
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
    let request = get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
    let open = service.send(request).await.expect(200);
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.text.ends_with("\n# EOF\n") && open.text.matches("# EOF").count() == 1);
    let names_of = |text: &str| {
        let names = names(text).into_iter();
        names
            .map(|name| name.trim_end_matches("_total").trim_end_matches("_info").to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names_of(&open.text), names_of(&plain.text));
}

async fn scrape(guarded: &Guarded, peer: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = get("/metrics").extension(Peer(peer.parse().unwrap()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&guarded.router, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn this_machine_looks_freely_and_others_with_a_key() {
    let guarded = Guarded::start().await;
    let bearer = format!("Bearer {}", guarded.boss.reveal());
    for peer in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
        let answer = scrape(&guarded, peer, &[]).await.expect(200);
        assert!(answer.text.contains("stockledger_keyring_up 1"), "{}", answer.text);
        assert!(!answer.text.contains("CANARY") && !answer.text.contains("canary"), "{}", answer.text);
        for proxied in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            assert_problem(&scrape(&guarded, peer, &[(proxied, "192.0.2.1")]).await, 401, "unauthenticated");
        }
    }
    assert_problem(&scrape(&guarded, "192.0.2.1:9", &[]).await, 401, "unauthenticated");
    scrape(&guarded, "192.0.2.1:9", &[("authorization", &bearer)]).await.expect(200);
}

#[tokio::test]
async fn whoever_measures_is_never_refused_for_asking_often() {
    let service = Service::start().await;
    let app = service.app.clone().limited_to(Rates::new(1, 1));
    let router = http::router(app);
    let ask = async |path: &str| {
        let request = get(path).extension(Peer("192.0.2.1:9".parse().unwrap()));
        send(&router, request.body(Body::empty()).unwrap()).await
    };
    ask("/v1/sites").await.expect(200);
    assert_problem(&ask("/v1/sites").await, 429, "rate-limited");
    for _ in 0..20 {
        ask("/metrics").await.expect(200);
    }
}

/// The names of all metrics there are: of a node that is busy, rebuilds, and tells callers apart.
async fn everything() -> (BTreeSet<String>, String) {
    let (service, gate) = Service::start_gated(3).await;
    service.put("/v1/sites/uk", r#"{"name":"London"}"#).await.expect(201);
    let text = make_busy(&service).await;
    service.post("/v1/projections/rebuilds", r#"{"switch":"manual","workers":1}"#).await.expect(202);
    let deadline = Instant::now() + PATIENCE;
    let mut again = interval(Duration::from_millis(50));
    let during = loop {
        let during = metrics_of(&service).await;
        if during.contains("stockledger_replay_left_seconds{") {
            break during;
        }
        assert!(Instant::now() < deadline, "it is never known how long the rebuild will take");
        again.tick().await;
    };
    gate.commits.open();
    let guarded = Guarded::start().await;
    let keyed = scrape(&guarded, "127.0.0.1:9", &[]).await.expect(200).text;
    let known = [&text, &during, &keyed].into_iter().flat_map(|text| names(text)).collect();
    (known, text)
}

#[tokio::test]
async fn dashboard_and_alarms_name_only_what_is_measured() {
    let (known, text) = everything().await;
    assert!(known.len() > 25, "{known:?}");
    for (what, document, least) in [("the dashboard", DASHBOARD, 20), ("the alarms", RULES, 10)] {
        let named = named(document);
        assert!(named.len() >= least, "{what} names {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{what} names {unknown:?}, which nobody measures");
    }
    for name in &known {
        assert!(GUIDE.contains(&format!("`{name}")), "docs/operations/README.md does not explain {name}");
    }
    let partitions = series(&text).keys().filter(|name| name.starts_with("stockledger_writer_term")).count();
    assert_eq!(partitions, usize::from(PARTITIONS));
}

#[test]
fn the_guide_says_what_to_do_at_each_alarm() {
    let alarms: Vec<&str> = RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alarms.len() > 10);
    for alarm in alarms {
        assert!(
            GUIDE.contains(&format!("### {alarm}\n")),
            "docs/operations/README.md does not say what {alarm} is"
        );
    }
}

#[test]
fn the_dashboard_is_one_that_can_be_imported() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert!(!panel["title"].as_str().unwrap().is_empty());
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{panel}");
    }
}

/// Runs promtool with this as its input. Without promtool a test is left out, but not in the test command, which installs
/// it.
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let is_proof =
                ["CI", "STOCKLEDGER_TEST_SERVICES"].iter().any(|name| std::env::var_os(name).is_some());
            assert!(!is_proof, "promtool does not start ({error}); it is in the Debian package prometheus");
            #[allow(
                clippy::print_stderr,
                reason = "whoever runs this test by hand must see that it proves nothing"
            )]
            {
                eprintln!("LEFT OUT: promtool is not here; install the Debian package prometheus");
            }
            return;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

#[tokio::test]
async fn prometheus_finds_nothing_to_complain_about_in_the_metrics() {
    let (_service, text) = busy().await;
    promtool(&["check", "metrics"], &text);
}

#[test]
fn the_rules_are_ones_that_prometheus_takes() {
    promtool(&["check", "rules", concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/alerts.yml")], "");
}
