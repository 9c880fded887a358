//! Small pages for people who open the service in a browser or with curl.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A heading, some paragraphs and some links.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) text: Vec<String>,
    /// Path and text of each.
    pub(super) links: Vec<(String, String)>,
}

/// The page as HTML where the request accepts that, else as plain text.
pub(super) fn respond(headers: &HeaderMap, page: &Page) -> Response {
    let (media_type, text) = if accepts_html(headers) {
        ("text/html; charset=utf-8", page.html())
    } else {
        ("text/plain; charset=utf-8", page.plain())
    };
    let vary = (header::VARY, HeaderValue::from_static("accept"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), vary], text).into_response()
}

/// A browser says `text/html` by name; a program that takes anything does not.
pub(super) fn accepts_html(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter();
    accepts.any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

impl Page {
    fn plain(&self) -> String {
        let mut lines = vec![self.title.clone(), String::new()];
        lines.extend(self.text.iter().cloned());
        lines.push(String::new());
        lines.extend(self.links.iter().map(|(path, text)| format!("{path}  {text}")));
        lines.join("\n") + "\n"
    }

    fn html(&self) -> String {
        let title = escaped(&self.title);
        let text: String = self.text.iter().map(|text| format!("<p>{}</p>\n", escaped(text))).collect();
        let link = |(path, text): &(String, String)| {
            format!("<li><a href=\"{0}\">{0}</a> {1}</li>\n", escaped(path), escaped(text))
        };
        let links: String = self.links.iter().map(link).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <h1>{title}</h1>\n{text}<ul>\n{links}</ul>\n</html>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
