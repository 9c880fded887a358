//! Stockledger, an event-sourced inventory ledger: the edge that people and programs meet, and the root that puts the
//! parts together.
//!
//! The rooms: [`http`] answers requests, [`cli`] is the command line, [`import`] brings real input in, [`config`] says
//! how it is all set up, [`node`] starts and stops the parts, [`setup`] names what is refused at start, [`storage`]
//! is the one place that knows which logs and which tables there are, [`versions`] looks after the versions of the
//! tables, [`verifications`] after the log itself, [`keys`] tells callers apart, [`feed`] tells what was decided as it
//! happens, [`metrics`] measures. No rule of business and no SQL lives here.

pub mod cli;
pub mod client;
pub mod config;
pub mod data_dir;
pub mod feed;
mod following;
pub mod http;
pub mod import;
pub mod keys;
mod lag_group;
pub mod metrics;
pub mod node;
pub mod setup;
pub mod storage;
pub mod text;
pub mod tls;
pub mod verifications;
pub mod versions;
