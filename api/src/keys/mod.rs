//! API keys: tokens, and what a node knows of the keys of its ledger.
//!
//! Keys are events of the directory. Every node that answers HTTP reads them from the log itself ([`Keyring`]), so telling
//! callers apart needs neither the read tables nor the role writer, and a key that is revoked opens nothing any more as
//! soon as the record is read. The token is made by whoever asks for the key and never leaves their machine but to be
//! shown by its holder: the ledger has its hash alone.
//!
//! What is absent on purpose: deciding (that is the domain's) and what a route needs (that is the route's, `http::access`).

mod keyring;
mod known;
mod scan;
mod token;

pub use keyring::{Keyring, Reading};
pub use known::{Identified, Key, Known, Listed, Refused};
pub use scan::{Error as ScanError, all, was_any_created};
pub use token::{InvalidToken, Token};
