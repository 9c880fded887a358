//! `/openapi.json`, and `/docs`: Swagger UI as it is vendored, which loads nothing from elsewhere.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa_swagger_ui::Config;

use super::{description, unwritable};
use crate::http::access::{Access, Routes};
use crate::http::problem::{Code, Problem};
use crate::http::segments::Segments;

/// Only what the page needs; the package has more.
const FILES: [&str; 5] = [
    "favicon-32x32.png",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Stockledger: HTTP interface</title>
<link rel=\"icon\" href=\"/docs/favicon-32x32.png\">
<link rel=\"stylesheet\" href=\"/docs/swagger-ui.css\">
<div id=\"swagger-ui\"></div>
<noscript><p>This page needs JavaScript. The description that it shows: <a href=\"/openapi.json\">/openapi.json</a></p></noscript>
<script src=\"/docs/swagger-ui-bundle.js\"></script>
<script src=\"/docs/swagger-ui-standalone-preset.js\"></script>
<script src=\"/docs/swagger-initializer.js\"></script>
</html>
";

/// Swagger UI writes styles into its elements and has icons in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The description, written once.
static DESCRIPTION: LazyLock<Result<Bytes, serde_json::Error>> =
    LazyLock::new(|| description().map(Bytes::from));

/// They tell nothing of the ledger.
pub(in crate::http) fn routes() -> Routes {
    Routes::new().get("/openapi.json", Access::Open, json).get("/docs", Access::Open, page).get(
        "/docs/{file}",
        Access::Open,
        file,
    )
}

async fn json() -> Result<Response, Problem> {
    let description = DESCRIPTION.as_ref().map_err(unwritable)?;
    Ok(answer("application/json", Body::from(description.clone())))
}

async fn page() -> Response {
    answer("text/html; charset=utf-8", Body::from(PAGE))
}

async fn file(Segments(name): Segments<String>) -> Result<Response, Problem> {
    let unknown = || Problem::new(Code::NotFound, "there is no such file; /docs is the page");
    if !FILES.contains(&name.as_str()) {
        return Err(unknown());
    }
    // Without this it asks a foreign host whether the description is valid.
    let config = Config::from("/openapi.json").validator_url("none").display_operation_id(true);
    let file = utoipa_swagger_ui::serve(&name, Arc::new(config))
        .map_err(|error| Problem::internal(error.to_string()))?
        .ok_or_else(unknown)?;
    let content_type = HeaderValue::try_from(file.content_type).map_err(Problem::internal)?;
    let mut response = answer("", Body::from(file.bytes.into_owned()));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

fn answer(content_type: &'static str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body).into_response()
}
