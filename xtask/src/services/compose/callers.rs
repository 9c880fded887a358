//! What a caller of the ledger did and was told, which has to stay true whatever happens to containers.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::chaos::http::{Answer, Client, Position};

/// How long an answer may take: longer than the ledger waits for its log.
const PATIENCE: Duration = Duration::from_secs(15);
const SITE: &str = "shed";
const SKU: &str = "LAMP";
const RECEIVED: u64 = 1_000;

/// A caller with a memory.
pub(super) struct Caller {
    client: Client,
    url: String,
    orders: Vec<Order>,
}

/// An order that was placed.
struct Order {
    id: String,
    key: String,
    body: Value,
    position: Position,
    told: Value,
}

impl Caller {
    /// One that opened a site and took goods in.
    pub(super) fn with_goods(url: String) -> Result<Self> {
        let caller = Self { client: Client::new(PATIENCE), url, orders: vec![] };
        let site = format!("{}/v1/sites/{SITE}", caller.url);
        let opened = caller.client.put(&site, &json!({ "name": "The shed" }));
        expect(&opened.map_err(|error| anyhow!("opening the site: {error:?}"))?, 201)?;
        let goods = json!({ "reason": "purchase", "lines": [{ "sku": SKU, "quantity": RECEIVED }] });
        expect(&caller.post("receipts", "goods", &goods)?, 201)?;
        Ok(caller)
    }

    /// Sends the next order and does not hear what becomes of it.
    pub(super) fn order_in_vain(&self) {
        let (_, key, body) = self.next();
        let _ = self.post("orders", &key, &body);
    }

    /// Places the next order, also if it was sent before.
    pub(super) fn order(&mut self) -> Result<()> {
        let (id, key, body) = self.next();
        let answer = self.post("orders", &key, &body)?;
        // 200 tells again what was decided when it was sent in vain.
        ensure!(matches!(answer.status, 200 | 201), "{}: {}", answer.status, answer.body);
        let position = answer.position.context("an order was answered without a position")?;
        self.orders.push(Order { id, key, body, position, told: answer.body });
        Ok(())
    }

    /// Fails unless each order is there as it was told, a repetition under its key is answered as it was, and the stock is
    /// what all of them left.
    pub(super) fn check(&self) -> Result<()> {
        let mut reserved = 0;
        for order in &self.orders {
            let id = &order.id;
            let again = self.post("orders", &order.key, &order.body)?;
            ensure!(again.body == order.told, "{id} sent again: {} instead of {}", again.body, order.told);
            ensure!(again.position == Some(order.position), "{id} sent again stands at {:?}", again.position);
            let found = self.read(&format!("orders/{id}"))?;
            ensure!(found["lines"] == order.told["lines"], "{id} is {found} instead of {}", order.told);
            reserved += order.told["lines"][0]["ordered"].as_u64().unwrap_or_default();
        }
        let level = self.read(&format!("stock/{SKU}"))?;
        ensure!(
            level["on_hand"] == RECEIVED && level["reserved"] == reserved,
            "{} orders reserve {reserved} of {RECEIVED}, and the stock is {level}",
            self.orders.len()
        );
        Ok(())
    }

    fn next(&self) -> (String, String, Value) {
        let number = self.orders.len() + 1;
        let (id, key) = (format!("order-{number}"), format!("key-{number}"));
        let body = json!({ "order_id": id, "lines": [{ "sku": SKU, "quantity": number }] });
        (id, key, body)
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        let answer = self.client.post(&format!("{}/v1/sites/{SITE}/{path}", self.url), key, body);
        answer.map_err(|error| anyhow!("sending {path} under {key}: {error:?}"))
    }

    /// Reads after everything that was done.
    fn read(&self, path: &str) -> Result<Value> {
        let after: Vec<Position> = self.orders.last().map(|order| order.position).into_iter().collect();
        let answer = self.client.get(&format!("{}/v1/sites/{SITE}/{path}", self.url), &after);
        let answer = answer.map_err(|error| anyhow!("reading {path}: {error:?}"))?;
        expect(&answer, 200)?;
        Ok(answer.body)
    }
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.body);
    Ok(())
}
