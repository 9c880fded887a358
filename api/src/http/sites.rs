//! `/v1/sites`: the places that hold stock, and remarks about them.

use axum::response::Response;
use stockledger_domain::Command;
use stockledger_domain::command::{OpenSite, RecordNote};
use stockledger_projections::Queries;
use stockledger_projections::views::Site;
use stockledger_schemas::{KeyScope, Name, Reason, Scope, SiteId};

use crate::http::access::{Access, Caller, Routes};
use crate::http::body::body;
use crate::http::command::Input;
use crate::http::conditional::Tag;
use crate::http::list::{List, ListParameters, Pages, Portion, Wanted};
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
    Parameters(asked): Parameters<ListParameters>,
    wanted: Wanted,
    caller: Caller,
    reader: Reader,
) -> Result<Response, Problem> {
    List::new("sites", &[]).answer(wanted, asked, Sites::new(&caller, &reader)).await
}

/// The sites that a caller sees.
pub(super) struct Sites {
    queries: Queries,
    /// All, if absent.
    seen: Option<Vec<SiteId>>,
}

impl Sites {
    pub(super) fn new(caller: &Caller, reader: &Reader) -> Self {
        Self { queries: reader.0.clone(), seen: caller.sites().map(<[SiteId]>::to_vec) }
    }
}

impl Pages for Sites {
    type Row = Site;
    type Key = SiteId;

    async fn page(&self, after: Option<SiteId>, limit: u32) -> Result<Portion<Site, SiteId>, Problem> {
        let Some(seen) = &self.seen else {
            return Ok(Portion::of(self.queries.sites(after.as_ref(), limit).await?));
        };
        let (data, next) = some_of(seen, after.as_ref(), limit, &self.queries).await?;
        Ok(Portion { at: None, past: None, data, next })
    }
}

/// A page of those that the caller sees, and the site behind which the next one begins. They are looked up one by one, so
/// that not even the place of another site in the list shows.
async fn some_of(
    sites: &[SiteId],
    after: Option<&SiteId>,
    limit: u32,
    queries: &Queries,
) -> Result<(Vec<Site>, Option<SiteId>), Problem> {
    let mut seen: Vec<&SiteId> =
        sites.iter().filter(|site| after.is_none_or(|after| *site > after)).collect();
    seen.sort();
    let mut page: Vec<Site> = Vec::new();
    for site in seen {
        let Some(known) = queries.site(site).await? else { continue };
        let Some(answer) = queries.site_details(&known).await? else { continue };
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
    respond_at(&answer.at, Tag::Body, &answer.value)
}
