//! `/ui/account`: who one is here, what one may do, and whether pages are light or dark.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{Redirect, Response};
use stockledger_schemas::{KeyScope, SiteId};

use crate::http::App;
use crate::http::access::cookie::cookie;
use crate::http::access::{Access, Caller, Routes};
use crate::http::problem::{Code, Problem};
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::fields::Fields;
use crate::http::ui::frame::{Frame, Section, page};
use crate::http::ui::keys;
use crate::http::ui::sign_in::with_cookie;
use crate::http::ui::text::When;

const THEME: &str = "stockledger_theme";
/// A year.
const THEME_KEPT_S: u32 = 365 * 86_400;

pub(super) fn routes() -> Routes {
    Routes::new().get("/ui/account", Access::AnyKey, show).post("/ui/theme", Access::Open, set_theme)
}

/// How pages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the system of whoever looks at them.
    System,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::System => "As the system",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }

    /// What the browser was told before.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        cookie(headers, THEME).and_then(Self::from_name).unwrap_or(Self::System)
    }
}

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    actor: String,
    key: Option<KeyRow>,
    is_in_session: bool,
    /// Whether they look after the keys of the ledger.
    has_keys: bool,
    themes: Vec<ThemeRow>,
}

struct KeyRow {
    id: String,
    scopes: Vec<&'static str>,
    sites: Option<Vec<String>>,
    expires_at: Option<When>,
}

struct ThemeRow {
    name: &'static str,
    label: &'static str,
    is_chosen: bool,
}

async fn show(
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    caller: Caller,
) -> Result<Response, Problem> {
    let chosen = Theme::of(&headers);
    let theme =
        |theme: Theme| ThemeRow { name: theme.as_str(), label: theme.label(), is_chosen: theme == chosen };
    page(&Account {
        frame: Frame::new("Account", Section::Account),
        actor: caller.actor().to_string(),
        key: caller.key().map(|key| KeyRow {
            id: key.key_id.to_string(),
            scopes: key.scopes.iter().copied().map(KeyScope::as_str).collect(),
            sites: key.sites.as_ref().map(|sites| sites.iter().map(SiteId::to_string).collect()),
            expires_at: key.expires_at.map(When),
        }),
        is_in_session: caller.is_in_session(),
        has_keys: keys::is_for(&caller),
        themes: Theme::ALL.map(theme).into(),
    })
}

async fn set_theme(State(_): State<App>, fields: Fields) -> Result<Response, Problem> {
    let unknown = || Problem::new(Code::MalformedRequest, "there is no such theme");
    let theme = Theme::from_name(fields.get("theme")).ok_or_else(unknown)?.as_str();
    let cookie = format!("{THEME}={theme}; Path=/ui; Max-Age={THEME_KEPT_S}; HttpOnly; SameSite=Strict");
    let cookie = HeaderValue::try_from(cookie).map_err(Problem::internal)?;
    Ok(with_cookie(Redirect::to("/ui/account"), Some(cookie)))
}
