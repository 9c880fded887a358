//! Commands as forms: a page to fill in, the command that it makes, and what was decided.
//!
//! A form that was sent becomes the JSON body of its command and goes where that goes, with the rights of its route; nothing
//! is checked here. It carries an idempotency key that was made with the page, so that a double click is one command. What
//! was decided is told by a page of its own address, which can be loaded again; what was refused stands beside the form, with
//! all that was filled in.

mod actions;
mod directory;
mod done;
mod of_order;
mod orders;
mod shape;
mod sheet;
mod stock;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;
use stockledger_schemas::{HoldId, IdempotencyKey, Position, Sku};

pub(super) use self::actions::{
    Action, PLACE_AN_ORDER, at_site, of_hold, of_item, of_order, open_site, register_item,
};
use self::done::Done;
use self::shape::Shape;
use self::sheet::{Said, Sheet};
use crate::http::access::{Caller, Routes};
use crate::http::command::{Ids, Input, Target, checked};
use crate::http::page::accepts_html;
use crate::http::problem::{Code, Problem};
use crate::http::read::Reader;
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::http::ui::fields::Fields;
use crate::http::ui::frame::{page, page_with};
use crate::http::ui::query::filled;
use crate::http::{App, render};

/// A form of a command.
trait Form: Send + 'static {
    /// The body that it makes.
    type Input: Input;

    /// What it asks for.
    const SHAPE: Shape;
}

pub(super) fn routes() -> Routes {
    let routes = Routes::new();
    let routes = with::<directory::Open>(routes, "/ui/open-site");
    let routes = with::<directory::Register>(routes, "/ui/register-item");
    let routes = with::<stock::Receive>(routes, "/ui/sites/{site}/receive");
    let routes = with::<stock::Adjust>(routes, "/ui/sites/{site}/adjust");
    let routes = with::<stock::Count>(routes, "/ui/sites/{site}/count");
    let routes = with::<stock::Hold>(routes, "/ui/sites/{site}/hold");
    let routes = with::<stock::Release>(routes, "/ui/sites/{site}/release");
    let routes = with::<stock::Note>(routes, "/ui/sites/{site}/note");
    let routes = with::<orders::Place>(routes, "/ui/sites/{site}/place-order");
    let routes = with::<orders::Ship>(routes, "/ui/sites/{site}/orders/{order_id}/ship");
    let routes = with::<orders::Cancel>(routes, "/ui/sites/{site}/orders/{order_id}/cancel");
    with::<orders::Return>(routes, "/ui/sites/{site}/orders/{order_id}/return")
}

fn with<F: Form>(routes: Routes, path: &'static str) -> Routes {
    let access = F::Input::ACCESS;
    routes.get(path, access, show::<F>).post(path, access, send::<F>)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Where the decision stands that was made of the form before.
    done: Option<Position>,
    #[serde(default, deserialize_with = "filled")]
    sku: Option<Sku>,
    #[serde(default, deserialize_with = "filled")]
    hold_id: Option<HoldId>,
}

async fn show<F: Form>(
    State(app): State<App>,
    Segments(ids): Segments<Ids>,
    Parameters(Asked { done, sku, hold_id }): Parameters<Asked>,
    uri: Uri,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    if let Some(site) = &ids.site {
        reader.site(site).await?;
    }
    let done = match done {
        Some(position) => Done::of(&app, &caller, &ids, position).await?,
        None => None,
    };
    let mut fields = Fields::default();
    if let Some(sku) = sku {
        fields.fill("sku", sku.as_str());
        fields.fill(&shape::cell(0, "sku"), sku.as_str());
    }
    if let Some(hold_id) = hold_id {
        fields.fill("hold_id", hold_id.as_str());
    }
    let told = of_order::lines(&app, &caller, &F::SHAPE, &ids).await?;
    told.fill(&mut fields);
    let said = done.map_or(Said::Nothing, Said::Done);
    page(&Sheet::new(&F::SHAPE, &ids, &told, &fields, (uri.path(), new_key::<F>()), said))
}

async fn send<F: Form>(
    State(app): State<App>,
    Segments(ids): Segments<Ids>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    uri: Uri,
    headers: HeaderMap,
    caller: Caller,
    fields: Fields,
) -> Result<Response, Problem> {
    let told = of_order::lines(&app, &caller, &F::SHAPE, &ids).await?;
    if fields.has("more") {
        let key = fields.get("key").to_owned();
        return page(&Sheet::new(&F::SHAPE, &ids, &told, &fields, (uri.path(), key), Said::More));
    }
    let composed = F::SHAPE.compose(&fields);
    let problem = match decide::<F>(&app, &ids, &fields, &composed.body, &caller).await {
        Ok(position) => {
            let location = format!("{}?done={position}", uri.path());
            return Ok(Redirect::to(&location).into_response());
        }
        Err(problem) => problem,
    };
    let is_elsewhere = matches!(problem.code(), Code::UnknownSite | Code::Internal);
    if is_elsewhere || !accepts_html(&headers) {
        return Err(problem);
    }
    let key = if is_spent(&problem) { new_key::<F>() } else { fields.get("key").to_owned() };
    let said = Said::Refused(&problem, &composed);
    let sheet = Sheet::new(&F::SHAPE, &ids, &told, &fields, (uri.path(), key), said);
    page_with(problem.code().status(), &sheet)
}

/// Whether the key of a form has done its work. What was decided under a key stays so; what was not is sent again under the
/// same one.
pub(super) fn is_spent(problem: &Problem) -> bool {
    problem.decided().is_some() || problem.code() == Code::IdempotencyKeyReused
}

/// Has the command decided, as its JSON route does.
async fn decide<F: Form>(
    app: &App,
    ids: &Ids,
    fields: &Fields,
    body: &Value,
    caller: &Caller,
) -> Result<Position, Problem> {
    let key = match F::Input::IS_KEYED {
        true => Some(key(fields)?),
        false => None,
    };
    let target = target::<F>(ids, fields)?;
    let body = serde_json::to_vec(body).map_err(Problem::internal)?;
    let command = checked::<F::Input>(target, &body, caller.actor())?;
    let reply = app.ledger()?.submit(command, key).await?;
    render::resource(&reply)?;
    Ok(reply.position)
}

fn key(fields: &Fields) -> Result<IdempotencyKey, Problem> {
    let text = fields.get("key");
    if text.is_empty() {
        return Err(Problem::new(Code::IdempotencyKeyMissing, "the form has no key: open it anew"));
    }
    let malformed =
        |error| Problem::new(Code::MalformedRequest, format!("the key of the form is none: {error}"));
    IdempotencyKey::new(text).map_err(malformed)
}

/// A key for a form, if its command has one.
fn new_key<F: Form>() -> String {
    if F::Input::IS_KEYED { fresh_key() } else { String::new() }
}

/// A key that no form had before.
pub(super) fn fresh_key() -> String {
    format!("form-{}", uuid::Uuid::new_v4())
}

/// The ids of the path, and those that were filled in.
fn target<F: Form>(ids: &Ids, fields: &Fields) -> Result<<F::Input as Input>::Target, Problem> {
    let mut ids = ids.clone();
    for field in F::SHAPE.fields.iter().filter(|field| field.is_target) {
        let text = fields.get(field.name);
        ids.fill(field.name, text).map_err(|why| Problem::invalid_at(format!("/{}", field.name), why))?;
    }
    let missing = |member| Problem::invalid_at(format!("/{member}"), "fill this in");
    <F::Input as Input>::Target::take(&mut ids).map_err(missing)
}
