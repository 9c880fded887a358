//! What a form sent: its fields in order, as a browser writes them (`application/x-www-form-urlencoded`).

use axum::extract::{FromRequest, Request};

use crate::http::App;
use crate::http::command::read_body;
use crate::http::problem::{Code, Problem};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
/// Fields of one form: more than any page of ours has.
const FIELDS_MAX: usize = 2_000;

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// What was filled in, without white space around it; empty where there is no such field.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
    }

    /// Whether the form was sent by the button of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// Fills a field in, unless it is.
    pub(super) fn fill(&mut self, name: &str, value: impl Into<String>) {
        if !self.has(name) {
            self.0.push((name.to_owned(), value.into()));
        }
    }

    /// Fills a field in, whatever was in it.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(found, _)| found != name);
        self.0.push((name.to_owned(), value.into()));
    }

    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let malformed = |detail: &str| Problem::new(Code::MalformedRequest, detail);
        if std::str::from_utf8(body).is_err() {
            return Err(malformed("the form is not UTF-8"));
        }
        let mut pairs = form_urlencoded::parse(body);
        let fields =
            pairs.by_ref().take(FIELDS_MAX).map(|(name, value)| (name.into_owned(), value.into_owned()));
        let fields = Self(fields.collect());
        if pairs.next().is_some() {
            return Err(malformed(&format!("a form has at most {FIELDS_MAX} fields")));
        }
        Ok(fields)
    }
}

impl FromRequest<App> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read_body(app, &parts, body, &[MEDIA_TYPE]).await?;
        Self::parse(&body.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let fields = Fields::parse("sku=A+1&name=%C3%84pfel+%26+B&empty=&button".as_bytes()).unwrap();
        assert_eq!((fields.get("sku"), fields.get("name")), ("A 1", "Äpfel & B"));
        assert_eq!((fields.get("empty"), fields.get("none")), ("", ""));
        assert!(fields.has("button") && !fields.has("none"));
        let many = "a=1&".repeat(FIELDS_MAX);
        assert!(Fields::parse(many.as_bytes()).is_ok());
        assert_eq!(
            Fields::parse(format!("{many}b=2").as_bytes()).unwrap_err().code(),
            Code::MalformedRequest
        );
        assert_eq!(Fields::parse(b"a=\xff").unwrap_err().code(), Code::MalformedRequest);
    }
}
