//! `/v1/sites`: the places that hold stock, and remarks about them.

use axum::response::Response;
use axum::routing::{get, post};
use stockledger_domain::Command;
use stockledger_domain::command::{OpenSite, RecordNote};
use stockledger_schemas::{Name, Reason, Scope, SiteId};

use crate::http::App;
use crate::http::body::body;
use crate::http::command::{Input, command};
use crate::http::list::{List, ListParameters};
use crate::http::problem::{Code, Problem};
use crate::http::read::{Reader, respond_at};
use crate::http::segments::{NoParameters, Parameters, Segments};

pub(super) fn router() -> axum::Router<App> {
    axum::Router::new()
        .route("/v1/sites", get(list))
        .route("/v1/sites/{site}", get(show).put(command::<OpenSiteBody>))
        .route("/v1/sites/{site}/notes", post(command::<RecordNoteBody>))
}

body! {
    /// The body that opens a site, or renames it.
    pub(super) struct OpenSiteBody[Reason] {
        name: Name,
    }
}

impl Input for OpenSiteBody {
    type Target = SiteId;

    const IS_KEYED: bool = false;

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Directory, Command::OpenSite(OpenSite { site, name: self.name }))
    }
}

body! {
    /// The body that puts a remark on record: the note that every body may have, which this one must have.
    pub(super) struct RecordNoteBody[Reason] {}
}

impl Input for RecordNoteBody {
    type Target = SiteId;

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Site(site), Command::RecordNote(RecordNote {}))
    }
}

async fn list(
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("sites", &[]);
    let after = list.begin::<SiteId>(cursor.as_deref())?;
    let answer = reader.0.sites(after.as_ref(), limit.get()).await?;
    list.respond(&answer.at, &answer.value)
}

async fn show(
    Segments(site): Segments<SiteId>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    let unknown = || Problem::new(Code::UnknownSite, format!("no site {site} was ever opened"));
    let answer = reader.0.site_details(&known).await?.ok_or_else(unknown)?;
    respond_at(&answer.at, &answer.value)
}
