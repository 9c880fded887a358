//! What pages load: one stylesheet, one icon and one script, from this program alone.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stockledger_schemas::Hash;

use crate::http::access::{Access, Routes};
use crate::http::ui::account::Theme;

/// A browser keeps them and asks each time whether they are still the same: after an upgrade they are not, nor after another
/// theme was chosen, which a browser's cache in memory does not tell by `Vary`.
const KEPT: &str = "no-cache";

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/style.css", Access::Open, style).get("/ui/icon.svg", Access::Open, icon).get(
        "/ui/live.js",
        Access::Open,
        script,
    )
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
    asset(&headers, "text/css; charset=utf-8", style)
}

async fn icon(headers: HeaderMap) -> Response {
    asset(&headers, "image/svg+xml", include_str!("assets/icon.svg").to_owned())
}

async fn script(headers: HeaderMap) -> Response {
    asset(&headers, "text/javascript; charset=utf-8", include_str!("assets/live.js").to_owned())
}

fn asset(headers: &HeaderMap, media_type: &'static str, text: String) -> Response {
    let mark = format!("\"{}\"", Hash::of(&[text.as_bytes()]));
    let is_same = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == mark.as_bytes());
    let shown = [
        (header::CACHE_CONTROL, KEPT.to_owned()),
        (header::ETAG, mark),
        (header::VARY, "cookie".to_owned()),
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if is_same {
        return (StatusCode::NOT_MODIFIED, shown).into_response();
    }
    (shown, text).into_response()
}
