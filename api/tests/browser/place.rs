//! A server of the real program, on a data directory and a port of its own, with a small warehouse in it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use serde_json::{Value, json};
use stockledger::client::Client;
use stockledger::http::headers::IDEMPOTENCY_KEY;
use stockledger::keys::Token;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};

use crate::driver::PATIENCE;

const SCOPES: [&str; 6] = ["admin", "stock:read", "stock:write", "order:place", "order:manage", "audit:read"];

/// A server. It ends when it is dropped.
pub(crate) struct Place {
    pub(crate) url: String,
    /// Of a key that allows everything, where there are keys.
    pub(crate) token: Option<String>,
    _server: Child,
    _home: TempDir,
}

fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockledger"));
    command.args(arguments).arg("--data-dir").arg(home.join("data")).current_dir(home);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOCKLEDGER_")) {
        command.env_remove(name);
    }
    command
}

impl Place {
    /// Where everybody may do everything.
    pub(crate) async fn open() -> Self {
        Self::start(TempDir::new().unwrap(), None).await
    }

    /// Where one signs in.
    pub(crate) async fn with_keys() -> Self {
        let home = TempDir::new().unwrap();
        let scopes = SCOPES.iter().flat_map(|scope| ["--scope", scope]);
        let arguments: Vec<&str> = ["keys", "create", "--name", "boss"].into_iter().chain(scopes).collect();
        let made = program(home.path(), &arguments).output().await.unwrap();
        assert!(made.status.success(), "no key was made: {}", made.status);
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Self::start(home, Some(token)).await
    }

    async fn start(home: TempDir, token: Option<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let server = program(home.path(), &["serve", "--listen", &listen, "--verify-every", "off"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let place = Self { url: format!("http://{listen}"), token, _server: server, _home: home };
        let (client, deadline) = (place.client(), Instant::now() + PATIENCE);
        let mut again = interval(Duration::from_millis(20));
        while client.get_json::<Value>("/readyz").await.is_err() {
            assert!(Instant::now() < deadline, "the server is never ready");
            again.tick().await;
        }
        place.fill(&client).await;
        place
    }

    fn client(&self) -> Client {
        let client = Client::new(&self.url).unwrap();
        match &self.token {
            Some(token) => client.with_token(&token.parse::<Token>().unwrap()),
            None => client,
        }
    }

    /// Has a command carried out, from somewhere else than the browser.
    pub(crate) async fn post(&self, path: &str, body: Value) {
        static KEYS: AtomicU64 = AtomicU64::new(1_000);
        let key = HeaderValue::from(KEYS.fetch_add(1, Ordering::Relaxed));
        let posted = self.client().post_json::<Value>(path, vec![(IDEMPOTENCY_KEY, key)], &body).await;
        posted.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Goods, an order that was shipped in part, one that was refused, and something set aside.
    async fn fill(&self, client: &Client) {
        let put = async |path: &str, body: Value| drop(client.put_json::<Value>(path, &body).await.unwrap());
        let keys = AtomicU64::new(0);
        let post = async |path: &str, body: Value| {
            let key = HeaderValue::from(keys.fetch_add(1, Ordering::Relaxed));
            client.post_json::<Value>(path, vec![(IDEMPOTENCY_KEY, key)], &body).await
        };
        put("/v1/sites/uk", json!({ "name": "United Kingdom" })).await;
        put("/v1/items/MUG", json!({ "name": "Coffee mug", "unit": "each" })).await;
        put("/v1/items/TEA", json!({ "name": "Black tea", "unit": "box" })).await;
        let lines = json!([{ "sku": "MUG", "quantity": 1_200 }, { "sku": "TEA", "quantity": 7 }]);
        post("/v1/sites/uk/receipts", json!({ "lines": lines, "reason": "purchase" })).await.unwrap();
        let order = json!({
            "order_id": "o-1", "customer": "c-7", "currency": "GBP",
            "lines": [{ "sku": "MUG", "quantity": 12, "unit_price_minor": 255 }],
        });
        post("/v1/sites/uk/orders", order).await.unwrap();
        let part = json!({ "lines": [{ "sku": "MUG", "quantity": 2 }] });
        post("/v1/sites/uk/orders/o-1/shipments", part).await.unwrap();
        let hold = json!({ "hold_id": "h-1", "sku": "MUG", "quantity": 3, "reason": "damaged" });
        post("/v1/sites/uk/holds", hold).await.unwrap();
        let short = json!({ "order_id": "o-2", "lines": [{ "sku": "TEA", "quantity": 9 }] });
        let refused = post("/v1/sites/uk/orders", short).await;
        assert_eq!(refused.unwrap_err().code(), Some("insufficient-stock"));
    }
}
