//! The lines of the order that a form is about, as far as the caller may see them.

use stockledger_schemas::{KeyScope, OrderStatus};

use crate::http::App;
use crate::http::access::{Access, Caller};
use crate::http::command::Ids;
use crate::http::problem::Problem;
use crate::http::ui::fields::Fields;
use crate::http::ui::forms::shape::{ROWS_MAX, Shape, cell};
use crate::http::ui::text::Number;

use stockledger_schemas::CommandKind;

/// What of an order a step can still move: items, and how much of each in words.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<(String, String)>);

impl Told {
    /// Fills the items in, one line each.
    pub(super) fn fill(&self, fields: &mut Fields) {
        if self.0.is_empty() {
            return;
        }
        fields.fill("rows", self.0.len().to_string());
        for (row, (sku, _)) in self.0.iter().enumerate() {
            fields.fill(&cell(row, "sku"), sku);
        }
    }

    /// How much of an item there is to move.
    pub(super) fn of(&self, sku: &str) -> &str {
        self.0.iter().find(|(known, _)| known == sku).map_or("", |(_, told)| told)
    }

    pub(super) const fn is_known(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Nothing, where the form is about no order or its caller may not read it: then the lines are empty, to be filled in.
pub(super) async fn lines(app: &App, caller: &Caller, shape: &Shape, ids: &Ids) -> Result<Told, Problem> {
    let (Some(site), Some(order_id), Some(_)) = (&ids.site, &ids.order_id, shape.lines) else {
        return Ok(Told::default());
    };
    if caller.check(Access::AtSite(KeyScope::StockRead), Some(site)).is_err() {
        return Ok(Told::default());
    }
    let _turn = app.room().read().await?;
    let queries = app.queries()?;
    let Some(known) = queries.site(site).await? else { return Ok(Told::default()) };
    let Some(order) = queries.order(&known, order_id).await? else { return Ok(Told::default()) };
    if order.value.status == OrderStatus::Refused {
        return Ok(Told::default());
    }
    let is_return = shape.command == CommandKind::ReturnOrder;
    let lines = order.value.lines.iter().filter_map(|line| {
        let (left, word) = match is_return {
            true => (line.shipped - line.returned, "shipped"),
            false => (line.ordered - line.shipped - line.cancelled, "open"),
        };
        (left > 0).then(|| (line.sku.to_string(), format!("{} {word}", Number(left))))
    });
    Ok(Told(lines.take(ROWS_MAX).collect()))
}
