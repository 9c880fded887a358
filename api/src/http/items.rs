//! `/v1/items`: descriptions of what is counted.

use axum::response::Response;
use stockledger_domain::Command;
use stockledger_domain::command::RegisterItem;
use stockledger_projections::Queries;
use stockledger_projections::views::Item;
use stockledger_schemas::{KeyScope, Name, Reason, Scope, Sku, Unit};

use crate::http::access::{Access, Routes};
use crate::http::body::body;
use crate::http::command::Input;
use crate::http::conditional::Tag;
use crate::http::list::{List, ListParameters, Pages, Portion, Wanted};
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, respond_at};
use crate::http::segments::{NoParameters, Parameters, Segments};

/// Descriptions are the same at all sites, so every key that reads reads them, and only one for all sites changes them.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/v1/items", Access::OwnSites(KeyScope::StockRead), list)
        .get("/v1/items/{sku}", Access::OwnSites(KeyScope::StockRead), show)
        .put_command::<RegisterItemBody>("/v1/items/{sku}")
}

body! {
    /// The body that registers an item, or describes it anew.
    pub(super) struct RegisterItemBody[Reason] {
        name: Name,
        #[serde(default = "each")]
        unit: Unit,
    }
}

#[expect(clippy::expect_used, reason = "a constant that its type allows")]
fn each() -> Unit {
    Unit::new("each").expect("each is a unit")
}

impl Input for RegisterItemBody {
    type Target = Sku;

    const ACCESS: Access = Access::AllSites(KeyScope::StockWrite);
    const IS_KEYED: bool = false;

    fn into_command(self, sku: Sku) -> (Scope, Command) {
        (Scope::Directory, Command::RegisterItem(RegisterItem { sku, name: self.name, unit: self.unit }))
    }
}

async fn list(
    Parameters(asked): Parameters<ListParameters>,
    wanted: Wanted,
    reader: Reader,
) -> Result<Response, Problem> {
    List::new("items", &[]).answer(wanted, asked, Items(reader.0.clone())).await
}

struct Items(Queries);

impl Pages for Items {
    type Row = Item;
    type Key = Sku;

    async fn page(&self, after: Option<Sku>, limit: u32) -> Result<Portion<Item, Sku>, Problem> {
        Ok(Portion::of(self.0.items(after.as_ref(), limit).await?))
    }
}

async fn show(
    Segments(sku): Segments<Sku>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(Code::UnknownItem, format!("no item {sku} is registered"));
    let answer = reader.0.item(&sku).await?.ok_or_else(unknown)?;
    respond_at(&answer.at, Tag::Body, &answer.value)
}
