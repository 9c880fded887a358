//! What pages load: one stylesheet and one icon, from this program alone.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use crate::http::access::{Access, Routes};
use crate::http::ui::account::Theme;

/// How long a browser keeps them; after an upgrade it may show the old ones for so long.
const KEPT: &str = "public, max-age=300";

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/style.css", Access::Open, style).get("/ui/icon.svg", Access::Open, icon)
}

const STYLE: &str = include_str!("assets/style.css");
/// What the style has of both themes, and what becomes of it where one of them was chosen.
const BOTH: [&str; 2] = ["color-scheme: light dark;", "@media (prefers-color-scheme: dark) {"];
const LIGHT: [&str; 2] = ["color-scheme: light;", "@media not all {"];
const DARK: [&str; 2] = ["color-scheme: dark;", "@media all {"];

/// The theme is in the style alone, so that no page has to know of it.
async fn style(headers: HeaderMap) -> Response {
    let chosen = match Theme::of(&headers) {
        Theme::System => BOTH,
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let style =
        BOTH.iter().zip(chosen).fold(STYLE.to_owned(), |style, (both, one)| style.replacen(both, one, 1));
    ([(header::VARY, "cookie")], asset("text/css; charset=utf-8", style)).into_response()
}

async fn icon() -> Response {
    asset("image/svg+xml", include_str!("assets/icon.svg"))
}

fn asset(media_type: &'static str, text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, KEPT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
