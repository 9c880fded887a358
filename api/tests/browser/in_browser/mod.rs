//! Tests that need a browser.

mod accessible;
mod journeys;
mod signing_in;
