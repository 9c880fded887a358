//! Pages that renew themselves, where there are scripts: which events each is about, and behind which position it stands.
//!
//! The script (`assets/live.js`) listens to `/v1/events/stream` and asks for the page again; all that it knows stands in the
//! page. Whoever may not read events gets a page without it, and so does whoever looks at the past or at tables that have
//! stopped, where nothing new would show.

use stockledger_projections::views::AsOf;
use stockledger_schemas::KeyScope;

use crate::feed::Cursor;
use crate::http::App;
use crate::http::access::{Access, Caller};
use crate::http::ui::age::Age;
use crate::http::ui::query::address;

/// The stream of what a page does not show that shows everything up to `after`; `about` are the parameters of the stream.
pub(super) fn behind(caller: &Caller, after: &str, about: &[(&str, &str)]) -> Option<String> {
    caller.check(Access::OwnSites(KeyScope::AuditRead), None).ok()?;
    Some(address("/v1/events/stream", &[about, &[("after", after)]].concat()))
}

/// The same of a page about one site, of which it shows this state.
pub(super) fn at_site(caller: &Caller, age: &Age, site: &str, about: (&str, &str)) -> Option<String> {
    let position = age.position.filter(|_| age.goes_on())?;
    behind(caller, &position.to_string(), &[("site", site), about])
}

/// The same of a page about all sites. `end` is where the log ended before these states were read.
pub(super) fn everywhere(
    app: &App,
    caller: &Caller,
    age: &Age,
    mut end: Cursor,
    states: &[AsOf],
) -> Option<String> {
    if !age.goes_on() {
        return None;
    }
    // Of two sites of a partition the earlier state counts.
    let mut positions: Vec<_> = states.iter().map(|at| at.position).collect();
    positions.sort_by_key(|position| std::cmp::Reverse(position.seq));
    positions.into_iter().for_each(|position| end.pass(position));
    behind(caller, &end.text(app.node().ledger_id), &[])
}
