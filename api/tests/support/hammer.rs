//! Orders that are placed and read without pause while something else happens, and every answer that is an error or goes
//! back behind another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// What takes longer than this has failed.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often each reader reads; more would leave nothing of a small machine to whoever places orders.
const READ_EVERY: Duration = Duration::from_millis(10);
/// What each site has of the one item that all orders are of.
const STOCK: u64 = 1_000_000_000;

/// Who places orders and reads, at several sites at once.
pub(crate) struct Hammer {
    heard: Arc<Heard>,
    stop: CancellationToken,
    callers: JoinSet<()>,
}

/// What was answered.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    orders: AtomicU64,
    reads: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

/// What somebody knows of a site: it has had so many orders, and the last of them stands there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    orders: u64,
    partition: u64,
    seq: u64,
}

impl Known {
    fn token(self) -> String {
        format!("{}.{}", self.partition, self.seq)
    }

    /// The position of an answer that shows so many orders.
    fn of(answer: &Answer, orders: u64) -> Result<Self, String> {
        let (partition, seq) = answer.position.split_once('.').ok_or("an answer without a position")?;
        let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
        Ok(Self { orders, partition: number(partition)?, seq: number(seq)? })
    }
}

/// One who calls, over and over.
struct Caller {
    router: Router,
    site: String,
    heard: Arc<Heard>,
}

struct Answer {
    status: u16,
    position: String,
    json: Value,
}

/// What a reader looks at.
#[derive(Clone, Copy)]
enum Look {
    Level,
    Newest,
    Order,
    Trail,
}

impl Look {
    const ALL: [Self; 4] = [Self::Level, Self::Newest, Self::Order, Self::Trail];
}

impl Hammer {
    /// Begins at sites that are opened for it: orders go to the first node, and every node is read from.
    pub(crate) async fn start(nodes: &[&Router], sites: &[&str]) -> Self {
        let mut hammer =
            Self { heard: Arc::default(), stop: CancellationToken::new(), callers: JoinSet::new() };
        for site in sites {
            let opened = hammer.caller(nodes[0], site).open().await;
            let (told, knows) = watch::channel(opened);
            let placing = hammer.caller(nodes[0], site).place_orders(told, hammer.stop.clone());
            hammer.callers.spawn(placing);
            let looks = nodes.iter().flat_map(|node| Look::ALL.map(|look| (node, look)));
            for (node, look) in looks {
                let reading = hammer.caller(node, site).read(look, knows.clone(), hammer.stop.clone());
                hammer.callers.spawn(reading);
            }
        }
        hammer
    }

    fn caller(&self, node: &Router, site: &str) -> Caller {
        Caller { router: node.clone(), site: site.to_owned(), heard: Arc::clone(&self.heard) }
    }

    /// Waits until there were so many more orders and reads.
    pub(crate) async fn go_on_for(&self, orders: u64, reads: u64) {
        let heard = || (self.heard.orders.load(Ordering::Relaxed), self.heard.reads.load(Ordering::Relaxed));
        let (deadline, before) = (Instant::now() + DEADLINE, heard());
        let mut again = interval(Duration::from_millis(5));
        while heard().0 < before.0 + orders || heard().1 < before.1 + reads {
            assert!(self.heard.wrong.lock().unwrap().is_empty(), "{:?}", self.heard);
            assert!(Instant::now() < deadline, "nobody is answered any more: {:?}", self.heard);
            again.tick().await;
        }
    }

    /// Stops when everything under way is answered; every answer must have been right. Says how many orders and how many
    /// reads were answered.
    pub(crate) async fn stop(mut self) -> (u64, u64) {
        self.stop.cancel();
        while let Some(ended) = timeout(DEADLINE, self.callers.join_next()).await.unwrap() {
            ended.unwrap();
        }
        assert!(self.heard.wrong.lock().unwrap().is_empty(), "{:?}", self.heard);
        (self.heard.orders.load(Ordering::Relaxed), self.heard.reads.load(Ordering::Relaxed))
    }
}

