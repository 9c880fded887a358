//! The dashboard in a real browser: what people do with it, with and without scripts, by keyboard alone, and whether it
//! keeps anybody out.
//!
//! Needs `chromedriver` and Chromium, and axe-core for what looks at accessibility: `cargo xtask test` installs them and says
//! where they are. The tests stand in `in_browser`, which `--quick` leaves out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod driver;
mod in_browser;
mod place;
