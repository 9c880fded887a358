//! Nobody can tell from the answers which log and which tables are below.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use stockledger::client::Client;
use stockledger::http;
use stockledger::import::{self, Remote, Report, Source};
use stockledger_projections::compare::compare;
use stockledger_projections::rebuild::{Replay, SwitchWhen, rebuild};
use stockledger_projections::versions::Owner;
use stockledger_projections::{Store, Version};
use stockledger_schemas::Actor;
use stockledger_writer::{Environment, SystemEnvironment};
use tower::ServiceExt;

use super::stack::Stack;
use super::storage::{kafka, mysql, sqlite_log, sqlite_store};

impl Stack {
    /// The demo month over HTTP; its opening stock is short, so there are refusals too.
    async fn import(&self) -> Report {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(http::serve(
            listener,
            self.router.clone(),
            http::Serving::default(),
            self.stop.clone(),
        ));
        let options = import::Options {
            source: Source::demo(),
            site: "uk".parse().unwrap(),
            opening: "90%".parse().unwrap(),
            force: false,
            actor: Actor::new("tester").unwrap(),
        };
        let target = Remote::new(Client::new(&address).unwrap());
        let report = import::run(options, &target, &mut |_| {}).await.unwrap();
        serving.abort();
        report
    }

    /// Sends a request, after everything that was answered before can be read.
    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &Value) -> Answer {
        let positions: Vec<String> =
            self.ledger.status().iter().map(|status| status.position.to_string()).collect();
        let mut request = Request::builder().method(method).uri(path);
        request = match method {
            "GET" => request.header("ledger-min-position", positions.join(",")),
            _ => request.header("content-type", "application/json"),
        };
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let position =
            response.headers().get("ledger-position").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let mut body: Value = serde_json::from_slice(&bytes).unwrap();
        if let Some(problem) = body.as_object_mut() {
            // The only member of an answer that is random.
            problem.remove("request_id");
        }
        Answer { status, position, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, &Value::Null).await
    }

    /// All pages of a list.
    async fn list(&self, path: &str, answers: &mut Vec<(String, Answer)>) {
        let mut next = Some(path.to_owned());
        while let Some(page) = next {
            let answer = self.get(&page).await;
            let cursor = answer.body["next_cursor"].as_str().map(str::to_owned);
            let separator = if path.contains('?') { '&' } else { '?' };
            next = cursor.map(|cursor| format!("{path}{separator}cursor={cursor}"));
            answers.push((page, answer));
        }
    }
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    position: Option<String>,
    body: Value,
}

