//! What all pages have in common: where one is, where one can go, how old the numbers are.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stockledger_schemas::SiteId;

use crate::http::problem::Problem;
use crate::http::ui::age::Age;
use crate::text::segment;

/// Nothing but our own stylesheet, icon and forms: a name with markup in it stays text, whatever else fails.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";
/// The same for a page that renews itself: our own script, which asks nobody but us.
const POLICY_LIVE: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                           frame-ancestors 'none'; script-src 'self'; connect-src 'self'";

/// The parts of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Sites,
    Items,
    Events,
    Projections,
    Audit,
    Account,
    /// A page that is in none of them, such as that of a problem.
    Nowhere,
}

/// A step of the way to a page.
#[derive(Debug, Clone)]
pub(super) struct Crumb {
    pub(super) path: String,
    pub(super) text: String,
}

/// What stands around the content of a page.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) section: Section,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) age: Option<Age>,
    /// The stream that tells of what the page does not show yet, for a page that renews itself.
    pub(super) stream: Option<String>,
}

impl Frame {
    pub(super) fn new(title: impl Into<String>, section: Section) -> Self {
        Self { title: title.into(), section, crumbs: Vec::new(), age: None, stream: None }
    }

    /// A page about a site.
    pub(super) fn at_site(title: impl Into<String>, site: &SiteId) -> Self {
        Self::new(title, Section::Sites).below(site_path(site, "stock"), site.as_str())
    }

    /// Below another page.
    pub(super) fn below(mut self, path: String, text: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { path, text: text.into() });
        self
    }

    pub(super) fn aged(mut self, age: Age) -> Self {
        self.age = Some(age);
        self
    }

    /// Renewed when this stream tells of something; to be answered as a [`live_page`].
    pub(super) fn live(mut self, stream: Option<String>) -> Self {
        self.stream = stream;
        self
    }

    /// What marks the link to the section that the page is in.
    fn current(&self, section: Section) -> &'static str {
        if self.section == section { "page" } else { "false" }
    }

    pub(super) fn in_overview(&self) -> &'static str {
        self.current(Section::Overview)
    }

    pub(super) fn in_sites(&self) -> &'static str {
        self.current(Section::Sites)
    }

    pub(super) fn in_items(&self) -> &'static str {
        self.current(Section::Items)
    }

    pub(super) fn in_events(&self) -> &'static str {
        self.current(Section::Events)
    }

    pub(super) fn in_projections(&self) -> &'static str {
        self.current(Section::Projections)
    }

    pub(super) fn in_audit(&self) -> &'static str {
        self.current(Section::Audit)
    }

    pub(super) fn in_account(&self) -> &'static str {
        self.current(Section::Account)
    }
}

/// The pages of a site.
#[derive(Debug, Clone)]
pub(super) struct Tabs {
    pub(super) site: String,
    pub(super) stock: String,
    pub(super) orders: String,
    pub(super) is_stock: bool,
}

impl Tabs {
    pub(super) fn stock(site: &SiteId) -> Self {
        let (stock, orders) = (site_path(site, "stock"), site_path(site, "orders"));
        Self { site: site.to_string(), stock, orders, is_stock: true }
    }

    pub(super) fn orders(site: &SiteId) -> Self {
        Self { is_stock: false, ..Self::stock(site) }
    }
}

/// The path of something at a site.
pub(super) fn site_path(site: &SiteId, what: &str) -> String {
    format!("/ui/sites/{}/{what}", segment(site.as_str()))
}

/// The path of something below that at a site, such as one item of its stock.
pub(super) fn site_path_of(site: &SiteId, what: &str, id: &str) -> String {
    format!("/ui/sites/{}/{what}/{}", segment(site.as_str()), segment(id))
}

/// The page as an answer.
pub(super) fn page(template: &impl Template) -> Result<Response, Problem> {
    page_with(StatusCode::OK, template)
}

/// The same of a page that renews itself.
pub(super) fn live_page(template: &impl Template) -> Result<Response, Problem> {
    let mut response = page(template)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY_LIVE));
    Ok(response)
}

/// The page as an answer of this status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(Problem::internal)?;
    let mut response = (status, html).into_response();
    set_headers(response.headers_mut());
    Ok(response)
}

/// What every page tells a browser.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        // Who signs out and goes back sees nothing any more.
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