impl Caller {
    async fn open(self) -> Known {
        let path = format!("/v1/sites/{}", self.site);
        let opened = self.send(Request::put(&path), r#"{"name":"n"}"#.to_owned()).await;
        assert_eq!(opened.status, 201, "{}", opened.json);
        let receipt = format!(r#"{{"lines":[{{"sku":"A","quantity":{STOCK}}}]}}"#);
        let received = self.post(&format!("{path}/receipts"), "stock", receipt).await;
        assert_eq!(received.status, 201, "{}", received.json);
        Known::of(&received, 0).unwrap()
    }

    /// Places one order after the other and reads each at once.
    async fn place_orders(self, told: watch::Sender<Known>, stop: CancellationToken) {
        let path = format!("/v1/sites/{}/orders", self.site);
        while !stop.is_cancelled() {
            let number = told.borrow().orders + 1;
            let order_id = format!("o-{number}");
            let order = format!(r#"{{"order_id":"{order_id}","lines":[{{"sku":"A","quantity":1}}]}}"#);
            let placed = self.post(&path, &order_id, order).await;
            if placed.status != 201 {
                return self.complain(&format!("order {number}"), &placed);
            }
            let known = Known::of(&placed, number).unwrap();
            self.heard.orders.fetch_add(1, Ordering::Relaxed);
            told.send_replace(known);
            let mut before = known;
            self.look(Look::Order, Some(known), &mut before).await;
        }
    }

    /// Reads over and over, every second time no older state than somebody else has been told of.
    async fn read(self, look: Look, mut knows: watch::Receiver<Known>, stop: CancellationToken) {
        let mut before = *knows.borrow();
        // Nobody has anything to look at before the first order; it may never come.
        if knows.wait_for(|known| known.orders > 0).await.is_err() {
            return;
        }
        let mut asks = true;
        let mut again = interval(READ_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            again.tick().await;
            let known = *knows.borrow();
            self.look(look, asks.then_some(known), &mut before).await;
            asks = !asks;
        }
    }

    /// One read. Its answer is never older than what it asks for, nor than the one `before`, which it then becomes.
    async fn look(&self, look: Look, asks: Option<Known>, before: &mut Known) {
        let site = &self.site;
        let number = asks.map_or(before.orders, |known| known.orders);
        let path = match look {
            Look::Level => format!("/v1/sites/{site}/stock/A"),
            Look::Newest => format!("/v1/sites/{site}/orders?limit=1"),
            Look::Order => format!("/v1/sites/{site}/orders/o-{number}"),
            Look::Trail => format!("/v1/sites/{site}/orders/o-{number}/trail"),
        };
        let mut request = Request::get(&path);
        if let Some(known) = asks {
            request = request.header("ledger-min-position", known.token()).header("prefer", "wait=30");
        }
        let answer = self.send(request, String::new()).await;
        self.heard.reads.fetch_add(1, Ordering::Relaxed);
        match self.judge(look, &answer, number, asks, *before) {
            Ok(now) => *before = now,
            Err(why) => {
                self.complain(&format!("{path} after {before:?}, asking for {asks:?}: {why}"), &answer);
            }
        }
    }

    /// What an answer shows, if it is right.
    fn judge(
        &self,
        look: Look,
        answer: &Answer,
        number: u64,
        asks: Option<Known>,
        before: Known,
    ) -> Result<Known, String> {
        if answer.status != 200 {
            return Err("an error".to_owned());
        }
        let orders = match look {
            Look::Level => answer.json["reserved"].as_u64(),
            Look::Newest => {
                let newest = answer.json["data"][0]["order_id"].as_str();
                newest.and_then(|order_id| order_id.strip_prefix("o-")?.parse().ok())
            }
            Look::Order => (answer.json["status"] == "placed").then_some(number),
            Look::Trail => (answer.json["data"][0]["type"] == "order_placed").then_some(number),
        };
        let now = Known::of(answer, orders.ok_or("not what was asked for")?)?;
        let at_least = [Some(before), asks].into_iter().flatten();
        for known in at_least {
            if now.seq < known.seq || now.partition != known.partition || now.orders < known.orders {
                return Err(format!("it goes back to {now:?}"));
            }
        }
        Ok(now)
    }

    fn complain(&self, what: &str, answer: &Answer) {
        let complaint = format!("{what}: {} {} {}", answer.status, answer.position, answer.json);
        self.heard.wrong.lock().unwrap().push(complaint);
    }

    async fn post(&self, path: &str, key: &str, body: String) -> Answer {
        self.send(Request::post(path).header("idempotency-key", key), body).await
    }

    async fn send(&self, request: axum::http::request::Builder, body: String) -> Answer {
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        let answered =
            timeout(DEADLINE, self.router.clone().oneshot(request)).await.expect("an answer in time");
        let (parts, body) = answered.unwrap().into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let position = parts.headers.get("ledger-position").map_or("", |value| value.to_str().unwrap());
        Answer {
            status: parts.status.as_u16(),
            position: position.to_owned(),
            json: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}

/// Sends a request about versions; the status must be this.
pub(crate) async fn manage(router: &Router, method: &str, path: &str, body: &Value, status: u16) -> Value {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let answered = timeout(DEADLINE, router.clone().oneshot(request.body(body).unwrap())).await;
    let (parts, body) = answered.expect("an answer in time").unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
    assert_eq!(parts.status.as_u16(), status, "{method} {path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Waits until the versions are as asked for.
pub(crate) async fn until_versions(router: &Router, mut is_met: impl FnMut(&Value) -> bool) -> Value {
    let deadline = Instant::now() + DEADLINE;
    let mut again = interval(Duration::from_millis(5));
    loop {
        let seen = manage(router, "GET", "/v1/projections", &Value::Null, 200).await;
        if is_met(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{seen}");
        again.tick().await;
    }
}
