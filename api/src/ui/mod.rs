//! The dashboard: the same answers as the JSON, as pages that need no script.
//!
//! One small script renews the numbers of some pages where there are scripts (`live.rs`); nothing depends on it.
//!
//! A page asks [`Queries`](stockledger_projections::Queries) what the JSON routes ask, with the rights of the JSON routes,
//! and shows the same views. Absent on purpose: rules of the business, SQL, and anything from another host.
//!
//! Start reading at [`routes`], then `frame.rs` for what all pages have in common, then `dress.rs` for what happens to a
//! problem on its way to a browser. Mounted by the http module, whose routes and extractors it works with.

mod account;
mod age;
mod assets;
mod audit;
mod chart;
mod dress;
mod events;
mod feed;
mod fields;
mod forms;
mod frame;
mod item;
mod items;
mod keys;
mod levels;
mod live;
mod order;
mod orders;
mod overview;
mod pace;
mod projections;
mod query;
mod sign_in;
mod sites;
mod text;
mod verification;
mod versions;

pub(super) use self::dress::dress;

use crate::http::access::Routes;

pub(super) fn routes() -> Routes {
    let pages = overview::routes()
        .and(sites::routes())
        .and(items::routes())
        .and(levels::routes())
        .and(item::routes())
        .and(orders::routes())
        .and(order::routes())
        .and(events::routes())
        .and(projections::routes())
        .and(versions::routes())
        .and(audit::routes())
        .and(verification::routes())
        .and(forms::routes())
        .and(account::routes())
        .and(keys::routes())
        .and(sign_in::routes());
    assets::routes().and(pages.for_people())
}
