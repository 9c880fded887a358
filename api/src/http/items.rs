//! `/v1/items`: descriptions of what is counted.

use axum::response::Response;
use axum::routing::get;
use stockledger_domain::Command;
use stockledger_domain::command::RegisterItem;
use stockledger_schemas::{Name, Reason, Scope, Sku, Unit};

use crate::http::App;
use crate::http::body::body;
use crate::http::command::{Input, command};
use crate::http::list::{List, ListParameters};
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, respond_at};
use crate::http::segments::{NoParameters, Parameters, Segments};

pub(super) fn router() -> axum::Router<App> {
    axum::Router::new()
        .route("/v1/items", get(list))
        .route("/v1/items/{sku}", get(show).put(command::<RegisterItemBody>))
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

    const IS_KEYED: bool = false;

    fn into_command(self, sku: Sku) -> (Scope, Command) {
        (Scope::Directory, Command::RegisterItem(RegisterItem { sku, name: self.name, unit: self.unit }))
    }
}

async fn list(
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("items", &[]);
    let after = list.begin::<Sku>(cursor.as_deref())?;
    let answer = reader.0.items(after.as_ref(), limit.get()).await?;
    list.respond(&answer.at, &answer.value)
}

async fn show(
    Segments(sku): Segments<Sku>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let unknown = || Problem::new(Code::UnknownItem, format!("no item {sku} is registered"));
    let answer = reader.0.item(&sku).await?.ok_or_else(unknown)?;
    respond_at(&answer.at, &answer.value)
}
