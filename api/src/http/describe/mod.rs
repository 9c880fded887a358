//! The description of this interface, as OpenAPI 3.1: `/openapi.json`, and `/docs` for people.
//!
//! What a route needs, what each value may be and what each problem means is taken from the code that decides it. Only the
//! shapes of bodies and the prose are written here (`shapes/`, `operations/`), beside the types of the domain instead of on
//! them, so that nothing inside knows of the interface (`docs/adr/0020-the-description-stands-beside-the-types.md`). Tests
//! hold the routes of the service against the description, and every kind of answer.

mod operation;
mod operations;
mod pages;
mod shape;
mod shapes;

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, PathsBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Tag};

use self::shape::{Named, Shape};
use self::shapes::bulk::{BulkAnswer, BulkLine};
use crate::http::access::Access;
use crate::http::problem::Problem;
use crate::http::{Route, routes as all_routes};

pub(super) use self::pages::routes;

/// What the way to show an API key is called.
const API_KEY: &str = "api_key";

const INTRODUCTION: &str = "An event-sourced inventory ledger. Commands are decided one after the other for each site, and \
    every decision is kept for ever.\n\n\
    - Every command has an `Idempotency-Key`: however often it is sent, it happens once.\n\
    - Every answer says in `Ledger-Position` which decision it reflects. A read that is sent with that position as \
    `Ledger-Min-Position` waits until it can see it.\n\
    - Every answer that is not a success is a problem document (RFC 9457) whose `code` never changes its meaning; \
    `/problems` explains them all.\n\
    - Members may be added to answers; unknown members, parameters and headers of requests are not guessed at: members and \
    parameters are refused.";

/// Tags, each with what belongs to it, in the order of the document.
const TAGS: &[(&str, &str)] = &[
    ("Sites", "Places that hold stock."),
    ("Items", "Descriptions of what is counted."),
    ("Stock", "What is where, why, and commands that change it."),
    ("Orders", "Promises to customers, and their steps."),
    ("Events", "What was decided, as it was and as it happens."),
    ("Bulk", "Many commands in one request."),
    ("Audit", "What was signed, and proofs of it."),
    ("Keys", "Who may come in."),
    ("Projections", "The read tables and their versions."),
    ("Service", "The node itself, and what explains it."),
];

/// The description of every route.
///
/// # Errors
/// A fault of ours: it cannot be written as JSON.
pub fn description() -> Result<String, serde_json::Error> {
    document().to_pretty_json().map(|json| json + "\n")
}

fn document() -> OpenApi {
    let routes = all_routes();
    let mut named = Named::new();
    let mut paths = PathsBuilder::new();
    for operation in operations::all() {
        let access = access_of(&routes, &operation.method, operation.path);
        let (method, path) = (operation.method.clone(), operation.path);
        let described = operation.described(access, &mut named);
        let item = utoipa::openapi::PathItem::new(method, described);
        paths = paths.path(path, item);
    }
    // No body of JSON refers to them: they are lines.
    BulkLine::usage(&mut named);
    BulkAnswer::usage(&mut named);
    let headers = operation::headers(&mut named);
    let problems = operation::single_problems(&mut named);
    let tags = TAGS.iter().map(|(name, about)| {
        let mut tag = Tag::new(name);
        tag.description = Some((*about).to_owned());
        tag
    });
    OpenApiBuilder::new()
        .info(info())
        .paths(paths)
        .components(Some(components(named, headers, problems)))
        .tags(Some(tags))
        .build()
}

fn info() -> utoipa::openapi::Info {
    let info = InfoBuilder::new().title("Stockledger").version(env!("CARGO_PKG_VERSION"));
    let mut license = License::new(env!("CARGO_PKG_LICENSE"));
    license.identifier = Some(env!("CARGO_PKG_LICENSE").to_owned());
    info.description(Some(INTRODUCTION)).license(Some(license)).build()
}

fn components(
    named: Named,
    headers: Vec<(&str, Header)>,
    problems: Vec<(&str, utoipa::openapi::Response)>,
) -> Components {
    let about = "The token of an API key. As long as the ledger has no key, none is needed.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
    let components = ComponentsBuilder::new().schemas_from_iter(named);
    let components =
        operation::examples().fold(components, |all, (name, example)| all.example(name, example));
    let components =
        problems.into_iter().fold(components, |all, (name, problem)| all.response(name, problem));
    let components = headers.into_iter().fold(components, |all, (name, header)| all.header(name, header));
    components.security_scheme(API_KEY, SecurityScheme::Http(bearer)).build()
}

/// What a route needs, as the router has it.
fn access_of(routes: &[Route], method: &HttpMethod, path: &str) -> Access {
    let is_it = |route: &&Route| route.path == path && is_same(method, &route.method);
    routes.iter().find(is_it).map_or(Access::Open, |route| route.access)
}

fn is_same(described: &HttpMethod, routed: &axum::http::Method) -> bool {
    match described {
        HttpMethod::Get => routed == axum::http::Method::GET,
        HttpMethod::Post => routed == axum::http::Method::POST,
        HttpMethod::Put => routed == axum::http::Method::PUT,
        HttpMethod::Delete => routed == axum::http::Method::DELETE,
        _ => false,
    }
}

fn unwritable(error: &serde_json::Error) -> Problem {
    Problem::internal(error.to_string())
}
