//! Tests that need a browser.

mod accessible;
mod journeys;
mod live;
mod signing_in;
