//! `/ui/projections/rebuild`, `/ui/projections/switch`: the tables made anew or changed over, after a second look.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use stockledger_projections::Version;
use stockledger_projections::rebuild::{SwitchWhen, WORKERS_DEFAULT};
use stockledger_projections::switch::{IfDifferent, Target};
use stockledger_schemas::KeyScope;

use crate::http::App;
use crate::http::access::{Access, Routes};
use crate::http::page::accepts_html;
use crate::http::problem::{Code, Problem};
use crate::http::projections::refused;
use crate::http::segments::{NoParameters, Parameters};
use crate::http::ui::fields::Fields;
use crate::http::ui::frame::{Frame, Section, page, page_with};

const PROJECTIONS: &str = "/ui/projections";
const REBUILD: &str = "/ui/projections/rebuild";
const SWITCH: &str = "/ui/projections/switch";

pub(super) fn routes() -> Routes {
    let access = Access::AllSites(KeyScope::Admin);
    Routes::new()
        .get(REBUILD, access, ask_rebuild)
        .post(REBUILD, access, rebuild)
        .get(SWITCH, access, ask_switch)
        .post(SWITCH, access, switch)
}

/// Where somebody is asked whether to answer from a version.
pub(super) fn switch_path(version: Version) -> String {
    format!("{SWITCH}?version={version}")
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm {
    frame: Frame,
    does: String,
    action: &'static str,
    /// Empty where no version is meant.
    version: String,
    button: &'static str,
    back: &'static str,
    refused: String,
}

impl Confirm {
    fn rebuild() -> Self {
        Self {
            frame: Frame::new("Rebuild the read tables", Section::Projections).below(PROJECTIONS.to_owned(), "Projections"),
            does: "Makes a new version of the tables from the first record of the log, beside the one in use. When it is \
                   level, and only if its rows are the same, the ledger answers from it. Until then all goes on as it is."
                .to_owned(),
            action: REBUILD,
            version: String::new(),
            button: "Rebuild",
            back: PROJECTIONS,
            refused: String::new(),
        }
    }

    fn switch(version: Version) -> Self {
        Self {
            frame: Frame::new(format!("Answer from version {version}"), Section::Projections)
                .below(PROJECTIONS.to_owned(), "Projections"),
            does: format!(
                "Compares version {version} with the one in use, row by row, and answers from it if they are equal. The \
                 other one stays, to go back to."
            ),
            action: SWITCH,
            version: version.to_string(),
            button: "Switch",
            back: PROJECTIONS,
            refused: String::new(),
        }
    }

    /// The same page with why it was not done.
    fn with(self, problem: Problem, headers: &HeaderMap) -> Result<Response, Problem> {
        if !accepts_html(headers) || problem.code() == Code::Internal {
            return Err(problem);
        }
        let refused = problem.document("", "").detail().to_owned();
        page_with(problem.code().status(), &Self { refused, ..self })
    }
}

async fn ask_rebuild(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
) -> Result<Response, Problem> {
    app.versions()?;
    page(&Confirm::rebuild())
}

async fn rebuild(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match app.versions()?.rebuild(SwitchWhen::Level, WORKERS_DEFAULT) {
        Ok(()) => Ok(Redirect::to(PROJECTIONS).into_response()),
        Err(error) => Confirm::rebuild().with(refused(error), &headers),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    /// Nothing, if somebody comes without having been asked.
    version: Option<u32>,
}

async fn ask_switch(
    State(app): State<App>,
    Parameters(Meant { version }): Parameters<Meant>,
) -> Result<Response, Problem> {
    app.versions()?;
    match version {
        Some(version) => page(&Confirm::switch(Version(version))),
        None => Ok(Redirect::to(PROJECTIONS).into_response()),
    }
}

async fn switch(
    State(app): State<App>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let no_version = |_| Problem::new(Code::MalformedRequest, "the form names no version");
    let version = Version(fields.get("version").parse().map_err(no_version)?);
    let switched = app.versions()?.switch(Target::Version(version), IfDifferent::Refuse).await;
    match switched {
        Ok(_) => Ok(Redirect::to(PROJECTIONS).into_response()),
        Err(error) => Confirm::switch(version).with(refused(error), &headers),
    }
}
