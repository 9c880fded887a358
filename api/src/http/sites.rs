//! `/v1/sites`: the places that hold stock, and remarks about them.

use axum::response::Response;
use stockledger_domain::Command;
use stockledger_domain::command::{OpenSite, RecordNote};
use stockledger_projections::views::{Page, Site};
use stockledger_schemas::{KeyScope, Name, Reason, Scope, SiteId};

use crate::http::access::{Access, Caller, Routes};
use crate::http::body::body;
use crate::http::command::Input;
use crate::http::list::{List, ListParameters};
use crate::http::problem::Problem;
use crate::http::read::{Reader, respond_at};
use crate::http::segments::{NoParameters, Parameters, Segments};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/v1/sites", Access::OwnSites(KeyScope::StockRead), list)
        .get("/v1/sites/{site}", Access::AtSite(KeyScope::StockRead), show)
        .put_command::<OpenSiteBody>("/v1/sites/{site}")
        .post_command::<RecordNoteBody>("/v1/sites/{site}/notes")
}

body! {
    /// The body that opens a site, or renames it.
    pub(super) struct OpenSiteBody[Reason] {
        name: Name,
    }
}

impl Input for OpenSiteBody {
    type Target = SiteId;

    const ACCESS: Access = Access::AllSites(KeyScope::Admin);
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

    const ACCESS: Access = Access::AtSite(KeyScope::StockWrite);

    fn into_command(self, site: SiteId) -> (Scope, Command) {
        (Scope::Site(site), Command::RecordNote(RecordNote {}))
    }
}

async fn list(
    Parameters(ListParameters { limit, cursor }): Parameters<ListParameters>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    let list = List::new("sites", &[]);
    let after = list.begin::<SiteId>(cursor.as_deref())?;
    if let Some(sites) = caller.sites() {
        let (data, next) = some_of(sites, after.as_ref(), limit.get(), &reader).await?;
        return list.respond_everywhere(None, &data, next.as_ref());
    }
    let answer = reader.0.sites(after.as_ref(), limit.get()).await?;
    list.respond(&answer.at, &answer.value)
}

/// A page of the sites that the caller sees, and the site behind which the next one begins.
pub(super) async fn page(
    caller: &Caller,
    reader: &Reader,
    after: Option<&SiteId>,
    limit: u32,
) -> Result<(Vec<Site>, Option<SiteId>), Problem> {
    if let Some(sites) = caller.sites() {
        return some_of(sites, after, limit, reader).await;
    }
    let Page { data, next } = reader.0.sites(after, limit).await?.value;
    Ok((data, next))
}

/// A page of those that the caller sees, and the site behind which the next one begins. They are looked up one by one, so
/// that not even the place of another site in the list shows.
async fn some_of(
    sites: &[SiteId],
    after: Option<&SiteId>,
    limit: u32,
    reader: &Reader,
) -> Result<(Vec<Site>, Option<SiteId>), Problem> {
    let mut seen: Vec<&SiteId> =
        sites.iter().filter(|site| after.is_none_or(|after| *site > after)).collect();
    seen.sort();
    let mut page: Vec<Site> = Vec::new();
    for site in seen {
        let Some(known) = reader.0.site(site).await? else { continue };
        let Some(answer) = reader.0.site_details(&known).await? else { continue };
        if page.len() as u64 == u64::from(limit) {
            let next = page.last().map(|site| site.site.clone());
            return Ok((page, next));
        }
        page.push(answer.value);
    }
    Ok((page, None))
}

async fn show(
    Segments(site): Segments<SiteId>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    reader: Reader,
) -> Result<Response, Problem> {
    let known = reader.site(&site).await?;
    let answer = reader.0.site_details(&known).await?.ok_or_else(|| Problem::unknown_site(&site))?;
    respond_at(&answer.at, &answer.value)
}
