//! The cookie that holds the ticket of a session: out of the reach of scripts, and sent by nobody's pages but ours.

use axum::http::{Extensions, HeaderMap, HeaderValue, header};

use crate::http::access::sessions::SESSION_LASTS;
use crate::http::patience::Encrypted;

const NAME: &str = "stockledger_session";
/// Over TLS the name says that no other host and no unencrypted page set it (RFC 6265bis, 4.1.3.2).
const NAME_ENCRYPTED: &str = "__Host-stockledger_session";

/// The cookies of one connection: what they are called depends on whether it is encrypted.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Jar {
    is_encrypted: bool,
}

impl Jar {
    /// Of a request. A proxy that ends TLS says so; whoever lies harms their own cookie alone.
    pub(in crate::http) fn of(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let says_https = |name: &str, word: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| {
                value.to_ascii_lowercase().split([',', ';']).any(|one| one.trim() == word)
            })
        };
        let is_encrypted = extensions.get::<Encrypted>().is_some()
            || says_https("x-forwarded-proto", "https")
            || says_https("forwarded", "proto=https");
        Self { is_encrypted }
    }

    const fn name(self) -> &'static str {
        if self.is_encrypted { NAME_ENCRYPTED } else { NAME }
    }

    /// The ticket in a request, if it has one.
    pub(in crate::http) fn ticket(self, headers: &HeaderMap) -> Option<&str> {
        cookie(headers, self.name())
    }

    /// What gives a browser its ticket.
    pub(in crate::http) fn keep(self, ticket: &str) -> Option<HeaderValue> {
        self.set(ticket, SESSION_LASTS.as_secs())
    }

    /// What takes it away again.
    pub(in crate::http) fn forget(self) -> Option<HeaderValue> {
        self.set("", 0)
    }

    fn set(self, value: &str, seconds: u64) -> Option<HeaderValue> {
        let (name, secure) = (self.name(), if self.is_encrypted { "; Secure" } else { "" });
        let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::try_from(text).ok()
    }
}

/// The value of a cookie of this name, if the request has one.
pub(in crate::http) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xstockledger_session=2;theme=dark"));
        headers.append(header::COOKIE, HeaderValue::from_static("stockledger_session=3; b"));
        let jar = Jar::of(&Extensions::new(), &headers);
        assert_eq!(jar.ticket(&headers), Some("3"));
        assert_eq!(cookie(&headers, "theme"), Some("dark"));
        assert_eq!(cookie(&headers, "b"), None);
    }

    #[test]
    fn an_encrypted_connection_has_a_cookie_of_its_own() {
        let plain = Jar::of(&Extensions::new(), &HeaderMap::new()).keep("t").unwrap();
        assert_eq!(
            plain.to_str().unwrap(),
            "stockledger_session=t; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"
        );
        let mut tls = Extensions::new();
        tls.insert(Encrypted);
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("stockledger_session=planted"));
        for jar in [
            Jar::of(&tls, &HeaderMap::new()),
            Jar::of(
                &Extensions::new(),
                &HeaderMap::from_iter([(
                    "x-forwarded-proto".parse().unwrap(),
                    HeaderValue::from_static("https"),
                )]),
            ),
            Jar::of(
                &Extensions::new(),
                &HeaderMap::from_iter([(
                    header::FORWARDED,
                    HeaderValue::from_static("for=1.2.3.4;Proto=https"),
                )]),
            ),
        ] {
            assert_eq!(jar.ticket(&headers), None);
            let kept = jar.keep("t").unwrap();
            assert!(kept.to_str().unwrap().starts_with("__Host-stockledger_session=t; Path=/;"), "{kept:?}");
            assert!(kept.to_str().unwrap().ends_with("; Secure"), "{kept:?}");
        }
    }
}
