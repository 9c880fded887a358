//! What pages load: one stylesheet and one icon, from this program alone.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::http::access::{Access, Routes};

/// How long a browser keeps them; after an upgrade it may show the old ones for so long.
const KEPT: &str = "public, max-age=300";

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/style.css", Access::Open, style).get("/ui/icon.svg", Access::Open, icon)
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("assets/style.css"))
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("assets/icon.svg"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, KEPT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