/// What anybody can ask: commands of every kind, accepted, refused, repeated and malformed, then every list and resource.
async fn answers(stack: &Stack) -> Vec<(String, Answer)> {
    let lines = |quantity: i64| json!({ "lines": [{ "sku": "85123A", "quantity": quantity }] });
    let order = |id: &str, quantity: i64| json!({ "order_id": id, "lines": [{ "sku": "85123A", "quantity": quantity }] });
    let commands = [
        ("PUT", "/v1/sites/depot", None, json!({ "name": "Depot" })),
        ("PUT", "/v1/sites/depot", None, json!({ "name": "Depot" })),
        ("POST", "/v1/sites/depot/receipts", Some("in"), lines(10)),
        ("POST", "/v1/sites/depot/receipts", Some("in"), lines(10)),
        ("POST", "/v1/sites/depot/receipts", Some("in"), lines(11)),
        ("POST", "/v1/sites/depot/receipts", None, lines(1)),
        ("POST", "/v1/sites/depot/orders", Some("a"), order("A", 4)),
        ("POST", "/v1/sites/depot/orders", Some("b"), order("B", 7)),
        ("POST", "/v1/sites/depot/orders", Some("b"), order("B", 7)),
        ("POST", "/v1/sites/depot/orders", Some("c"), order("A", 1)),
        ("POST", "/v1/sites/depot/orders/A/shipments", Some("d"), json!({})),
        ("POST", "/v1/sites/depot/orders/A/cancellation", Some("e"), json!({})),
        ("POST", "/v1/sites/depot/orders/none/shipments", Some("f"), json!({})),
        ("POST", "/v1/sites/nowhere/orders", Some("g"), order("A", 1)),
        ("POST", "/v1/sites/depot/orders", Some("h"), json!({ "order_id": "C", "lines": [] })),
    ];
    let mut answers = Vec::new();
    for (number, (method, path, key, body)) in commands.into_iter().enumerate() {
        answers.push((format!("{number} {method} {path}"), stack.ask(method, path, key, &body).await));
    }
    for path in [
        "/v1/sites",
        "/v1/items?limit=500",
        "/v1/sites/uk/stock?limit=500",
        "/v1/sites/uk/orders?limit=200",
        "/v1/sites/uk/orders?status=refused&limit=50",
        "/v1/sites/uk/stock/85123A/movements?limit=100",
        "/v1/sites/depot/orders",
        "/v1/sites/depot/stock",
    ] {
        stack.list(path, &mut answers).await;
    }
    for path in [
        "/v1/items/85123A",
        "/v1/stock/85123A",
        "/v1/sites/uk/stock/85123A",
        "/v1/sites/uk/stock/nothing",
        "/v1/sites/depot/orders/A",
        "/v1/sites/depot/orders/A/trail",
        "/v1/sites/depot/orders/B/trail",
        "/v1/sites/depot/orders/none",
        "/v1/sites/nowhere/stock",
        "/v1/sites/uk/orders?cursor=nonsense",
    ] {
        answers.push((path.to_owned(), stack.get(path).await));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_and_every_answer_is_the_same_on_every_log_and_store() {
    let now = SystemEnvironment.now();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let on = |name, log, store| Stack::start(name, log, store, now);
    let (mysql, mariadb) = ("STOCKLEDGER_TEST_MYSQL", "STOCKLEDGER_TEST_MARIADB");
    let stacks = [
        on("SQLite and SQLite", sqlite_log(first.path()).await, sqlite_store(first.path()).await).await,
        on("Kafka and MySQL", kafka().await, self::mysql(mysql).await).await,
        on("Kafka and MariaDB", kafka().await, self::mysql(mariadb).await).await,
        on("Kafka and SQLite", kafka().await, sqlite_store(second.path()).await).await,
    ];
    let mut reports = Vec::new();
    let mut all_answers = Vec::new();
    for stack in &stacks {
        reports.push(Report { seconds: 0.0, ..stack.import().await });
        all_answers.push(answers(stack).await);
    }
    assert!(reports[0].orders_refused > 0 && reports[0].orders_shipped > 0, "{:?}", reports[0]);
    for (number, stack) in stacks.iter().enumerate().skip(1) {
        assert_eq!(reports[number], reports[0], "{}", stack.name);
        assert_eq!(all_answers[number].len(), all_answers[0].len(), "{}", stack.name);
        for (answer, expected) in all_answers[number].iter().zip(&all_answers[0]) {
            assert_eq!(answer, expected, "{}", stack.name);
        }
        assert_equal((stacks[0].store.as_ref(), Version::FIRST), (stack.store.as_ref(), Version::FIRST))
            .await;
    }
    // Rebuilt from its own log, each equals what another one kept live, and at last the first equals a rebuilt one.
    let live = (stacks[0].store.as_ref(), Version::FIRST);
    let mut rebuilt = live;
    for stack in &stacks[1..] {
        rebuilt = (stack.store.as_ref(), rebuild_tables(stack).await);
        assert_equal(live, rebuilt).await;
    }
    assert_equal(rebuilt, (stacks[0].store.as_ref(), rebuild_tables(&stacks[0]).await)).await;
    for stack in stacks {
        stack.stop().await;
    }
}

async fn rebuild_tables(stack: &Stack) -> Version {
    let replay = Replay::new(stack.log.clone(), stack.store.clone());
    let owner = Owner::new(format!("the test of {}", stack.name));
    let rebuilt = rebuild(&replay, &owner, SwitchWhen::Level, SystemEnvironment.now()).await.unwrap();
    let switched = rebuilt.switched.unwrap();
    assert_eq!((switched.from, switched.is_compared), (Version::FIRST, true), "{}", stack.name);
    rebuilt.version
}

async fn assert_equal(first: (&dyn Store, Version), second: (&dyn Store, Version)) {
    let comparison = compare(first, second).await.unwrap();
    assert_eq!(comparison.difference, None);
    assert!(comparison.rows() > 10_000, "{} rows", comparison.rows());
}
