//! A view across aggregates: what orders have done to the stock of an item at a site.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cqrs_es::persist::{PersistenceError, ViewContext, ViewRepository};
use cqrs_es::{EventEnvelope, Query, View};
use mysql_es::MysqlViewRepository;
use serde::{Deserialize, Serialize};

use crate::order::{Order, OrderEvent};

/// Changes by orders only: what was received is not among the events of an order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StockView {
    on_hand: i64,
    reserved: i64,
}

impl View<Order> for StockView {
    fn update(&mut self, _event: &EventEnvelope<Order>) {}
}

impl StockView {
    fn take(&mut self, event: &OrderEvent, quantity: i64) {
        match event {
            OrderEvent::Placed { .. } => self.reserved += quantity,
            OrderEvent::Cancelled { .. } => self.reserved -= quantity,
            OrderEvent::Returned { .. } => self.on_hand += quantity,
            OrderEvent::Shipped { .. } => {
                self.on_hand -= quantity;
                self.reserved -= quantity;
            }
        }
    }
}

/// Keeps one [`StockView`] per site and item, by the view repository of mysql-es, as its user guide does it for a view
/// that is not of one aggregate.
pub(crate) struct StockQuery {
    pub(crate) views: MysqlViewRepository<StockView, Order>,
    pub(crate) failures: Arc<AtomicU64>,
}

#[async_trait]
impl Query<Order> for StockQuery {
    async fn dispatch(&self, aggregate_id: &str, events: &[EventEnvelope<Order>]) {
        let site = aggregate_id.split('/').next().unwrap_or(aggregate_id);
        for event in events {
            for line in event.payload.lines() {
                let view_id = format!("{site}/{}", line.sku);
                if self.update(view_id, &event.payload, line.quantity).await.is_err() {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

impl StockQuery {
    async fn update(
        &self,
        view_id: String,
        event: &OrderEvent,
        quantity: i64,
    ) -> Result<(), PersistenceError> {
        let found = self.views.load_with_context(&view_id).await?;
        let (mut view, context) =
            found.unwrap_or_else(|| (StockView::default(), ViewContext::new(view_id, 0)));
        view.take(event, quantity);
        self.views.update_view(view, context).await
    }
}
