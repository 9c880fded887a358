//! The dashboard as a browser gets it: the numbers, what surrounds them, and that no name of anybody becomes markup.

mod events;
mod forms;
mod keys;
mod live;
mod pace;
mod pages;
mod sign_in;
mod verification;

use axum::body::Body;

use crate::support::{Answer, Service, get};

/// A page as a browser asks for it, of tables that are level with every answer given before.
async fn browse(service: &Service, path: &str) -> Answer {
    let positions: Vec<String> =
        service.ledger.status().iter().map(|status| status.position.to_string()).collect();
    let request = get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let request = request.header("ledger-min-position", positions.join(","));
    service.send(request.body(Body::empty()).unwrap()).await
}

/// Asserts what holds for every page, whatever it is about.
#[track_caller]
fn assert_page(answer: &Answer, title: &str) {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{}", answer.text);
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = &answer.text;
    assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"), "{text}");
    assert!(text.contains(&format!("<title>{title} · Stockledger</title>")), "{text}");
    assert_eq!(text.matches("<h1>").count(), 1, "{text}");
    assert!(
        text.contains("<a class=\"skip\" href=\"#main\">") && text.contains("<main id=\"main\""),
        "{text}"
    );
    // One script of our own, on pages that renew themselves, and no other.
    let script = r#"<script src="/ui/live.js" defer></script>"#;
    let is_live = text.contains("data-stream=\"");
    assert_eq!(text.matches("<script").count(), usize::from(is_live), "{text}");
    assert_eq!(text.contains(script), is_live, "{text}");
    assert!(!is_live || policy.ends_with("; script-src 'self'; connect-src 'self'"), "{policy}");
    for forbidden in ["style=\"", "<style", " onclick", "javascript:", "http://", "https://"] {
        assert!(!text.to_lowercase().contains(forbidden), "{forbidden} in {text}");
    }
    for open in ["table", "section", "ul", "ol", "form", "nav", "main", "svg"] {
        let opened = text.matches(&format!("<{open}>")).count() + text.matches(&format!("<{open} ")).count();
        assert_eq!(opened, text.matches(&format!("</{open}>")).count(), "{open} in {text}");
    }
}

/// The text of a page without its markup, white space folded.
fn words(answer: &Answer) -> String {
    // Where a word may be broken it is still one.
    let whole = answer.text.replace("<wbr>", "");
    let pieces = whole.split('<').filter_map(|piece| piece.split_once('>').map(|(_, text)| text));
    let text: Vec<&str> = pieces.flat_map(str::split_whitespace).collect();
    text.join(" ")
}

/// Asserts that the words of a page have these in them.
#[track_caller]
fn assert_says(answer: &Answer, said: &[&str]) {
    let words = words(answer);
    for one in said {
        assert!(words.contains(one), "\"{one}\" is not in: {words}");
    }
}
